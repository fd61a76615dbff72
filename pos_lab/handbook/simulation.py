"""The page of the simulation: what must hold, what can happen, and which seeds have it."""

from __future__ import annotations

from pos_lab.handbook.markdown import code, sections, table
from pos_lab.sim.checker.invariants import INVARIANTS
from pos_lab.sim.faults import KINDS
from pos_lab.sim.profiles import PROFILES, WEIGHTS


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
        "## Profiles",
        table(
            ("profile", "share of seeds", "kinds of faults"),
            [
                (code(name), f"{weight * 100 // sum(WEIGHTS.values())} %", str(len(PROFILES[name])))
                for name, weight in WEIGHTS.items()
            ],
        ),
    )


def _profiles(kind: str) -> str:
    return ", ".join(name for name, rates in PROFILES.items() if kind in rates)
