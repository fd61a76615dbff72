"""A line of a log that strangers can cause: the first at once, then one a second with the count of those left out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

QUIET_S: Final = 1.0


class Sparing:
    """One sort of line. ``tell`` logs it, ``clock`` gives seconds; the last of those left out is told by ``end``."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._quiet_until_s = -math.inf
        self._held = ""
        self._held_count = 0

    def tell(self, line: str) -> None:
        """Log the line, or hold it back."""
        if (now_s := self._clock()) < self._quiet_until_s:
            self._held = line
            self._held_count += 1
            return
        self._quiet_until_s = now_s + QUIET_S
        self._tell(f"{line}, and {self._held_count} like it before" if self._held_count else line)
        self._held_count = 0

    def end(self) -> None:
        """Log what was held back."""
        if self._held_count:
            others = self._held_count - 1
            self._tell(f"{self._held}, and {others} like it before" if others else self._held)
            self._held_count = 0
