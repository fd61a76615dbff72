"""A bad counter makes parts fail by chance, the same chance every time."""

from __future__ import annotations

import random
from dataclasses import fields

import pytest

from firmware_sim.environment import ENVIRONMENT, Environment
from firmware_sim.errors import DeviceError
from firmware_sim.faults import FAULT_POINTS, Faults

pytestmark = pytest.mark.feature("F")


def test_every_cause_is_a_level_and_every_row_a_fault_point() -> None:
    """A damp shop would be set up in which nothing ever happens."""
    assert ENVIRONMENT.keys() == {cause.name for cause in fields(Environment)}
    for row in ENVIRONMENT.values():
        assert row.keys() <= FAULT_POINTS.keys()
        assert all(0 < rate <= 1 for rate in row.values())
        assert all(FAULT_POINTS[name].takes(None) for name in row)


def test_rates_grow_with_the_level_and_add_up() -> None:
    """Two causes of one fault would cancel each other, or come to more than always."""
    assert Environment().rates() == {}
    assert Environment(dust=1).rates() == pytest.approx(ENVIRONMENT["dust"])
    jam = ENVIRONMENT["dust"]["printer.jam"], ENVIRONMENT["damp"]["printer.jam"]
    both = Environment(dust=0.5, damp=1).rates()
    assert both["printer.jam"] == pytest.approx(1 - (1 - jam[0] / 2) * (1 - jam[1]))
    assert all(0 < rate < 1 for rate in Environment(1, 1, 1, 1).rates().values())


@pytest.mark.parametrize("level", [-0.1, 1.1])
def test_a_level_out_of_bounds_is_told(level: float) -> None:
    """A mistyped percentage would make every use fail."""
    with pytest.raises(DeviceError, match="dust is a level from 0 to 1"):
        Environment(dust=level)


def _played(seed: int) -> list[bool]:
    faults = Faults()
    faults.expose(Environment(dust=1).rates(), random.Random(seed))
    return [faults.fires(name) for _ in range(200) for name in ("reader.swipe_error", "keypad.pin_timeout")]


def test_chance_is_the_same_for_the_same_seed() -> None:
    """A failure that a seed found could not be played again."""
    first = _played(1)
    assert first == _played(1) != _played(2)
    assert 5 < sum(first[::2]) < 50
    assert not any(first[1::2])


def test_exposure_can_change_and_armed_faults_come_first() -> None:
    """A device could not be brought into a dry room, or a scenario's fault be lost in the weather."""
    faults = Faults()
    faults.expose({"printer.jam": 1.0}, random.Random(1))
    faults.arm("printer.jam")
    assert faults.fires("printer.jam")
    assert faults.armed == ()
    assert faults.fires("printer.jam")
    faults.expose({}, random.Random(1))
    assert not faults.fires("printer.jam")
    assert faults.fired["printer.jam"] == 2
