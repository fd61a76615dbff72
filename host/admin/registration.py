"""Registration with review by the acquirer, and what the merchant must renew later (product R2 to R5, R13, R15)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from host.admin.desk import Desk, Result
from host.admin.orders import deliver, order, ship
from host.admin.partners import needs
from host.admin.scope import in_scope
from host.decision import Insert, Update
from host.errors import AdminError
from host.holds import REGISTRATION
from host.lifecycle import IN_SERVICE, UNREGISTERED, Event, State
from host.maintenance import clock, open_window
from host.policy import DAY_S
from host.records import Hold, Merchant, Terminal, columns
from host.registration import MERCHANT_TYPES, PAPERS, broken_rules, missing_papers
from host.suspension import lift, put_on

RATE_BP_MAX: Final = 1_000
DAYS_MAX: Final = 3_650
PARTNER: Final = "network"
"""The partner with whom terminals are filed: without it no form is approved (product R9)."""
_RENEWED: Final = ("name", "contact", "telephone", "address", "merchant_type", "region")
"""What a later form changes; never a rate (product decision 8)."""


def submit(
    desk: Desk,
    serial_number: str,
    name: str,
    contact: str,
    telephone: str,
    address: str,
    credit_bp: int = 60,
    debit_bp: int = 50,
    debit_cap_fen: int = 2500,
    merchant_type: str = "",
    region: str = "",
) -> Result:
    """Hand in the merchant's form for a delivered terminal, or for one that must register again, with signed rates."""
    terminal = desk.terminal(serial_number)
    if not terminal.terminal_id:
        raise AdminError(
            f"{serial_number} has no terminal id yet", hint="order it for a till, or replace a device by it"
        )
    if not all(0 <= rate_bp <= RATE_BP_MAX for rate_bp in (credit_bp, debit_bp)) or debit_cap_fen < 0:
        raise AdminError(f"a rate is 0 to {RATE_BP_MAX} basis points, a cap no less than nothing", code="rates")
    kind = merchant_type or desk.policy.registration.merchant_type
    if kind not in MERCHANT_TYPES:
        raise AdminError(f"no merchant is of type {kind!r}", hint=f"one of {', '.join(MERCHANT_TYPES)}", code="type")
    form = {"name": name, "contact": contact, "telephone": telephone, "address": address, "region": region}
    desk.line(**form)
    again = any(held.reason == REGISTRATION for held in desk.books.holds(serial_number))
    state = terminal.state if again else desk.step(terminal, Event.SUBMIT)
    desk.insert(
        "registrations",
        serial_number=serial_number,
        merchant_id=terminal.merchant_id,
        at=desk.at,
        credit_bp=credit_bp,
        debit_bp=debit_bp,
        debit_cap_fen=debit_cap_fen,
        merchant_type=kind,
        **form,
    )
    number = desk.books.rows("registrations", serial_number=serial_number)[-1]["number"]
    low, high = desk.policy.fees.band_bp
    warnings = [] if low <= credit_bp <= high else [f"credit rate {credit_bp} bp is outside {low} to {high}"]
    return {"serial_number": serial_number, "registration": number, "state": state, "warnings": warnings}


def review(desk: Desk, serial_number: str) -> Result:
    """Hold the newest form against FIELD_RULES and the papers of its type: approved, or rejected with every reason.

    The first form that is approved is the merchant's contract; a later one renews the data and changes no rate.
    """
    form = _waiting(desk, serial_number)
    needs(desk, PARTNER)
    if found := open_window(desk.policy, desk.at):
        hint = f"it waits until {clock(found[1])}"
        raise AdminError("forms are not reviewed during maintenance", hint=hint, code="maintenance")
    reasons = [{"field": rule.field, "zh": rule.chinese, "en": rule.english} for rule in broken_rules(form)]
    reasons += [
        {"field": paper.kind, "zh": f"缺少{paper.chinese}", "en": f"the {paper.english} is missing"}
        for paper in missing_papers(str(form["merchant_type"]), _filed(desk, str(form["merchant_id"])))
    ]
    return _decide(desk, serial_number, form, reasons)


