"""Steps of the back office: contracts, payouts, the report of the books, risk, disputes.

Rules owned here: a dispute is told by the sale that it is about, an alert by its terminal; in both cases the latest.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import Field

from host.admin.registration import RATE_BP_MAX
from host.categories import CATEGORIES
from host.disputes import CHINESE_STATES, REASONS, DisputeState
from host.fees import FEES
from host.payouts import TERMS
from host.risk import RULES
from host.written import Count, LimitFen, Shape
from pos_lab.scenario.model import Name, StepSpec, Text
from pos_lab.scenario.steps.act_steps import (
    ActExpectation,
    Nothing,
    OfTerminal,
    Tell,
    Words,
    act_step,
    as_written,
    perform_act,
)
from pos_lab.scenario.steps.rule_steps import merchant_of, of_merchant, tell_plainly
from pos_lab.scenario.steps.stage import Stage, StepError, Told
from pos_lab.scenario.steps.terminal_steps import named
from protocol.money import yuan

CardType = Annotated[str, Shape("|".join(FEES), f"a card type: {', '.join(FEES)}")]
Category = Annotated[str, Shape("|".join(CATEGORIES), f"a category: {', '.join(CATEGORIES)}")]
Term = Annotated[str, Shape("|".join(map(re.escape, TERMS)), f"one of {', '.join(TERMS)}")]
DisputeReason = Annotated[str, Shape("|".join(REASONS), f"a reason: {', '.join(REASONS)}")]


class Amendment(OfTerminal):
    """A rate of the terminal's merchant in basis points, and in how many days it counts; ``cap`` is of debit cards."""

    card_type: CardType
    rate_bp: Annotated[Count, Field(le=RATE_BP_MAX)]
    signed_by: Words
    cap: LimitFen = 0
    in_days: Count = 0


class Trade(OfTerminal):
    """What the terminal's merchant trades as."""

    category: Category
    signed_by: Words


class PaidBy(OfTerminal):
    """When the terminal's merchant is paid."""

    term: Term


class Cleared(OfTerminal):
    """What explains the latest alert of the terminal that stands."""

    evidence: Words


class Contested(OfTerminal):
    """``of`` is the name that a sale got with ``as``; without an ``amount`` all that is left of it is contested."""

    of: Name
    reason: DisputeReason
    amount: LimitFen = 0


class OfDispute(OfTerminal):
    """The latest dispute about a sale, by the name that the sale got with ``as``."""

    of: Name


class Answered(OfDispute):
    """What the merchant says."""

    answer: Words


class Decided(OfDispute):
    """Why it ends so."""

    why: Words


def _amendment(stage: Stage, written: Amendment) -> dict[str, Any]:
    values = written.model_dump(exclude={"terminal"})
    cap_fen = values.pop("cap")
    return {**merchant_of(stage, written.terminal), **values, "cap_fen": cap_fen}


def _contract(stage: Stage, written: OfTerminal) -> dict[str, Any]:
    return {**merchant_of(stage, written.terminal), **written.model_dump(exclude={"terminal"})}


def _contested(stage: Stage, written: Contested) -> dict[str, Any]:
    sale = {"rrn": named(stage, written.of).rrn, "reason": written.reason, "amount_fen": written.amount}
    return {**merchant_of(stage, written.terminal), **sale}


