"""What a run of many seeds comes to, kept so that it can be broken off and gone on with.

Rules owned here: totals are of seeds in order, from the first one on, so that their number says which comes next; they
belong to one version of the code, one version of Python and one way of asking, and are gone on with under another one
only by whoever says so; a file of totals is replaced as a whole.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any, Final, Self

from pydantic import TypeAdapter

from pos_lab.sim.device import PART_FAULTS
from pos_lab.sim.faults import KINDS
from pos_lab.sim.markers import MARKERS
from pos_lab.sim.run import Result
from protocol.errors import ToldError

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("protocol", "firmware_sim", "terminal", "host", "pos_lab")
HOUR_S: Final = 3_600
_YEAR_S: Final = 365.25 * 86_400
_COUNTERS: Final = ("kinds", "markers", "acts", "told", "profiles")


class TotalsError(ToldError):
    """A file of totals that cannot be gone on with."""


@cache
def code_version() -> str:
    """The SHA-256, hex, of every line of code that a seed may meet, and of the version of Python."""
    seen = sha256(f"{sys.version_info[:2]}".encode())
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            seen.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return seen.hexdigest()


@dataclass(slots=True)
class Totals:
    """``first`` is the first seed, ``asked`` how seeds were asked for, ``failures`` what was found first in each.

    ``faults`` counts seeds by how many faults they had; the other counters are sums over all seeds.
    """

    first: int
    asked: str
    version: str = field(default_factory=code_version)
    seeds: int = 0
    virtual_s: float = 0.0
    processor_s: float = 0.0
    lasted_s: float = 0.0
    faults: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    markers: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    profiles: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)

    @property
    def next_seed(self) -> int:
        """The one after those that are counted."""
        return self.first + self.seeds

    def add(self, result: Result, processor_s: float) -> None:
        """Count the next seed."""
        self.seeds += 1
        self.virtual_s += result.virtual_s
        self.processor_s += processor_s
        self.faults[len(result.faults)] += 1
        self.kinds.update(result.fired)
        self.markers.update(result.markers)
        self.acts.update(result.acts)
        self.told.update(result.results)
        self.profiles[result.profile] += 1
        if not result.passed:
            found = result.violations[0]
            finding = {"seed": result.seed, "profile": result.profile, "id": found.id, "finding": found.finding}
            self.failures.append(finding)

    @property
    def faults_median(self) -> float:
        """How many faults a seed had, the median."""
        middle = ((self.seeds - 1) // 2, self.seeds // 2)
        return sum(self._faults_of(rank) for rank in middle) / 2 if self.seeds else 0.0

    def _faults_of(self, rank: int) -> int:
        """Of the seed that is this far from the one with fewest, counted from 0."""
        for faults, count in sorted(self.faults.items()):
            rank -= count
            if rank < 0:
                return faults
        raise LookupError("there are not so many seeds")

    def missing(self) -> Iterator[str]:
        """Every kind of fault that never fired, and every marker that was never seen."""
        for what, names, seen in (
            ("fault", (*KINDS, *PART_FAULTS), self.kinds),
            ("marker", MARKERS, self.markers),
        ):
            yield from (f"{what} {name}" for name in names if not seen[name])

    def document(self) -> dict[str, object]:
        """The figures."""
        return {
            "seeds": self.seeds,
            "failed": len(self.failures),
            "first_seed": self.first,
            "lasted_s": round(self.lasted_s, 3),
            "processor_s": round(self.processor_s, 3),
            "seeds_per_hour": round(self.seeds / self.lasted_s * HOUR_S) if self.lasted_s else 0,
            "seeds_per_hour_per_core": round(self.seeds / self.processor_s * HOUR_S) if self.processor_s else 0,
            "virtual_days": round(self.virtual_s / 86_400, 3),
            "virtual_years": round(self.virtual_s / _YEAR_S, 3),
            "faults": self.faults.total() and sum(faults * count for faults, count in self.faults.items()),
            "faults_per_seed_median": self.faults_median,
            "version": self.version,
            **{name: dict(sorted(getattr(self, name).items())) for name in _COUNTERS},
            "never": list(self.missing()),
            "failures": self.failures,
        }

    def save(self, path: Path) -> None:
        """Replace the file. Raises OSError."""
        kept = {name: getattr(self, name) for name in self.__slots__}
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(part, path)

    @classmethod
    def _kept(cls, path: Path) -> Self:
        wrong = TotalsError(f"{path} holds no totals", hint="name another file", code="totals")
        if not path.is_file():  # a device may never end
            raise wrong
        content = path.read_bytes()
        try:
            totals = TypeAdapter(cls).validate_json(content, strict=True)
            are_all_told = json.loads(content).keys() == set(cls.__slots__)
        except ValueError:
            raise wrong from None
        counts = [*totals.faults.values(), *(count for name in _COUNTERS for count in getattr(totals, name).values())]
        figures = (totals.first, totals.seeds, totals.virtual_s, totals.processor_s, totals.lasted_s, *counts)
        is_whole = are_all_told and totals.faults.total() == totals.seeds
        if not is_whole or not all(isfinite(figure) and figure >= 0 for figure in figures):
            raise wrong
        return totals

    @classmethod
    def load(cls, path: Path, first: int, asked: str, *, any_version: bool) -> Self:
        """Those in the file, none where there is none. Raises TotalsError, and OSError."""
        if not path.exists():
            return cls(first, asked)
        totals = cls._kept(path)
        if (totals.first, totals.asked) != (first, asked):
            raise TotalsError(
                f"{path} is of seeds from {totals.first} on, asked for by {totals.asked or 'no options'}",
                hint="ask in the same way, or name another file",
                code="other_question",
            )
        if totals.version != code_version() and not any_version:
            raise TotalsError(
                f"{path} was made by another version of the code or of Python",
                hint="name another file, or --any-version to go on all the same",
                code="other_version",
            )
        totals.version = code_version()
        return totals