def reject(desk: Desk, serial_number: str, reason_zh: str, reason_en: str = "") -> Result:
    """Turn the newest form down for a reason that only a reviewer sees; the merchant may hand in another one."""
    desk.line(reason_zh=reason_zh, reason_en=reason_en)
    if not reason_zh:
        raise AdminError("a rejection says why", code="reason")
    reasons = [{"field": "reviewer", "zh": reason_zh, "en": reason_en or reason_zh}]
    return _decide(desk, serial_number, _waiting(desk, serial_number), reasons)


def file_paper(desk: Desk, merchant_id: str, kind: str, reference: str, valid_days: int = 0) -> Result:
    """Note a paper of a merchant's: its kind and reference, and how long it is valid where it runs out."""
    if kind not in PAPERS:
        raise AdminError(f"no paper is called {kind!r}", hint=f"one of {', '.join(PAPERS)}", code="unknown_paper")
    desk.shaped("reference", reference, PAPERS[kind].shape)
    if not 0 <= valid_days <= 10 * DAYS_MAX:
        raise AdminError(f"a paper is valid for 1 to {10 * DAYS_MAX} days, or always", code="days")
    until = desk.at + valid_days * DAY_S if valid_days else None
    row = {"merchant_id": merchant_id, "kind": kind, "reference": reference, "until": until}
    desk.books.write(Insert("documents", {**row, "actor": desk.actor, "at": desk.at}, replace=True))
    if desk.books.merchant(merchant_id):
        changes = {"papers_until": _first_end(desk, merchant_id)}
        desk.books.write(Update("merchants", {"merchant_id": merchant_id}, changes))
    desk.note("", "file paper", f"{merchant_id}: {kind}")
    return papers(desk, merchant_id)


def papers(desk: Desk, merchant_id: str, merchant_type: str = "") -> Result:
    """The papers of a merchant, and those that its type still asks for."""
    merchant = desk.books.merchant(merchant_id)
    kind = merchant_type or (merchant.merchant_type if merchant else desk.policy.registration.merchant_type)
    if kind not in MERCHANT_TYPES:
        raise AdminError(f"no merchant is of type {kind!r}", hint=f"one of {', '.join(MERCHANT_TYPES)}", code="type")
    filed = desk.books.rows("documents", merchant_id=merchant_id)
    missing = [paper.kind for paper in missing_papers(kind, _filed(desk, merchant_id))]
    return {"merchant_id": merchant_id, "merchant_type": kind, "papers": filed, "missing": missing}


def renew_merchant(desk: Desk, merchant_id: str) -> Result:
    """Confirm that a merchant's data still hold; a hold for papers out of date ends, unless a paper has run out."""
    merchant = desk.merchant(merchant_id)
    if merchant.papers_until is not None and merchant.papers_until <= desk.at:
        raise AdminError(f"a paper of {merchant_id} has run out", hint="file the new one first", code="paper_expired")
    changes = {"renewed_at": desk.at, "warned_at": None}
    desk.books.write(Update("merchants", {"merchant_id": merchant_id}, changes))
    desk.note("", "renew merchant", merchant_id)
    return {"merchant_id": merchant_id, "renewed_at": desk.at}


def reregister(
    desk: Desk,
    days: int = 30,
    model: str = "",
    brand: str = "",
    family: str = "",
    merchant_id: str = "",
    region: str = "",
    note: str = "",
) -> Result:
    """Make every terminal in service of a scope register again within some days; after that it waits for its form."""
    if not 0 <= days <= DAYS_MAX:
        raise AdminError(f"a deadline is 0 to {DAYS_MAX} days ahead", code="days")
    desk.line(note=note)
    asked = []
    for terminal in in_scope(desk, model=model, brand=brand, family=family, merchant_id=merchant_id, region=region):
        held = any(each.reason == REGISTRATION for each in desk.books.holds(terminal.serial_number))
        if terminal.state in IN_SERVICE and not held:
            since = desk.at + days * DAY_S
            desk.books.apply(put_on(Hold(0, terminal.serial_number, REGISTRATION, note, desk.actor, since), desk.at))
            asked.append(terminal.serial_number)
    return {"asked": asked, "days": days}


