"""A body read field by field, as far as it goes: what a codec that refuses the whole cannot tell.

Rules owned here: a ``Reading`` is everything that two sides must agree on, free to be other than any dialect's;
``walk`` keeps the place of every field and where and why it stopped. Elements say themselves how their bytes are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from protocol.dialect import Dialect
from protocol.elements import LAST_FIELD, SECOND_BITMAP, Bitmap, Element, ElementError, Value


@dataclass(frozen=True, slots=True)
class Reading:
    """MTI, bitmap and fields as one side writes them; with ``second``, bit 1 announces a second bitmap."""

    dialect: Dialect = field(repr=False)
    mti: Element
    bitmap: Bitmap
    elements: Mapping[int, Element] = field(repr=False)
    second: bool
    codes: tuple[str, ...] = ()

    @classmethod
    def of(cls, dialect: Dialect) -> Reading:
        """The reading of a dialect as it is due."""
        elements = {number: row.element for number, row in dialect.fields.items()}
        return cls(dialect, dialect.mti, dialect.bitmap, elements, max(elements) > LAST_FIELD)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field stands in the body: ``at`` is its length or, without one, ``value_at``."""

    number: int
    at: int
    value_at: int
    end: int
    value: Value = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a walk ended early. ``due`` counts the bytes that a truncated element needs beyond the end."""

    code: str
    message: str
    number: int
    due: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a body was read. ``numbers`` are the fields that its bitmap names."""

    mti: str = ""
    numbers: tuple[int, ...] = ()
    places: tuple[Place, ...] = ()
    head_end: int = 0
    end: int = 0
    stop: Stop | None = None

    @property
    def values(self) -> dict[int, Value]:
        """The fields that were read."""
        return {place.number: place.value for place in self.places}


_AS_STATED: Final[Mapping[int, int]] = MappingProxyType({})


class _CutShort(Exception):
    """The bytes end inside an element; the argument is how many more are due."""


def _take(raw: bytes, at: int, size: int) -> bytes:
    if at + size > len(raw):
        raise _CutShort(at + size - len(raw))
    return raw[at : at + size]


def walk_head(raw: bytes, reading: Reading) -> Walk:
    """MTI and bitmap alone; ``stop`` is about them."""
    mti = ""
    at = reading.mti.coding.size_bytes(reading.mti.most)
    try:
        mti = str(reading.mti.coding.decode(_take(raw, 0, at), reading.mti.most))
        if mti not in reading.dialect.mtis:
            return Walk(mti, stop=Stop("unknown_mti", "", 0))
        width = reading.bitmap.value
        bits = reading.bitmap.decode(_take(raw, at, width))
        at, last = at + width, LAST_FIELD
        if reading.second and bits >> (LAST_FIELD - SECOND_BITMAP):
            bits = bits << LAST_FIELD | reading.bitmap.decode(_take(raw, at, width))
            at, last = at + width, 2 * LAST_FIELD
            bits ^= 1 << (last - SECOND_BITMAP)
    except _CutShort as short:
        return Walk(mti, head_end=at, end=at, stop=Stop("truncated", "", 0, short.args[0]))
    except ElementError as error:
        return Walk(mti, end=0, stop=Stop("undecodable", error.text, 0))
    numbers = tuple(number for number in range(1, last + 1) if bits >> (last - number) & 1)
    if not numbers:
        return Walk(mti, head_end=at, end=at, stop=Stop("undecodable", "an empty bitmap", 0))
    return Walk(mti, numbers, (), at, at)


def walk_fields(
    raw: bytes, reading: Reading, head: Walk, numbers: tuple[int, ...], units_of: Mapping[int, int] = _AS_STATED
) -> Walk:
    """The fields after ``head``: ``numbers`` whatever the bitmap names, ``units_of`` them whatever is stated."""
    at, places = head.head_end, list[Place]()
    for number in numbers:
        element = reading.elements.get(number)
        if element is None:
            return Walk(head.mti, numbers, tuple(places), head.head_end, at, Stop("undefined_field", "", number))
        try:
            value_at, units = at, units_of.get(number, element.most)
            if element.prefix:
                value_at = at + element.prefix.size_bytes
            if element.prefix and number not in units_of:
                units = element.prefix.decode(_take(raw, at, element.prefix.size_bytes))
                if units > element.most:
                    raise ElementError(f"the length {units} is above {element.most}")
            size = element.coding.size_bytes(units)
            value = element.coding.decode(_take(raw, value_at, size), units)
        except _CutShort as short:
            stop = Stop("truncated", "", number, short.args[0])
            return Walk(head.mti, numbers, tuple(places), head.head_end, at, stop)
        except ElementError as error:
            return Walk(head.mti, numbers, tuple(places), head.head_end, at, Stop("undecodable", error.text, number))
        places.append(Place(number, at, value_at, value_at + size, value))
        at = value_at + size
    return Walk(head.mti, numbers, tuple(places), head.head_end, at)


def walk(raw: bytes, reading: Reading) -> Walk:
    """The body in ``raw``; bytes after it are left."""
    head = walk_head(raw, reading)
    return head if head.stop else walk_fields(raw, reading, head, head.numbers)
