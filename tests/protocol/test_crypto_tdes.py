"""DES and 3DES on whole blocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto import tdes
from protocol.errors import EncodeError, KeyLoadError

keys = st.sampled_from(tdes.KEY_LENGTHS_BYTES).flatmap(lambda n: st.binary(min_size=n, max_size=n))
blocks = st.integers(0, 5).flatmap(lambda n: st.binary(min_size=8 * n, max_size=8 * n))


@pytest.mark.parametrize(
    ("key", "expanded"),
    [
        ("0123456789ABCDEF", "0123456789ABCDEF" * 3),
        ("0123456789ABCDEFFEDCBA9876543210", "0123456789ABCDEFFEDCBA98765432100123456789ABCDEF"),
        ("00" * 8 + "11" * 8 + "22" * 8, "00" * 8 + "11" * 8 + "22" * 8),
    ],
)
def test_expand(key: str, expanded: str) -> None:
    """A key expanded in another order would decrypt no key of any real host."""
    assert tdes.expand(bytes.fromhex(key)) == bytes.fromhex(expanded)


@pytest.mark.parametrize("length", [0, 1, 7, 9, 15, 17, 23, 25, 32])
def test_key_length_refused(length: int) -> None:
    """A cut-off key would silently become a weaker one."""
    for use in (tdes.expand, tdes.encryptor, tdes.decryptor):
        with pytest.raises(KeyLoadError) as caught:
            use(bytes(length))
        assert caught.value.code == "key_length"


def test_known_answer() -> None:
    """A cipher that is not DES would speak with nobody: the classic test pattern of the standard."""
    key, clear = bytes.fromhex("133457799BBCDFF1"), bytes.fromhex("0123456789ABCDEF")
    assert tdes.encrypt(key, clear).hex().upper() == "85E813540F0AB405"
    assert tdes.decrypt(key, bytes.fromhex("85E813540F0AB405")) == clear


@given(key=keys, clear=blocks)
def test_round_trip(key: bytes, clear: bytes) -> None:
    """Keys that do not come back as they were sent would stop every terminal at sign-on."""
    assert tdes.decrypt(key, tdes.encrypt(key, clear)) == clear


@pytest.mark.parametrize("length", [1, 7, 9, 15])
def test_part_of_a_block_refused(length: int) -> None:
    """A part of a block kept inside a held context would shift every later MAC of that terminal."""
    key, clear = bytes(range(16)), bytes(8)
    before = tdes.encrypt(key, clear), tdes.decrypt(key, clear)
    for use in (tdes.encrypt, tdes.decrypt):
        with pytest.raises(EncodeError):
            use(key, bytes(length))
    assert (tdes.encrypt(key, clear), tdes.decrypt(key, clear)) == before


def test_contexts_held_are_bounded() -> None:
    """A host that holds a context for every key ever seen would run out of memory in a large fleet."""
    assert tdes.encryptor.cache_info().maxsize == tdes.CONTEXTS_HELD
    assert tdes.decryptor.cache_info().maxsize == tdes.CONTEXTS_HELD
