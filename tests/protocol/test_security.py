"""Field 53 and the PIN block that does not fit into field 52."""

from __future__ import annotations

import pytest

from protocol.private.security import ALGORITHM_DIGITS, pack_security, pack_sm4_pin, unpack_sm4_pin

BLOCK = bytes(range(16))


@pytest.mark.parametrize(
    ("algorithm", "with_pin", "encrypts_tracks", "field"),
    [
        ("3des", True, False, "2600000000000000"),
        ("3des", False, False, "0600000000000000"),
        ("3des", False, True, "0610000000000000"),
        ("3des", True, True, "2610000000000000"),
        ("des", True, False, "2000000000000000"),
        ("sm4", True, True, "2310000000000000"),
    ],
)
def test_field_53(algorithm: str, with_pin: bool, encrypts_tracks: bool, field: str) -> None:
    """The host would decrypt a PIN with the wrong algorithm (CUP 2.3)."""
    assert pack_security(algorithm, with_pin=with_pin, encrypts_tracks=encrypts_tracks) == field


def test_a_wide_pin_block_there_and_back() -> None:
    """An SM4 terminal could not send a PIN."""
    assert unpack_sm4_pin(pack_security("sm4", with_pin=True, encrypts_tracks=False), pack_sm4_pin(BLOCK)) == BLOCK


@pytest.mark.parametrize(
    ("security", "private57"),
    [
        *((f"2{digit}00000000000000", pack_sm4_pin(BLOCK)) for digit in ALGORITHM_DIGITS.values() if digit != "3"),
        ("0300000000000000", pack_sm4_pin(BLOCK)),
        ("", pack_sm4_pin(BLOCK)),
        ("2300000000000000", b""),
        ("2300000000000000", pack_sm4_pin(BLOCK[:-1])),
        ("2300000000000000", pack_sm4_pin(BLOCK) + b"A2000"),
    ],
)
def test_a_place_is_no_pin_block(security: str, private57: bytes) -> None:
    """Where a terminal stands would be decrypted as a PIN, and every sale there be refused."""
    assert unpack_sm4_pin(security, private57) == b""
