"""Cryptograms of chip cards. The independent oracle is in ``test_crypto_oracles``."""

from __future__ import annotations

import pytest

from protocol.crypto.cryptogram import (
    PADDINGS,
    application_cryptogram,
    arpc_1,
    arpc_2,
    card_key,
    session_key,
    verify_cryptogram,
)
from protocol.crypto.key import CardKey, IssuerKey, SessionKey
from protocol.crypto.mac import retail_mac
from protocol.errors import EncodeError, KeyLoadError

ISSUER = IssuerKey(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
PAN = "6200000100000004"
CARD = card_key(ISSUER, PAN, "01")
SESSION = session_key(CARD, bytes.fromhex("0206"))
DATA = bytes(range(37))
ARQC = application_cryptogram(SESSION, DATA)


def test_the_chain_is_stable() -> None:
    """Every chip sale would be refused after a release that derives other keys."""
    assert (type(CARD), type(SESSION)) == (CardKey, SessionKey)
    assert card_key(ISSUER, "6200000100000004").hex().upper() == "B0409B984C5B4C10A43294D01FC8E504"
    assert all(byte.bit_count() % 2 for byte in CARD + SESSION)
    assert len({card_key(ISSUER, PAN), CARD, card_key(ISSUER, PAN, "02")}) == 3
    assert len({session_key(CARD, bytes([0, at])) for at in range(9)}) == 9


@pytest.mark.parametrize(("padding", "filled"), [("zero", b"12345678"), ("80", b"12345678\x80" + bytes(7))])
def test_paddings(padding: str, filled: bytes) -> None:
    """The cryptograms of a card that fills the other way would all be wrong."""
    assert PADDINGS[padding](b"12345678") == filled
    assert application_cryptogram(SESSION, b"12345678", padding) == retail_mac(SESSION, filled)
    assert verify_cryptogram(SESSION, b"12345678", retail_mac(SESSION, filled), padding)


def test_every_flipped_bit_is_refused() -> None:
    """A sale with a changed amount would count as made by the chip."""
    assert verify_cryptogram(SESSION, DATA, ARQC)
    for bit in range(64):
        flipped = (int.from_bytes(ARQC, "big") ^ (1 << bit)).to_bytes(8, "big")
        assert not verify_cryptogram(SESSION, DATA, flipped)
    for bit in range(8 * len(DATA)):
        changed = (int.from_bytes(DATA, "big") ^ (1 << bit)).to_bytes(len(DATA), "big")
        assert not verify_cryptogram(SESSION, changed, ARQC)
    assert not verify_cryptogram(SESSION, DATA, ARQC[:4])


def test_answers_depend_on_everything() -> None:
    """A card would take a refusal for an approval."""
    answers = {arpc_1(SESSION, ARQC, b"00"), arpc_1(SESSION, ARQC, b"05"), arpc_1(SESSION, bytes(8), b"00")}
    assert len(answers) == 3
    updates = {arpc_2(SESSION, ARQC, bytes(4)), arpc_2(SESSION, ARQC, b"1234"), arpc_2(SESSION, ARQC, bytes(4), b"1")}
    assert {len(update) for update in updates} == {4}
    assert len(updates) == 3
    assert arpc_2(SESSION, ARQC, b"1234") == retail_mac(SESSION, ARQC + b"1234\x80\0\0\0")[:4]


@pytest.mark.parametrize(
    ("pan", "sequence"), [("6" * 7, "00"), ("6" * 20, "00"), ("620000010000000x", "00"), (PAN, "0"), (PAN, "0x")]
)
def test_other_card_numbers(pan: str, sequence: str) -> None:
    """The key of no card at all would be derived, or the error on a screen would show the number."""
    with pytest.raises(EncodeError) as caught:
        card_key(ISSUER, pan, sequence)
    assert pan not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: session_key(CARD, b"\0"),
        lambda: application_cryptogram(SESSION, b""),
        lambda: arpc_1(SESSION, ARQC[1:], b"00"),
        lambda: arpc_1(SESSION, ARQC, b"0"),
        lambda: arpc_2(SESSION, ARQC[1:], bytes(4)),
        lambda: arpc_2(SESSION, ARQC, bytes(3)),
        lambda: arpc_2(SESSION, ARQC, bytes(4), bytes(9)),
    ],
)
def test_other_lengths(call: object) -> None:
    """A cryptogram over cut-off data would be made and refused by the card."""
    with pytest.raises(EncodeError):
        call()  # type: ignore[operator]


@pytest.mark.parametrize("length", [0, 8, 24])
def test_key_lengths(length: int) -> None:
    """A single-length key would be used as a double one."""
    short = bytes(length)
    for call in (
        lambda: card_key(short, PAN),
        lambda: session_key(short, bytes(2)),
        lambda: application_cryptogram(short, DATA),
        lambda: arpc_1(short, ARQC, b"00"),
        lambda: arpc_2(short, ARQC, bytes(4)),
    ):
        with pytest.raises(KeyLoadError) as caught:
            call()
        assert caught.value.code == "key_length"
