"""Asks for a sale by the code that a customer shows (CUP 3.1, fields 22 and 59).

Rules owned here: the code is scanned like a keyed entry, goes into tag A3 of field 59 and nowhere else: not into the
journal, not on the slip, which has the partner's order number instead.
"""

from __future__ import annotations

from typing import Final

from protocol.fields import F
from terminal.flows.entry import ask_amount, ask_digits
from terminal.flows.transact import make_ready, transact
from terminal.money import amount_fields
from terminal.outcome import Outcome, local
from terminal.session import Session
from terminal.transaction import Transaction

SCANNED: Final = "032"
"""Field 22: a bar code or QR code, and no PIN (CUP 2.1)."""
PAYMENT_CODE: Final = r"[0-9]{16,24}"


async def qr_sale(session: Session) -> Outcome:
    """Sell: the amount and the customer's code."""
    amount_fen = await ask_amount(session)
    if not amount_fen:
        return local("qr_sale", "terminal.amount")
    code = await ask_digits(session, "请扫描付款码", "scan the customer's code", PAYMENT_CODE)
    if not code:
        return local("qr_sale", "terminal.payment_code")
    if refused := await make_ready(session, "qr_sale"):
        return refused
    row = Transaction(
        kind="qr_sale",
        batch=session.book.batch,
        stan=session.book.next_stan,
        amount_fen=amount_fen,
        entry_mode=SCANNED,
    )
    return await transact(session, row, amount_fields(row) | {F.DEVICE: session.device(code)})
