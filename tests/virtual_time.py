"""An event loop whose time passes at once: what waits for a timer waits for nothing else."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Hurried(selectors.SelectSelector):
    """Never sleeps: where nothing is ready, the time to wait is over."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits, and no timer runs")
        if not ready and timeout:
            self.skipped_s += timeout
        return ready


class HurriedLoop(asyncio.SelectorEventLoop):
    """Its clock stands still but for the waiting that it skips."""

    def __init__(self) -> None:
        self._hurried = _Hurried()
        super().__init__(self._hurried)

    def time(self) -> float:
        return self._hurried.skipped_s


def run_at_once(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` in time that passes at once."""
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        return runner.run(main)
