"""A run as one HTML file that needs nothing else: no script, no network, no other file.

Rules owned here: what the page is made of. Everything told is escaped; the policy in the page allows its own
style and no more.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pos_lab.scenario.model import Language
from pos_lab.scenario.report.wording import LABELS, VERDICTS, duration, impact_rows, printable
from pos_lab.scenario.story import RunResult, StepResult, count_verdicts

_HERE = Path(__file__).parent


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
    style = (_HERE / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    steps = [step for scenario in result.scenarios for step in scenario.told_steps]
    page = _environment().get_template("report.html.j2")
    return page.render(
        run=result,
        counts=count_verdicts(steps),
        language=language,
        style=style,
        style_digest=digest,
        labels=LABELS,
        impact=impact_rows(result.impact),
        verdicts=VERDICTS,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(duration=duration, checks=_checks)
    return environment


def _finalize(value: Any) -> Any:
    """Applied to all that the page shows: strings lose the characters that no report may show."""
    return printable(value) if type(value) is str else value


def _checks(step: StepResult) -> list[Check]:
    """The expectations of a step; of a step that passed, one without an actual value was met."""
    missing = None if step.verdict == "passed" else "–"
    return [
        Check(name, wanted, step.actual.get(name, wanted if missing is None else missing))
        for name, wanted in step.expected.items()
    ]
