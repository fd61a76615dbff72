"""Asks for a sale by mail or telephone: number and expiry are keyed, where the shop may do so (CUP 3.1, 7.20)."""

from __future__ import annotations

from typing import Final

from protocol.checks import luhn_ok
from protocol.describe import mask_pan
from terminal.flows.entry import ask_amount, ask_digits, check_taken
from terminal.flows.transact import make_ready, transact
from terminal.money import fields_of, seal_card
from terminal.outcome import Outcome, local
from terminal.session import Session
from terminal.transaction import Transaction

KEYED: Final = "012"
"""Field 22: a number by hand, and no PIN (CUP 2.1)."""
PAN: Final = r"[0-9]{13,19}"
EXPIRY: Final = r"[0-9]{2}(0[1-9]|1[0-2])"


async def moto_sale(session: Session) -> Outcome:
    """Sell to somebody who is not there; raises as ``ask_amount``, and CardError for a card that is not taken."""
    if not session.settings.manual_entry:
        return local("moto_sale", "terminal.no_manual_entry")
    amount_fen = await ask_amount(session)
    if not amount_fen:
        return local("moto_sale", "terminal.amount")
    pan = await ask_digits(session, "请输入卡号", "enter the card number", PAN)
    expiry = await ask_digits(session, "请输入有效期YYMM", "enter the expiry, YYMM", EXPIRY)
    if not pan or not expiry or not luhn_ok(pan):
        return local("moto_sale", "terminal.entry")
    check_taken(session, pan)
    if refused := await make_ready(session, "moto_sale"):
        return refused
    row = Transaction(
        kind="moto_sale",
        batch=session.book.batch,
        stan=session.book.next_stan,
        amount_fen=amount_fen,
        entry_mode=KEYED,
        card=mask_pan(pan),
        card_sealed=seal_card(session, pan, expiry),
    )
    return await transact(session, row, fields_of(session, row))
