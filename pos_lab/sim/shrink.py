"""Makes a failing seed small: takes out faults and intents for as long as the same invariant fails.

Rules owned here: delta debugging, faults first, then intents, again and again until nothing more can be taken out; what
is left fails as the whole did, and is never a longer story. The seed stays the same, so whoever shrinks it again comes
to the same story.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pos_lab.sim.run import Result
from pos_lab.sim.subject import Subject

TRIES_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest run that was found, what was taken out to get there, and how many runs it took."""

    result: Result
    suppressed: frozenset[str]
    tries: int


def shrink(failing: Result, subject: Subject | None = None, between: Callable[[], None] = lambda: None) -> Shrunk:
    """Shrink a failing result of a subject; ``between`` is called after each run, and may raise what ends it.

    Raises ValueError for one that passed.
    """
    if failing.passed:
        raise ValueError(f"seed {failing.seed} has not failed")
    search = _Search(failing, subject or Subject(), between)
    taken_out: frozenset[str] | None = None
    while search.suppressed != taken_out and search.tries < TRIES_MAX:
        taken_out = search.suppressed
        search.reduce(search.best.faults)
        search.reduce(search.best.intents)
    return Shrunk(search.best, search.suppressed, search.tries)


class _Search:
    def __init__(self, failing: Result, subject: Subject, between: Callable[[], None]) -> None:
        self.best = failing
        self.suppressed: frozenset[str] = frozenset()
        self.tries = 0
        self._id = failing.violations[0].id
        self._subject = subject
        self._between = between

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
        result = self._subject.live(self.best.seed, self.best.profile, suppressed=suppressed)
        self._between()
        if result.passed or result.violations[0].id != self._id or _length(result) > _length(self.best):
            return False
        self.best, self.suppressed = result, suppressed
        return True


def _length(result: Result) -> int:
    return len(result.faults) + len(result.intents)
