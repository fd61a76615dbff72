"""Every scenario that comes with the program is played to its end: the page of features names them as proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.policy import Policy
from pos_lab.scenario.files import scenario_files, shipped
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.runner import Runner
from pos_lab.scenario.steps import STEPS
from pos_lab.world import Over

FILES = scenario_files([str(shipped(""))])


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file).stem)
async def test_a_shipped_scenario_passes(file: str) -> None:
    """A rule would be shown to work by a story that nobody has seen end well."""
    scenario = load_scenario(file, STEPS, Policy)
    result = await Runner(STEPS, Over.MEMORY, seed=7).run(scenario, lambda told: None)
    assert [(step.line, step.message.en) for step in result.steps if step.verdict != "passed"] == []
    assert all(fact.agrees for fact in result.facts.values())
