"""The data objects of a chip transaction: what goes into which message, what is kept, and the terminal's own.

Rules owned here: TABLES of tags; none of them tells number, track or PIN (CUP 7.3, 7.22).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from protocol.tlv import decode, encode

REQUEST_TAGS: Final = (
    0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x82, 0x9F1A, 0x9F03, 0x9F33, 0x9F34,
    0x9F35, 0x9F1E, 0x84, 0x9F09, 0x9F41,
)  # fmt: skip
"""Field 55 of a request."""
REVERSAL_TAGS: Final = (0x95, 0x9F1E, 0x9F10, 0x9F36, 0xDF31)
"""Field 55 of a reversal (CUP 7.3)."""
SCRIPT_TAGS: Final = (0x9F33, 0x95, 0x9F37, 0x9F1E, 0x9F10, 0x9F26, 0x9F36, 0x82, 0xDF31, 0x9F1A, 0x9A)
"""Field 55 of a script result (CUP 7.22)."""
KEPT_TAGS: Final = (*REQUEST_TAGS, 0x9B, 0x50, 0xDF31)
"""What the journal keeps, also for the slip."""

TRANSACTION_TYPE: Final = b"\x00"
APPLICATION_VERSION: Final = b"\x00\x30"
LENGTHS: Final = {
    0x84: range(5, 17), 0x50: range(1, 17), 0x82: range(2, 3), 0x9F26: range(8, 9), 0x9F27: range(1, 2),
    0x9F36: range(2, 3), 0x9F10: range(1, 33),
}  # fmt: skip
"""How long the objects of a chip are that go into a message, in bytes (EMV Book 3, A)."""


def terminal_objects(
    *,
    amount_fen: int,
    now: datetime,
    serial_number: str,
    unpredictable: bytes,
    country: str,
    currency: str,
    terminal_type: str,
    capabilities: str,
) -> dict[int, bytes]:
    """The terminal's own data objects; ``country`` and ``currency`` are 3 digits, the others as they are set up."""
    return {
        0x9F02: bytes.fromhex(f"{amount_fen:012d}"),
        0x9F03: bytes(6),
        0x9F1A: bytes.fromhex(f"{country:0>4}"),
        0x5F2A: bytes.fromhex(f"{currency:0>4}"),
        0x9A: bytes.fromhex(f"{now:%y%m%d}"),
        0x9C: TRANSACTION_TYPE,
        0x9F37: unpredictable,
        0x9F33: bytes.fromhex(capabilities),
        0x9F35: bytes.fromhex(terminal_type),
        0x9F1E: f"{serial_number:0>8}"[-8:].encode("ascii"),
        0x9F09: APPLICATION_VERSION,
    }


def subset(kept: str, tags: Iterable[int]) -> bytes:
    """The objects of ``tags``, in their order, out of what the journal keeps."""
    objects = {node.tag: node for node in decode(bytes.fromhex(kept))}
    return encode(objects[tag] for tag in tags if tag in objects)
