"""Steps around a device that is away: its repair, a spare on loan, its new life, the code that takes its place.

Rules owned here: a repair is told by its device, a loan by its spare, a code by the terminal that it stands in for; the
latest of each.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from host.issuer import WALLETS
from host.repairs import CAUSES, CHINESE_STATES, RepairState
from host.written import AmountFen, Count, LimitFen, Shape
from pos_lab.scenario.model import StepSpec, Text
from pos_lab.scenario.steps.act_steps import (
    ActExpectation,
    OfTerminal,
    Replace,
    Tell,
    Words,
    act_step,
    of_terminal,
    perform_act,
    serial_of,
)
from pos_lab.scenario.steps.stage import Stage, StepError, Told
from protocol.money import yuan

_CODE_DIGITS: Final = 18


class Fault(OfTerminal):
    """What is wrong with the device."""

    cause: Annotated[str, Shape("|".join(CAUSES), f"a cause: {', '.join(CAUSES)}")] = "defect"
    note: str = ""


class Repaired(OfTerminal):
    """What was done, and what it costs where no warranty covers it."""

    outcome: Words
    cost: LimitFen = 0


class Ended(OfTerminal):
    """Why it ends so."""

    why: Words


class Lent(Replace):
    """``terminal`` is away and ``by`` stands in for it for some days; 0 for what the policy says."""

    days: Count = 0


class Sheet(OfTerminal):
    """The depot's sheet."""

    reference: Words


class Paid(OfTerminal):
    """A customer pays by the code that the shop of the terminal has put up; ``wallet`` begins the wallet's own code."""

    amount: AmountFen
    wallet: Annotated[
        str, Shape("|".join(row.prefix for row in WALLETS), f"one of {', '.join(row.prefix for row in WALLETS)}")
    ] = "2800"


def _tell_repair(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    number, state = result["number"], RepairState(result["state"])
    return Text(zh=f"报修{number}号：{CHINESE_STATES[state]}", en=f"repair {number}: {state}"), {"state": str(state)}


def _tell_loan(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    number, state = result["number"], str(result.get("state", "returned"))
    zh, en = ("已归还", "returned") if state == "returned" else ("已借出", "lent")
    return Text(zh=f"借用{number}号：{zh}", en=f"loan {number}: {en}"), {"state": state}


def _tell_refurbished(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    return Text(zh="已翻新入库", en="refurbished, in stock"), {"state": str(result["state"])}


def _tell_fallback(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    number, code = result["number"], result.get("code")
    text = Text(zh=f"备用码{number}号：{code}", en=f"fallback code {number}: {code}")
    return text if code else Text(zh=f"备用码{number}号已关闭", en=f"fallback code {number} is closed"), {}


def _tell_paid(stage: Stage, result: dict[str, Any]) -> tuple[Text, dict[str, object]]:
    if result["approved"]:
        amount = yuan(result["amount_fen"])
        return Text(zh=f"收款{amount}元", en=f"{amount} yuan are paid"), {"total": result["amount_fen"]}
    return Text(zh=result["zh"], en=result["en"]), {"error": "declined"}


async def _latest(stage: Stage, written: OfTerminal, act: str, column: str) -> dict[str, Any]:
    """The latest row that an act lists of a terminal."""
    result: dict[str, Any] = await stage.world.act(act, serial_number=serial_of(stage, written.terminal))
    rows = [row for row in result[act] if row[column] == serial_of(stage, written.terminal)]
    if not rows:
        raise StepError(f"{act} of {written.terminal}: there is none")
    return max(rows, key=lambda row: int(row["number"]))


def _about(
    act: str,
    arguments: type[OfTerminal],
    summary: str,
    tell: Tell,
    listed: str = "repairs",
    column: str = "serial_number",
) -> StepSpec:
    async def run(stage: Stage, written: OfTerminal) -> Told:
        row, own = await _latest(stage, written, listed, column), written.model_dump(exclude={"terminal"})
        if "cost" in own:
            own["cost_fen"] = own.pop("cost")
        return await perform_act(stage, act, {"number": row["number"], **own}, tell)

    return StepSpec(act, arguments, ActExpectation, summary, run)


def _lend(stage: Stage, written: Lent) -> dict[str, Any]:
    pair = {"serial_number": serial_of(stage, written.terminal), "spare": serial_of(stage, written.by)}
    return {**pair, "days": written.days}


async def _refurbish(stage: Stage, written: Sheet) -> Told:
    told = await perform_act(stage, "refurbish", of_terminal(stage, written), _tell_refurbished)
    if told.went_well:
        stage.world.devices[written.terminal].refurbish()
    return told


async def _pay(stage: Stage, written: Paid) -> Told:
    row = await _latest(stage, written, "fallbacks", "serial_number")
    payment_code = f"{written.wallet}{next(stage.numbers):0{_CODE_DIGITS - len(written.wallet)}d}"
    arguments = {"code": row["code"], "payment_code": payment_code, "amount_fen": written.amount}
    return await perform_act(stage, "pay_fallback", arguments, _tell_paid)


DEPOT_STEPS: Final = (
    act_step("report_fault", Fault, "A device is broken: its repair begins.", tell=_tell_repair),
    _about("receive_device", OfTerminal, "The depot has the device.", _tell_repair),
    _about("repair_device", Repaired, "The device works again.", _tell_repair),
    _about("return_device", OfTerminal, "The device is back in its shop.", _tell_repair),
    _about("scrap_device", Ended, "The device cannot be repaired.", _tell_repair),
    _about("cancel_repair", Ended, "The device was well, or never sent.", _tell_repair),
    act_step("lend_spare", Lent, "A spare device stands in for one that is away.", _lend, _tell_loan),
    _about("return_spare", OfTerminal, "A spare device is back.", _tell_loan, "loans", "spare"),
    StepSpec("refurbish", Sheet, ActExpectation, "The depot gives a device a new life in stock.", _refurbish),
    act_step("open_fallback", OfTerminal, "Give a shop a code while its terminal is away.", tell=_tell_fallback),
    StepSpec("pay_fallback", Paid, ActExpectation, "A customer pays by the code of a shop.", _pay),
    act_step("close_fallback", OfTerminal, "The terminal sells again: settle and close its code.", tell=_tell_fallback),
)
