"""The real-time clock of the board, and the crystal and cell behind it.

Rules owned here: the board shows China Standard Time (UTC+8), made from the time that is passed in. The crystal drifts
and may be stepped; it keeps the time across power cuts as long as the cell lives, and begins at CELL_DEAD_TIME after
that. The application keeps the offset that it learnt from the host, since the board forgets it when the power goes;
``is_set`` is False from a dead cell until the board is set again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from firmware_sim.faults import Faults
from firmware_sim.power import Power, Powered

CHINA_STANDARD_TIME: Final = timezone(timedelta(hours=8), "CST")
CELL_DEAD_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Where a clock begins that has forgotten the time."""
PARTS_PER_MILLION: Final = 1_000_000

# fault point -> how far the clock jumps when it is read
STEPS: Final[Mapping[str, timedelta]] = {
    "clock.step_back": timedelta(hours=-1),
    "clock.step_forward": timedelta(days=400),
}


class Crystal:
    """What outlives the power epochs: a clock that runs by ``now``, an aware time of any zone, only not as well."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.is_set = True
        self._now = now
        self._ahead = timedelta()
        self._drift_ppm = 0.0
        self._since: datetime | None = None
        self._frozen_at: datetime | None = None

    def read(self) -> datetime:
        """Return what the crystal shows."""
        if self._frozen_at is not None:
            return self._frozen_at
        now = self._now()
        drifted = timedelta() if self._since is None else (now - self._since) * self._drift_ppm / PARTS_PER_MILLION
        return now + self._ahead + drifted

    def drift(self, ppm: float) -> None:
        """Run fast by so many parts per million from now on, slow with a negative number."""
        shown, self._drift_ppm = self.read(), ppm
        self._show(shown)

    def step(self, by: timedelta) -> None:
        """Jump, backwards with a negative ``by``."""
        self._show(self.read() + by)

    def freeze(self) -> None:
        """Stand still until ``thaw``."""
        self._frozen_at = self.read()

    def thaw(self) -> None:
        """Go on from where it stood, if it stands."""
        shown, self._frozen_at = self._frozen_at, None
        if shown is not None:
            self._show(shown)

    def forget(self) -> None:
        """Begin anew, as after a power cut with a dead cell."""
        self._show(CELL_DEAD_TIME)
        self.is_set = False

    def _show(self, at: datetime) -> None:
        self._since = self._now()
        self._ahead = at - self._since


class BoardClock(Powered):
    """The clock of one power epoch, over a crystal."""

    def __init__(self, power: Power, faults: Faults, crystal: Crystal) -> None:
        super().__init__(power)
        self._faults = faults
        self._crystal = crystal
        self._offset = timedelta()
        if faults.fires("clock.dead_cell"):
            crystal.forget()

    @property
    def offset(self) -> timedelta:
        """How far the board is ahead of its crystal."""
        self._check()
        return self._offset

    @property
    def is_set(self) -> bool:
        """Whether the time is more than a guess: the cell lives, or ``set`` was called since it died."""
        self._check()
        return self._crystal.is_set

    def now(self) -> datetime:
        """Return the board's time, aware, UTC+8."""
        return self._read().astimezone(CHINA_STANDARD_TIME) + self.offset

    def glance(self) -> datetime:
        """Return the same as ``now`` would, without setting off what may happen when the clock is read."""
        return self._crystal.read().astimezone(CHINA_STANDARD_TIME) + self.offset

    def set(self, at: datetime) -> None:
        """Let the board show the aware time ``at`` from now on."""
        self._check()
        self._offset = at - self._read()
        self._crystal.is_set = True

    def advance(self, by: timedelta) -> None:
        """Move the board's time, backwards with a negative ``by``; a stored offset is put back this way."""
        self._check()
        self._offset += by

    def _read(self) -> datetime:
        for name, step in STEPS.items():
            if self._faults.fires(name):
                self._crystal.step(step)
        if not self._faults.fires("clock.frozen"):
            self._crystal.thaw()
            return self._crystal.read()
        shown = self._crystal.read()
        self._crystal.freeze()
        return shown
