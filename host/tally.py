"""What a host counts while it works: plain numbers, added to where things happen and read when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import Final

LATENCY_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Tally:
    """Counters of one host process since its start. ``latency`` has one count for each bound, and one beyond them."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], int] = defaultdict(int)
        self.refusals: dict[str, int] = defaultdict(int)
        self.repeats = 0
        self.dropped = 0
        self.failures = 0
        self.alarms = 0
        self.connections = 0
        self.idle = 0
        self.latency = [0] * (len(LATENCY_BOUNDS_S) + 1)
        self.latency_sum_s = 0.0

    @property
    def bounds(self) -> tuple[str, ...]:
        """The upper bounds of ``latency`` in seconds."""
        return (*map(str, LATENCY_BOUNDS_S), "+Inf")

    def answered(self, kind: str, code: str, reason: str, duration_s: float) -> None:
        """A request of a kind was answered so long after it came; without a code, by the stored reply."""
        if code:
            self.answers[kind, code] += 1
        else:
            self.repeats += 1
        if reason:
            self.refusals[reason] += 1
        self.latency[bisect_left(LATENCY_BOUNDS_S, duration_s)] += 1
        self.latency_sum_s += duration_s
