"""What a soak came to, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pos_lab.scenario.model import Language, Text
from pos_lab.sim.checker.examiner import Violation
from pos_lab.sim.wording import result_told
from pos_lab.soak.shops import Shops
from pos_lab.soak.wording import listed, said

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
    unasked: Mapping[str, Text]
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
            "invariants": {
                "asked": dict(self.asked),
                "not_asked": {name: why.en for name, why in self.unasked.items()},
            },
            "violations": [
                {"id": row.id, "rule": row.rule, "finding": row.finding, "books": row.books} for row in self.violations
            ],
        }

    def lines(self, language: Language) -> Iterator[str]:
        """The report for people."""
        yield said(
            "summary",
            language,
            kills=sum(self.kills.values()),
            lasted_s=f"{self.lasted_s:.0f}",
            hosts=self.hosts,
            database=self.database,
            terminals=self.terminals,
        )
        yield said("killed", language, counts=listed(self.kills, language))
        for what, counts in (("troubles", self.troubles), ("noise", self.noises)):
            if counts:
                yield said(what, language, counts=listed(counts, language))
        told = {result_told(result, language): count for result, count in self.told.items()}
        yield said("told", language, counts=listed(told, language))
        asked, events = sum(1 for count in self.asked.values() if count), sum(self.seen.values())
        yield said("asked", language, asked=asked, events=events, counts=listed(self.seen, language))
        for name, why in sorted(self.unasked.items()):
            yield said("not_asked", language, name=name, why=why.told(language))
        for violation in self.violations[:FINDINGS_MAX]:
            yield said("finding", language, id=violation.id, rule=violation.rule)
            yield from (f"  {line}" for line in (violation.finding, *violation.books))
        if len(self.violations) > FINDINGS_MAX:
            yield said("more", language, count=len(self.violations) - FINDINGS_MAX)
        yield said("passed" if self.passed else "failed", language, count=len(self.violations))
