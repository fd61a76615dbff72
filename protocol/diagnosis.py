"""What a device tells of itself when the host asks it to: a diagnosis in sections, one tag each (product F).

Rules owned here: TABLE SECTIONS; a section is ``name=value`` items with blanks between them, in the order of weight,
and ends with the last item that fits, so that all sections go into one field 62. Nothing in it is card data or a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.errors import DecodeError, EncodeError
from protocol.fields import F


@dataclass(frozen=True, slots=True)
class Section:
    """A row of SECTIONS: its name, and how many bytes it may take."""

    name: str
    bytes_max: int


SECTIONS: Final[Mapping[str, Section]] = MappingProxyType(
    {
        "ST": Section("self_test", 240),
        "FW": Section("firmware", 140),
        "PW": Section("power", 80),
        "WR": Section("wear", 80),
        "FC": Section("fail_counters", 180),
        "FF": Section("faults", 180),
    }
)
"""Tag in field 62 of an acknowledgement -> section."""

Diagnosis = Mapping[str, Mapping[str, str]]
_ITEM = re.compile(r"([a-z0-9_.]+)=([A-Za-z0-9_.:+-]+)")


def pack_diagnosis(diagnosis: Diagnosis) -> list[tuple[str, bytes]]:
    """The tags of a diagnosis, section name to item to value; a section that is not there has none.

    Raises EncodeError for an item that no section can carry.
    """
    tags = []
    for tag, section in SECTIONS.items():
        text = ""
        for name, value in diagnosis.get(section.name, {}).items():
            item = f"{name}={value}"
            if not _ITEM.fullmatch(item):
                raise EncodeError(f"no item of a diagnosis: {name!r}", field=F.PAYLOAD)
            if len(text) + len(item) >= section.bytes_max:
                break
            text += f" {item}" if text else item
        if text:
            tags.append((tag, text.encode("ascii")))
    return tags


def read_diagnosis(tags: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """The inverse; tags that are no section are left alone. Raises DecodeError."""
    diagnosis: dict[str, dict[str, str]] = {}
    for tag, section in SECTIONS.items():
        if tag not in tags:
            continue
        items = [_ITEM.fullmatch(item) for item in tags[tag].decode("latin-1").split(" ")]
        if not all(items):
            raise DecodeError(f"tag {tag} is no section of a diagnosis", field=F.PAYLOAD, code="tags")
        diagnosis[section.name] = {item[1]: item[2] for item in items if item}
    return diagnosis
