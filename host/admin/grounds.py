"""Grounds on which terminals stop: contract, violation, risk, overdue update; what is offered (product T2 to T11).

Rules owned here: each is a campaign of its own, so that notice, dates, pause and call-off are those of campaigns; a
violation that is appealed against rests until the appeal is decided.
"""

from __future__ import annotations

from typing import Any, Final

from host.admin.campaigns import (
    UPDATE_OVERDUE,
    begin,
    cancel_campaign,
    draft,
    open_campaign,
    pause_campaign,
    resume_campaign,
)
from host.admin.desk import Desk, Result
from host.admin.models import after_day
from host.admin.scope import in_scope
from host.alternatives import offered_instead
from host.campaign import Course, Item, schedule
from host.decision import Update
from host.errors import AdminError
from host.lifecycle import IN_SERVICE, Event
from host.policy import DAY_S
from host.records import DeviceModel, Terminal
from host.rollout import is_below
from host.violations import RULES_OF_USE

CONTRACT: Final = "contract"
VIOLATION: Final = "violation"
UPDATE: Final = "update"
PRICE_MAX_FEN: Final = 10_000_000
_CONTRACT_GRACE_S: Final = 7 * DAY_S


def end_contract(desk: Desk, merchant_id: str, until: str) -> Result:
    """Write down the last day of a merchant's contract: its terminals stop after it, with reminders before."""
    desk.merchant(merchant_id)
    if open_campaign(desk, CONTRACT, merchant_id):
        raise AdminError(f"the contract of {merchant_id} ends already", hint="renew-contract", code="contract")
    return _contract(desk, merchant_id, until)


def renew_contract(desk: Desk, merchant_id: str, until: str) -> Result:
    """Renew a contract up to another last day; nobody stops on the day before."""
    desk.merchant(merchant_id)
    if found := open_campaign(desk, CONTRACT, merchant_id):
        cancel_campaign(desk, found.number, "the contract was renewed")
    return _contract(desk, merchant_id, until)


def report_violation(desk: Desk, serial_number: str, rule: str, reference: str, note: str = "") -> Result:
    """Report a breach of a rule of use with its evidence: the terminal stops unless an appeal is granted in time."""
    desk.line(reference=reference, note=note)
    if rule not in RULES_OF_USE:
        raise AdminError(f"no rule of use {rule!r}", hint=f"one of {', '.join(RULES_OF_USE)}", code="unknown_rule")
    if not reference.strip():
        raise AdminError("a violation is reported with evidence", code="evidence")
    terminal = desk.terminal(serial_number)
    _in_service(terminal)
    if open_campaign(desk, VIOLATION, serial_number):
        raise AdminError(f"a violation of {serial_number} is reported already", code="already_reported")
    stop_at = desk.at + desk.policy.retirement.appeal_s
    campaign = _begin(desk, f"violation: {rule}", VIOLATION, serial_number, [draft(terminal, VIOLATION, stop_at)], 0)
    number = desk.books.add("violation", 1)
    row = {"serial_number": serial_number, "merchant_id": terminal.merchant_id, "rule": rule, "reference": reference}
    row |= {"note": note, "state": "open", "actor": desk.actor}
    desk.insert("violations", number=number, campaign=campaign, at=desk.at, **row)
    desk.note(serial_number, "report violation", f"{number}: {rule}, {reference}")
    return {"number": number, "campaign": campaign, "stop_at": stop_at, "state": "open"}


def appeal(desk: Desk, number: int, reference: str, note: str = "") -> Result:
    """File a merchant's appeal against a violation with what speaks for it; the stop rests until it is decided."""
    desk.line(reference=reference, note=note)
    found = _violation(desk, number, "open")
    if not reference.strip():
        raise AdminError("an appeal is filed with evidence", code="evidence")
    pause_campaign(desk, found["campaign"], f"appeal: {reference}")
    changes = {"state": "appealed", "appeal": f"{reference} {note}".strip(), "appealed_at": desk.at}
    return _decide(desk, found, "appeal", **changes)


def decide_appeal(desk: Desk, number: int, granted: bool, why: str) -> Result:
    """Grant an appeal, and the terminal goes on; or refuse it, and its stop goes on, later by what the appeal took."""
    desk.line(why=why)
    if not why.strip():
        raise AdminError("a decision has a reason", code="why")
    found = _violation(desk, number, "appealed")
    if granted:
        cancel_campaign(desk, found["campaign"], f"appeal granted: {why}")
    else:
        resume_campaign(desk, found["campaign"])
    state = "granted" if granted else "refused"
    return _decide(desk, found, "decide appeal", state=state, outcome=why, closed_at=desk.at)


def violations(desk: Desk, serial_number: str = "") -> Result:
    """Every violation, of one terminal or of all, with evidence, appeal and outcome."""
    matches = {"serial_number": desk.terminal(serial_number).serial_number} if serial_number else {}
    return {"violations": desk.books.rows("violations", **matches)}


def risk_scope(
    desk: Desk, model: str = "", brand: str = "", family: str = "", merchant_id: str = "", region: str = ""
) -> Result:
    """Try a stop for risk dry: the terminals that it would stop, and what waits in their batches. Changes nothing."""
    found = in_scope(desk, model=model, brand=brand, family=family, merchant_id=merchant_id, region=region)
    hit = [terminal for terminal in found if terminal.state in IN_SERVICE]
    told = [
        {
            "serial_number": terminal.serial_number,
            "merchant_id": terminal.merchant_id,
            "unsettled": len(desk.books.money_rows(terminal.terminal_id, terminal.batch)),
        }
        for terminal in hit
    ]
    merchants = len({terminal.merchant_id for terminal in hit})
    return {"stops": told, "terminals": len(hit), "merchants": merchants, "spared": len(found) - len(hit)}


