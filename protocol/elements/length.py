"""The length before a value: in packed digits, in ASCII digits or binary."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocol.elements.coding import DECIMAL
from protocol.elements.error import CutShort, ElementError


class Base(Enum):
    """How a length is written."""

    BCD = "BCD"
    ASCII = "ASCII digits"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Prefix:
    """A length before a value."""

    base: Base
    size_bytes: int

    @property
    def largest(self) -> int:
        """The greatest length that it can state."""
        return int({Base.BCD: 100, Base.ASCII: 10, Base.BINARY: 256}[self.base] ** self.size_bytes) - 1

    def decode(self, raw: bytes) -> int:
        """The length that these bytes state. Raises ElementError, CutShort where they are too few."""
        if len(raw) < self.size_bytes:
            raise CutShort(f"the length needs {self.size_bytes} bytes and {len(raw)} are left")
        if self.base is Base.BINARY:
            return int.from_bytes(raw, "big")
        digits = raw.hex().upper() if self.base is Base.BCD else raw.decode("latin-1")
        if not DECIMAL.holds(digits):
            raise ElementError(f"the length {raw.hex().upper()} is not {self.base.value}", "is it binary here?")
        return int(digits)

    def encode(self, units: int) -> bytes:
        """The bytes of a length that is not above ``largest``."""
        if self.base is Base.BINARY:
            return units.to_bytes(self.size_bytes, "big")
        if self.base is Base.BCD:
            return bytes.fromhex(f"{units:0{2 * self.size_bytes}d}")
        return f"{units:0{self.size_bytes}d}".encode("ascii")


BCD_LL: Final = Prefix(Base.BCD, 1)
BCD_LLL: Final = Prefix(Base.BCD, 2)
ASCII_LL: Final = Prefix(Base.ASCII, 2)
ASCII_LLL: Final = Prefix(Base.ASCII, 3)
