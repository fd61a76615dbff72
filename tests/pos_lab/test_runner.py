"""The runner: a step that did not happen as it was written must not be green."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from host.policy import Policy
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.runner import Runner
from pos_lab.scenario.steps import STEPS
from pos_lab.scenario.story import ScenarioResult
from pos_lab.world import Over

HEAD = """scenario: case
title: case
terminals:
  till:
    serial_number: LK0000000001
    model: LK-E12
    firmware: 1.2.3
    terminal_id: 10000001
    merchant_id: 898000000000001
steps:
  - order: {terminal: till}
  - load_keys: {terminal: till}
  - ship: {terminal: till}
  - deliver: {terminal: till}
  - submit: {terminal: till, name: a shop, contact: someone, telephone: "TELEPHONE", address: 1 Laboratory Road}
"""
OPEN = HEAD.replace("TELEPHONE", "10000000001") + "  - review: {terminal: till}\n"


async def played(tmp_path: Path, text: str) -> ScenarioResult:
    """The result of a scenario over memory pipes."""
    file = tmp_path / "case.yaml"
    file.write_text(text, encoding="utf-8")
    return await Runner(STEPS, Over.MEMORY, 1).run(load_scenario(str(file), STEPS, Policy), lambda step: None)


@pytest.mark.parametrize(("expect", "verdict"), [("", "failed"), ("    expect: {verdict: rejected}\n", "passed")])
async def test_a_rejected_form_is_green_only_where_it_was_expected(tmp_path: Path, expect: str, verdict: str) -> None:
    """A scenario that meant to open a shop would go on without one and say passed."""
    result = await played(tmp_path, HEAD.replace("TELEPHONE", "1") + "  - review: {terminal: till}\n" + expect)
    assert result.verdict == verdict


async def test_a_power_cut_that_never_comes_is_a_failure_and_cuts_nothing_later(tmp_path: Path) -> None:
    """The tester would believe in a recovery that never happened, or see it in the wrong step."""
    result = await played(
        tmp_path,
        OPEN + "  - sale: {terminal: till, amount: 1.00, power_cut_at: 99}\n    expect: {outcome: power_lost}\n",
    )
    assert result.verdict == "failed"
    assert "never came" in result.steps[-1].message.en


async def test_what_follows_a_failure_is_not_played(tmp_path: Path) -> None:
    """One cause would show as twenty failures."""
    result = await played(
        tmp_path, OPEN + "  - show: {terminal: till}\n    expect: {state: stopped}\n  - echo: {terminal: till}\n"
    )
    assert [step.verdict for step in result.steps[-2:]] == ["failed", "skipped"]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("power_cut_at: 1, ", "the power went before a reply came"),
        ("fault: line.drop_request, ", "there was no reply, it was unknown"),
    ],
)
async def test_what_happens_before_a_reply_that_never_comes_fails_at_once(
    tmp_path: Path, trouble: str, said: str
) -> None:
    """The run would hang until somebody looks, and take the pipeline with it."""
    sale = "  - sale: {terminal: till, amount: 1.00, TROUBLE before_reply: [{echo: {terminal: till}}]}\n"
    async with asyncio.timeout(20):
        result = await played(tmp_path, OPEN + sale.replace("TROUBLE ", trouble) + "  - echo: {terminal: till}\n")
    assert result.verdict == "error"
    assert said in result.steps[-2].message.en
