"""Keys derived from a master key, each for one purpose."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto import vault
from protocol.crypto.derived import Purpose, derive, is_proof, open_backup, prove, seal_backup
from protocol.errors import KeyLoadError

TMK = bytes(range(16))


def hkdf(key: bytes, label: bytes) -> bytes:
    """RFC 5869 by hand: no salt, one block."""
    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(extracted, label + b"\x01", hashlib.sha256).digest()


@pytest.mark.parametrize("purpose", Purpose)
def test_a_key_for_each_purpose(purpose: Purpose) -> None:
    """A host of another make would derive another key, or one key serve two ends."""
    assert derive(TMK, purpose) == hkdf(TMK, purpose.value.encode())
    assert len({derive(TMK, each) for each in Purpose}) == len(Purpose)
    assert derive(TMK, purpose) != derive(bytes(16), purpose)


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_a_backup_has_the_same_bytes_every_time(content: bytes, context: bytes) -> None:
    """An upload that was cut off could never go on, or one nonce seal two backups."""
    sealed = seal_backup(TMK, content, context)
    assert sealed == seal_backup(TMK, content, context)
    assert open_backup(TMK, sealed, context) == content
    other = seal_backup(TMK, content + b"\0", context)
    assert sealed[: vault.NONCE_BYTES] != other[: vault.NONCE_BYTES]
    assert sealed[: vault.NONCE_BYTES] != seal_backup(TMK, content, context + b"\0")[: vault.NONCE_BYTES]


@pytest.mark.parametrize("at", [0, 12, 20, -1])
def test_a_changed_backup_does_not_open(at: int) -> None:
    """A forger on the line would set up the shop's next device."""
    sealed = bytearray(seal_backup(TMK, b"parts of a shop", b"swap 1"))
    sealed[at] ^= 1
    for tmk, data, context in (
        (TMK, bytes(sealed), b"swap 1"),
        (TMK, seal_backup(TMK, b"parts", b"swap 1"), b"swap 2"),
        (bytes(16), seal_backup(TMK, b"parts", b"swap 1"), b"swap 1"),
        (TMK, b"short", b"swap 1"),
    ):
        with pytest.raises(KeyLoadError) as refused:
            open_backup(tmk, data, context)
        assert refused.value.code == "vault"


def test_a_proof_is_of_one_statement_for_one_purpose() -> None:
    """The proof of a claim would do for a certificate."""
    proof = prove(TMK, Purpose.CLAIM, b"statement")
    assert is_proof(TMK, Purpose.CLAIM, b"statement", proof)
    assert not is_proof(TMK, Purpose.CERTIFICATE, b"statement", proof)
    assert not is_proof(TMK, Purpose.CLAIM, b"statement.", proof)
    assert not is_proof(bytes(16), Purpose.CLAIM, b"statement", proof)
    assert not is_proof(TMK, Purpose.CLAIM, b"statement", proof[:-1])
