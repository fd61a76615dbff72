"""The board's own time, and what its crystal and cell do to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from firmware_sim.clock import CELL_DEAD_TIME, CHINA_STANDARD_TIME, STEPS, BoardClock, Crystal
from firmware_sim.faults import Faults
from firmware_sim.power import Power, PowerLost

START = datetime(2026, 2, 28, 18, 30, tzinfo=UTC)


class Bench:
    """A crystal in a laboratory whose time passes by hand."""

    def __init__(self, power: Power) -> None:
        self.at = START
        self.power = power
        self.faults = Faults()
        self.crystal = Crystal(lambda: self.at)

    def boot(self) -> BoardClock:
        self.power.cut()
        self.power.switch_on()
        return BoardClock(self.power, self.faults, self.crystal)

    def wait(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def bench(power: Power) -> Bench:
    return Bench(power)


def test_the_clock_shows_china_time_and_can_be_set(bench: Bench) -> None:
    """Receipts would carry the wrong day between midnight and eight in the morning."""
    clock = bench.boot()
    assert clock.now() == datetime(2026, 3, 1, 2, 30, tzinfo=CHINA_STANDARD_TIME)
    assert clock.now().strftime("%m%d%H%M%S") == "0301023000"
    clock.set(datetime(2026, 3, 1, 3, 0, tzinfo=CHINA_STANDARD_TIME))
    assert clock.offset == timedelta(minutes=30)
    clock.advance(timedelta(days=-1))
    assert clock.now() == datetime(2026, 2, 28, 3, 0, tzinfo=CHINA_STANDARD_TIME)


def test_a_dead_board_shows_no_time(bench: Bench) -> None:
    """The program that lost its power would go on stamping messages."""
    clock = bench.boot()
    bench.power.cut()
    for use in (clock.now, lambda: clock.is_set, lambda: clock.set(START)):
        with pytest.raises(PowerLost):
            use()


@pytest.mark.parametrize("ppm", [50_000, -20, 0])
def test_a_crystal_drifts_from_when_it_is_told_to(bench: Bench, ppm: float) -> None:
    """A clock that is five per cent fast could not be tried on the timeouts."""
    clock = bench.boot()
    bench.wait(days=3)
    bench.crystal.drift(ppm)
    assert clock.now() == bench.at
    bench.wait(hours=100)
    assert clock.now() - bench.at == timedelta(hours=100) * ppm / 1_000_000
    bench.crystal.drift(0)
    shown = clock.now()
    bench.wait(hours=1)
    assert clock.now() - shown == timedelta(hours=1)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_fault_moves_the_time_once(bench: Bench, name: str) -> None:
    """A timeout or an expiry that trusts the wall clock would never be found."""
    clock = bench.boot()
    bench.faults.arm(name)
    assert clock.now() - START == STEPS[name]
    assert clock.now() - START == STEPS[name]
    assert bench.boot().now() - START == STEPS[name]
    assert bench.faults.fired[name] == 1


def test_a_frozen_clock_fault_stands_and_goes_on(bench: Bench) -> None:
    """A clock chip that hangs would give two sales one key, and nobody could try it."""
    clock = bench.boot()
    bench.faults.arm("clock.frozen", times=None)
    shown = clock.now()
    bench.wait(hours=1)
    assert clock.now() == bench.boot().now() == shown
    bench.faults.disarm("clock.frozen")
    clock = bench.boot()
    assert clock.now() == shown
    bench.wait(hours=1)
    assert clock.now() == shown + timedelta(hours=1)
    assert bench.faults.fired["clock.frozen"] == 3


def test_a_dead_cell_fault_forgets_the_time_until_it_is_set(bench: Bench) -> None:
    """A receipt of the year 2000 would be taken for a real one."""
    assert bench.boot().is_set
    bench.faults.arm("clock.dead_cell", times=None)
    clock = bench.boot()
    bench.wait(minutes=5)
    assert (clock.now(), clock.is_set) == (CELL_DEAD_TIME + timedelta(minutes=5), False)
    clock.advance(timedelta(hours=2))
    assert not clock.is_set
    clock.set(bench.at)
    assert (clock.now(), clock.is_set) == (bench.at, True)
    clock = bench.boot()
    assert (clock.now(), clock.is_set) == (CELL_DEAD_TIME, False)
    clock.set(bench.at)
    bench.faults.disarm("clock.dead_cell")
    assert bench.boot().is_set
    assert bench.faults.fired["clock.dead_cell"] == 2
