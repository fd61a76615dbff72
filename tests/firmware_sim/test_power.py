"""A cut ends the epoch, exactly where it was planned; a battery ends it by itself."""

from __future__ import annotations

import pytest

from firmware_sim.errors import DeviceError
from firmware_sim.power import LOW_PERCENT, Cause, Cut, Phase, Power, PowerLost, cuts


@pytest.mark.parametrize(
    ("phase", "torn_bytes", "reached"),
    [
        (Phase.BEFORE, None, 0),
        (Phase.TORN, None, 2),
        (Phase.TORN, 1, 1),
        (Phase.TORN, 9, 4),
        (Phase.AFTER, None, 4),
    ],
)
def test_a_planned_cut_lets_that_much_through(power: Power, phase: Phase, torn_bytes: int | None, reached: int) -> None:
    """The kill-anywhere matrix would skip a state that a plug pulled in a shop can reach."""
    power.cut_at(2, phase, torn_bytes=torn_bytes)
    assert power.step(power.epoch, "journal.program") is None
    cut = power.step(power.epoch, "journal.barrier")
    assert cut is not None
    assert cut.reached(4) == reached
    with pytest.raises(PowerLost):
        power.fall(cut)
    assert power.operations == 2
    assert not power.is_on


@pytest.mark.parametrize(("of", "at"), [("", 1), ("barrier", 2), ("keys.program", 3), ("line.send", 4)])
def test_a_cut_can_wait_for_a_kind_of_point(power: Power, of: str, at: int) -> None:
    """A scenario could not say "after the second write" without counting pages and barriers."""
    points = ["journal.program", "journal.barrier", "keys.program", "line.send"]
    power.cut_at(1, Phase.BEFORE, of=of)
    fell = [power.step(power.epoch, point) is not None for point in points]
    assert fell.index(True) == at - 1
    assert sum(fell) == 1


def test_the_points_of_a_dry_run_and_the_cuts_that_differ(power: Power) -> None:
    """An enumeration would leave out a cut, or take a night for cuts that are the same."""
    power.step(power.epoch, "journal.erase")
    with power.watched() as points:
        for point in ("journal.program", "journal.barrier"):
            power.step(power.epoch, point)
        with power.act(power.epoch, "line.send"):
            power.step(power.epoch, "printer.line")
    power.step(power.epoch, "journal.barrier")
    assert points == ["journal.program", "journal.barrier", "line.send", "printer.line"]
    assert [(number, phase.value) for number, phase in cuts([*points, "keys.erase"])] == [
        (1, "before"), (1, "torn"), (1, "after"), (2, "after"), (3, "after"), (4, "before"), (4, "after"),
        (5, "before"), (5, "torn"), (5, "after"),
    ]  # fmt: skip


@pytest.mark.parametrize(("phase", "done"), [(Phase.BEFORE, []), (Phase.TORN, []), (Phase.AFTER, ["sent"])])
def test_an_act_is_done_or_not(power: Power, phase: Phase, done: list[str]) -> None:
    """A plug pulled while a slip is printed could not be rehearsed."""
    acts: list[str] = []
    power.cut_at(1, phase)
    with pytest.raises(PowerLost), power.act(power.epoch, "line.send"):
        acts.append("sent")
    assert (acts, power.is_on, power.spare()) == (done, False, False)


def test_the_power_goes_after_an_act_that_failed(power: Power) -> None:
    """A planned cut would be forgotten because the line broke at the same moment."""
    power.cut_at(1, Phase.AFTER)
    with pytest.raises(PowerLost), power.act(power.epoch, "line.send"):
        raise DeviceError("the line broke")
    power.switch_on()
    old = power.epoch
    power.cut_at(1, Phase.AFTER)
    with power.act(old, "line.send"):
        power.cut(Cause.WATCHDOG)
    assert power.last_cut is Cause.WATCHDOG


def test_an_old_epoch_changes_nothing(power: Power) -> None:
    """A dead program would go on writing into the journal of the one that recovers."""
    old = power.epoch
    power.cut()
    power.switch_on()
    with pytest.raises(PowerLost):
        power.step(old, "journal.program")
    assert power.operations == 0
    power.check(power.epoch)


def test_power_lost_is_no_exception() -> None:
    """A flow that handles every Exception would carry on after the plug was pulled."""
    assert not issubclass(PowerLost, Exception)


def test_a_plan_survives_a_cut_in_between(power: Power) -> None:
    """A second cut, in the middle of the recovery, could not be rehearsed."""
    power.cut_at(1, Phase.BEFORE, cause=Cause.BROWN_OUT, lost=5)
    power.cut()
    power.switch_on()
    cut = power.step(power.epoch, "journal.program")
    assert cut is not None
    with pytest.raises(PowerLost):
        power.fall(cut)
    assert (power.last_cut, power.lost) == (Cause.BROWN_OUT, 5)


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


@pytest.mark.feature("F")
def test_a_battery_runs_low_and_out() -> None:
    """A device on its battery would begin an update that it cannot finish."""
    power = Power(has_battery=True)
    power.switch_on()
    power.drain(100 - LOW_PERCENT)
    assert (power.is_low, power.battery_percent) == (False, LOW_PERCENT)
    power.drain(0.5)
    assert power.is_low
    power.drain(50)
    assert (power.is_on, power.last_cut) == (False, Cause.BATTERY)
    with pytest.raises(DeviceError, match="no power"):
        power.switch_on()
    power.plug()
    power.switch_on()
    power.drain(50)
    assert (power.is_low, power.battery_percent) == (False, 100)
    power.unplug()
    assert power.is_on
    power.cut()
    power.drain(100)
    assert power.last_cut is Cause.MAINS


def test_a_device_without_a_battery_lives_by_its_plug(power: Power) -> None:
    """The counter device whose plug is pulled would go on selling."""
    power.drain(100)
    assert (power.is_on, power.is_low) == (True, False)
    power.unplug()
    assert not power.is_on
    with pytest.raises(DeviceError, match="no power"):
        power.switch_on()
    power.unplug()
    power.plug()
    power.switch_on()


def test_wrong_use_is_told(power: Power) -> None:
    """Two boards would share one set of chips, or a cut be planned in the past."""
    with pytest.raises(DeviceError, match="on already"):
        power.switch_on()
    with pytest.raises(ValueError, match="counted from 1"):
        power.cut_at(0, Phase.BEFORE)
    assert not power.spare()


def test_who_keeps_the_world_may_decide_at_every_point(power: Power) -> None:
    """A cut that falls by chance, or in another device's turn, could not be put where it belongs."""
    asked: list[str] = []

    def fate(point: str) -> Cut | None:
        asked.append(point)
        return Cut("", Phase.AFTER) if len(asked) == 3 else None

    power.fate = fate
    epoch = power.epoch
    assert power.step(epoch, "journal.program") is None
    power.cut_at(9, Phase.AFTER)
    assert power.spare()
    assert power.step(epoch, "journal.barrier") is None
    with pytest.raises(PowerLost), power.act(epoch, "line.send"):
        pass
    assert asked == ["journal.program", "journal.barrier", "line.send"]
    assert not power.is_on
