"""The scenarios of the rulebook, played by whole devices in front of a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.policy import Policy
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.runner import Runner
from pos_lab.scenario.steps import STEPS
from pos_lab.world import Over

RULES = sorted((Path(__file__).parents[2] / "scenarios" / "rules").glob("*.yaml"))


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
async def test_the_rulebook_holds_between_device_and_host(file: Path) -> None:
    """A rule would be kept by the host and misunderstood at the counter."""
    scenario = load_scenario(str(file), STEPS, Policy)
    assert scenario.features
    result = await Runner(STEPS, Over.MEMORY, seed=5).run(scenario, lambda step: None)
    assert [(step.line, step.message.en) for step in result.steps if step.verdict != "passed"] == []
