"""Many runs, each from a seed of its own, until something does not hold.

Rules owned here: run n of a campaign with seed S is the run with seed S + n, so a finding is replayed by its own seed
with one run; now and then the memory of a run is measured, and what it may take at most.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from pos_lab.fuzz.targets import TARGETS, Input

ALL: Final = "all"
MEMORY_CHECK_EVERY: Final = 512
MEMORY_BYTES_MAX: Final = 8 * 1024 * 1024
"""What one check may take at once: some times the largest input, far below any length that a prefix can claim."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input for which something does not hold, and the seed that makes it again."""

    target: str
    seed: int
    about: str
    data: bytes
    what: str


@dataclass(frozen=True, slots=True)
class Ran:
    """One run: was the input read or refused? Or what was found."""

    was_read: bool
    finding: Finding | None = None


def campaign(target: str, seed: int, runs: int) -> Iterator[Ran]:
    """Run after run; ``target`` is a name of TARGETS, or all of them in turn."""
    for run_seed in range(seed, seed + runs):
        yield run(target, run_seed)


def run(target: str, seed: int) -> Ran:
    """The one run that this seed makes."""
    name = tuple(TARGETS)[seed % len(TARGETS)] if target == ALL else target
    drawn = TARGETS[name](Random(seed))  # noqa: S311  # chance that can be replayed, no secret
    try:
        return Ran(_measured(drawn) if seed % MEMORY_CHECK_EVERY == 0 else drawn.check(drawn.data))
    except Exception as error:  # noqa: BLE001  # whatever flies here is what is being searched for
        what = f"{type(error).__name__}: {error}"
        return Ran(False, Finding(name, seed, drawn.about, drawn.data, what))


def _measured(drawn: Input) -> bool:
    tracemalloc.start()
    try:
        was_read = drawn.check(drawn.data)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if taken > MEMORY_BYTES_MAX:
        raise MemoryError(f"{taken} bytes were taken for {len(drawn.data)}")
    return was_read
