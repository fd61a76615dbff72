"""Times several ways of doing one thing in turn, so that a drifting machine drifts for all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from timeit import Timer
from typing import Final

ROUNDS: Final = 9
ROUND_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and most of the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Sum up the rounds."""
        return cls(statistics.median(values), min(values), max(values))

    def document(self) -> dict[str, float]:
        """As ``bench --json`` prints it."""
        return {"median": round(self.median, 3), "min": round(self.least, 3), "max": round(self.most, 3)}


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark. ``ratio`` is how many times better ours is than each peer."""

    name: str
    unit: str
    ours: Spread
    peers: Mapping[str, Spread]
    more_is_better: bool = False

    @property
    def ratio(self) -> dict[str, float]:
        """Ours against each peer, more than one is better."""
        pairs = {name: peer.median / self.ours.median for name, peer in self.peers.items()}
        return {name: round(1 / pair if self.more_is_better else pair, 3) for name, pair in pairs.items()}

    def document(self) -> dict[str, object]:
        """As ``bench --json`` prints it."""
        peers = {name: peer.document() for name, peer in self.peers.items()}
        return {"name": self.name, "unit": self.unit, "ours": self.ours.document(), "peers": peers, "ratio": self.ratio}


def time_us(name: str, ours: Callable[[], object], **peers: Callable[[], object]) -> Row:
    """Microseconds a call, each callable in turn over ROUNDS rounds of about ROUND_S."""
    timers = {key: Timer(call) for key, call in {"": ours, **peers}.items()}
    calls = {key: max(1, int(ROUND_S / (timer.timeit(20) / 20))) for key, timer in timers.items()}
    rounds: dict[str, list[float]] = {key: [] for key in timers}
    for _ in range(ROUNDS):
        for key, timer in timers.items():
            rounds[key].append(timer.timeit(calls[key]) / calls[key] * 1e6)
    spreads = {key: Spread.of(values) for key, values in rounds.items()}
    return Row(name, "us", spreads.pop(""), spreads)
