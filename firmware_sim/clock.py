"""The real-time clock of the board.

Rules owned here: the board shows China Standard Time (UTC+8); it is set by an offset from the time that is passed in,
and the application keeps that offset, since the clock itself forgets it when the power goes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from firmware_sim.power import Power, Powered

CHINA_STANDARD_TIME = timezone(timedelta(hours=8), "CST")


class BoardClock(Powered):
    """A clock over ``now``, an aware time of any zone."""

    def __init__(self, power: Power, now: Callable[[], datetime], offset: timedelta = timedelta()) -> None:
        super().__init__(power)
        self._now = now
        self._offset = offset

    @property
    def offset(self) -> timedelta:
        """How far the board is ahead of the time that was passed in."""
        self._check()
        return self._offset

    def now(self) -> datetime:
        """Return the board's time, aware, UTC+8."""
        return self._now().astimezone(CHINA_STANDARD_TIME) + self.offset

    def set(self, at: datetime) -> None:
        """Let the board show the aware time ``at`` from now on."""
        self._check()
        self._offset = at - self._now()

    def advance(self, by: timedelta) -> None:
        """Move the board's time, backwards with a negative ``by``; a stored offset is put back this way."""
        self._check()
        self._offset += by
