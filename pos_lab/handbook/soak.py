"""The page of the soak: who is killed, what befalls stores and lines."""

from __future__ import annotations

from pos_lab.handbook.markdown import code, sections, table
from pos_lab.soak.kills import KILLS
from pos_lab.soak.line import INSTANTS
from pos_lab.soak.noise import NOISES
from pos_lab.soak.troubles import TROUBLES
from pos_lab.soak.witness import UNASKED


def soak() -> str:
    """KILLS with their instants, TROUBLES, NOISES and UNASKED."""
    weights = sum(row.weight for row in KILLS.values())
    return sections(
        "## Who is killed",
        table(
            ("kill", "of a hundred", "who", "when"),
            [
                (code(name), str(round(100 * row.weight / weights)), row.victim, row.english)
                for name, row in KILLS.items()
            ],
        ),
        "## Where on its way a message can be caught",
        table(("instant", "what has passed"), [(code(name), english) for name, english in INSTANTS.items()]),
        "## What befalls stores and lines",
        table(("trouble", "what"), [(code(name), row.english) for name, row in TROUBLES.items()]),
        "## What a serial cable does to bytes",
        ", ".join(map(code, NOISES)),
        "## What cannot be asked of real processes",
        table(("event that there is none of", "why"), [(code(name), why.en) for name, why in UNASKED.items()]),
    )
