"""The table of a kill-anywhere matrix: cuts with the same outcome side by side, as text, CSV, JSON and HTML.

Rules owned here: rows are grouped by step and phase, in the order of the run, and cuts of one group that come to the
same are one line; TABLE COLUMNS, what a row has in every form.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pos_lab.page.page import render
from pos_lab.scenario.model import Language, Text
from pos_lab.scenario.report.wording import LABELS
from pos_lab.sim import kills
from pos_lab.sim.wording import said

Column = Callable[[kills.Row, Language], str]
COLUMNS: Final[Mapping[str, Column]] = MappingProxyType(
    {
        "cut": lambda row, _: row.name,
        "line": lambda row, _: str(row.kill.point.line),
        "step": lambda row, _: row.kill.point.verb,
        "phase": lambda row, language: row.kill.point.phase.told(language),
        "where": lambda row, _: row.kill.point.where,
        "point": lambda row, _: row.kill.point.name,
        "told": lambda row, language: _listed(row.told, language) or said("nothing", language),
        "then": lambda row, language: _listed(row.then, language),
        "books": lambda row, language: _listed(row.books, language),
        "verdict": lambda row, _: row.verdict,
        "findings": lambda row, _: "; ".join(found.finding for found in row.violations),
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

    def group(self, language: Language) -> tuple[str, ...]:
        """Line, step and phase."""
        return tuple(COLUMNS[name](self.rows[0], language) for name in _GROUPED)

    def outcome(self, language: Language) -> tuple[str, ...]:
        """What was told, what then, the books, the verdict."""
        return tuple(COLUMNS[name](self.rows[0], language) for name in _OUTCOME)

    @property
    def holds(self) -> bool:
        """Does every invariant?"""
        return not self.rows[0].violations

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
        key = tuple(COLUMNS[name](row, "en") for name in (*_GROUPED, *_OUTCOME))
        merged.setdefault(key, []).append(row)
    return sorted((Line(tuple(found)) for found in merged.values()), key=_position)


def _position(line: Line) -> tuple[int, int]:
    point = line.rows[0].kill.point
    return point.line, point.number


def text(rows: Sequence[kills.Row], language: Language) -> Iterator[str]:
    """The table for a terminal."""
    step, phase = "", ""
    for line in lines(rows):
        number, verb, passed = line.group(language)
        if step != (heading := said("step", language, line=number, verb=verb)):
            step, phase = heading, ""
            yield step
        if phase != passed:
            phase = passed
            yield f"  {phase}"
        told, then, books, verdict = line.outcome(language)
        yield f"    {line.cuts:28} {line.points}"
        yield f"      {said('told', language, told=told)}" + (f" → {then}" if then else "")
        if books:
            yield f"      {said('books', language, books=books)}"
        if not line.holds:
            yield f"      {said('violated', language, verdict=verdict)}"


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
        "rows": [{name: column(row, "en") for name, column in COLUMNS.items()} for row in rows],
    }


def as_csv(rows: Sequence[kills.Row]) -> str:
    """The table for spreadsheets, a row a cut."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([column(row, "en") for column in COLUMNS.values()] for row in rows)
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
        told=[(_cells(line), line.holds) for line in lines(rows)],
    )


def _cells(line: Line) -> list[Text]:
    (number, verb, zh), (_, _, en) = line.group("zh"), line.group("en")
    same = [Text(zh=each, en=each) for each in (line.cuts, line.points, f"{number} {verb}")]
    pairs = zip((zh, *line.outcome("zh")), (en, *line.outcome("en")), strict=True)
    return [*same, *(Text(zh=chinese, en=english) for chinese, english in pairs)]


def _listed(told: Iterable[kills.Said | kills.Standing], language: Language) -> str:
    return "; ".join(each.told(language) for each in told)
