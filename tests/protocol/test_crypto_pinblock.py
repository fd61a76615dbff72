"""The PIN blocks: X9.8 of field 52, and the other forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.cipher import AES, SM4, TDES
from protocol.crypto.pinblock import PIN_FORMATS, clear_pin_block, decrypt_pin_block, encrypt_pin_block
from protocol.errors import DecodeError, EncodeError, KeyLoadError
from tests.vectors import shared_vector

PIK = bytes.fromhex("22" * 16)
PAN = "6200000100000004"
OTHER_PAN = "6200000200000003"
digits = st.characters(min_codepoint=ord("0"), max_codepoint=ord("9"))


@pytest.mark.parametrize(
    ("pin", "pan", "clear"),
    [
        ("123456", PAN, "06123456EFFFFFFF"),
        ("1234", PAN, "041234FFEFFFFFFF"),
        ("123456789012", PAN, "0C123456689012FF"),
        ("0000", "6200000100000", "040062FFFFFEFFFF"),
        ("000000", "0000000000000000000", "06000000FFFFFFFF"),
    ],
)
def test_clear_block(pin: str, pan: str, clear: str) -> None:
    """Every PIN typed at the terminal would be wrong at the issuer."""
    assert clear_pin_block(pin, pan).hex().upper() == clear
    assert encrypt_pin_block(PIK, pin, pan) == TDES.encrypt(PIK, bytes.fromhex(clear))


@pytest.mark.parametrize("name", ["pin-x98-1", "pin-x98-3"])
def test_shared_vectors(name: str) -> None:
    """Every PIN typed at the terminal would be wrong at a real issuer."""
    vector = shared_vector(name)
    assert clear_pin_block(**vector["inputs"]).hex().upper() == vector["expected"]


@given(
    pik=st.sampled_from([8, 16]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    pin=st.text(digits, min_size=4, max_size=12),
    pan=st.text(digits, min_size=13, max_size=19),
)
def test_round_trip(pik: bytes, pin: str, pan: str) -> None:
    """A right PIN of some length would be refused as wrong."""
    assert decrypt_pin_block(pik, encrypt_pin_block(pik, pin, pan), pan) == pin


@pytest.mark.parametrize("pin", ["", "123", "1234567890123", "12a4", "１２３４", "12 4", "+123", "1_34"])
def test_malformed_pin_refused(pin: str) -> None:
    """A PIN that no keypad can type would reach the issuer, or an error on the screen would show it."""
    with pytest.raises(EncodeError) as caught:
        clear_pin_block(pin, PAN)
    assert caught.value.field == 52
    assert not pin or pin not in str(caught.value)


@pytest.mark.parametrize("pan", ["", "6" * 12, "6" * 20, "62000001000000x4", "６" * 16, "620000 100000004"])
def test_malformed_pan_refused(pan: str) -> None:
    """A PIN block bound to half a card number would open with another card."""
    for use in (lambda: clear_pin_block("1234", pan), lambda: decrypt_pin_block(PIK, bytes(8), pan)):
        with pytest.raises(EncodeError) as caught:
            use()
        assert caught.value.field == 52
        assert not pan or pan not in str(caught.value)


@pytest.mark.parametrize(
    "clear",
    [
        "03123FFFFFFFFFFF",  # three digits
        "0D1234567890123F",  # thirteen
        "16123456FFFFFFFF",  # another format
        "0612345AFFFFFFFF",  # a letter among the digits
        "06123456FFFFFFF0",  # not filled with F
        "0612345FFFFFFFFF",  # shorter than it says
        "0000000000000000",
    ],
)
def test_no_pin_block(clear: str) -> None:
    """A block under yesterday's key would be taken for a wrong PIN, and three of them lock the card."""
    bound = int(clear, 16) ^ int("000010000000", 16)
    with pytest.raises(DecodeError) as caught:
        decrypt_pin_block(PIK, TDES.encrypt(PIK, bound.to_bytes(8, "big")), PAN)
    assert (caught.value.code, caught.value.field, caught.value.raw) == ("pin_block", 52, b"")


def test_other_card_or_key() -> None:
    """A PIN block lifted from one card's message would be accepted in another's."""
    block = encrypt_pin_block(PIK, "123456", PAN)
    with pytest.raises(DecodeError):
        decrypt_pin_block(PIK, block, OTHER_PAN)
    with pytest.raises(DecodeError):
        decrypt_pin_block(bytes.fromhex("44" * 16), block, PAN)


@pytest.mark.parametrize("length", [0, 7, 9, 16])
def test_block_length_refused(length: int) -> None:
    """A block of another length would spoil the held cipher for the next customers."""
    with pytest.raises(DecodeError):
        decrypt_pin_block(PIK, bytes(length), PAN)
    assert decrypt_pin_block(PIK, encrypt_pin_block(PIK, "123456", PAN), PAN) == "123456"


def test_key_length_refused() -> None:
    """A PIN would leave the terminal under an empty key."""
    with pytest.raises(KeyLoadError):
        encrypt_pin_block(b"", "123456", PAN)


def fresh(size: int) -> bytes:
    return bytes(range(1, size + 1))


