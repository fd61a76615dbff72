"""The simulated issuers: every answer can be had, by number and by amount, and chips and PINs are proven."""

from __future__ import annotations

import pytest

from firmware_sim.cards import FORCED_CODES, TEST_CARDS
from firmware_sim.chip_card import CDOL_1, ChipCard, ChipMemory
from host.issuer import (
    ISSUERS,
    MAGIC_AMOUNTS,
    MASTER_KEY,
    SCRIPT,
    WRONG_PINS_MAX,
    Issuer,
    answer_chip,
    authorise,
    find_issuer,
    proves_chip,
)
from host.refusals import ACQUIRERS_CODES, ISSUER_CODES
from protocol.crypto.cryptogram import arpc_1, card_key, session_key
from protocol.errors import DecodeError
from protocol.responses import RESPONSES
from protocol.tlv import Node, decode, value_of, walk

MAGIC = TEST_CARDS["magic"].pan
CREDIT = TEST_CARDS["credit"]
AMOUNT = {0x9F02: bytes.fromhex("000000006000"), 0x9F03: bytes(6), 0x9F1A: b"\1\x56", 0x95: bytes(5)}
AMOUNT |= {0x5F2A: b"\1\x56", 0x9A: b"\x26\3\1", 0x9C: b"\0", 0x9F37: b"\1\2\3\4"}


def issuer_of(name: str) -> Issuer:
    """Whose card it is."""
    issuer = find_issuer(TEST_CARDS[name].pan)
    assert issuer is not None
    return issuer


def test_every_issuer_has_a_card_and_every_card_but_one_an_issuer() -> None:
    """A scenario would pay with a card that nobody answers for."""
    owners = {name: find_issuer(card.pan) for name, card in TEST_CARDS.items()}
    assert [name for name, owner in owners.items() if owner is None] == ["unknown_bin"]
    assert set(ISSUERS) == set(owners.values()) - {None}


def test_every_answer_is_the_issuers_or_the_acquirers() -> None:
    """A new response code would have no card that forces it."""
    assert set(RESPONSES) == {"00", *ISSUER_CODES, *ACQUIRERS_CODES}
    assert set(FORCED_CODES) == set(ISSUER_CODES)


@pytest.mark.parametrize("code", ISSUER_CODES)
def test_a_number_forces_its_answer(code: str) -> None:
    """A tester could not provoke the answer that a merchant asks about."""
    name = f"forced_{code.lower()}"
    answer = authorise(issuer_of(name), TEST_CARDS[name].pan, 1234, None)
    approved = RESPONSES[code].approved
    assert (answer.refused is None) is approved
    assert (answer.refused.code if answer.refused else answer.code) == code


@pytest.mark.parametrize(("fen", "code"), [*((100_00 + fen, code) for fen, code in MAGIC_AMOUNTS.items()), (51, "51")])
def test_an_amount_forces_its_answer_at_one_bank(fen: int, code: str) -> None:
    """A tester with one card could not provoke an answer; or nobody could buy for 10.51 any more."""
    answer = authorise(issuer_of("magic"), MAGIC, fen, None)
    assert (answer.refused.code if answer.refused else answer.code) == code
    assert authorise(issuer_of("credit"), CREDIT.pan, fen, None).refused is None


@pytest.mark.parametrize("fen", [100, 1003, 1099, 5010])
def test_other_amounts_are_good(fen: int) -> None:
    """The card of magic amounts could pay nothing."""
    assert authorise(issuer_of("magic"), MAGIC, fen, None).code == "00"


def test_wrong_pins_lock_a_card() -> None:
    """A thief could try all PINs."""
    issuer, pan = issuer_of("debit"), TEST_CARDS["debit"].pan
    wrong = 0
    told = []
    for _ in range(WRONG_PINS_MAX + 1):
        answer = authorise(issuer, pan, 100, "654321", wrong)
        assert answer.refused
        told.append(answer.refused.reason)
        wrong = answer.wrong_pins
    assert told == ["card.wrong_pin", "card.wrong_pin", "card.pin_locked", "card.pin_locked"]
    assert authorise(issuer, pan, 100, "123456", wrong).refused
    assert authorise(issuer, pan, 100, None, wrong).refused
    right = authorise(issuer, pan, 100, "123456", WRONG_PINS_MAX - 1)
    assert (right.refused, right.wrong_pins) == (None, 0)
    assert authorise(issuer, pan, 100, None, 2).wrong_pins == 2


