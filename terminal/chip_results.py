"""What the kernel did and found, bit by bit: TVR, tag 95 (EMV Book 3, C5), and TSI, tag 9B (EMV Book 3, C6)."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from types import MappingProxyType
from typing import Final

from firmware_sim.cards import Proof

TVR, TSI = 0x95, 0x9B
Result = tuple[int, int]
"""A finding of the TVR: its byte, and its bit there."""

UNAUTHENTICATED: Final[Result] = (0, 0x80)
NO_DATA: Final[Result] = (0, 0x20)
UNPROVEN: Final[Mapping[Proof, Result]] = MappingProxyType(
    {Proof.STATIC: (0, 0x40), Proof.DYNAMIC: (0, 0x08), Proof.COMBINED: (0, 0x04)}
)
EXPIRED: Final[Result] = (1, 0x40)
PIN_ONLINE: Final[Result] = (2, 0x04)
OVER_FLOOR: Final[Result] = (3, 0x80)
SCRIPT_FAILED: Final[Mapping[int, Result]] = MappingProxyType({0x71: (4, 0x20), 0x72: (4, 0x10)})
"""By the template of the script."""

AUTHENTICATED_DATA: Final = 0x8000
VERIFIED_HOLDER: Final = 0x4000
CARD_RISK: Final = 0x2000
ISSUER: Final = 0x1000
TERMINAL_RISK: Final = 0x0800
SCRIPTS: Final = 0x0400


def mark(objects: MutableMapping[int, bytes], result: Result) -> None:
    """Set a finding of the TVR among the terminal's ``objects``, tag to value."""
    place, bit = result
    results = bytearray(objects[TVR])
    results[place] |= bit
    objects[TVR] = bytes(results)


def did(objects: MutableMapping[int, bytes], status: int) -> None:
    """Set steps of the TSI."""
    objects[TSI] = (int.from_bytes(objects[TSI], "big") | status).to_bytes(2, "big")
