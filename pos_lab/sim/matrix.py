"""The table of a kill-anywhere matrix: cuts with the same outcome side by side, as text, CSV, JSON and HTML.

Rules owned here: rows are grouped by step and phase, in the order of the run, and cuts of one group that come to the
same are one line; TABLE COLUMNS, what a row has in every form.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pos_lab.page.page import render
from pos_lab.scenario.model import Language, Text
from pos_lab.scenario.report.wording import LABELS
from pos_lab.sim import kills

COLUMNS: Final[Mapping[str, Callable[[kills.Row], str]]] = MappingProxyType(
    {
        "cut": lambda row: row.name,
        "line": lambda row: str(row.kill.point.line),
        "step": lambda row: row.kill.point.verb,
        "phase": lambda row: row.kill.point.phase,
        "where": lambda row: row.kill.point.where,
        "point": lambda row: row.kill.point.name,
        "told": lambda row: "; ".join(row.told),
        "then": lambda row: "; ".join(row.then),
        "books": lambda row: "; ".join(row.books),
        "verdict": lambda row: row.verdict,
        "findings": lambda row: "; ".join(found.finding for found in row.violations),
    }
)
HEADS: Final = (
    Text(zh="断点", en="cuts"),
    Text(zh="位置", en="point"),
    Text(zh="步骤", en="step"),
    Text(zh="阶段", en="phase"),
    Text(zh="告知收银员", en="the cashier was told"),
    Text(zh="恢复时", en="in the recovery"),
    Text(zh="终端 / 主机", en="terminal / host"),
    Text(zh="结论", en="verdict"),
)
"""Over the columns of the page."""
_GROUPED: Final = ("line", "step", "phase")
_OUTCOME: Final = ("told", "then", "books", "verdict")


@dataclass(frozen=True, slots=True)
class Line:
    """Cuts of one step and phase that came to the same."""

    rows: tuple[kills.Row, ...]

    @property
    def group(self) -> tuple[str, ...]:
        """Line, step and phase."""
        return tuple(COLUMNS[name](self.rows[0]) for name in _GROUPED)

    @property
    def outcome(self) -> tuple[str, ...]:
        """What was told, what then, the books, the verdict."""
        return tuple(COLUMNS[name](self.rows[0]) for name in _OUTCOME)

    @property
    def cuts(self) -> str:
        """The first and the last of them, and how many there are."""
        first, last, count = self.rows[0].name, self.rows[-1].name, len(self.rows)
        return first if count == 1 else f"{first} … {last} ({count})"

    @property
    def points(self) -> str:
        """What was passed there."""
        return ", ".join(dict.fromkeys(f"{row.kill.point.where} {row.kill.point.name}" for row in self.rows))


def lines(rows: Sequence[kills.Row]) -> list[Line]:
    """The lines of the table, in the order of the run."""
    merged: dict[tuple[str, ...], list[kills.Row]] = {}
    for row in rows:
        key = tuple(COLUMNS[name](row) for name in (*_GROUPED, *_OUTCOME))
        merged.setdefault(key, []).append(row)
    return sorted((Line(tuple(found)) for found in merged.values()), key=_position)


def _position(line: Line) -> tuple[int, int]:
    point = line.rows[0].kill.point
    return point.line, point.number


def text(rows: Sequence[kills.Row]) -> Iterator[str]:
    """The table for a terminal."""
    step, phase = "", ""
    for line in lines(rows):
        number, verb, passed = line.group
        if step != (heading := f"line {number}: {verb}"):
            step, phase = heading, ""
            yield step
        if phase != passed:
            phase = passed
            yield f"  {phase}"
        told, then, books, verdict = line.outcome
        yield f"    {line.cuts:28} {line.points}"
        yield f"      told: {told}" + (f" → {then}" if then else "")
        if books:
            yield f"      books (terminal / host): {books}"
        if verdict != "ok":
            yield f"      DOES NOT HOLD: {verdict}"


def document(file: str, seed: int, rows: Sequence[kills.Row], *, cuts: int) -> dict[str, Any]:
    """The table for programs; ``cuts`` is how many there are in all."""
    violated = [row for row in rows if row.violations]
    return {
        "file": file,
        "seed": seed,
        "cuts": cuts,
        "played": len(rows),
        "passed": not violated,
        "violated": len(violated),
        "rows": [{name: column(row) for name, column in COLUMNS.items()} for row in rows],
    }


def as_csv(rows: Sequence[kills.Row]) -> str:
    """The table for spreadsheets, a row a cut."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([column(row) for column in COLUMNS.values()] for row in rows)
    return out.getvalue()


def as_html(file: str, rows: Sequence[kills.Row], language: Language = "en") -> str:
    """The table for people: one file that needs nothing else."""
    return render(
        Path(__file__).parent,
        "matrix.html.j2",
        language=language,
        labels=LABELS,
        heads=HEADS,
        file=file,
        played=len(rows),
        violated=sum(1 for row in rows if row.violations),
        told=[(_cells(line), line.outcome[-1] == "ok") for line in lines(rows)],
    )


def _cells(line: Line) -> tuple[str, ...]:
    number, verb, phase = line.group
    return (line.cuts, line.points, f"{number} {verb}", phase, *line.outcome)
