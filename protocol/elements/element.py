"""What a field is made of: a coding and how many units of it, as constructs.

``Fixed`` and ``Var`` are the two ways to say how many, so a new field is a row of the field table and no new code.
"""

from __future__ import annotations

import io
from typing import Any

import construct as cs

from protocol.elements.coding import Coding, Value
from protocol.elements.error import CutShort, ElementError
from protocol.elements.length import BCD_LL, BCD_LLL, Prefix


class Element(cs.Construct):  # type: ignore[misc]  # construct carries no types
    """What a field is made of: ``prefix`` states how many units of ``coding``, None where ``least`` is ``most``."""

    def __init__(self, coding: Coding, least: int, most: int, prefix: Prefix | None) -> None:
        super().__init__()
        self.coding, self.least, self.most, self.prefix = coding, least, most, prefix

    def bounds(self) -> tuple[int, int]:
        """The fewest and the most units of a value."""
        return self.least, self.most


class Fixed(Element):
    """Exactly ``units`` digits, characters or bytes."""

    def __init__(self, coding: Coding, units: int) -> None:
        super().__init__(coding, units, units, None)

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> Value:
        return self.coding.decode(read(stream, self.coding.size_bytes(self.most)), self.most)

    def _build(self, obj: Value, stream: io.BytesIO, context: Any, path: Any) -> Value:
        raw = self.coding.encode(obj)
        if self.coding.units(obj) != self.most:
            raise ElementError(f"{self.coding.units(obj)} long where {self.most} are due")
        stream.write(raw)
        return obj


class Var(Element):
    """A length, then at most ``max_units``."""

    prefix: Prefix

    def __init__(self, prefix: Prefix, coding: Coding, max_units: int) -> None:
        if max_units > prefix.largest:
            raise ValueError(f"{max_units} is above the {prefix.largest} that the length can state")
        super().__init__(coding, 0, max_units, prefix)

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> Value:
        units = self.prefix.decode(read(stream, self.prefix.size_bytes))
        if units > self.most:
            raise ElementError(
                f"the length {units} is above {self.most}",
                f"is it {self.prefix.base.value} here, and this the dialect? See `--dialect` and `poslab doctor`",
            )
        return self.coding.decode(read(stream, self.coding.size_bytes(units)), units)

    def _build(self, obj: Value, stream: io.BytesIO, context: Any, path: Any) -> Value:
        raw, units = self.coding.encode(obj), self.coding.units(obj)
        if units > self.most:
            raise ElementError(f"{units} long where at most {self.most} fit")
        stream.write(self.prefix.encode(units))
        stream.write(raw)
        return obj


def ll(coding: Coding, max_units: int) -> Element:
    """A field with a 1-byte BCD length."""
    return Var(BCD_LL, coding, max_units)


def lll(coding: Coding, max_units: int) -> Element:
    """A field with a 2-byte BCD length."""
    return Var(BCD_LLL, coding, max_units)


def read(stream: io.BytesIO, size_bytes: int) -> bytes:
    """Exactly so many bytes. Raises CutShort."""
    raw = stream.read(size_bytes)
    if len(raw) != size_bytes:
        raise CutShort(f"{size_bytes} bytes are due and {len(raw)} are left", "the message is cut short")
    return raw
