"""Makes a failing seed small: takes out faults and intents for as long as the same invariant fails.

Rules owned here: delta debugging, faults first, then intents, then faults again, since a smaller story needs fewer;
what is left fails as the whole did. The seed stays the same, so whoever shrinks it again comes to the same story.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pos_lab.sim.run import Result, run_seed
from pos_lab.sim.world import Scale

TRIES_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest run that was found, what was taken out to get there, and how many runs it took."""

    result: Result
    suppressed: frozenset[str]
    tries: int


def shrink(failing: Result, scale: Scale | None = None) -> Shrunk:
    """Shrink a failing result. Raises ValueError for one that passed."""
    if failing.passed:
        raise ValueError(f"seed {failing.seed} has not failed")
    search = _Search(failing, scale)
    search.reduce(failing.faults)
    search.reduce(search.best.intents)
    search.reduce(search.best.faults)
    return Shrunk(search.best, search.suppressed, search.tries)


class _Search:
    def __init__(self, failing: Result, scale: Scale | None) -> None:
        self.best = failing
        self.suppressed: frozenset[str] = frozenset()
        self.tries = 0
        self._id = failing.violations[0].id
        self._scale = scale

    def reduce(self, names: Sequence[str]) -> None:
        """Take out as many of ``names`` as can be, larger parts first."""
        kept, parts = list(names), 1
        while kept and parts <= len(kept) and self.tries < TRIES_MAX:
            size = -(-len(kept) // parts)
            for start in range(0, len(kept), size):
                part = kept[start : start + size]
                if self._fails_without(frozenset(part)):
                    kept = kept[:start] + kept[start + size :]
                    break
            else:
                parts = len(kept) + 1 if size == 1 else min(len(kept), 2 * parts)

    def _fails_without(self, part: frozenset[str]) -> bool:
        self.tries += 1
        suppressed = self.suppressed | part
        result = run_seed(self.best.seed, self.best.profile, suppressed=suppressed, scale=self._scale)
        if result.passed or result.violations[0].id != self._id:
            return False
        self.best, self.suppressed = result, suppressed
        return True
