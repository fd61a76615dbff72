"""What a run has to tell: the results of its steps with the messages as evidence; the reports are functions of it.

Rules owned here: which verdict outweighs which, how steps fall into chapters, and when the two books agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pos_lab.scenario.model import CHAPTER, Text

Verdict = Literal["passed", "failed", "error", "skipped"]

_WEIGHT: Mapping[Verdict, int] = {"skipped": 0, "passed": 1, "failed": 2, "error": 3}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One message between a terminal and the host, masked before it came here.

    ``request`` runs from the terminal to the host, ``response`` back. ``lines[0]`` is the title drawn on its arrow.
    ``at_s`` counts from the start of the scenario. A message that got lost on the way has ``delivered=False``.
    """

    direction: Literal["request", "response"]
    at_s: float
    hex: str
    lines: tuple[str, ...]
    terminal: str = ""
    delivered: bool = True

    @property
    def title(self) -> str:
        """What is written on the arrow."""
        return self.lines[0] if self.lines else ""


@dataclass(frozen=True, slots=True)
class StepResult:
    """How one step went. ``message`` says what happened, ``say`` is the author's narrative."""

    index: int
    name: str
    line: int
    verdict: Verdict
    message: Text
    duration_s: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    say: Text | None = None
    expected: Mapping[str, str] = field(default_factory=dict)
    actual: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of the summary: a ``value``, or what each of the two books says and that they should say the same."""

    label: Text
    value: str = ""
    terminal: str | None = None
    host: str | None = None

    @property
    def in_both_books(self) -> bool:
        """Whether the row compares the terminal's book with the host's."""
        return self.terminal is not None and self.host is not None

    @property
    def agrees(self) -> bool:
        """True unless the two books differ."""
        return self.terminal == self.host


@dataclass(frozen=True, slots=True)
class Impact:
    """What a run cost the merchants, from the host's books: the act ``impact`` since the run began."""

    interruption_minutes: int = 0
    lost_sales: int = 0
    lost_fen: int = 0
    not_arrived_fen: int = 0
    fee_fen: int = 0
    chargeback_fen: int = 0

    def __add__(self, other: Impact) -> Impact:
        return Impact(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading and the steps under it; ``title`` is None for steps before the first heading."""

    title: Text | None
    steps: tuple[StepResult, ...]

    @property
    def verdict(self) -> Verdict:
        """The gravest verdict of the steps."""
        return gravest(step.verdict for step in self.steps)


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """How one scenario went: ``virtual_s`` is how long it took for the terminals, ``duration_s`` for the onlooker.

    ``digest`` names the whole course of one that was played in virtual time.
    """

    name: str
    title: Text
    file: str
    verdict: Verdict
    steps: tuple[StepResult, ...]
    seed: int
    duration_s: float
    virtual_s: float
    facts: Mapping[str, Fact] = field(default_factory=dict)
    impact: Impact = field(default_factory=Impact)
    digest: str = ""

    @property
    def told_steps(self) -> tuple[StepResult, ...]:
        """The steps that do something: all but the headings."""
        return tuple(step for step in self.steps if step.name != CHAPTER)

    def chapters(self) -> tuple[Chapter, ...]:
        """The steps under their headings, in order; headings without steps are left out."""
        groups: list[tuple[Text | None, list[StepResult]]] = [(None, [])]
        for step in self.steps:
            if step.name == CHAPTER:
                groups.append((step.message, []))
            else:
                groups[-1][1].append(step)
        return tuple(Chapter(title, tuple(steps)) for title, steps in groups if steps)


@dataclass(frozen=True, slots=True)
class RunResult:
    """One call of ``poslab run``: its scenarios in the order in which they were given."""

    scenarios: tuple[ScenarioResult, ...]
    seed: int
    duration_s: float
    virtual_s: float

    @property
    def verdict(self) -> Verdict:
        """The gravest verdict of the scenarios."""
        return gravest(scenario.verdict for scenario in self.scenarios)

    @property
    def impact(self) -> Impact:
        """What its scenarios cost together."""
        return sum((scenario.impact for scenario in self.scenarios), Impact())


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that outweighs the others: error, failed, passed, skipped; ``passed`` where there is none."""
    return max(verdicts, key=lambda verdict: _WEIGHT[verdict], default="passed")


def count_verdicts(steps: Iterable[StepResult]) -> dict[Verdict, int]:
    """How many steps have each verdict; all four are present."""
    counts: dict[Verdict, int] = dict.fromkeys(("passed", "failed", "error", "skipped"), 0)
    for step in steps:
        counts[step.verdict] += 1
    return counts
