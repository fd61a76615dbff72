"""A run as one HTML file that needs nothing else. Rules owned here: what the page is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pos_lab.page.page import render
from pos_lab.scenario.model import Language
from pos_lab.scenario.report.wording import LABELS, VERDICTS, duration, impact_rows
from pos_lab.scenario.story import RunResult, StepResult, count_verdicts


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation of a step beside what came."""

    name: str
    expected: str
    actual: str

    @property
    def met(self) -> bool:
        """Whether what came is what was expected."""
        return self.expected == self.actual


def html_report(result: RunResult, language: Language = "en") -> str:
    """The page; ``language`` is the one shown first, a switch in the page shows the other."""
    steps = [step for scenario in result.scenarios for step in scenario.told_steps]
    return render(
        Path(__file__).parent,
        "report.html.j2",
        filters={"duration": duration, "checks": _checks},
        run=result,
        counts=count_verdicts(steps),
        language=language,
        labels=LABELS,
        impact=impact_rows(result.impact),
        verdicts=VERDICTS,
    )


def _checks(step: StepResult) -> list[Check]:
    """The expectations of a step; of a step that passed, one without an actual value was met."""
    missing = None if step.verdict == "passed" else "–"
    return [
        Check(name, wanted, step.actual.get(name, wanted if missing is None else missing))
        for name, wanted in step.expected.items()
    ]
