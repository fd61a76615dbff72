"""Steps that happen to a device: its parts fail, its surroundings wear it, its battery, its clock and its case.

Rules owned here: what happens by chance is drawn from the seed that the step states, so that a story goes the same way
whenever it is played.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Final

from pydantic import model_validator

from firmware_sim.environment import Environment
from host.written import Count, DurationS, Flag, Level, mistake
from pos_lab.scenario.model import StepSpec, Text
from pos_lab.scenario.steps.stage import Stage, StepError, Told
from pos_lab.scenario.steps.terminal_steps import AtTerminal, FaultName


class Armed(AtTerminal):
    """``point`` happens the next ``times`` that it can, or ``always: yes`` until it is mended."""

    point: FaultName
    times: Count = 1
    always: Flag = False

    @model_validator(mode="after")
    def _happens(self) -> Armed:
        if not self.times:
            raise mistake("times is at least 1")
        return self


class Mended(AtTerminal):
    """``point`` happens no more."""

    point: FaultName


class Surrounded(AtTerminal):
    """Levels from 0 to 1, in place of those before; what they make fail is drawn from ``seed``."""

    damp: Level = 0.0
    dust: Level = 0.0
    interference: Level = 0.0
    ageing: Level = 0.0
    seed: Count = 1


class Supplied(AtTerminal):
    """``plugged`` is the mains; ``drain`` uses up so many percent of a battery that nothing charges."""

    plugged: Flag | None = None
    drain: Count = 0


class Timed(AtTerminal):
    """The clock jumps ``ahead`` or ``behind``, or runs fast by ``drift_ppm`` from now on."""

    ahead: DurationS | None = None
    behind: DurationS | None = None
    drift_ppm: Count | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Timed:
        if self.ahead is self.behind is self.drift_ppm is None:
            raise mistake("needs ahead, behind or drift_ppm")
        return self


async def _fault(stage: Stage, written: Armed) -> Told:
    faults = stage.world.devices[written.terminal].hardware.faults
    faults.arm(written.point, times=None if written.always else written.times)
    often = "until it is mended" if written.always else "once" if written.times == 1 else f"{written.times} times"
    return Told(Text(zh=f"已设置故障{written.point}", en=f"{written.point} will happen, {often}"))


async def _mend(stage: Stage, written: Mended) -> Told:
    was_armed = stage.world.devices[written.terminal].hardware.faults.disarm(written.point)
    if not was_armed:
        return Told(Text(zh=f"{written.point}没有故障", en=f"{written.point} was in order"), went_well=False)
    return Told(Text(zh=f"已排除故障{written.point}", en=f"{written.point} is mended"))


async def _environment(stage: Stage, written: Surrounded) -> Told:
    rates = Environment(written.damp, written.dust, written.interference, written.ageing).rates()
    chance = Random(written.seed)  # noqa: S311
    stage.world.devices[written.terminal].hardware.faults.expose(rates, chance)
    count = len(rates)
    return Told(Text(zh=f"环境影响{count}个故障点", en=f"{count} fault points happen by chance from now on"))


async def _battery(stage: Stage, written: Supplied) -> Told:
    device = stage.world.devices[written.terminal]
    power, was_on = device.hardware.power, device.hardware.power.is_on
    if not power.has_battery:
        raise StepError(f"{device.member.model} has no battery")
    if written.plugged is not None:
        (power.plug if written.plugged else power.unplug)()
    power.drain(written.drain)
    if not power.is_on and power.battery_percent:
        device.power_cycle()
    percent = f"{power.battery_percent:.0f}%"
    zh, en = ("，已断电", ": the power went") if was_on and not power.is_on else ("", "")
    return Told(Text(zh=f"电池电量{percent}{zh}", en=f"the battery has {percent}{en}"))


async def _clock(stage: Stage, written: Timed) -> Told:
    device = stage.world.devices[written.terminal]
    crystal = device.hardware.crystal
    crystal.step(timedelta(seconds=(written.ahead or 0) - (written.behind or 0)))
    if written.drift_ppm is not None:
        crystal.drift(written.drift_ppm)
    shown = f"{device.terminal.board.clock.glance():%Y-%m-%d %H:%M:%S}"
    return Told(Text(zh=f"时钟为{shown}", en=f"the clock says {shown}"))


async def _open_case(stage: Stage, written: AtTerminal) -> Told:
    stage.world.devices[written.terminal].hardware.open_case()
    return Told(Text(zh="机壳被打开，密钥已清除", en="the case was opened: every key is erased"))


TROUBLE_STEPS: Final = (
    StepSpec("fault", Armed, None, "Let a part or the line fail, whatever uses it next.", _fault),
    StepSpec("mend", Mended, None, "Put right what was broken.", _mend),
    StepSpec("environment", Surrounded, None, "Put the device into damp, dust, interference or age.", _environment),
    StepSpec("battery", Supplied, None, "Pull the plug of a device with a battery, and use it up.", _battery),
    StepSpec("clock", Timed, None, "Let the clock of the device go wrong.", _clock),
    StepSpec("open_case", AtTerminal, None, "Open the case: the keys are erased.", _open_case),
)
