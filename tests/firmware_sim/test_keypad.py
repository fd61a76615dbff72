"""Keys: entries in order, PINs for nobody but the secure module."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from firmware_sim.errors import DeviceError, EntryCancelled, EntryTimeout
from firmware_sim.keypad import Keypad, SecureEntry
from firmware_sim.power import Power, PowerLost


@pytest.fixture
def entry() -> SecureEntry:
    return SecureEntry()


@pytest.fixture
def keypad(power: Power, entry: SecureEntry) -> Keypad:
    return Keypad(power, entry)


async def test_entries_may_be_typed_ahead(keypad: Keypad) -> None:
    """A fast cashier would lose the amount."""
    keypad.press("1")
    keypad.press("60.00")
    keypad.cancel()
    assert [await keypad.read(), await keypad.read()] == ["1", "60.00"]
    with pytest.raises(EntryCancelled, match="cashier"):
        await keypad.read()
    with pytest.raises(EntryTimeout):
        await keypad.read(0.01)


async def test_a_pin_goes_to_the_secure_entry_only(keypad: Keypad, entry: SecureEntry) -> None:
    """The PIN would be a plain entry that the application can read and print."""
    keypad.enter_pin("123456")
    with pytest.raises(EntryTimeout):
        await keypad.read(0.01)
    assert await keypad.read_pin() == 6
    assert bytes(entry.take()) == b"123456"
    assert not entry.take()
    keypad.enter_pin("")
    assert await keypad.read_pin() == 0


async def test_cancelled_replaced_and_cleared_pins_are_zeros(keypad: Keypad, entry: SecureEntry) -> None:
    """A PIN would lie in memory after the sale, or be sent with the next customer's card."""
    keypad.enter_pin("123456")
    first = entry._digits
    keypad.cancel_pin()
    assert bytes(first) == bytes(6)
    assert not entry.take()
    with pytest.raises(EntryCancelled, match="cardholder"):
        await keypad.read_pin()
    keypad.enter_pin("1234")
    replaced = entry._digits
    keypad.enter_pin("9876")
    assert bytes(replaced) == bytes(4)
    keypad.press("left over")
    keypad.clear()
    assert not entry.take()
    for read in (keypad.read, keypad.read_pin):
        with pytest.raises(EntryTimeout):
            await read(0.01)


@pytest.mark.parametrize("pin", ["123", "1234567890123", "12a4", "１２３４", "12 34"])
def test_what_is_no_pin_is_refused_without_repeating_it(keypad: Keypad, pin: str) -> None:
    """A wrong PIN would appear in an error report."""
    with pytest.raises(DeviceError) as refused:
        keypad.enter_pin(pin)
    assert pin not in str(refused.value)


async def test_a_cut_ends_every_wait(power: Power, keypad: Keypad) -> None:
    """A power cut at the PIN question would leave the flow waiting for ever."""
    waiting = [asyncio.create_task(keypad.read()), asyncio.create_task(keypad.read_pin())]
    await asyncio.sleep(0)
    power.cut()
    for task in waiting:
        with pytest.raises(PowerLost):
            await task
    uses: list[Callable[[], None]] = [
        lambda: keypad.press("1"),
        lambda: keypad.enter_pin("123456"),
        keypad.clear,
        keypad.cancel_pin,
    ]
    for use in uses:
        with pytest.raises(PowerLost):
            use()
