"""Field 53, and where a PIN block of 16 bytes stands: field 57, tag A1, since field 52 has 8 (CUP 2.3, 2.9, 5.3).

Rules owned here: TABLE ALGORITHM_DIGITS. Tag A1 of field 57 means a place with other hosts, so that only field 53 tells
whether it is a PIN block.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocol.private.tags import pack_tags

ALGORITHM_DIGITS: Final[Mapping[str, str]] = MappingProxyType({"des": "0", "3des": "6", "sm4": "3"})
"""Algorithm of the working keys -> digit 2 of field 53."""

SM4_PIN_HEAD: Final = b"A1016"
SM4_PIN_BYTES: Final = 16
_DIGITS: Final = 16
_WITH_PAN: Final = "2"


def pack_security(algorithm: str, *, with_pin: bool, encrypts_tracks: bool) -> str:
    """Field 53: 16 digits; a PIN block is one with the PAN in it. ``algorithm`` is a name of ALGORITHM_DIGITS."""
    digits = (_WITH_PAN if with_pin else "0", ALGORITHM_DIGITS[algorithm], "1" if encrypts_tracks else "0")
    return "".join(digits).ljust(_DIGITS, "0")


def pack_sm4_pin(block: bytes) -> bytes:
    """Field 57 with a PIN block of 16 bytes."""
    return pack_tags([("A1", block)])


def unpack_sm4_pin(security: str, private57: bytes) -> bytes:
    """The PIN block in field 57, empty where field 53 speaks of none."""
    block = private57.removeprefix(SM4_PIN_HEAD)
    is_there = private57.startswith(SM4_PIN_HEAD) and len(block) == SM4_PIN_BYTES
    return block if is_there and security[:2] == _WITH_PAN + ALGORITHM_DIGITS["sm4"] else b""
