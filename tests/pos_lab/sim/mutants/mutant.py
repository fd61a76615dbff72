"""What a row of MUTANTS is: a bug, where it shows, and the invariants that must each find it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from pos_lab.sim.run import Result, run_seed
from pos_lab.sim.world import Scale


class Mutant(NamedTuple):
    """A row of MUTANTS: ``caught_by`` are invariants, each of which must find the bug by itself.

    Shops of ``intents`` in worlds of ``profile`` show it, beginning with ``seed``, which is the first that did when
    this was written down; a world that draws otherwise since then has SEEDS to show it.
    """

    english: str
    profile: str
    caught_by: str
    patches: Mapping[str, Any]
    seed: int = 0
    intents: int = 20
    shops: int = 2

    @property
    def ids(self) -> frozenset[str]:
        """``caught_by``, one by one."""
        return frozenset(self.caught_by.split())

    @property
    def scale(self) -> Scale:
        """How large its worlds are."""
        return Scale(shops_max=self.shops, intents=self.intents)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The bug is there inside the block."""
        with ExitStack() as stack:
            for target, changed in self.patches.items():
                stack.enter_context(patch(target, changed))
            yield

    def lived(self, seed: int) -> Result:
        """One seed with the bug in it, until every invariant has found it that must, or to its end."""
        with self.at_work():
            return run_seed(seed, self.profile, scale=self.scale, until=self.ids)
