"""DES, 3DES, SM4 and AES on whole blocks, and the uses of keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.cipher import AES, CIPHERS, CONTEXTS_HELD, DES, SM4, TDES, BlockCipher, expand, forget
from protocol.crypto.cryptogram import application_cryptogram, arpc_1, arpc_2, card_key, session_key
from protocol.crypto.key import KEY_TYPES, Key, KeyUse, MacKey, PinKey
from protocol.crypto.keys import unwrap_key, wrap_key
from protocol.crypto.mac import MAC_ALGORITHMS
from protocol.crypto.pinblock import PIN_FORMATS, decrypt_pin_block, encrypt_pin_block
from protocol.crypto.track import decrypt_track, encrypt_track
from protocol.errors import EncodeError, KeyLoadError

PAN = "6200000100000004"
TRACK = f"{PAN}D30122010000012300000"

ciphers = st.sampled_from(sorted(CIPHERS)).map(CIPHERS.__getitem__)


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
    assert expand(bytes.fromhex(key)) == bytes.fromhex(expanded)


@pytest.mark.parametrize("cipher", CIPHERS.values(), ids=CIPHERS)
def test_key_length_refused(cipher: BlockCipher) -> None:
    """A cut-off key would silently become a weaker one."""
    for length in set(range(40)) - set(cipher.key_lengths_bytes):
        for use in (cipher.encryptor, cipher.decryptor):
            with pytest.raises(KeyLoadError, match=f"{cipher.key_lengths_bytes[-1]} bytes, not {length}") as caught:
                use(bytes(length))
            assert caught.value.code == "key_length"


@pytest.mark.parametrize(
    ("cipher", "key", "clear", "sealed"),
    [
        (DES, "133457799BBCDFF1", "0123456789ABCDEF", "85E813540F0AB405"),
        (TDES, "133457799BBCDFF1", "0123456789ABCDEF", "85E813540F0AB405"),
        (
            SM4,
            "0123456789ABCDEFFEDCBA9876543210",
            "0123456789ABCDEFFEDCBA9876543210",
            "681EDF34D206965E86B3E94F536E4246",
        ),
        (
            AES,
            "000102030405060708090A0B0C0D0E0F",
            "00112233445566778899AABBCCDDEEFF",
            "69C4E0D86A7B0430D8CDB78070B4C55A",
        ),
    ],
)
def test_known_answers(cipher: BlockCipher, key: str, clear: str, sealed: str) -> None:
    """A cipher that is not the standard's would speak with nobody."""
    assert cipher.encrypt(bytes.fromhex(key), bytes.fromhex(clear)).hex().upper() == sealed
    assert cipher.decrypt(bytes.fromhex(key), bytes.fromhex(sealed)).hex().upper() == clear


