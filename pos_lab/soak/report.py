"""What a soak came to, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pos_lab.sim.checker.examiner import Violation
from pos_lab.soak.shops import Shops

FINDINGS_MAX: Final = 20
"""How many findings are told to people."""
_NONE: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Report:
    """``kills``, ``troubles`` and ``noises`` are counted by name, ``told`` by result, ``seen`` by the kind of event,
    ``asked`` by invariant.
    """

    seed: int
    database: str
    hosts: int
    terminals: int
    lasted_s: float
    kills: Mapping[str, int]
    troubles: Mapping[str, int]
    noises: Mapping[str, int]
    told: Mapping[str, int]
    seen: Mapping[str, int]
    asked: Mapping[str, int]
    unasked: Mapping[str, str]
    violations: tuple[Violation, ...]

    @classmethod
    def of(
        cls, shops: Shops, lasted_s: float, kills: Mapping[str, int] = _NONE, troubles: Mapping[str, int] = _NONE
    ) -> Report:
        """What shops came to."""
        witness, setting = shops.witness, shops.setting
        return cls(
            setting.seed,
            "PostgreSQL" if setting.db else "SQLite",
            setting.hosts,
            setting.terminals,
            lasted_s,
            dict(kills),
            dict(troubles),
            dict(shops.noises),
            dict(witness.told),
            dict(witness.seen),
            witness.asked,
            witness.unasked,
            tuple(witness.violations),
        )

    @property
    def passed(self) -> bool:
        """Was nothing found?"""
        return not self.violations

    def document(self) -> dict[str, object]:
        """The report for programs."""
        return {
            "verdict": "passed" if self.passed else "failed",
            "seed": self.seed,
            "database": self.database,
            "hosts": self.hosts,
            "terminals": self.terminals,
            "lasted_s": round(self.lasted_s, 3),
            "kills": dict(sorted(self.kills.items())),
            "troubles": dict(sorted(self.troubles.items())),
            "noises": dict(sorted(self.noises.items())),
            "told": dict(sorted(self.told.items())),
            "seen": dict(sorted(self.seen.items())),
            "invariants": {"asked": dict(self.asked), "not_asked": dict(self.unasked)},
            "violations": [
                {"id": row.id, "rule": row.rule, "finding": row.finding, "books": row.books} for row in self.violations
            ],
        }

    def lines(self) -> Iterator[str]:
        """The report for people."""
        asked = sum(1 for count in self.asked.values() if count)
        yield (
            f"{sum(self.kills.values())} kills in {self.lasted_s:.0f} s, {self.hosts} host processes on "
            f"{self.database}, {self.terminals} terminal processes"
        )
        yield "killed: " + _listed(self.kills)
        for what, counts in (("troubles", self.troubles), ("noise", self.noises)):
            if counts:
                yield f"{what}: {_listed(counts)}"
        yield "cashiers were told: " + _listed(self.told)
        yield f"{asked} invariants asked at {sum(self.seen.values())} events: " + _listed(self.seen)
        for name, why in sorted(self.unasked.items()):
            yield f"not asked: {name}, {why}"
        for violation in self.violations[:FINDINGS_MAX]:
            yield f"{violation.id} does not hold: {violation.rule}."
            yield from (f"  {line}" for line in (violation.finding, *violation.books))
        if len(self.violations) > FINDINGS_MAX:
            yield f"and {len(self.violations) - FINDINGS_MAX} more"
        yield "PASSED" if self.passed else f"FAILED: {len(self.violations)} findings"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"
