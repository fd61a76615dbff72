"""The test cards: well-formed, invented, and silent."""

from __future__ import annotations

import re

import pytest

from firmware_sim.cards import DUAL, FORCED_CODES, TEST_CARDS, Card, CardKind, EntryMode, numbered
from protocol.checks import luhn_ok


@pytest.mark.parametrize("card", TEST_CARDS.values(), ids=TEST_CARDS)
def test_a_card_is_well_formed_and_shows_nothing(card: Card) -> None:
    """A host would refuse the card for its form, or a log would hold its number."""
    total = 0
    for place, digit in enumerate(reversed(card.pan)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)
    assert total % 10 == 0
    assert re.fullmatch(r"62(0000|9999)[0-9]{10}", card.pan)
    assert re.fullmatch(rf"{card.pan}D{card.expiry}[0-9]{{16}}", card.track2)
    assert len(card.track2) == 37
    assert not set(re.findall(r"[0-9]{3,}", repr(card).replace(card.name, "")))


def test_the_first_digits_decide() -> None:
    """A scenario's poor or stolen card would be approved."""
    prefixes = {name: card.pan[:8] for name, card in TEST_CARDS.items() if not name.startswith("forced_")}
    assert prefixes == {
        "debit": "62000001",
        "debit_second": "62000001",
        "debit_stripe": "62000001",
        "wearable": "62000001",
        "pin_thrice": "62000001",
        "counterfeit": "62000001",
        "credit": "62000002",
        "credit_second": "62000002",
        "debit_poor": "62000003",
        "stolen": "62000004",
        "expired": "62000005",
        "lost": "62000006",
        "pin_locked": "62000007",
        "foreign": "62000009",
        "magic": "62000010",
        "scripted": "62000011",
        "unknown_bin": "62999999",
        **dict.fromkeys(
            ("unproven", "static", "combined", "copied", "altered", "ca_expired", "ca_unknown", "revoked"), "62000002"
        ),
    }
    assert {card.kind for card in TEST_CARDS.values()} == set(CardKind)
    assert {way for card in TEST_CARDS.values() for way in card.ways} == set(EntryMode)
    assert len({card.pan for card in TEST_CARDS.values()}) == len(TEST_CARDS)


def test_every_forced_answer_has_a_card() -> None:
    """A tester could not provoke the answer that a merchant asks about."""
    forced = {name: card.pan[:12] for name, card in TEST_CARDS.items() if name.startswith("forced_")}
    assert len(forced) == len(FORCED_CODES) == len(set(FORCED_CODES))
    assert (forced["forced_51"], forced["forced_a7"]) == ("620000080501", "620000081007")


def test_service_codes_tell_chip_and_pin() -> None:
    """A terminal would let a chip card be swiped, or a debit card be used without its PIN."""
    told = {name: TEST_CARDS[name].service_code for name in ("debit", "debit_stripe", "credit", "credit_second")}
    assert told == {"debit": "200", "debit_stripe": "100", "credit": "201", "credit_second": "101"}


def test_keys_are_per_card_and_a_copy_has_none() -> None:
    """Who knows one chip would know them all."""
    keys = {card.chip_key for card in TEST_CARDS.values()}
    assert len(keys) == len(TEST_CARDS)
    genuine, copied = (
        Card("one", CardKind.DEBIT, DUAL, TEST_CARDS["debit"].pan, genuine=genuine) for genuine in (True, False)
    )
    assert genuine.chip_key == TEST_CARDS["debit"].chip_key != copied.chip_key


@pytest.mark.parametrize("digits", ["", "62", "620000010000012", "999999999999999"])
def test_numbers_are_checked(digits: str) -> None:
    """A generated card would be refused for its check digit."""
    number = numbered(digits)
    assert number.startswith(digits)
    assert len(number) == 16
    assert luhn_ok(number)
