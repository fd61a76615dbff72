"""Tells a run on the console while it happens: chapter headings, one line per step, the verdict last.

Rules owned here: what stands on the console. In a pipe it is plain text, one line per step whatever the width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text as Line

from pos_lab.scenario.model import CHAPTER, Language, Text
from pos_lab.scenario.report.wording import LABELS, VERDICTS, duration, impact_rows, printable
from pos_lab.scenario.story import RunResult, ScenarioResult, StepResult, count_verdicts

_MARKS: Mapping[str, tuple[str, str, str]] = {
    "passed": ("✓", "ok", "green"),
    "failed": ("✗", "FAILED", "bold red"),
    "error": ("‼", "ERROR", "bold magenta"),
    "skipped": ("–", "skipped", "dim"),
}
"""Verdict -> its mark, the mark where only ASCII can be shown, its style."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """A reader that has gone is for the command line to answer, as everywhere."""
        raise BrokenPipeError


def console_on(stream: TextIO, *, colour: bool | None = None) -> Console:
    """A console on a stream: colours only where a terminal shows them (``colour`` overrules), and no markup."""
    return _Console(
        file=stream, force_terminal=colour, markup=False, highlight=False, emoji=False, soft_wrap=True, safe_box=True
    )


@dataclass
class Teller:
    """Tells one run in one language, step by step as they end."""

    console: Console
    language: Language = "en"

    def scenario(self, name: str, title: Text, file: str) -> None:
        """Opens a scenario."""
        self._print()
        self._print((title.told(self.language), "bold"), (f"  {name} · {file}", "dim"))

    def step(self, result: StepResult) -> None:
        """One line for a step; a step that did not pass adds what was expected and what came."""
        if result.name == CHAPTER:
            self._print()
            self._print((result.message.told(self.language), "bold cyan"))
            return
        mark, style = self._mark(result.verdict)
        told = result.say or result.message
        parts = [(f"  {mark} ", style), (told.told(self.language), "")]
        if result.say is not None:
            parts.append((f"  {result.message.told(self.language)}", "dim"))
        self._print(*parts)
        if result.verdict in ("failed", "error"):
            for name, wanted in result.expected.items():
                label = f"{self._label('expected')} {wanted}, {self._label('actual')} {result.actual.get(name, '–')}"
                self._print((f"      {name}: {label}", "red"))
            self._print((f"      {result.name}, {self._label('line')} {result.line}", "dim"))

    def facts(self, result: ScenarioResult) -> None:
        """The summary rows of a scenario."""
        if not result.facts:
            return
        self._print()
        self._print((self._label("facts"), "bold cyan"))
        for fact in result.facts.values():
            label = fact.label.told(self.language)
            if not fact.in_both_books:
                self._print((f"    {label}: {fact.value}", ""))
                continue
            mark, style = self._mark("passed" if fact.agrees else "failed")
            said = f"{self._label('terminal')} {fact.terminal} · {self._label('host')} {fact.host}"
            self._print((f"  {mark} ", style), (f"{label}: {said}", ""))

    def impact(self, result: RunResult) -> None:
        """What the run cost."""
        self._print()
        self._print((self._label("impact"), "bold cyan"))
        for label, value in impact_rows(result.impact):
            self._print((f"    {label.told(self.language)}: {value}", ""))

    def verdict(self, result: RunResult, report: Path | None = None) -> None:
        """The last lines: what the run cost, verdict, duration, where the report lies."""
        self.impact(result)
        counts = count_verdicts(step for scenario in result.scenarios for step in scenario.told_steps)
        told = [f"{number} {VERDICTS[verdict].told(self.language)}" for verdict, number in counts.items() if number]
        _, style = self._mark(result.verdict)
        verdict = VERDICTS[result.verdict].told(self.language)
        self._print()
        self._print(
            (f"{self._label('verdict')}: ", ""), (verdict, style), (f"  ({', '.join(told)})" if told else "", "")
        )
        virtual = f"  ({self._label('virtual')} {duration(result.virtual_s)})" if result.virtual_s else ""
        self._print((f"{self._label('duration')}: {duration(result.duration_s)}{virtual}", ""))
        if report is not None:
            self._print((f"{self._label('report')}: {report}", ""))

    def _label(self, name: str) -> str:
        return LABELS[name].told(self.language)

    def _mark(self, verdict: str) -> tuple[str, str]:
        mark, ascii_mark, style = _MARKS[verdict]
        return (ascii_mark if self.console.options.ascii_only else mark), style

    def _print(self, *parts: tuple[str, str]) -> None:
        """One line; what the stream's encoding cannot show is shown as an escape."""
        line = Line()
        for text, style in parts:
            encoding = self.console.encoding
            shown = printable(text).replace("\n", " ").encode(encoding, "backslashreplace").decode(encoding)
            line.append(shown, style=style or None)
        self.console.print(line)


def tell(result: RunResult, console: Console, language: Language = "en", report: Path | None = None) -> None:
    """Tells a run that is over, from its first scenario to the verdict."""
    teller = Teller(console, language)
    for scenario in result.scenarios:
        teller.scenario(scenario.name, scenario.title, scenario.file)
        for step in scenario.steps:
            teller.step(step)
        teller.facts(scenario)
    teller.verdict(result, report)
