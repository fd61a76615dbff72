"""Single keys: what is typed key by key is what the flow reads, and the PIN's keys are the PIN's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from firmware_sim.errors import DeviceError, EntryCancelled, EntryTimeout
from firmware_sim.faults import Faults
from firmware_sim.keypad import ENTRY_CHARACTERS_MAX, Key, Keypad, SecureEntry
from firmware_sim.power import Power, PowerLost

ENTER, CLEAR, CANCEL = Key.ENTER, Key.CLEAR, Key.CANCEL


@pytest.fixture
def entry() -> SecureEntry:
    return SecureEntry()


@pytest.fixture
def keypad(power: Power, entry: SecureEntry) -> Keypad:
    return Keypad(power, entry, Faults())


def strike(keypad: Keypad, *keys: Key | str) -> None:
    """Press keys one after the other; a text is its characters."""
    for key in keys:
        for each in [key] if isinstance(key, Key) else key:
            keypad.strike(each)


@pytest.mark.parametrize(
    ("keys", "entries"),
    [
        (("60.00", ENTER), ["60.00"]),
        (("60.01", CLEAR, "0", ENTER, "1", ENTER), ["60.00", "1"]),
        ((CLEAR, CLEAR, "7", ENTER), ["7"]),
        ((ENTER,), [""]),
        (("12", Key.F2, "3", ENTER), ["F2", "3"]),
    ],
)
async def test_keys_become_entries(keypad: Keypad, keys: Iterable[Key | str], entries: list[str]) -> None:
    """A cashier who corrects the amount would charge the wrong one."""
    strike(keypad, *keys)
    assert [await keypad.read(0) for _ in entries] == entries
    with pytest.raises(EntryTimeout):
        await keypad.read(0)


async def test_cancel_and_clear_all(keypad: Keypad) -> None:
    """Half an amount would stand before the next one."""
    strike(keypad, "60", CANCEL, "1", ENTER)
    with pytest.raises(EntryCancelled):
        await keypad.read(0)
    assert await keypad.read(0) == "1"
    strike(keypad, "60")
    keypad.clear()
    strike(keypad, "1", ENTER)
    assert await keypad.read(0) == "1"


async def test_an_entry_has_an_end(keypad: Keypad) -> None:
    """A key that is stuck would fill the memory."""
    strike(keypad, "9" * (ENTRY_CHARACTERS_MAX + 10), ENTER)
    assert await keypad.read(0) == "9" * ENTRY_CHARACTERS_MAX


@pytest.mark.parametrize("key", ["a", "", "12", "٣", "enter", " "])
def test_there_are_no_other_keys(keypad: Keypad, key: str) -> None:
    """A script with a mistyped key would type something else."""
    with pytest.raises(DeviceError, match="no such key"):
        keypad.strike(key)


@pytest.mark.parametrize(
    ("keys", "pin"),
    [
        (("123456", ENTER), b"123456"),
        (("1234567890123456", ENTER), b"123456789012"),
        (("123", ENTER, "4321", ENTER), b"4321"),
        (("99", CLEAR, "1.2.3.4", ENTER), b"1234"),
        (("12", Key.F1, "34", ENTER), b"1234"),
        ((ENTER,), b""),
    ],
)
async def test_the_keys_of_a_pin(keypad: Keypad, entry: SecureEntry, keys: Iterable[Key | str], pin: bytes) -> None:
    """The PIN would be typed into the amount, or a slip of the finger be part of it."""
    asked = asyncio.create_task(keypad.read_pin(1))
    await asyncio.sleep(0)
    strike(keypad, *keys)
    assert await asked == len(pin)
    assert bytes(entry.take()) == pin
    with pytest.raises(EntryTimeout):
        await keypad.read(0)


async def test_a_pin_that_is_given_up_is_gone(keypad: Keypad, entry: SecureEntry) -> None:
    """Half a PIN would be sent with the next card."""
    asked = asyncio.create_task(keypad.read_pin(1))
    await asyncio.sleep(0)
    strike(keypad, "1234")
    typed = entry._digits
    strike(keypad, CANCEL)
    with pytest.raises(EntryCancelled):
        await asked
    assert (bytes(typed), len(entry)) == (bytes(4), 0)
    strike(keypad, "77", ENTER)
    assert await keypad.read(0) == "77"
    entry.fill(b"1234")
    with pytest.raises(EntryTimeout):
        await keypad.read_pin(0.01)
    assert len(entry) == 0


async def test_keys_end_with_the_power(power: Power, keypad: Keypad) -> None:
    """Keys pressed in the dark would be read in the light."""
    power.cut()
    with pytest.raises(PowerLost):
        keypad.strike("1")


async def test_an_entry_that_nobody_may_read(keypad: Keypad) -> None:
    """A prompt would show the supervisor's password, or hide everything after it."""
    assert not keypad.hides_entry
    reading = asyncio.create_task(keypad.read(1, hidden=True))
    await asyncio.sleep(0)
    assert keypad.hides_entry
    strike(keypad, "246810")
    assert keypad.hides_entry
    strike(keypad, ENTER)
    assert not keypad.hides_entry  # answered
    assert await reading == "246810"
    with pytest.raises(EntryTimeout):
        await keypad.read(0, hidden=True)
    assert not keypad.hides_entry


@pytest.mark.parametrize("ahead", [True, False])
async def test_cancel_ends_what_waits_for_something_else(keypad: Keypad, ahead: bool) -> None:
    """A cashier who presses cancel would wait for a card that nobody has."""
    escaped: list[EntryCancelled] = []
    if ahead:
        strike(keypad, CANCEL)
    with keypad.escaping(escaped.append):
        if not ahead:
            strike(keypad, "12", CANCEL)
    assert len(escaped) == 1


async def test_other_keys_are_left_for_later_questions(keypad: Keypad) -> None:
    """What was typed ahead of the card would be lost, or a cancel for a later question end this one."""
    escaped: list[EntryCancelled] = []
    strike(keypad, "0301", ENTER, CANCEL)
    with keypad.escaping(escaped.append):
        strike(keypad, "7", ENTER)
    assert not escaped
    assert await keypad.read(0) == "0301"
    with pytest.raises(EntryCancelled):
        await keypad.read(0)
    assert await keypad.read(0) == "7"


def test_every_key_is_heard(keypad: Keypad) -> None:
    """A screen that waits for the next key would stay."""
    heard: list[str] = []
    keypad.on_key = lambda: heard.append("key")
    strike(keypad, "1", CLEAR)
    assert len(heard) == 2
