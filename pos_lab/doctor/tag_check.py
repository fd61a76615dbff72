"""Lists of tagged values whose lengths have another number of digits than is due: a fault that firmware is known for.

Rules owned here: where such lists are looked for: field 59, and field 62 of the kinds that are ours.
"""

from __future__ import annotations

from pos_lab.doctor.hypothesis import Hypothesis
from pos_lab.doctor.symptom import Finding
from pos_lab.doctor.walk import Place
from protocol.errors import DecodeError
from protocol.fields import FIELDS, F
from protocol.kinds import identify
from protocol.private import read_tags, unpack_tags


def check_tags(found: Hypothesis) -> list[Finding]:
    """A finding for each such list; what else may be wrong with a list is told where its message is."""
    fields = found.reading.dialect.fields
    identity = identify(found.message)
    due = {F.DEVICE, F.PAYLOAD} if identity is not None and identity.kind.extension else {F.DEVICE}
    return [
        Finding("tag_length", found.body_at + place.value_at, place.number, name=fault)
        for place in found.walk.places
        if place.number in due and place.number in fields and fields[place.number].means(FIELDS[place.number])
        if (fault := _fault(place))
    ]


def _fault(place: Place) -> str:
    """What is wrong with the lengths, "" where nothing is, or something else."""
    assert isinstance(place.value, bytes), "fields 59 and 62 hold bytes"
    read = read_tags if place.number == F.DEVICE else unpack_tags
    try:
        read(place.value, field=place.number)
    except DecodeError as error:
        return error.message if error.code == "tag_length" else ""
    return ""
