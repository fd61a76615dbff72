"""Sealing of stored secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.vault import NONCE_BYTES, TAG_BYTES, seal, unseal
from protocol.errors import KeyLoadError

KEY = bytes(range(32))
NONCE = bytes(range(12))
SECRET = bytes.fromhex("11" * 16)


@given(
    key=st.binary(min_size=32, max_size=32),
    nonce=st.binary(min_size=12, max_size=12),
    secret=st.binary(max_size=64),
    context=st.binary(max_size=32),
)
def test_round_trip(key: bytes, nonce: bytes, secret: bytes, context: bytes) -> None:
    """After a restart the host could not read the keys of its own terminals."""
    sealed = seal(key, nonce, secret, context)
    assert sealed[:NONCE_BYTES] == nonce
    assert len(sealed) == NONCE_BYTES + len(secret) + TAG_BYTES
    assert unseal(key, sealed, context) == secret


def test_known_answer() -> None:
    """A database of one release could not be opened by the next: test case 13 of the GCM paper."""
    assert seal(bytes(32), bytes(12), b"", b"").hex() == "00" * 12 + "530f8afbc74536b9a963b4f1c4cb738b"


def test_every_flipped_bit_is_refused() -> None:
    """A row altered in the database would give a terminal another key."""
    sealed = seal(KEY, NONCE, SECRET, b"TMK of SN1")
    for bit in range(8 * len(sealed)):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(KeyLoadError) as caught:
            unseal(KEY, bytes(altered), b"TMK of SN1")
        assert caught.value.code == "vault"


@pytest.mark.parametrize(
    ("key", "context"), [(bytes(32), b"TMK of SN1"), (KEY, b"TMK of SN2"), (KEY, b""), (KEY[::-1], b"TMK of SN1")]
)
def test_other_key_or_context_refused(key: bytes, context: bytes) -> None:
    """A secret copied to the row of another terminal would make two of them one."""
    sealed = seal(KEY, NONCE, SECRET, b"TMK of SN1")
    with pytest.raises(KeyLoadError):
        unseal(key, sealed, context)


@pytest.mark.parametrize("length", [0, 11, 12, 27])
def test_cut_short(length: int) -> None:
    """Half a row would crash the host instead of naming the fault."""
    with pytest.raises(KeyLoadError):
        unseal(KEY, seal(KEY, NONCE, b"", b"")[:length], b"")


@pytest.mark.parametrize(("key", "nonce"), [(KEY[:16], NONCE), (b"", NONCE), (KEY, b""), (KEY, bytes(8))])
def test_lengths_refused(key: bytes, nonce: bytes) -> None:
    """A vault opened with an empty key would protect nothing."""
    with pytest.raises(KeyLoadError) as caught:
        seal(key, nonce, SECRET, b"")
    assert caught.value.code == "key_length"
