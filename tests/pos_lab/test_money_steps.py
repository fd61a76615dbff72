"""The words for holds, codes, telephone orders, offline sales, tips and balances."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.issuer import WALLETS as PARTNERS
from host.policy import Policy
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.runner import Runner
from pos_lab.scenario.steps import STEPS
from pos_lab.scenario.steps.money_steps import WALLETS
from pos_lab.scenario.story import ScenarioResult
from pos_lab.world import Over

HEAD = """scenario: case
title: case
policy: {activation: {turnover: 1.00}, limits: {single: 500.00}}
terminals:
  till: {serial_number: LK0000000001, model: LK-E12, firmware: 1.2.3, terminal_id: 10000001,
    merchant_id: 898000000000001}
steps:
  - order: {terminal: till}
  - load_keys: {terminal: till}
  - ship: {terminal: till}
  - deliver: {terminal: till}
  - submit: {terminal: till, name: a shop, contact: someone, telephone: "10000000001", address: 1 Laboratory Road}
  - review: {terminal: till}
  - sale: {terminal: till, amount: 1.00, as: first}
"""


async def played(tmp_path: Path, steps: str) -> ScenarioResult:
    """The result of a scenario over memory pipes."""
    file = tmp_path / "case.yaml"
    file.write_text(HEAD + steps, encoding="utf-8")
    return await Runner(STEPS, Over.MEMORY, 1).run(load_scenario(str(file), STEPS, Policy), lambda step: None)


def test_every_wallet_has_a_word() -> None:
    """A tester could not pay with a wallet that the host knows."""
    assert sorted(WALLETS.values()) == sorted(row.prefix for row in PARTNERS)


@pytest.mark.parametrize("of", ["refused", "first"])
async def test_a_hold_that_does_not_stand_is_named_in_vain(tmp_path: Path, of: str) -> None:
    """A completion of nothing would look like the host's refusal."""
    result = await played(
        tmp_path,
        "  - preauth: {terminal: till, amount: 500.01, card: credit, as: refused}\n    expect: {outcome: refused}\n"
        f"  - completion: {{terminal: till, of: {of}, amount: 1.00, card: credit}}\n",
    )
    last = result.steps[-1]
    if of == "first":  # a sale has an authorisation id as well: the host says that it is no hold
        assert (last.verdict, "25" in last.message.en) == ("failed", True)
    else:
        assert last.verdict == "error"
        assert of in last.message.en


async def test_codes_are_fresh_unless_one_is_told(tmp_path: Path) -> None:
    """The second customer of a scenario would be told that the code has paid already."""
    scan = "  - qr_sale: {terminal: till, amount: 1.00, wallet: scan}\n"
    assert (await played(tmp_path, scan * 3)).verdict == "passed"
    same = "  - qr_sale: {terminal: till, amount: 1.00, code: '6200000000000000001'}\n"
    assert (await played(tmp_path, same * 2)).verdict == "failed"


@pytest.mark.parametrize(
    ("step", "verdict"),
    [
        ("preauth: {terminal: till, amount: 9.00, card: credit, fault: line.drop_request}", "unknown"),
        ("qr_sale: {terminal: till, amount: 9.00, fault: line.drop_reply}", "unknown"),
        ("preauth: {terminal: till, amount: 9.00, card: credit, power_cut_at: 1}", "power_lost"),
        ("moto_sale: {terminal: till, amount: 9.00}", "refused"),
        ("balance: {terminal: till, card: stolen:swipe}", "refused"),
    ],
)
async def test_what_goes_wrong_can_be_written(tmp_path: Path, step: str, verdict: str) -> None:
    """A tester could break sales and nothing else."""
    result = await played(
        tmp_path,
        f"  - {step}\n    expect: {{outcome: {verdict}}}\n  - reverse: {{terminal: till}}\n"
        "  - books_agree: {terminal: till}\n",
    )
    assert result.verdict == "passed"
