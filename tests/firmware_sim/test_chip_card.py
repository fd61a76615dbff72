"""The chip: its objects are well-formed, its cryptograms are those of its key, and it agrees to nothing unproven."""

from __future__ import annotations

import pytest

from firmware_sim.cards import TEST_CARDS
from firmware_sim.chip_card import ATC_MAX, CDOL_1, CDOL_2, PDOL, ChipCard, ChipMemory, spell_dol
from protocol.crypto.cryptogram import arpc_1, session_key, verify_cryptogram
from protocol.tlv import decode, decode_dol, value_of, walk

CARD = TEST_CARDS["credit"]
FIRST = bytes(range(sum(length for _, length in CDOL_1)))
TAP = bytes.fromhex("26800080") + FIRST
CHOSEN = bytes.fromhex("0000008000DEADBEEF")
"""TVR and unpredictable number, which CDOL 2 ends with."""


def read(answer: bytes, tag: int) -> bytes:
    """An object anywhere in an answer."""
    return value_of(tuple(walk(decode(answer))), tag)


def begun(memory: ChipMemory | None = None) -> tuple[ChipCard, bytes]:
    """A chip that has asked to go online, and its request."""
    chip = ChipCard(CARD, memory or ChipMemory(), tapped=False)
    chip.select()
    chip.start(b"")
    return chip, chip.request(FIRST)


def second(arqc: bytes, atc: bytes, response: bytes = b"00", told: bytes = b"00") -> bytes:
    """What CDOL 2 wants, with the issuer's ARPC."""
    key = session_key(CARD.chip_key, atc)
    return arpc_1(key, arqc, response) + response + told + CHOSEN


def test_the_application_is_told() -> None:
    """The slip would not name the application that paid."""
    chip = ChipCard(CARD, ChipMemory(), tapped=False)
    answer = chip.select()
    assert (read(answer, 0x84).hex().upper(), read(answer, 0x50)) == ("A000000333010102", b"LAB CREDIT")
    assert not any(node.tag == 0x9F38 for node in walk(decode(answer)))
    tapped = ChipCard(CARD, ChipMemory(), tapped=True).select()
    assert decode_dol(read(tapped, 0x9F38)) == PDOL


def test_the_records_are_those_of_the_card() -> None:
    """The terminal would charge another card, or not know what the chip wants to sign."""
    answer = ChipCard(CARD, ChipMemory(), tapped=False).records()
    assert read(answer, 0x5A).hex() == CARD.pan
    assert read(answer, 0x57).hex().upper() == CARD.track2 + "F"
    assert (read(answer, 0x5F24).hex(), read(answer, 0x5F34).hex()) == ("301231", "01")
    assert [decode_dol(read(answer, tag)) for tag in (0x8C, 0x8D)] == [CDOL_1, CDOL_2]
    assert spell_dol(decode_dol(read(answer, 0x8C))) == read(answer, 0x8C)


@pytest.mark.parametrize("tapped", [False, True])
def test_the_request_is_a_cryptogram_of_its_key(tapped: bool) -> None:
    """A genuine card would be refused as a copy."""
    chip = ChipCard(CARD, ChipMemory(atc=6), tapped=tapped)
    started = chip.start(TAP if tapped else b"")
    answer = started if tapped else chip.request(FIRST)
    aip, atc = read(started, 0x82), read(answer, 0x9F36)
    assert (read(answer, 0x9F27), atc) == (b"\x80", b"\x00\x07")
    results = read(answer, 0x9F10)[3:7]
    assert results.hex().upper() == "03A00000"
    key = session_key(CARD.chip_key, atc)
    assert verify_cryptogram(key, FIRST + aip + atc + results, read(answer, 0x9F26))


def test_no_two_transactions_have_one_counter() -> None:
    """An old request could be sent again as a new one."""
    memory = ChipMemory()
    counters = [read(begun(memory)[1], 0x9F36) for _ in range(3)]
    assert counters == [b"\0\1", b"\0\2", b"\0\3"]
    memory.atc = ATC_MAX
    assert read(begun(memory)[1], 0x9F36) == b"\0\1"


@pytest.mark.parametrize(
    ("response", "told", "approved", "spoil", "agreed"),
    [
        (b"00", b"00", True, 0, True),
        (b"00", b"00", False, 0, False),
        (b"00", b"05", True, 0, False),
        (b"51", b"00", True, 0, True),
        (b"00", b"00", True, 1, False),
    ],
)
def test_the_chip_agrees_to_what_is_proven(
    response: bytes, told: bytes, approved: bool, spoil: int, agreed: bool
) -> None:
    """A forged approval would be paid by the card, or a true one would not."""
    chip, first = begun()
    data = bytearray(second(read(first, 0x9F26), read(first, 0x9F36), response, told))
    data[0] ^= spoil
    answer = chip.complete(bytes(data), approved=approved)
    assert read(answer, 0x9F27) == (b"\x40" if agreed else b"\x00")
    verdict = read(answer, 0x9F10)[4]
    assert verdict == (0x60 if agreed else 0x20) | (0x08 if spoil else 0)
    key = session_key(CARD.chip_key, b"\0\1")
    assert verify_cryptogram(
        key, CHOSEN + bytes.fromhex("3C00") + b"\0\1" + read(answer, 0x9F10)[3:7], read(answer, 0x9F26)
    )


def test_a_host_without_an_arpc_is_believed() -> None:
    """The cards of issuers that do not prove themselves could not be used."""
    chip, _ = begun()
    answer = chip.complete(bytes(10) + b"00" + CHOSEN, approved=True)
    assert read(answer, 0x9F27) == b"\x40"
    assert chip.run(bytes.fromhex("04DA9F580105")) == b"\x6d\x00"


def test_a_chip_that_refuses_makes_an_aac() -> None:
    """A refusal of the card would look like a request."""
    chip = ChipCard(CARD, ChipMemory(), tapped=False)
    chip.start(b"")
    answer = chip.refuse(FIRST)
    assert (read(answer, 0x9F27), read(answer, 0x9F10)[4]) == (b"\x00", 0x80)


def test_scripts_are_obeyed_of_a_proven_issuer_only() -> None:
    """Whoever holds a card could raise its limits."""
    memory = ChipMemory()
    chip, first = begun(memory)
    command = bytes.fromhex("04DA9F580105")
    assert chip.run(command) == b"\x6d\x00"
    chip.complete(second(read(first, 0x9F26), read(first, 0x9F36)), approved=True)
    assert [chip.run(script) for script in (command, b"\x84\x1e\0\0", b"", b"\x04")] == [b"\x90\0", *[b"\x6d\0"] * 3]
    assert memory.scripts == [command]


@pytest.mark.parametrize(("name", "asked", "told"), [("debit", True, 0x80), ("magic", True, 0x40), ("debit", False, 0)])
def test_a_tap_says_how_to_verify_its_holder(name: str, asked: bool, told: int) -> None:
    """A large tap would go through without a PIN, or a small one ask for it."""
    chip = ChipCard(TEST_CARDS[name], ChipMemory(), tapped=True)
    qualifiers = bytes.fromhex("26400080" if asked else "26000080")
    assert read(chip.start(qualifiers + FIRST), 0x9F6C)[0] == told
