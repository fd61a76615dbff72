"""A run as the one JSON document that ``run --json`` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pos_lab.scenario.model import Language
from pos_lab.scenario.story import RunResult, ScenarioResult, StepResult


def run_document(result: RunResult, language: Language = "en") -> dict[str, Any]:
    """The run as plain dicts, lists, strings and numbers; durations in seconds.

    ``facts`` holds the summary values of each scenario by name; ``impact`` what the run cost, in fen, minutes and
    sales; ``invariants`` the rows on which both books must agree. ``digest`` is the SHA-256 of the event log of a
    scenario that was played in virtual time: the same one is the same run.
    """
    compared = [
        (f"{scenario.name}: {key}", fact)
        for scenario in result.scenarios
        for key, fact in scenario.facts.items()
        if fact.in_both_books
    ]
    return {
        "verdict": result.verdict,
        "duration_s": round(result.duration_s, 6),
        "virtual_s": round(result.virtual_s, 6),
        "seed": result.seed,
        "scenarios": [_scenario(scenario, language) for scenario in result.scenarios],
        "facts": {
            scenario.name: {key: fact.value for key, fact in scenario.facts.items() if not fact.in_both_books}
            for scenario in result.scenarios
        },
        "impact": asdict(result.impact),
        "invariants": {
            "checked": len(compared),
            "violated": [name for name, fact in compared if not fact.agrees],
        },
    }


def _scenario(scenario: ScenarioResult, language: Language) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "file": scenario.file,
        "verdict": scenario.verdict,
        "steps": [_step(step, language) for step in scenario.steps],
        **({"digest": scenario.digest} if scenario.digest else {}),
    }


def _step(step: StepResult, language: Language) -> dict[str, Any]:
    """``evidence`` is the last exchange of the step: its request, and the response to it if there was one."""
    request = max((i for i, message in enumerate(step.evidence) if message.direction == "request"), default=None)
    after = step.evidence if request is None else step.evidence[request:]
    response = next((message.hex for message in after if message.direction == "response"), None)
    return {
        "index": step.index,
        "name": step.name,
        "line": step.line,
        "verdict": step.verdict,
        "message": step.message.told(language),
        "evidence": {"request": None if request is None else step.evidence[request].hex, "response": response},
    }