def risk_stop(
    desk: Desk, why: str, model: str = "", brand: str = "", family: str = "", merchant_id: str = "", region: str = ""
) -> Result:
    """Stop every terminal in service of a model, brand, family, merchant or region at once, for risk."""
    desk.line(why=why)
    found = in_scope(desk, model=model, brand=brand, family=family, merchant_id=merchant_id, region=region)
    stopped = [terminal for terminal in found if terminal.state in IN_SERVICE]
    for terminal in stopped:
        desk.step(terminal, Event.STOP, why=why)
    return {"stopped": [terminal.serial_number for terminal in stopped], "spared": len(found) - len(stopped)}


def overdue_updates(desk: Desk) -> Result:
    """The terminals whose forced update is overdue for longer than the policy lets it. Changes nothing."""
    told = [
        {"serial_number": terminal.serial_number, "model": terminal.model, "firmware": terminal.firmware,
         "wanted": model.recommended_firmware}
        for terminal, model in _overdue(desk)
    ]  # fmt: skip
    return {"overdue": told}


def plan_breaches(desk: Desk, stop_days: int = 30) -> Result:
    """Plan the stop of every terminal whose forced update is overdue for too long; one that updates in time goes on."""
    if not 1 <= stop_days <= 3_650:
        raise AdminError("a stop is 1 to 3650 days ahead", code="plan_dates")
    stop_at = desk.at + stop_days * DAY_S
    items = [
        draft(terminal, UPDATE_OVERDUE, stop_at)
        for terminal, _ in _overdue(desk)
        if desk.books.plan(terminal.serial_number) is None
    ]
    campaign = _begin(desk, "overdue updates", UPDATE, "", items, 0) if items else 0
    return {"campaign": campaign, "planned": [item.serial_number for item in items]}


def offer_model(desk: Desk, model: str, price_fen: int) -> Result:
    """Offer a model at a price in place of those that retire; a price of 0 ends that."""
    desk.model(model)
    if not 0 <= price_fen <= PRICE_MAX_FEN:
        raise AdminError(f"a price is 0 to {PRICE_MAX_FEN} fen", code="price")
    desk.books.write(Update("models", {"model": model}, {"price_fen": price_fen}))
    desk.note("", "offer model", f"{model} for {price_fen} fen")
    return {"model": model, "price_fen": price_fen}


def alternatives(desk: Desk, model: str) -> Result:
    """The models that are offered in place of one: its family first, the cheapest first."""
    models = [DeviceModel(**row) for row in desk.books.rows("models")]
    found = offered_instead(desk.model(model), models, desk.at)
    told = [{name: getattr(each, name) for name in ("model", "brand", "family", "price_fen")} for each in found]
    return {"model": model, "alternatives": told}


def _contract(desk: Desk, merchant_id: str, until: str) -> Result:
    stop_at = after_day(until)
    if stop_at <= desk.at:
        raise AdminError(f"{until} is past", code="until")
    rows = [row for row in desk.books.rows("terminals", merchant_id=merchant_id) if row["state"] in IN_SERVICE]
    items = [draft(row, "contract.expired", stop_at) for row in rows]
    campaign = _begin(desk, f"contract of {merchant_id}", CONTRACT, merchant_id, items, _CONTRACT_GRACE_S)
    planned = [item.serial_number for item in items]
    return {"merchant_id": merchant_id, "until": until, "campaign": campaign, "planned": planned}


def _begin(desk: Desk, title: str, kind: str, subject: str, items: list[Item], grace_s: int) -> int:
    dated, _ = schedule(items, Course(grace_s), desk.policy, desk.at) if items else ([], [])
    return begin(desk, title, kind, subject, dated)


def _overdue(desk: Desk) -> list[tuple[Terminal, DeviceModel]]:
    found = []
    for row in desk.books.rows("models"):
        model = DeviceModel(**row)
        if model.forced_at is None or model.forced_at + desk.policy.retirement.breach_s > desk.at:
            continue
        for each in desk.books.rows("terminals", model=model.model):
            terminal = desk.terminal(each["serial_number"])
            if terminal.state in IN_SERVICE and is_below(terminal.firmware, model.recommended_firmware):
                found.append((terminal, model))
    return found


def _in_service(terminal: Terminal) -> None:
    if terminal.state not in IN_SERVICE:
        raise AdminError(f"{terminal.serial_number} is {terminal.state}", code="illegal_step")


def _violation(desk: Desk, number: int, state: str) -> dict[str, Any]:
    rows = desk.books.rows("violations", number=number)
    if not rows:
        raise AdminError(f"no violation {number}", hint="poslab admin violations lists them", code="unknown_violation")
    if rows[0]["state"] != state:
        raise AdminError(f"violation {number} is {rows[0]['state']}", hint=f"it must be {state}", code="not_open")
    return rows[0]


def _decide(desk: Desk, found: dict[str, Any], act: str, **changes: object) -> Result:
    desk.books.write(Update("violations", {"number": found["number"]}, changes))
    desk.note(found["serial_number"], act, f"{found['number']}: {changes['state']}")
    return {"number": found["number"], "state": changes["state"]}
