"""Keys: entries in order, PINs for nobody but the secure module, and nothing left of a PIN that was not used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from firmware_sim.errors import DeviceError, EntryCancelled, EntryTimeout, KeyFlood, PinPadRemoved
from firmware_sim.faults import Faults
from firmware_sim.key_memory import FAIL_COUNTERS
from firmware_sim.keypad import ENTRIES_AHEAD_MAX, ENTRY_CHARACTERS_MAX, PIN_FAULTS, Key, Keypad, SecureEntry
from firmware_sim.power import Power, PowerLost

PIN = "123456"
# fault point -> what the flow is told
ENDS: dict[str, type[DeviceError]] = {
    "keypad.pin_timeout": EntryTimeout,
    "keypad.pin_cancelled": EntryCancelled,
    "keypad.pin_pad_removed": PinPadRemoved,
    "keypad.key_flood": KeyFlood,
}


@pytest.fixture
def entry() -> SecureEntry:
    return SecureEntry()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def keypad(power: Power, entry: SecureEntry, faults: Faults) -> Keypad:
    return Keypad(power, entry, faults)


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
    keypad.enter_pin(PIN)
    with pytest.raises(EntryTimeout):
        await keypad.read(0.01)
    assert await keypad.read_pin() == 6
    assert bytes(entry.take()) == PIN.encode()
    assert not entry.take()
    keypad.enter_pin("")
    assert await keypad.read_pin() == 0
    assert not entry.failures


async def test_cancelled_replaced_and_cleared_pins_are_zeros(keypad: Keypad, entry: SecureEntry) -> None:
    """A PIN would lie in memory after the sale, or be sent with the next customer's card."""
    keypad.enter_pin(PIN)
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


@pytest.mark.parametrize("name", ENDS)
async def test_faults_end_the_entry_of_a_pin_with_nothing_left_of_it(
    keypad: Keypad, entry: SecureEntry, faults: Faults, name: str
) -> None:
    """P04: the PIN of one cardholder would wait in the terminal for the next."""
    keypad.enter_pin(PIN)
    digits = entry._digits
    faults.arm(name)
    with pytest.raises(ENDS[name]) as ended:
        await keypad.read_pin()
    assert (bytes(digits), entry.take(), type(ended.value)) == (bytes(6), bytearray(), ENDS[name])
    assert (faults.fired[name], entry.failures) == (1, {name.partition(".")[2]: 1})
    with pytest.raises(EntryTimeout):
        await keypad.read_pin(0.01)
    keypad.enter_pin(PIN)
    assert await keypad.read_pin() == 6


def test_every_end_of_an_entry_is_counted() -> None:
    """The service would not see that somebody floods the PIN pad."""
    assert ENDS.keys() == PIN_FAULTS.keys()
    assert {name.partition(".")[2] for name in PIN_FAULTS} < FAIL_COUNTERS.keys()


async def test_an_unplugged_pin_pad_wakes_who_waits(keypad: Keypad, entry: SecureEntry) -> None:
    """The sale would hang until the time is up, and the PIN be typed into nothing."""
    waiting = asyncio.create_task(keypad.read_pin())
    await asyncio.sleep(0)
    keypad.remove_pin_pad()
    with pytest.raises(PinPadRemoved):
        await waiting
    assert entry.failures["pin_pad_removed"] == 1


async def test_a_pin_that_comes_too_late_is_gone(keypad: Keypad, entry: SecureEntry) -> None:
    """A PIN that was typed after the time was up would be used for the next card."""
    with pytest.raises(EntryTimeout):
        await keypad.read_pin(0.01)
    assert entry.failures["pin_timeout"] == 1
    keypad.enter_pin(PIN)
    keypad.clear()
    with pytest.raises(EntryTimeout):
        await keypad.read_pin(0.01)


async def test_no_digit_follows_an_entered_pin(keypad: Keypad, entry: SecureEntry) -> None:
    """A finger that slips after enter would make another PIN of it, and the card be locked."""
    waiting = asyncio.create_task(keypad.read_pin())
    await asyncio.sleep(0)
    for key in ("1", "2", "3", "4", Key.ENTER, "5", Key.CLEAR):
        keypad.strike(key)
    assert await waiting == 4
    assert bytes(entry.take()) == b"1234"


async def test_a_flood_of_keys_is_dropped(keypad: Keypad, entry: SecureEntry) -> None:
    """A stuck key would fill the memory, and its digits be taken for an amount."""
    keypad.enter_pin(PIN)
    digits = entry._digits
    for _ in range(ENTRIES_AHEAD_MAX):
        keypad.press("9")
    assert not entry.failures
    keypad.press("9")
    assert (bytes(digits), entry.failures["key_flood"]) == (bytes(6), 1)
    for read in (keypad.read, keypad.read_pin):
        with pytest.raises(KeyFlood):
            await read()
        with pytest.raises(EntryTimeout):
            await read(0.01)


async def test_an_entry_has_an_end(keypad: Keypad) -> None:
    """A program at the console would fill the memory with one entry."""
    keypad.press("9" * ENTRY_CHARACTERS_MAX)
    assert len(await keypad.read()) == ENTRY_CHARACTERS_MAX
    with pytest.raises(DeviceError, match="characters"):
        keypad.press("9" * (ENTRY_CHARACTERS_MAX + 1))


@pytest.mark.parametrize("pin", ["123", "1234567890123", "12a4", "１２３４", "12 34"])
def test_what_is_no_pin_is_refused_without_repeating_it(keypad: Keypad, pin: str) -> None:
    """A wrong PIN would appear in an error report."""
    with pytest.raises(DeviceError) as refused:
        keypad.enter_pin(pin)
    assert pin not in str(refused.value)


def test_nothing_shows_a_pin(keypad: Keypad, entry: SecureEntry) -> None:
    """The first traceback that shows the keypad would hold the PIN."""
    keypad.enter_pin(PIN)
    assert PIN not in repr(keypad) + repr(entry) + repr(entry.failures)


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
        lambda: keypad.enter_pin(PIN),
        keypad.clear,
        keypad.cancel_pin,
        keypad.remove_pin_pad,
    ]
    for use in uses:
        with pytest.raises(PowerLost):
            use()
    with pytest.raises(PowerLost):
        await keypad.read_pin()
