"""The watchdog: restarts a device whose program does not come round any more.

Rules owned here: while it watches, the program kicks it at every step; when no kick comes in time, the power goes with
the cause "watchdog", whatever the program waits for. A program that hangs kicks no more and leaves nothing either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from firmware_sim.faults import Faults
from firmware_sim.power import Cause, Power, Powered


class Watchdog(Powered):
    """The watchdog of one power epoch."""

    def __init__(self, power: Power, faults: Faults) -> None:
        super().__init__(power)
        self._faults = faults
        self._timeout_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._hangs = False

    @contextmanager
    def watch(self, timeout_s: float) -> Iterator[None]:
        """Expect a kick every ``timeout_s`` seconds for as long as the program is inside; raises PowerLost."""
        self._check()
        self._power.on_cut(self._stop)
        self._timeout_s = timeout_s
        self._start()
        try:
            yield
        finally:
            if not self._hangs:
                self._stop()
                self._power.forget(self._stop)

    def kick(self) -> None:
        """The program comes round; raises PowerLost."""
        self._check()
        if self._timer is None or self._hangs:
            return
        if self._faults.fires("watchdog.hang"):
            self._hangs = True
            return
        self._start()

    def _start(self) -> None:
        self._stop()
        self._timer = asyncio.get_running_loop().call_later(self._timeout_s, self._bite)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _bite(self) -> None:
        self._timer = None
        self._power.cut(Cause.WATCHDOG)
