"""A swap as both ends speak of it: its states, who is who in it, and the backup that goes from one device to the other.

Rules owned here: a backup is canonical JSON with exactly the parts of BACKUP_PARTS, compressed, small enough for both
ends; it is bound to one swap and to the device whose key seals it (``backup_context``). What it says inside a part is
the application's.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from protocol.errors import DecodeError, EncodeError

CHUNK_BYTES: Final = 800
"""Of a sealed backup, in one message."""
BACKUP_BYTES_MAX: Final = 64 * 1024
"""Of a sealed backup."""
CONTENT_BYTES_MAX: Final = 512 * 1024
"""Of what is in it, so that few bytes cannot become many."""
NUMBER_MAX: Final = 0xFFFFFFFF
BACKUP_PARTS: Final = frozenset(
    {"closed", "downloads", "events", "notices", "operators", "pause_told", "paused", "training"}
)
"""What a shop finds again on its new device; keys, cards, passwords and rows of money are no parts."""


class SwapState(StrEnum):
    """How far a swap has come."""

    ORDERED = "ordered"
    DRAINING = "draining"
    SETTLED = "settled"
    BACKED_UP = "backed up"
    BOUND = "bound"
    RESTORED = "restored"
    WIPED = "wiped"
    CANCELLED = "cancelled"


class Role(StrEnum):
    """Which of the two devices one is."""

    OLD = "old"
    NEW = "new"


class Report(StrEnum):
    """What a device reports of its part."""

    DRAIN = "drain"
    SETTLED = "settled"
    BACKUP = "backup"
    FETCH = "fetch"
    RESTORED = "restored"


def backup_context(serial_number: str, number: int) -> bytes:
    """What a sealed backup is bound to: the device that opens or made it, and the swap."""
    return f"swap {number} of {serial_number}".encode()


def claim_statement(serial_number: str, predecessor: str, number: int) -> bytes:
    """What a successor proves when it asks for its predecessor's place."""
    return f"{serial_number} takes over from {predecessor} in swap {number}".encode()


def pack_backup(parts: Mapping[str, object]) -> bytes:
    """The one spelling of a backup, compressed. Raises EncodeError for other parts, or more than fits."""
    if parts.keys() != BACKUP_PARTS:
        raise EncodeError(f"the parts of a backup are {', '.join(sorted(BACKUP_PARTS))}")
    content = _spell(parts)
    packed = zlib.compress(content, 9)
    if len(content) > CONTENT_BYTES_MAX or len(packed) > BACKUP_BYTES_MAX // 2:
        raise EncodeError(f"a backup of {len(content)} bytes")
    return packed


def unpack_backup(packed: bytes) -> dict[str, Any]:
    """The parts. Raises DecodeError, which quotes nothing, for what ``pack_backup`` never wrote."""
    inflating = zlib.decompressobj()
    try:
        content = inflating.decompress(packed, CONTENT_BYTES_MAX)
        parts = json.loads(content) if inflating.eof and not inflating.unused_data else None
    except (zlib.error, ValueError, RecursionError):
        raise DecodeError("no backup", code="backup") from None
    if not isinstance(parts, dict) or parts.keys() != BACKUP_PARTS or _spell(parts) != content:
        raise DecodeError("a backup of another form", code="backup")
    return parts


def _spell(parts: Mapping[str, object]) -> bytes:
    return json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
