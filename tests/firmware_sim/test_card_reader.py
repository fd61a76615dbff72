"""Reading cards."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest

from firmware_sim.card_reader import CardReader
from firmware_sim.cards import TEST_CARDS, Card
from firmware_sim.errors import DeviceError, EntryTimeout
from firmware_sim.power import Power, PowerLost


async def test_a_card_is_read_once(power: Power) -> None:
    """The next customer would pay with the card of the one before."""
    reader = CardReader(power, deque(), contactless=True)
    reading = asyncio.create_task(reader.read_card(1))
    await asyncio.sleep(0)
    reader.present(TEST_CARDS["debit"])
    assert await reading is TEST_CARDS["debit"]
    with pytest.raises(EntryTimeout):
        await reader.read_card(0.01)


async def test_the_last_card_counts(power: Power) -> None:
    """A card that was taken away would be charged."""
    reader = CardReader(power, deque(), contactless=True)
    reader.present(TEST_CARDS["debit"])
    reader.present(TEST_CARDS["credit"])
    assert await reader.read_card(0) is TEST_CARDS["credit"]
    reader.present(TEST_CARDS["debit"])
    reader.remove()
    with pytest.raises(EntryTimeout):
        await reader.read_card(0.01)


async def test_a_card_stays_in_the_slot_through_a_cut(power: Power) -> None:
    """After a power cut the cashier would have to ask for a card that is still in the device."""
    slot: deque[Card] = deque()
    old = CardReader(power, slot, contactless=True)
    old.present(TEST_CARDS["credit"])
    power.cut()
    with pytest.raises(PowerLost):
        await old.read_card(0)
    power.switch_on()
    assert await CardReader(power, slot, contactless=True).read_card(0) is TEST_CARDS["credit"]


def test_a_model_without_an_antenna_says_so(power: Power) -> None:
    """A scenario would wait for a tap that the model cannot see."""
    reader = CardReader(power, deque(), contactless=False)
    with pytest.raises(DeviceError, match="contactless"):
        reader.present(TEST_CARDS["debit"])
    reader.present(TEST_CARDS["credit"])