@given(cipher=ciphers, blocks=st.integers(0, 4), data=st.data())
def test_round_trip(cipher: BlockCipher, blocks: int, data: st.DataObject) -> None:
    """Keys that do not come back as they were sent would stop every terminal at sign-on."""
    key = data.draw(st.sampled_from(cipher.key_lengths_bytes).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
    clear = data.draw(st.binary(min_size=blocks * cipher.block_bytes, max_size=blocks * cipher.block_bytes))
    assert cipher.decrypt(key, cipher.encrypt(key, clear)) == clear
    # CBC by hand
    chain, last = b"", bytes(cipher.block_bytes)
    for at in range(0, len(clear), cipher.block_bytes):
        block = bytes(a ^ b for a, b in zip(clear[at:], last, strict=False))
        last = cipher.encrypt(key, block)
        chain += last
    assert cipher.encrypt_cbc(key, clear) == chain


@pytest.mark.parametrize("cipher", CIPHERS.values(), ids=CIPHERS)
def test_part_of_a_block_refused(cipher: BlockCipher) -> None:
    """A part of a block kept inside a held context would shift every later MAC of that terminal."""
    key, clear = bytes(range(cipher.key_lengths_bytes[0])), bytes(cipher.block_bytes)
    before = cipher.encrypt(key, clear), cipher.decrypt(key, clear)
    for length in (1, cipher.block_bytes - 1, cipher.block_bytes + 1):
        for use in (cipher.encrypt, cipher.decrypt, cipher.encrypt_cbc):
            with pytest.raises(EncodeError):
                use(key, bytes(length))
    assert (cipher.encrypt(key, clear), cipher.decrypt(key, clear)) == before


@pytest.mark.parametrize("cipher", CIPHERS.values(), ids=CIPHERS)
def test_contexts_held_are_bounded(cipher: BlockCipher) -> None:
    """A host that holds a context for every key ever seen would run out of memory in a large fleet."""
    assert cipher.encryptor.cache_info().maxsize == CONTEXTS_HELD
    assert cipher.decryptor.cache_info().maxsize == CONTEXTS_HELD


USES = {
    KeyUse.TMK: [lambda key: wrap_key(key, bytes(8)), lambda key: unwrap_key(key, bytes(8))],
    KeyUse.PIK: [
        lambda key: encrypt_pin_block(key, "1234", PAN),
        lambda key: decrypt_pin_block(key, encrypt_pin_block(bytes(key), "1234", PAN), PAN),
        *(lambda key, form=form: form.encrypt(key, "1234", PAN, bytes) for form in PIN_FORMATS.values()),
        *(
            lambda key, form=form: form.decrypt(key, form.encrypt(bytes(key), "1234", PAN, bytes), PAN)
            for form in PIN_FORMATS.values()
        ),
    ],
    KeyUse.MAK: [
        lambda key, made=each: made.make(key, b"data") for name, each in MAC_ALGORITHMS.items() if name != "x9.9"
    ],
    KeyUse.TDK: [
        lambda key: encrypt_track(key, TRACK),
        lambda key: decrypt_track(key, encrypt_track(bytes(key), TRACK)),
        lambda key: encrypt_track(key, TRACK, SM4),
    ],
    KeyUse.ISSUER: [lambda key: card_key(key, PAN)],
    KeyUse.CARD: [lambda key: session_key(key, bytes(2))],
    KeyUse.SESSION: [
        lambda key: application_cryptogram(key, b"data"),
        lambda key: arpc_1(key, bytes(8), b"00"),
        lambda key: arpc_2(key, bytes(8), bytes(4)),
    ],
}


@pytest.mark.parametrize("use", USES)
def test_one_key_one_use(use: KeyUse) -> None:
    """Whoever can ask for MACs under the PIN key can find out PINs."""
    raw = bytes(range(16))
    for call in USES[use]:
        call(raw)
        call(KEY_TYPES[use](raw))
        for other in set(KEY_TYPES) - {use}:
            with pytest.raises(KeyLoadError) as caught:
                call(KEY_TYPES[other](raw))
            assert caught.value.code == "key_use"


def test_single_des_mac_under_a_pin_key() -> None:
    """Whoever can ask for MACs under the PIN key can find out PINs."""
    with pytest.raises(KeyLoadError, match="a PIK was given where a MAK is due"):
        MAC_ALGORITHMS["x9.9"].make(PinKey(bytes(8)), b"data")


@pytest.mark.parametrize("kind", KEY_TYPES.values(), ids=KEY_TYPES)
def test_a_key_is_never_shown(kind: type[Key]) -> None:
    """A key in a log file is a key lost."""
    key = kind(b"0123456789ABCDEF")
    assert {repr(key), str(key), f"{key}", f"{key!r}", "%s" % key} == {f"{kind.__name__}()"}  # noqa: UP031
    assert key == b"0123456789ABCDEF"


def test_equal_bytes_of_another_use_open_no_held_context() -> None:
    """A PIN key that happens to equal a MAC key would make MACs as soon as that one had."""
    raw = b"equal bytes 0123"
    MAC_ALGORITHMS["cup-ecb"].make(MacKey(raw), b"data")
    with pytest.raises(KeyLoadError):
        MAC_ALGORITHMS["cup-ecb"].make(PinKey(raw), b"data")


def test_what_is_forgotten_is_made_anew() -> None:
    """An opened device would keep its keys in the contexts of its ciphers."""
    for cipher in CIPHERS.values():
        key = bytes(range(cipher.key_lengths_bytes[0]))
        before = cipher.encryptor(key)
        cipher.decryptor(key)
        forget()
        assert cipher.encryptor.cache_info().currsize == cipher.decryptor.cache_info().currsize == 0
        assert cipher.encryptor(key) is not before
