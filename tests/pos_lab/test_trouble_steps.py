"""The words for what goes wrong at a counter: faults, surroundings, battery, clock, case."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.faults import FAULT_POINTS
from firmware_sim.models import MODELS
from host.policy import Policy
from pos_lab.scenario.errors import ScenarioErrors
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.runner import Runner
from pos_lab.scenario.steps import STEPS
from pos_lab.scenario.steps.terminal_steps import FAULTS
from pos_lab.scenario.story import ScenarioResult, StepResult
from pos_lab.world import Over
from tests.pos_lab.test_money_steps import HEAD, played

BAD_DAY = Path(__file__).parents[2] / "scenarios/faults/bad_day.yaml"
ON_BATTERY = HEAD.replace("LK-E12, firmware: 1.2.3", "PX-A920, firmware: 2.1.0")


def last(result: ScenarioResult) -> StepResult:
    return result.steps[-1]


def test_every_fault_point_has_a_word_of_its_own_name() -> None:
    """A tester could not provoke what the handbook says can happen."""
    assert {name for name, point in FAULT_POINTS.items() if point.takes(None)} == set(FAULTS)
    assert {name.partition(".")[0] for name in FAULTS} >= {
        "line",
        "reader",
        "printer",
        "pad",
        "keypad",
        "clock",
        "power",
    }


@pytest.mark.parametrize("seed", [1, 7])
async def test_the_bad_day_ends_well(seed: int) -> None:
    """A day like any other would leave a difference in the books."""
    scenario = load_scenario(str(BAD_DAY), STEPS, Policy)
    result = await Runner(STEPS, Over.MEMORY, seed).run(scenario, lambda step: None)
    assert [(step.line, step.message.en) for step in result.steps if step.verdict != "passed"] == []


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("- sale: {terminal: till, amount: 9.00, fault: reader.swipe_eror}", "reader.swipe_error"),
        ("- sale: {terminal: till, amount: 9.00, fault: line.hold_reply}", "no fault point"),
        ("- fault: {terminal: till, point: printer}", "a fault point such as"),
        ("- environment: {terminal: till, damp: 1.1}", "a level from 0 to 1"),
        ("- environment: {terminal: till, fog: 1}", "fog"),
        ("- clock: {terminal: till}", "needs ahead, behind or drift_ppm"),
        ("- battery: {terminal: till, drain: -5}", "whole number"),
        ("- fault: {terminal: till, point: printer.jam, times: 0}", "at least 1"),
    ],
)
async def test_a_wrong_word_says_what_is_meant(tmp_path: Path, steps: str, told: str) -> None:
    """A typing error would cost a look into the handbook, or arm nothing."""
    with pytest.raises(ScenarioErrors) as wrong:
        await played(tmp_path, f"  {steps}\n")
    assert told in str(wrong.value)


@pytest.mark.parametrize(
    ("steps", "verdict", "told"),
    [
        ("- sale: {terminal: till, amount: 9.00, fault: clock.dead_cell}", "error", "never came"),
        ("- mend: {terminal: till, point: printer.jam}", "failed", "was in order"),
        ("- battery: {terminal: till, plugged: no}", "passed", "has 100%"),
        ("- clock: {terminal: till, ahead: 2h}", "passed", "the clock says"),
        ("- fault: {terminal: till, point: printer.jam, times: 3}", "passed", "3 times"),
        ("- environment: {terminal: till, ageing: 0.5}", "passed", "5 fault points"),
        ("- open_case: {terminal: till}", "passed", "every key is erased"),
    ],
)
async def test_what_a_step_tells(tmp_path: Path, steps: str, verdict: str, told: str) -> None:
    """A scenario would pass whose fault never happened."""
    step = last(await played(tmp_path, f"  {steps}\n"))
    assert (step.verdict, told in step.message.en) == (verdict, True), step


async def test_a_fault_that_never_came_proves_nothing(tmp_path: Path) -> None:
    """A scenario would pass that expects an approval in spite of a fault, and there was none."""
    steps = "  - sale: {terminal: till, amount: 9.00, fault: reader.torn, card: credit}\n"
    result = await played(tmp_path, f"{steps}    expect: {{outcome: approved}}\n")
    assert last(result).verdict == "error"


async def test_a_model_without_a_battery(tmp_path: Path) -> None:
    """A story would be told about a battery that there is not."""
    model = next(name for name, row in MODELS.items() if not row.battery and row.factory_firmware == "2.1.0")
    file = tmp_path / "case.yaml"
    head = HEAD.replace("LK-E12, firmware: 1.2.3", f"{model}, firmware: 2.1.0")
    file.write_text(head + "  - battery: {terminal: till, plugged: no}\n", encoding="utf-8")
    scenario = load_scenario(str(file), STEPS, Policy)
    step = last(await Runner(STEPS, Over.MEMORY, 1).run(scenario, lambda step: None))
    assert (step.verdict, "has no battery" in step.message.en) == ("error", True), step


async def test_the_power_goes_in_a_flow_without_money(tmp_path: Path) -> None:
    """The whole run would end with a traceback."""
    result = await played(
        tmp_path,
        "  - fault: {terminal: till, point: power.brown_out}\n"
        "  - settle: {terminal: till}\n"
        "    expect: {outcome: power_lost}\n"
        "  - settle: {terminal: till}\n",
    )
    assert [step.verdict for step in result.steps[-2:]] == ["passed", "passed"]


@pytest.mark.parametrize(
    "step", ["echo: {terminal: till}\n    expect: {outcome: power_lost}", "clock: {terminal: till, behind: 3h}"]
)
async def test_an_empty_battery_ends_the_day(tmp_path: Path, step: str) -> None:
    """A terminal would sell on without any power, or the whole run end with a traceback."""
    file = tmp_path / "case.yaml"
    file.write_text(
        f"{ON_BATTERY}  - battery: {{terminal: till, plugged: no, drain: 100}}\n  - {step}\n", encoding="utf-8"
    )
    scenario = load_scenario(str(file), STEPS, Policy)
    result = await Runner(STEPS, Over.MEMORY, 1).run(scenario, lambda step: None)
    assert "the power went" in result.steps[-2].message.en
    assert (last(result).verdict, "plug it in" in last(result).message.en) == ("error", True), last(result)
