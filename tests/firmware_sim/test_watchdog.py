"""A program that hangs is restarted, one that works is left alone."""

from __future__ import annotations

import asyncio

import pytest

from firmware_sim.faults import Faults
from firmware_sim.inbox import Inbox
from firmware_sim.power import Cause, Power, PowerLost
from firmware_sim.watchdog import Watchdog

pytestmark = pytest.mark.feature("F")

TIMEOUT_S = 0.02


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def watchdog(power: Power, faults: Faults) -> Watchdog:
    return Watchdog(power, faults)


async def test_a_program_that_waits_too_long_loses_its_power(watchdog: Watchdog, power: Power) -> None:
    """A terminal that hangs would stay dark until somebody pulls the plug."""
    never: Inbox[int] = Inbox(power)
    with pytest.raises(PowerLost), watchdog.watch(TIMEOUT_S):
        await never.take()
    assert (power.is_on, power.last_cut) == (False, Cause.WATCHDOG)
    with pytest.raises(PowerLost):
        watchdog.kick()


@pytest.mark.virtual
async def test_kicks_keep_it_quiet_and_outside_nobody_is_watched(watchdog: Watchdog, power: Power) -> None:
    """A customer who takes long to find the card would switch the terminal off."""
    watchdog.kick()
    with watchdog.watch(TIMEOUT_S):
        for _ in range(6):
            await asyncio.sleep(TIMEOUT_S / 4)
            watchdog.kick()
    await asyncio.sleep(2 * TIMEOUT_S)
    assert power.is_on


async def test_a_program_that_hangs_fault(watchdog: Watchdog, power: Power, faults: Faults) -> None:
    """A hang could not be rehearsed."""
    faults.arm("watchdog.hang")
    with watchdog.watch(TIMEOUT_S):
        watchdog.kick()
        watchdog.kick()
    await asyncio.sleep(2 * TIMEOUT_S)
    assert (power.is_on, power.last_cut, faults.fired["watchdog.hang"]) == (False, Cause.WATCHDOG, 1)


async def test_a_cut_calls_the_watchdog_off(watchdog: Watchdog, power: Power) -> None:
    """The watchdog of a former life would switch off the recovered terminal."""
    with watchdog.watch(TIMEOUT_S):
        power.cut()
        power.switch_on()
    await asyncio.sleep(2 * TIMEOUT_S)
    assert power.is_on
