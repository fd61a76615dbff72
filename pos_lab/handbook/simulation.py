"""The page of the simulation: what must hold, what can happen, and which seeds have it."""

from __future__ import annotations

from pos_lab.handbook.markdown import code, sections, table
from pos_lab.sim.catalogue import ELSEWHERE, IDS, WORKLOAD, kinds_of
from pos_lab.sim.checker.invariants import INVARIANTS
from pos_lab.sim.faults import KINDS
from pos_lab.sim.markers import MARKERS
from pos_lab.sim.office import ERRANDS
from pos_lab.sim.profiles import PROFILES, WEIGHTS
from pos_lab.sim.shop import INTENTS


def simulation() -> str:
    """INVARIANTS, KINDS with the profiles that have them, and WEIGHTS."""
    return sections(
        "## What must hold",
        table(("invariant", "when", "what"), [(row.id, row.phase, row.english) for row in INVARIANTS]),
        "## What can happen",
        table(
            ("fault", "rows of the catalogue", "what", "profiles"),
            [(code(name), kind.rows, kind.english, _profiles(name)) for name, kind in KINDS.items()],
        ),
        "## The fault catalogue",
        "Every row is brought about in worlds, by a fault or by what people do there, or elsewhere.",
        table(("row", "brought about by"), [(identifier, _brought_about(identifier)) for identifier in IDS]),
        "## What people do",
        table(
            ("errand of the office", "of a hundred", "what"),
            [(code(name), str(row.weight), row.english) for name, row in ERRANDS.items()],
        ),
        table(("intent of a cashier", "how often"), [(code(name), str(row[0])) for name, row in INTENTS.items()]),
        "## What must happen sometimes",
        table(("marker", "what"), [(code(name), english) for name, english in MARKERS.items()]),
        "## Profiles",
        table(
            ("profile", "share of seeds", "kinds of faults"),
            [
                (code(name), f"{weight * 100 // sum(WEIGHTS.values())} %", str(len(PROFILES[name])))
                for name, weight in WEIGHTS.items()
            ],
        ),
    )


def _brought_about(identifier: str) -> str:
    kinds = ", ".join(map(code, kinds_of(identifier)))
    if identifier in ELSEWHERE:
        row = ELSEWHERE[identifier]
        tests = ", ".join(code(f"tests/{test}") for test in row.tests.split())
        return f"elsewhere: {row.reason}" + (f" ({tests})" if tests else "")
    return ", ".join(filter(None, (kinds, WORKLOAD.get(identifier, ""))))


def _profiles(kind: str) -> str:
    return ", ".join(name for name, rates in PROFILES.items() if kind in rates)