def asked(name: str = "credit", /, **changes: bytes) -> tuple[Node, ...]:
    """Field 55 of a chip that asks to go online for 60.00 yuan; ``changes`` by tag in hex."""
    chip = ChipCard(TEST_CARDS[name], ChipMemory(), tapped=False)
    started = chip.start(b"")
    answer = chip.request(b"".join(AMOUNT[tag] for tag, _ in CDOL_1))
    told = [node for node in walk(decode(started + answer)) if not node.children]
    objects = {**AMOUNT, **{node.tag: node.octets for node in told}}
    objects |= {int(tag, 16): value for tag, value in changes.items() if value}
    gone = {int(tag, 16) for tag, value in changes.items() if not value}
    return tuple(Node(tag, value) for tag, value in objects.items() if tag not in gone)


def test_a_chip_is_proven() -> None:
    """Every chip sale would be refused, or a copy pass."""
    assert proves_chip(CREDIT.pan, "001", 6000, asked())
    assert not proves_chip(TEST_CARDS["counterfeit"].pan, "001", 6000, asked("counterfeit"))
    assert not proves_chip(CREDIT.pan, "002", 6000, asked())
    assert not proves_chip(CREDIT.pan, "", 6000, asked())
    assert not proves_chip(TEST_CARDS["debit"].pan, "001", 6000, asked())


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("9F02", "000000006001"),
        ("95", "0000000001"),
        ("9F37", "01020305"),
        ("9F36", "0002"),
        ("9F26", "0000000000000000"),
        ("9F26", "00"),
        ("82", "1C01"),
        ("9F10", "07010103A0000101"),
        ("9F27", "40"),
        ("9F27", "00"),
    ],
)
def test_what_the_chip_did_not_say_is_refused(tag: str, value: str) -> None:
    """Somebody on the line could change what the chip signed."""
    assert not proves_chip(CREDIT.pan, "001", 6000, asked(**{tag: bytes.fromhex(value)}))


def test_the_amount_is_that_of_the_request() -> None:
    """A chip that agreed to 60.00 would pay 6000.00."""
    assert not proves_chip(CREDIT.pan, "001", 6001, asked())


@pytest.mark.parametrize(("tag", "value"), [(tag, b"") for tag in ("9F26", "9F10", "9F36", "95")] + [("9F36", b"\1")])
def test_chip_data_with_a_hole_is_malformed(tag: str, value: bytes) -> None:
    """A request without a cryptogram would be taken as one that needs none."""
    with pytest.raises(DecodeError):
        proves_chip(CREDIT.pan, "001", 6000, asked(**{tag: value}))


@pytest.mark.parametrize(
    ("approved", "code", "response"), [(True, "00", b"00"), (True, "11", b"00"), (False, "51", b"51")]
)
def test_the_issuer_proves_itself(approved: bool, code: str, response: bytes) -> None:
    """The chip would not believe its own issuer."""
    chip = asked()
    told = decode(answer_chip(issuer_of("credit"), CREDIT.pan, "001", chip, code, approved=approved))
    key = session_key(CREDIT.chip_key, value_of(chip, 0x9F36))
    assert value_of(told, 0x91) == arpc_1(key, value_of(chip, 0x9F26), response) + response
    assert value_of(told, 0x9F36) == value_of(chip, 0x9F36)


def test_scripts_go_with_approvals_of_their_bank() -> None:
    """A declined card would be changed."""
    scripted, chip = TEST_CARDS["scripted"], asked("scripted")
    issuer = issuer_of("scripted")
    assert answer_chip(issuer, scripted.pan, "001", chip, "00", approved=True).endswith(SCRIPT)
    assert SCRIPT not in answer_chip(issuer, scripted.pan, "001", chip, "51", approved=False)


def test_cards_and_issuers_have_one_key() -> None:
    """Every chip of the laboratory would be refused."""
    for card in TEST_CARDS.values():
        assert (card.chip_key == card_key(MASTER_KEY, card.pan, "01")) is card.genuine