def _tell_amendment(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    zh, en = ("已生效", "in effect") if result["in_effect"] else ("待生效", "not in effect yet")
    return Text(zh="；".join((zh, *result["warnings"])), en="; ".join((en, *result["warnings"]))), {}


def _tell_paid(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    total_fen = sum(each["total_fen"] for each in result["paid"])
    count = len(result["paid"])
    text = Text(zh=f"{count}家商户，共{yuan(total_fen)}元", en=f"{yuan(total_fen)} yuan, merchants: {count}")
    return text, {"count": count, "total": total_fen}


def _tell_reconciled(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    count, differing = len(result["batches"]), result["differing"]
    text = Text(zh=f"{count}批，不一致{differing}批", en=f"batches: {count}, differing: {differing}")
    return text, {"count": differing}


def _tell_findings(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    [rows] = (value for value in result.values() if isinstance(value, list))
    said = "; ".join(str(row["finding"]) for row in rows)
    return Text(zh=said or "无", en=said or "nothing was found"), {"count": len(rows)}


def _tell_alerts(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    rows = result["alerts"]
    zh = "；".join(f"{RULES[row['rule']].chinese}：{row['evidence']}" for row in rows)
    en = "; ".join(f"{RULES[row['rule']].english}: {row['evidence']}" for row in rows)
    return Text(zh=zh or "无预警", en=en or "no alert stands"), {"count": len(rows)}


def _tell_cleared(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    number = result["number"]
    return Text(zh=f"预警{number}号已解除", en=f"alert {number} is cleared"), {"state": str(result["state"])}


def _tell_dispute(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    number, state = result["number"], DisputeState(result["state"])
    text = Text(zh=f"争议{number}号：{CHINESE_STATES[state]}", en=f"dispute {number}: {state}")
    return text, {"state": str(state)}


def _tell_evidence(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    is_signed = bool(result["signature"])
    zh = f"{result['zh']}；交易一笔，{'有' if is_signed else '无'}签名"
    en = f"{result['en']}; the sale {'and its' if is_signed else 'without a'} signature"
    return Text(zh=zh, en=en), {"signed": is_signed, "state": str(result["state"])}


async def _alerts(stage: Stage, written: OfTerminal) -> Told:
    return await perform_act(stage, "alerts", {**_serial(stage, written), "standing": True}, _tell_alerts)


async def _clear_alert(stage: Stage, written: Cleared) -> Told:
    result: dict[str, Any] = await stage.world.act("alerts", **_serial(stage, written), standing=True)
    if not result["alerts"]:
        raise StepError(f"no alert of {written.terminal} stands")
    number = max(row["number"] for row in result["alerts"])
    arguments = {"number": number, "evidence": written.evidence}
    return await perform_act(stage, "clear_alert", arguments, _tell_cleared)


def _serial(stage: Stage, written: OfTerminal) -> dict[str, str]:
    return {"serial_number": stage.world.devices[written.terminal].member.serial_number}


def _about_dispute(act: str, arguments: type[OfDispute], summary: str, tell: Tell = _tell_dispute) -> StepSpec:
    async def run(stage: Stage, written: OfDispute) -> Told:
        own = written.model_dump(exclude={"terminal", "of"})
        return await perform_act(stage, act, {"number": await _number(stage, written), **own}, tell)

    return StepSpec(act, arguments, ActExpectation, summary, run)


async def _number(stage: Stage, written: OfDispute) -> int:
    sale = named(stage, written.of)
    terminal_id = stage.world.devices[written.terminal].member.terminal_id
    result: dict[str, Any] = await stage.world.act("disputes", **merchant_of(stage, written.terminal))
    about = [
        row["number"] for row in result["disputes"] if row["stan"] == sale.stan and row["terminal_id"] == terminal_id
    ]
    if not about:
        raise StepError(f"nobody contested {written.of!r}")
    return int(max(about))


OFFICE_STEPS: Final = (
    act_step("amend_rate", Amendment, "Change a rate that the merchant has signed for.", _amendment, _tell_amendment),
    act_step("set_category", Trade, "Say what the merchant trades as.", _contract, tell_plainly),
    act_step("set_payout_term", PaidBy, "Say when the merchant is paid.", _contract, tell_plainly),
    act_step(
        "inspect_contracts", Nothing, "Look for rates and categories that do not fit.", as_written, _tell_findings
    ),
    act_step("run_payouts", Nothing, "Pay every merchant what is due.", as_written, _tell_paid),
    act_step(
        "reconcile", OfTerminal, "Hold the books of the merchant against each other.", of_merchant, _tell_reconciled
    ),
    StepSpec("alerts", OfTerminal, ActExpectation, "Look at the alerts of a terminal that stand.", _alerts),
    StepSpec("clear_alert", Cleared, ActExpectation, "Say what explains an alert.", _clear_alert),
    act_step("open_dispute", Contested, "A cardholder contests a sale.", _contested, _tell_dispute),
    _about_dispute("answer_dispute", Answered, "The merchant answers."),
    _about_dispute("evidence", OfDispute, "Look at what the host can show.", _tell_evidence),
    _about_dispute("resolve_dispute", Decided, "The merchant is right."),
    _about_dispute("withdraw_dispute", Decided, "The cardholder's bank lets it be."),
    _about_dispute("lose_dispute", Decided, "The cardholder is right: the next payout is less by it."),
)
