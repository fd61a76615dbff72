"""One change that makes a body whole: the field whose length, form or bit contradicts the others.

Rules owned here: the order in which changes are tried, and that a change counts only if the body then ends where it is
due to end. Of several that do, the caller believes the likeliest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from pos_lab.doctor.alteration import ALTERATIONS
from pos_lab.doctor.symptom import Finding
from pos_lab.doctor.walk import Reading, Walk, walk_fields
from protocol.dialects import ISO87_BCD
from protocol.elements import Element, ElementError, Text

_FOREIGN_FIELDS: Final = ISO87_BCD.fields
"""What a field that a dialect lacks is elsewhere."""

WRONG_BY_MAX: Final = 64
"""A length that is wrong by more is no slip."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What to believe instead, and the walk under it."""

    finding: Finding
    reading: Reading
    walk: Walk


def repairs(raw: bytes, reading: Reading, broken: Walk) -> Iterator[Repair]:
    """Every single change after which ``raw`` is one body and nothing more."""
    starts = {place.number: place.at for place in broken.places}
    if broken.stop:
        starts[broken.stop.number] = broken.end
    suspects = [number for number in broken.numbers if number in starts and number in reading.elements]
    yield from _other_forms(raw, reading, broken, starts, suspects)
    if broken.stop and broken.stop.number in _FOREIGN_FIELDS and broken.stop.number not in reading.elements:
        foreign = _with(reading, broken.stop.number, _FOREIGN_FIELDS[broken.stop.number].element)
        found = walk_fields(raw, foreign, broken, broken.numbers)
        if _is_whole(found, raw):
            yield Repair(Finding("undefined_field", broken.end, broken.stop.number), foreign, found)
    for number in suspects:
        yield from _other_lengths(raw, reading, broken, number, starts[number])
    for number in broken.numbers:
        fewer = tuple(each for each in broken.numbers if each != number)
        found = walk_fields(raw, reading, broken, fewer)
        if _is_whole(found, raw):
            yield Repair(Finding("bit_without_field", starts.get(number, broken.end), number), reading, found)
    for number in reading.elements:
        if number not in broken.numbers:
            found = walk_fields(raw, reading, broken, tuple(sorted((*broken.numbers, number))))
            if _is_whole(found, raw):
                at = next(place.at for place in found.places if place.number == number)
                yield Repair(Finding("field_without_bit", at, number), reading, found)


def _other_forms(
    raw: bytes, reading: Reading, head: Walk, starts: dict[int, int], suspects: list[int]
) -> Iterator[Repair]:
    for number in suspects:
        for code, alter in ALTERATIONS.items():
            element = alter(reading.elements[number])
            if element is None:
                continue
            changed = _with(reading, number, element)
            found = walk_fields(raw, changed, head, head.numbers)
            if _is_whole(found, raw):
                name = element.coding.charset if isinstance(element.coding, Text) else ""
                yield Repair(Finding(code, starts[number], number, name=name), changed, found)


def _other_lengths(raw: bytes, reading: Reading, head: Walk, number: int, at: int) -> Iterator[Repair]:
    """The length that the field must have for the rest to fit, where the peer states another."""
    element = reading.elements[number]
    prefix_bytes = element.prefix.size_bytes if element.prefix else 0
    try:
        stated = element.prefix.decode(raw[at : at + prefix_bytes]) if element.prefix else element.most
    except ElementError:
        return
    units_max = min(stated + WRONG_BY_MAX, 2 * element.most if element.prefix is None else element.most)
    for units in range(max(0, stated - WRONG_BY_MAX), units_max + 1):
        if units == stated:
            continue
        found = walk_fields(raw, reading, head, head.numbers, {number: units})
        if _is_whole(found, raw):
            wrong_bytes = element.coding.size_bytes(units) - element.coding.size_bytes(stated)
            finding = (
                Finding("field_length_wrong", at, number, stated - units)
                if element.prefix
                else Finding("field_size_wrong", at, number, wrong_bytes)
            )
            yield Repair(finding, reading, found)


def _with(reading: Reading, number: int, element: Element) -> Reading:
    return replace(reading, elements={**reading.elements, number: element})


def _is_whole(found: Walk, raw: bytes) -> bool:
    return found.stop is None and found.end == len(raw)
