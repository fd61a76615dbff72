"""A cut ends the epoch, exactly where it was planned."""

from __future__ import annotations

import pytest

from firmware_sim.errors import DeviceError
from firmware_sim.power import Phase, Power, PowerLost


@pytest.mark.parametrize(
    ("phase", "torn_bytes", "reached"),
    [
        (Phase.BEFORE, None, b""),
        (Phase.TORN, None, b"ab"),
        (Phase.TORN, 1, b"a"),
        (Phase.TORN, 3, b"abc"),
        (Phase.AFTER, None, b"abcd"),
    ],
)
def test_a_planned_cut_lets_that_much_through(
    power: Power, phase: Phase, torn_bytes: int | None, reached: bytes
) -> None:
    """The kill-anywhere matrix would skip a state that a plug pulled in a shop can reach."""
    stored: list[bytes] = []
    power.cut_at(2, phase, torn_bytes=torn_bytes)
    power.write(power.epoch, b"first", stored.append)
    with pytest.raises(PowerLost):
        power.write(power.epoch, b"abcd", stored.append)
    assert stored == [b"first", reached]
    assert power.operations == 2
    assert not power.is_on


def test_an_old_epoch_changes_nothing(power: Power) -> None:
    """A dead program would go on writing into the journal of the one that recovers."""
    old = power.epoch
    power.cut()
    power.switch_on()
    stored: list[bytes] = []
    with pytest.raises(PowerLost):
        power.write(old, b"late", stored.append)
    assert not stored
    assert power.operations == 0
    power.check(power.epoch)


def test_power_lost_is_no_exception() -> None:
    """A flow that handles every Exception would carry on after the plug was pulled."""
    assert not issubclass(PowerLost, Exception)


def test_a_plan_survives_a_cut_in_between(power: Power) -> None:
    """A second cut, in the middle of the recovery, could not be rehearsed."""
    power.cut_at(1, Phase.BEFORE)
    power.cut()
    power.switch_on()
    with pytest.raises(PowerLost):
        power.write(power.epoch, b"recovery", lambda _: None)


def test_witnesses_are_called_once_unless_they_left(power: Power) -> None:
    """A connection of a former life would be torn down in the next one."""
    called: list[str] = []
    power.on_cut(lambda: called.append("stays"))

    def leaves() -> None:
        called.append("leaves")

    power.on_cut(leaves)
    power.forget(leaves)
    power.forget(leaves)
    power.cut()
    power.cut()
    assert called == ["stays"]


def test_wrong_use_is_told(power: Power) -> None:
    """Two boards would share one set of chips, or a cut be planned in the past."""
    with pytest.raises(DeviceError, match="on already"):
        power.switch_on()
    with pytest.raises(ValueError, match="counted from 1"):
        power.cut_at(0, Phase.BEFORE)
