"""Waiting for what comes from outside."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest

from firmware_sim.inbox import Inbox
from firmware_sim.power import Power, PowerLost


async def test_items_come_in_order_whoever_was_first(power: Power) -> None:
    """Two quick key presses would be swapped, or the second one lost."""
    inbox: Inbox[int] = Inbox(power)
    waiting = asyncio.create_task(inbox.take(1))
    await asyncio.sleep(0)
    inbox.put(1)
    inbox.put(2)
    assert [await waiting, await inbox.take(0)] == [1, 2]


async def test_a_timeout_loses_nothing(power: Power) -> None:
    """A reply that arrives as the terminal gives up would vanish instead of being matched or ignored."""
    inbox: Inbox[int] = Inbox(power)
    with pytest.raises(TimeoutError):
        await inbox.take(0.01)
    inbox.put(7)
    assert await inbox.take(0.01) == 7


async def test_a_cut_wakes_the_one_who_waits(power: Power) -> None:
    """A scenario that pulls the plug during a sale would hang."""
    inbox: Inbox[int] = Inbox(power)
    waiting = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    power.cut()
    with pytest.raises(PowerLost):
        await waiting


async def test_an_item_that_came_with_the_cut_is_not_taken(power: Power) -> None:
    """The dead program would print the receipt of a sale that its journal does not know."""
    items: deque[int] = deque()
    inbox: Inbox[int] = Inbox(power, items)
    waiting = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    inbox.put(1)
    power.cut()
    with pytest.raises(PowerLost):
        await waiting
    assert list(items) == [1]


async def test_the_end_comes_after_the_last_item(power: Power) -> None:
    """A reply followed by the end of the connection would be thrown away."""
    inbox: Inbox[int] = Inbox(power)
    inbox.put(1)
    inbox.end(ConnectionError("closed"))
    assert await inbox.take() == 1
    with pytest.raises(ConnectionError):
        await inbox.take()
