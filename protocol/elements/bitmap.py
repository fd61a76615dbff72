"""The bits that name a message's fields, and the numbers that are special among them."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final

from protocol.elements.coding import HEX_OCTETS

LAST_FIELD: Final = 64
MAC_FIELDS: Final = (LAST_FIELD, 2 * LAST_FIELD)
SECOND_BITMAP: Final = 1
"""Bit 1 announces a second bitmap; it is never a field."""


class Bitmap(Enum):
    """How the 64 bits of a bitmap stand on the wire: the value is the bytes that they take."""

    BINARY = 8
    HEX = 16

    def decode(self, raw: bytes) -> int:
        """The bits of one bitmap, bit 1 the highest. Raises ElementError."""
        return int.from_bytes(raw if self is Bitmap.BINARY else HEX_OCTETS.decode(raw, 8), "big")

    def encode(self, bits: bytes) -> bytes:
        """The bytes of one bitmap or two."""
        return bits if self is Bitmap.BINARY else HEX_OCTETS.encode(bits)


def bitmap_of(numbers: Collection[int]) -> bytes:
    """The bits of these fields (2 to 128) as 8 bytes, or as 16 with bit 1 set where one is above 64."""
    last = 2 * LAST_FIELD if max(numbers, default=0) > LAST_FIELD else LAST_FIELD
    first = {SECOND_BITMAP} if last > LAST_FIELD else set()
    return sum(1 << (last - number) for number in {*numbers, *first}).to_bytes(last // 8, "big")
