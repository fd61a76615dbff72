"""Fields 60 and 61: what a message is, and which transaction it speaks of (CUP 2.5, 2.6)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from protocol.errors import DecodeError
from protocol.fields import F

_CONTROLS_KEPT: Final = 4096
"""A terminal says the same all day, until its batch is closed."""


@dataclass(frozen=True, slots=True)
class Control:
    """Field 60: type code 60.1, batch 60.2, network management code 60.3; ``rest`` is 60.4 on, as it came (CUP 2.5)."""

    type_code: str
    batch: str
    network: str = ""
    rest: str = ""

    def __str__(self) -> str:
        return f"{self.type_code}{self.batch}{self.network}{self.rest}"

    @staticmethod
    def parse(digits: str) -> Control:
        """Eight digits at least; shorter by whole sub-fields from the right is allowed."""
        return _read_control(digits)


@lru_cache(_CONTROLS_KEPT)
def _read_control(digits: str) -> Control:
    if len(digits) < 8 or len(digits) in (9, 10):
        raise DecodeError(f"{len(digits)} digits hold no 60.1, 60.2 and 60.3", field=F.CONTROL, code="control")
    return Control(digits[:2], digits[2:8], digits[8:11], digits[11:])


@dataclass(frozen=True, slots=True)
class Original:
    """Field 61: batch, STAN and date MMDD of the original, zeros where unknown; how and where it was authorised."""

    batch: str
    stan: str
    date: str = ""
    authorisation: str = ""
    institution: str = ""

    def __str__(self) -> str:
        return f"{self.batch}{self.stan}{self.date}{self.authorisation}{self.institution}"

    @classmethod
    def parse(cls, digits: str) -> Original:
        """Twelve digits at least."""
        if len(digits) < 12:
            raise DecodeError(f"{len(digits)} digits hold no batch and STAN", field=F.ORIGINAL, code="original")
        return cls(digits[:6], digits[6:12], digits[12:16], digits[16:18], digits[18:])
