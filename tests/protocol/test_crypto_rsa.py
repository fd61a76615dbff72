"""RSA of chip cards: keys that an independent library takes, and blocks that come back."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.lab_ca import CA_KEYS
from protocol.crypto.rsa import EXPONENT, PublicKey, lab_key
from protocol.errors import EncodeError, SignatureError

KEY = lab_key(b"a key for tests", 64)


KEYS = {
    **{f"CA {index}": row.private for index, row in CA_KEYS.items()},
    "issuers": lab_key(b"issuers of a lab", 112),
    "a card": lab_key(b"card", 96),
}


@pytest.mark.parametrize("name", KEYS)
def test_an_independent_library_takes_the_key(name: str) -> None:
    """A card of the lab could be read by our own terminal only."""
    key = KEYS[name]
    modulus_bytes = len(key.public)
    p, q = key._primes
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    public = RSAPublicNumbers(EXPONENT, int.from_bytes(key.public.modulus, "big"))
    numbers = RSAPrivateNumbers(p, q, d, rsa_crt_dmp1(d, p), rsa_crt_dmq1(d, q), rsa_crt_iqmp(p, q), public)
    numbers.private_key()  # raises where p and q are no primes of this key
    assert public.n.bit_length() == modulus_bytes * 8
    block = b"\x6a" + bytes(range(modulus_bytes - 1))
    assert key.sign(block) == pow(int.from_bytes(block, "big"), d, public.n).to_bytes(modulus_bytes, "big")


@given(st.binary(min_size=63, max_size=63))
def test_what_was_signed_comes_back(block: bytes) -> None:
    """A genuine card would be refused."""
    assert KEY.public.recover(KEY.sign(b"\x6a" + block)) == b"\x6a" + block


@given(st.binary(max_size=80))
def test_no_signature_crashes_the_reader(signature: bytes) -> None:
    """A hostile card would stop the till."""
    if len(signature) == len(KEY.public):
        assert len(KEY.public.recover(signature)) == len(signature)
    else:
        with pytest.raises(SignatureError):
            KEY.public.recover(signature)


def test_keys_and_blocks_that_do_not_fit() -> None:
    """A key that came damaged would crash the till, or a card be made that nobody can read."""
    with pytest.raises(SignatureError):
        PublicKey(bytes(64)).recover(bytes(64))
    for block in (b"", bytes(63), b"\xff" * 64):
        with pytest.raises(EncodeError):
            KEY.sign(block)


def test_where_a_search_begins_does_not_matter() -> None:
    """The host would publish another key than the one that the cards are made under."""
    for row in CA_KEYS.values():
        assert lab_key(b"CA key %d of the lab" % row.index, row.modulus_bytes) == row.private


def test_a_key_is_its_seed_and_shows_nothing() -> None:
    """Two parts of the lab would not know each other, or a log hold a key."""
    assert lab_key.__wrapped__(b"a key for tests", 64) == KEY
    assert lab_key(b"a key for others", 64) != KEY
    assert str(KEY._primes[0]) not in repr(KEY)
