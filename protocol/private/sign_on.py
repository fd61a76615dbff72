"""Field 62 of a sign-on request: which device signs on (CUP 3.7)."""

from __future__ import annotations

import re
from typing import Final

_SEQUENCE: Final = b"Sequence No"
_LICENCE: Final = "0000"


def pack_sequence_number(serial_number: str) -> bytes:
    """Field 62 of a sign-on request: a licence of four characters and the serial number (CUP 3.7)."""
    value = (_LICENCE + serial_number).encode("ascii")
    return _SEQUENCE + f"{len(value):02d}".encode() + value


def unpack_sequence_number(raw: bytes) -> str:
    """The serial number in field 62 of a sign-on request; empty where the field tells none."""
    head = re.fullmatch(rb"Sequence No([0-9]{2})([ -~]+)", raw)
    return head[2][4:].decode() if head and len(head[2]) == int(head[1]) else ""
