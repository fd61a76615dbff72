"""What a merchant settles with the acquirer besides sales: bound card, limits, deposit (product A3, A4, A5)."""

from __future__ import annotations

from typing import Final

from host import postings
from host.activation import activation
from host.admin.desk import Desk, Result
from host.admin.loans import on_loan_fen
from host.decision import Update
from host.errors import AdminError
from host.lifecycle import IN_SERVICE
from protocol.checks import luhn_ok
from protocol.describe import mask_pan
from protocol.money import yuan

LIMIT_MAX_FEN: Final = 10**12 - 1
COUNT_MAX: Final = 100_000


def bind_card(desk: Desk, merchant_id: str, pan: str) -> Result:
    """Bind the card to which a merchant is paid; only its mask is kept. Terminals that waited for it are activated."""
    desk.merchant(merchant_id)
    if not (pan.isascii() and pan.isdecimal() and 13 <= len(pan) <= 19 and luhn_ok(pan)):
        raise AdminError("a card number has 13 to 19 digits, the last of which checks the others", code="pan")
    return _change(desk, merchant_id, "bind card", mask_pan(pan), payout_card=mask_pan(pan))


def set_limits(desk: Desk, merchant_id: str, single_fen: int = 0, daily_fen: int = 0, daily_count: int = 0) -> Result:
    """Set a merchant's own limits, 0 for those of the policy. Terminals that waited for them are activated."""
    desk.merchant(merchant_id)
    limits = {"single_fen": single_fen, "daily_fen": daily_fen, "daily_count": daily_count}
    for name, limit in limits.items():
        if not 0 <= limit <= (COUNT_MAX if name == "daily_count" else LIMIT_MAX_FEN):
            raise AdminError("a limit is no less than nothing", code="limits", field=name)
    if daily_fen and single_fen > daily_fen:
        raise AdminError("a single sale cannot exceed the day", hint="raise the daily limit", code="limits")
    told = f"single {yuan(single_fen)}, daily {yuan(daily_fen)}, {daily_count} a day"
    return _change(desk, merchant_id, "set limits", told, **limits)


def deposit(desk: Desk, merchant_id: str, amount_fen: int) -> Result:
    """Take a deposit from a merchant, or give some back where the amount is below nothing, never more than is free."""
    desk.merchant(merchant_id)
    before_fen = desk.books.balance_fen(postings.deposited(merchant_id))
    free_fen = before_fen - on_loan_fen(desk, merchant_id)
    if not amount_fen or abs(amount_fen) > LIMIT_MAX_FEN or amount_fen < -max(0, free_fen):
        hint = f"{yuan(before_fen)} yuan are there, {yuan(max(0, free_fen))} of them free"
        raise AdminError(f"{yuan(amount_fen)} yuan cannot be moved", hint=hint, code="amount")
    desk.books.write(postings.deposit(merchant_id, amount_fen, desk.at))
    desk.note("", "deposit", f"{merchant_id}: {yuan(amount_fen)} yuan")
    return {"merchant_id": merchant_id, "deposit_fen": before_fen + amount_fen}


def merchants(desk: Desk, merchant_id: str = "") -> Result:
    """Merchants with their data, limits, dates and deposit."""
    matches = {"merchant_id": merchant_id} if merchant_id else {}
    rows = desk.books.rows("merchants", **matches)
    deposits = [desk.books.balance_fen(postings.deposited(str(row["merchant_id"]))) for row in rows]
    return {"merchants": [{**row, "deposit_fen": fen} for row, fen in zip(rows, deposits, strict=True)]}


def _change(desk: Desk, merchant_id: str, act: str, told: str, **changes: object) -> Result:
    desk.books.write(Update("merchants", {"merchant_id": merchant_id}, changes))
    desk.note("", act, f"{merchant_id}: {told}")
    return {"merchant_id": merchant_id, **changes, "activated": _activate(desk, merchant_id)}


def _activate(desk: Desk, merchant_id: str) -> list[str]:
    """Activate the terminals of a merchant that only waited for this (product A3)."""
    figures, merchant, activated = desk.policy.activation, desk.merchant(merchant_id), []
    for row in desk.books.rows("terminals", merchant_id=merchant_id):
        terminal = desk.terminal(str(row["serial_number"]))
        turnover_fen = desk.books.turnover_fen(terminal, figures.reading)
        if terminal.state not in IN_SERVICE:
            continue
        if writes := activation(terminal, merchant, turnover_fen, figures, desk.at, desk.actor):
            desk.books.apply(writes)
            activated.append(terminal.serial_number)
    return activated
