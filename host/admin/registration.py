"""Registration with review by the acquirer (product R2, R4, R5)."""

from __future__ import annotations

from typing import Final

from host.admin.desk import Desk, Result
from host.admin.orders import deliver, order, ship
from host.decision import Insert
from host.errors import AdminError
from host.lifecycle import Event, State
from host.records import Merchant, columns
from host.registration import broken_rules

RATE_BP_MAX: Final = 1_000


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
) -> Result:
    """Hand in the merchant's form for a delivered terminal, with the rates that the merchant signs."""
    terminal = desk.terminal(serial_number)
    if not terminal.terminal_id:
        raise AdminError(
            f"{serial_number} has no terminal id yet", hint="order it for a till, or replace a device by it"
        )
    if not all(0 <= rate_bp <= RATE_BP_MAX for rate_bp in (credit_bp, debit_bp)) or debit_cap_fen < 0:
        raise AdminError(f"a rate is 0 to {RATE_BP_MAX} basis points, a cap no less than nothing", code="rates")
    form = {"name": name, "contact": contact, "telephone": telephone, "address": address}
    desk.line(**form)
    desk.insert(
        "registrations",
        serial_number=serial_number,
        merchant_id=terminal.merchant_id,
        at=desk.at,
        credit_bp=credit_bp,
        debit_bp=debit_bp,
        debit_cap_fen=debit_cap_fen,
        **form,
    )
    number = desk.books.rows("registrations", serial_number=serial_number)[-1]["number"]
    state = desk.step(terminal, Event.SUBMIT)
    low, high = desk.policy.fee_band_bp
    warnings = [] if low <= credit_bp <= high else [f"credit rate {credit_bp} bp is outside {low} to {high}"]
    return {"serial_number": serial_number, "registration": number, "state": state, "warnings": warnings}


def review(desk: Desk, serial_number: str) -> Result:
    """Hold the newest form against FIELD_RULES: approved, or rejected with every reason.

    The first form that is approved is the merchant's contract; a later one changes no rate (product decision 8).
    """
    terminal = desk.terminal(serial_number)
    forms = desk.books.rows("registrations", serial_number=serial_number, verdict="")
    if not forms:
        raise AdminError(f"{serial_number} has no form to review", hint="submit one first", code="nothing_to_review")
    form = forms[-1]
    reasons = [{"field": rule.field, "zh": rule.chinese, "en": rule.english} for rule in broken_rules(form)]
    verdict = "rejected" if reasons else "approved"
    told = "; ".join(reason["en"] for reason in reasons)
    state = desk.step(terminal, Event.REJECT if reasons else Event.APPROVE, why=told)
    desk.books.write(Insert("registrations", {**form, "verdict": verdict, "reasons": told}, replace=True))
    if not reasons and desk.books.merchant(terminal.merchant_id) is None:
        signed = {name: form[name] for name in columns(Merchant("")) if name in form}
        desk.insert("merchants", **signed, active=True)
    return {"serial_number": serial_number, "verdict": verdict, "reasons": reasons, "state": state}


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
    submit(desk, serial, name, "Lab Contact", "10000000000", "1 Laboratory Road")
    desk.change(desk.terminal(serial), bound=bool(serial_number))
    reasons = review(desk, serial)["reasons"]
    if reasons:
        raise AdminError(f"the form is refused: {reasons}", hint="submit and review it by hand", code="rejected")
    return {"serial_number": serial, "terminal_id": terminal_id, "state": State.REGISTERED}
