"""The test cards: well-formed, invented, and silent."""

from __future__ import annotations

import re

import pytest

from firmware_sim.cards import TEST_CARDS, Card, CardKind


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
    assert not set(re.findall(r"[0-9]{3,}", repr(card)))


def test_the_first_digits_decide() -> None:
    """A scenario's poor or stolen card would be approved."""
    prefixes = {name: card.pan[:8] for name, card in TEST_CARDS.items()}
    assert prefixes == {
        "debit": "62000001",
        "debit_second": "62000001",
        "credit": "62000002",
        "credit_second": "62000002",
        "debit_poor": "62000003",
        "stolen": "62000004",
        "unknown_bin": "62999999",
    }
    assert {card.kind for card in TEST_CARDS.values()} == set(CardKind)
    assert len({card.pan for card in TEST_CARDS.values()}) == len(TEST_CARDS)