@pytest.mark.parametrize(
    ("name", "pin", "clear"),
    [
        ("x98", "123456", "06123456EFFFFFFF"),
        ("x98-nopan", "123456", "06123456FFFFFFFF"),
        ("sm4", "123456", "06123456FFFFFFFFFFFFFFFFEFFFFFFF"),
        ("sm4-x98", "123456", "06123456EFFFFFFF" + "00" * 8),
        ("iso0", "1234", "041234FFEFFFFFFF"),
        ("iso4", "1234", "441234AAAAAAAAAA" + "0102030405060708"),
    ],
)
def test_clear_blocks(name: str, pin: str, clear: str) -> None:
    """Every PIN typed at a terminal of that acquirer would be wrong at the issuer."""
    assert PIN_FORMATS[name].clear(pin, PAN, fresh).hex().upper() == clear


def test_what_a_form_says_of_itself() -> None:
    """The tool would not ask for the card number where a PIN block cannot be made without it."""
    assert {name for name, form in PIN_FORMATS.items() if not form.binds_pan} == {"x98-nopan"}
    assert [form.name for form in PIN_FORMATS.values()] == [*PIN_FORMATS]


def test_iso3_fills_with_chance() -> None:
    """Equal PINs would show as equal blocks, which is what format 3 is for."""
    one, other = (PIN_FORMATS["iso3"].clear("1234", PAN, lambda size, b=b: bytes([b]) * size) for b in (1, 2))
    assert one != other
    digits = f"{int(one.hex(), 16) ^ int('000010000000', 16):016X}"
    assert digits[:6] == "341234"
    assert set(digits[6:]) <= set("ABCDEF")


@pytest.mark.parametrize("name", ["pin-sm4-clear"])
def test_shared_sm4_clear(name: str) -> None:
    """PINs of terminals with SM4 keys would be wrong at a real issuer."""
    vector = shared_vector(name)
    assert PIN_FORMATS["sm4"].clear(**vector["inputs"], fresh=fresh).hex().upper() == vector["expected"]


def test_shared_sm4_block() -> None:
    """PINs of terminals with SM4 keys would reach a real issuer under another cipher."""
    vector = shared_vector("pin-sm4-enc")
    key, clear = bytes.fromhex(vector["inputs"]["key"]), bytes.fromhex(vector["hex"])
    assert PIN_FORMATS["sm4"].seal(key, clear, PAN).hex().upper() == vector["computed"]


@given(
    name=st.sampled_from(sorted(PIN_FORMATS)),
    pik=st.binary(min_size=16, max_size=16),
    pin=st.text(digits, min_size=4, max_size=12),
    pan=st.text(digits, min_size=13, max_size=19),
    chance=st.binary(min_size=16, max_size=16),
)
def test_every_form_round_trips(name: str, pik: bytes, pin: str, pan: str, chance: bytes) -> None:
    """A right PIN of some length would be refused as wrong."""
    form = PIN_FORMATS[name]
    block = form.encrypt(pik, pin, pan, lambda size: chance[:size])
    assert len(block) == form.cipher.block_bytes
    assert form.decrypt(pik, block, pan) == pin


@pytest.mark.parametrize("name", sorted(PIN_FORMATS))
def test_every_form_refuses_what_is_none(name: str) -> None:
    """A block of another form, key or card would be taken for a wrong PIN, and three of them lock the card."""
    form = PIN_FORMATS[name]
    block = form.encrypt(PIK, "123456", PAN, fresh)
    for key, got, pan in [
        (PIK, block[:-1], PAN),
        (PIK, block + b"\0", PAN),
        (b"k" * 16, block, PAN),
        # the random letters of format 3 stay letters under many another PAN
        *([(PIK, block, OTHER_PAN)] if form.binds_pan and name != "iso3" else []),
    ]:
        with pytest.raises(DecodeError) as caught:
            form.decrypt(key, got, pan)
        assert (caught.value.code, caught.value.raw) == ("pin_block", b"")
    for pin in ("123", "1234567890123", "12a4", "１２３４"):
        with pytest.raises(EncodeError) as refused:
            form.clear(pin, PAN, fresh)
        assert pin not in str(refused.value)
    if form.binds_pan:
        with pytest.raises(EncodeError):
            form.encrypt(PIK, "1234", "62", fresh)


@pytest.mark.parametrize(
    ("name", "clear"),
    [
        ("sm4-x98", "06123456EFFFFFFF" + "00" * 7 + "01"),  # not eight zero bytes behind
        ("x98-nopan", "0612345FFFFFFFFF"),
        ("sm4", "0412345FFFFFFFFFFFFFFFFFEFFFFFFF"),
    ],
)
def test_other_fillings_are_refused(name: str, clear: str) -> None:
    """Two readers could find two PINs in one block."""
    cipher = SM4 if name.startswith("sm4") else TDES
    with pytest.raises(DecodeError):
        PIN_FORMATS[name].decrypt(PIK, cipher.encrypt(PIK, bytes.fromhex(clear)), PAN)


def test_iso4_refuses_another_filler() -> None:
    """Two readers could find two PINs in one block."""
    pan_part = bytes.fromhex(f"4{PAN}".ljust(32, "0"))
    middle = AES.encrypt(PIK, bytes.fromhex("441234AAAAAAAAAB" + "00" * 8))
    block = AES.encrypt(PIK, bytes(a ^ b for a, b in zip(middle, pan_part, strict=True)))
    with pytest.raises(DecodeError):
        PIN_FORMATS["iso4"].decrypt(PIK, block, PAN)
