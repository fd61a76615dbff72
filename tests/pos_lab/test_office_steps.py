"""The words for contracts, payouts, risk and disputes, and the impact report of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.disputes import CHINESE_STATES, DisputeState
from pos_lab.scenario.story import Impact
from tests.pos_lab.test_money_steps import played


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("- clear_alert: {terminal: till, evidence: nothing}", "error: no alert of till stands"),
        ("- evidence: {terminal: till, of: first}", "error: nobody contested 'first'"),
    ],
)
async def test_what_is_not_there_is_named(tmp_path: Path, step: str, message: str) -> None:
    """A scenario with a slip of the pen would end in a traceback, or pass."""
    result = await played(tmp_path, f"  {step}")
    assert result.steps[-1].verdict == "error"
    assert message in result.steps[-1].message.en


async def test_the_latest_dispute_about_a_sale_is_meant(tmp_path: Path) -> None:
    """The second half of a contested sale would be decided by the first one's answer."""
    about = "terminal: till, of: first"
    steps = f"""  - open_dispute: {{{about}, reason: amount, amount: 0.40}}
  - withdraw_dispute: {{{about}, why: a mistake}}
    expect: {{state: withdrawn}}
  - open_dispute: {{{about}, reason: goods}}
    expect: {{state: open}}
  - withdraw_dispute: {{{about}, why: it came after all}}
    expect: {{state: withdrawn}}
  - answer_dispute: {{{about}, answer: too late}}
    expect: {{error: illegal_step}}
"""
    result = await played(tmp_path, steps)
    assert [step.message.en for step in result.steps if step.verdict != "passed"] == []
    assert [step.message.zh for step in result.steps[-5:-1]] == [
        "争议1号：待答复", "争议1号：已撤回", "争议2号：待答复", "争议2号：已撤回",
    ]  # fmt: skip


def test_every_state_of_a_dispute_has_its_chinese_name() -> None:
    """A run in Chinese would end in a traceback."""
    assert CHINESE_STATES.keys() == set(DisputeState)


@pytest.mark.feature("REPORT")
async def test_a_run_says_what_it_cost(tmp_path: Path) -> None:
    """A rehearsal would hide what it does to the shops."""
    steps = """  - hold: {terminal: till, reason: dispute}
  - sale: {terminal: till, amount: 2.00}
    expect: {outcome: refused}
  - advance: {by: 1h}
  - release: {terminal: till, reason: dispute}
  - settle: {terminal: till}
"""
    result = await played(tmp_path, steps)
    assert result.verdict == "passed"
    assert result.impact == Impact(60, 1, 200, 99, 1, 0)


@pytest.mark.feature("REPORT")
def test_costs_add_up() -> None:
    """The report on several scenarios would tell one of them."""
    assert sum([Impact(1, 2, 3, 4, 5, 6)] * 2, Impact()) == Impact(2, 4, 6, 8, 10, 12)