def register(
    desk: Desk,
    terminal_id: str,
    merchant_id: str,
    serial_number: str = "",
    model: str = "PX-E90",
    tmk: str = "",
    name: str = "Lab Shop",
) -> Result:
    """Order, deliver and approve in one go, to attach a device at hand; without a serial number none is asked for."""
    serial = serial_number or f"TID{terminal_id}"
    order(desk, serial, model, merchant_id, terminal_id, tmk)
    ship(desk, serial)
    deliver(desk, serial)
    submit(desk, serial, name, "Lab Contact", "10000000000", "1 Laboratory Road", merchant_type="lab")
    desk.change(desk.terminal(serial), bound=bool(serial_number))
    reasons = review(desk, serial)["reasons"]
    if reasons:
        raise AdminError(f"the form is refused: {reasons}", hint="submit and review it by hand", code="rejected")
    return {"serial_number": serial, "terminal_id": terminal_id, "state": State.REGISTERED}


def _waiting(desk: Desk, serial_number: str) -> dict[str, Any]:
    desk.terminal(serial_number)
    forms = desk.books.rows("registrations", serial_number=serial_number, verdict="")
    if not forms:
        raise AdminError(f"{serial_number} has no form to review", hint="submit one first", code="nothing_to_review")
    return forms[-1]


def _decide(desk: Desk, serial_number: str, form: Mapping[str, Any], reasons: list[dict[str, str]]) -> Result:
    terminal = desk.terminal(serial_number)
    verdict = "rejected" if reasons else "approved"
    told, told_zh = "; ".join(each["en"] for each in reasons), "；".join(each["zh"] for each in reasons)
    row = {**form, "verdict": verdict, "reasons": told, "reasons_zh": told_zh}
    desk.books.write(Insert("registrations", row, replace=True))
    if terminal.state in UNREGISTERED:
        state = desk.step(terminal, Event.REJECT if reasons else Event.APPROVE, why=told, **_dates(desk, reasons))
    else:
        state = terminal.state
        desk.note(serial_number, "review", f"{verdict}: {told}" if told else verdict)
    if not reasons:
        _take_over(desk, terminal, form)
    return {"serial_number": serial_number, "verdict": verdict, "reasons": reasons, "state": state}


def _dates(desk: Desk, reasons: list[dict[str, str]]) -> dict[str, int]:
    if reasons:
        return {}
    deadline_s = desk.policy.activation.deadline_s
    return {"registered_at": desk.at, **({"activate_by": desk.at + deadline_s} if deadline_s else {})}


def _take_over(desk: Desk, terminal: Terminal, form: Mapping[str, Any]) -> None:
    """The merchant's data as approved: a new contract, or a renewed one where the terminal had to register again."""
    merchant_id, again = terminal.merchant_id, terminal.state not in UNREGISTERED
    fresh: dict[str, Any] = {"renewed_at": desk.at, "papers_until": _first_end(desk, merchant_id), "warned_at": None}
    if desk.books.merchant(merchant_id) is None:
        signed = {name: form[name] for name in columns(Merchant("")) if name in form}
        desk.insert("merchants", **{**columns(Merchant("")), **signed, **fresh, "active": True})
    elif again:
        changes = {**{name: form[name] for name in _RENEWED}, **fresh}
        desk.books.write(Update("merchants", {"merchant_id": merchant_id}, changes))
    for held in desk.books.holds(terminal.serial_number) if again else ():
        if held.reason == REGISTRATION:
            desk.books.apply(lift(held, desk.actor, desk.at))


def _filed(desk: Desk, merchant_id: str) -> list[str]:
    """The kinds of paper that are there and valid."""
    rows = desk.books.rows("documents", merchant_id=merchant_id)
    return [str(row["kind"]) for row in rows if row["until"] is None or row["until"] > desk.at]


def _first_end(desk: Desk, merchant_id: str) -> int | None:
    rows = desk.books.rows("documents", merchant_id=merchant_id)
    return min((row["until"] for row in rows if row["until"] is not None), default=None)
