"""Power: what ends when it is cut, where the cut may fall, and why it came.

Rules owned here:
- A power cut is not a cancelled task. Every device is born in one power epoch and begins each use with
  ``power.check(epoch)``; after a cut the devices of the old epoch raise PowerLost and change nothing, so that not even
  the ``finally`` clauses of the interrupted program reach a chip.
- Every operation of a chip and every act that the world notices (a payload sent, a line printed) passes a named point,
  "journal.program" or "line.send". Run once inside ``watched`` to learn the points, then ``cut_at`` each of ``cuts``.
- Whoever keeps a world of many devices may be asked at every point instead: ``fate``.
- What a chip was not told to keep by a barrier may be lost in the cut, whatever was asked for later: ``lost``.
- Nothing of a program's memory is trusted after a cut, not even after a brown-out, which leaves parts of it;
  ``last_cut`` says why the power went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, NoReturn

from firmware_sim.errors import DeviceError

FULL_PERCENT: Final = 100.0
LOW_PERCENT: Final = 15.0
"""Below this nothing is begun that must not be interrupted (firmware, settlement)."""


class PowerLost(BaseException):
    """The power went; no program of that epoch goes on. Not an Exception: nobody may handle it and carry on."""


class Phase(Enum):
    """Where in an operation the power goes: nothing, a part, or all of it was done."""

    BEFORE = "before"
    TORN = "torn"
    AFTER = "after"


class Cause(StrEnum):
    """Why the power went: the plug, a dip of the supply, an empty battery, the watchdog, a crash of the program."""

    MAINS = "mains"
    BROWN_OUT = "brown_out"
    BATTERY = "battery"
    WATCHDOG = "watchdog"
    CRASH = "crash"


TEARABLE: Final = frozenset({"program", "erase"})
"""Kinds of points that have a middle."""
CHIP_KINDS: Final = TEARABLE | {"fence", "barrier"}
"""Kinds of points that only the chip notices."""


def kind_of(point: str) -> str:
    """The kind of a point: "program" of "journal.program"."""
    return point.rpartition(".")[2]


def cuts(points: Sequence[str]) -> Iterator[tuple[int, Phase]]:
    """Every cut that makes a difference in a run over ``points``, as ``cut_at`` takes it.

    Before an operation is the same as after the one in front of it, unless that one was noticed outside.
    """
    for number, point in enumerate(points, 1):
        if number == 1 or kind_of(points[number - 2]) not in CHIP_KINDS:
            yield number, Phase.BEFORE
        if kind_of(point) in TEARABLE:
            yield number, Phase.TORN
        yield number, Phase.AFTER


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut at a point; see ``Power.cut_at``."""

    of: str
    phase: Phase
    torn_bytes: int | None = None
    lost: int = 0
    cause: Cause = Cause.MAINS

    def is_at(self, point: str) -> bool:
        """Whether ``point`` counts towards this cut."""
        return self.of in ("", point, kind_of(point))

    def reached(self, length: int) -> int:
        """How many of ``length`` bytes the interrupted operation gets done."""
        if self.phase is Phase.TORN:
            return min(length, length // 2 if self.torn_bytes is None else self.torn_bytes)
        return length if self.phase is Phase.AFTER else 0


class Power:
    """The supply of one machine, with a battery or without. ``epoch`` counts its ends and beginnings.

    ``operations`` counts the points that were passed. ``last_cut`` is why the power went last, ``lost`` which of the
    operations without a barrier it took, bit 0 being the first. ``fate`` is asked at each point for a cut there, beside
    what is planned, for as long as it stands.
    """

    def __init__(self, *, has_battery: bool = False) -> None:
        self.epoch = 0
        self.is_on = False
        self.operations = 0
        self.last_cut = Cause.MAINS
        self.lost = 0
        self.has_battery = has_battery
        self.is_plugged = not has_battery
        self.battery_percent = FULL_PERCENT if has_battery else 0.0
        self.fate: Callable[[str], Cut | None] | None = None
        self._planned: Cut | None = None
        self._left = 0
        self._watching: list[str] | None = None
        self._on_cut: dict[Callable[[], None], None] = {}

    def switch_on(self) -> None:
        """Begin a new epoch; raises DeviceError when the power is on already, or there is none."""
        if self.is_on:
            raise DeviceError("the power is on already", hint="cut it first")
        if not self.is_plugged and not self.battery_percent:
            raise DeviceError("there is no power", hint="plug it in")
        self.epoch += 1
        self.is_on = True

    def cut(self, cause: Cause = Cause.MAINS, *, lost: int = 0) -> None:
        """End the epoch now. Whoever waits on a device of it wakes up with PowerLost."""
        self.epoch += 1
        self.is_on = False
        self.last_cut, self.lost = cause, lost
        witnesses, self._on_cut = list(self._on_cut), {}
        for witness in witnesses:
            witness()

    @property
    def is_low(self) -> bool:
        """Whether a battery that nothing charges is near its end."""
        return not self.is_plugged and self.battery_percent < LOW_PERCENT

    def plug(self) -> None:
        """Put the device on the mains; a battery charges."""
        self.is_plugged = True
        if self.has_battery:
            self.battery_percent = FULL_PERCENT

    def unplug(self) -> None:
        """Take the device off the mains: it goes on if it has a battery."""
        self.is_plugged = False
        if not self.battery_percent and self.is_on:
            self.cut(Cause.MAINS)

    def drain(self, percent: float) -> None:
        """Use up that much of the battery, unless it charges; empty, it ends the epoch."""
        if self.is_plugged:
            return
        self.battery_percent = max(0.0, self.battery_percent - percent)
        if not self.battery_percent and self.is_on:
            self.cut(Cause.BATTERY)

    def cut_at(
        self,
        number: int,
        phase: Phase,
        *,
        of: str = "",
        torn_bytes: int | None = None,
        lost: int = 0,
        cause: Cause = Cause.MAINS,
    ) -> None:
        """Plan a cut at the ``number``-th point from now, 1 being the next; ``of`` counts one point or kind only.

        ``torn_bytes`` is how many bytes a TORN operation gets done, half of them when not given; what has no middle is
        not done at all. ``lost`` is the bit mask of the operations since the chip's last barrier, the interrupted one
        included, that did not reach it. A later plan replaces an earlier one; a plan survives other cuts, so a cut in
        the recovery can be planned before power-on.
        """
        if number < 1:
            raise ValueError("points are counted from 1")
        self._planned, self._left = Cut(of, phase, torn_bytes, lost, cause), number

    def spare(self) -> bool:
        """Give up a planned cut; tells whether there was one that had not come."""
        planned, self._planned = self._planned, None
        return planned is not None

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        """Write down the points that are passed meanwhile: the dry run of an enumeration."""
        before, self._watching = self._watching, []
        try:
            yield self._watching
        finally:
            self._watching = before

    def is_alive(self, epoch: int) -> bool:
        """Whether ``epoch`` is the one that has power now."""
        return self.is_on and epoch == self.epoch

    def check(self, epoch: int) -> None:
        """Raise PowerLost unless ``epoch`` has power."""
        if not self.is_on or epoch != self.epoch:
            raise PowerLost

    def step(self, epoch: int, point: str) -> Cut | None:
        """Pass a point; returns the cut that falls there: whoever passes does what it lets, then calls ``fall``."""
        if not self.is_on or epoch != self.epoch:
            raise PowerLost
        self.operations += 1
        if self._watching is not None:
            self._watching.append(point)
        if self.fate is not None and (struck := self.fate(point)) is not None:
            return struck
        if self._planned is None or not self._planned.is_at(point):
            return None
        self._left -= 1
        if self._left:
            return None
        cut, self._planned = self._planned, None
        return cut

    def fall(self, cut: Cut) -> NoReturn:
        """Let a planned cut come."""
        self.cut(cut.cause, lost=cut.lost)
        raise PowerLost

    @contextmanager
    def act(self, epoch: int, point: str) -> Iterator[None]:
        """Do inside something that the world notices: the power goes before it, or after it. Raises PowerLost."""
        cut = self.step(epoch, point)
        if cut is not None and cut.phase is not Phase.AFTER:
            self.fall(cut)
        try:
            yield
        finally:
            if cut is not None and self.is_alive(epoch):
                self.fall(cut)

    def on_cut(self, witness: Callable[[], None]) -> None:
        """Call ``witness`` once, at the next cut."""
        self._on_cut[witness] = None

    def forget(self, witness: Callable[[], None]) -> None:
        """Undo ``on_cut``; nothing happens if it was not there."""
        self._on_cut.pop(witness, None)


class Powered:
    """A device of the power epoch in which it was made."""

    def __init__(self, power: Power) -> None:
        self._power = power
        self._epoch = power.epoch

    def _check(self) -> None:
        self._power.check(self._epoch)
