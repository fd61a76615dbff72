"""Asks for the pre-authorisation family: hold, more of it, its end by cancel or completion (CUP 3.1, 3.5).

Rules owned here: what is about a hold names it by authorisation id, date and card, since a hold outlives its batch;
the card is presented again, its chip is only read. How much may be completed, and until when, the host knows (M9).
"""

from __future__ import annotations

from terminal.flows.entry import ask_amount, ask_card, ask_hold
from terminal.flows.purchase import card_columns, entry_mode, pay
from terminal.flows.transact import make_ready, transact
from terminal.money import fields_of
from terminal.outcome import Outcome, local
from terminal.session import Session
from terminal.transaction import Transaction


async def preauth(session: Session) -> Outcome:
    """Hold an amount: as a sale, but no money moves. Raises CardError while nothing was sent."""
    return await pay(session, "preauth")


async def additional_preauth(session: Session) -> Outcome:
    """Hold more for a pre-authorisation that stands. Raises CardError while nothing was sent."""
    return await pay(session, "additional_preauth")


async def preauth_void(session: Session) -> Outcome:
    """Let go of a hold, whole. Raises CardError while nothing was sent."""
    return await _end(session, "preauth_void")


async def completion(session: Session) -> Outcome:
    """Take what a hold is for, by request. Raises CardError while nothing was sent."""
    return await _end(session, "completion")


async def completion_advice(session: Session) -> Outcome:
    """The same by an advice, which is sent until it is answered. Raises CardError while nothing was sent."""
    return await _end(session, "completion_advice")


async def _end(session: Session, kind: str) -> Outcome:
    amount_fen = await ask_amount(session)
    if not amount_fen:
        return local(kind, "terminal.amount")
    card = await ask_card(session, amount_fen)
    auth_id, date = await ask_hold(session)
    if not auth_id or not date:
        return local(kind, "terminal.entry")
    if refused := await make_ready(session, kind):
        return refused
    row = Transaction(
        kind=kind,
        batch=session.book.batch,
        stan=session.book.next_stan,
        amount_fen=amount_fen,
        entry_mode=entry_mode(card, with_pin=False),
        **card_columns(session, card),
        **session.book.about_hold(auth_id, date),
    )
    return await transact(session, row, fields_of(session, row))
