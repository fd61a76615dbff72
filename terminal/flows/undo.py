"""Asks for what undoes a sale: void, refund, reversal; and lets a supervisor drop a reversal (CUP 7.19, decision 2)."""

from __future__ import annotations

from typing import Final

from protocol.describe import mask_pan
from terminal.flows.entry import ask_amount, ask_card, ask_digits
from terminal.flows.purchase import entry_mode
from terminal.flows.resolve import resolve
from terminal.flows.transact import make_ready, transact
from terminal.money import seal_card, undo_fields
from terminal.outcome import Outcome, done, local
from terminal.records import Moved
from terminal.session import Session
from terminal.transaction import TRANSITIONS, Event, Transaction

NO_CARD: Final = "002"
UNKNOWN: Final = "000000"


async def void(session: Session) -> Outcome:
    """Take back a captured sale of the open batch, whole, by its STAN."""
    stan = await ask_digits(session, "请输入原凭证号", "enter the STAN of the sale", r"[0-9]{1,6}")
    if not stan:
        return local("void", "terminal.entry")
    if refused := await make_ready(session, "void"):
        return refused
    original = session.book.find(stan.zfill(6))
    if original is None or original.kind != "sale":
        return local("void", "terminal.original_not_found")
    if Event.VOID not in TRANSITIONS[original.state] or not original.rrn:
        return local("void", "terminal.original_undone", state=original.state)
    row = Transaction(
        kind="sale_void",
        batch=session.book.batch,
        stan=session.book.next_stan,
        amount_fen=original.amount_fen,
        entry_mode=NO_CARD,
        card=original.card,
        original_batch=original.batch,
        original_stan=original.stan,
        original_date=original.date,
        original_rrn=original.rrn,
        original_auth_id=original.auth_id,
    )
    return await transact(session, row, undo_fields(session, row))


async def refund(session: Session) -> Outcome:
    """Give back money of a settled sale: amount, the card, the original's reference number and date MMDD."""
    amount_fen = await ask_amount(session)
    if not amount_fen:
        return local("refund", "terminal.amount")
    card = await ask_card(session)
    rrn = await ask_digits(session, "请输入原参考号", "enter the reference number of the sale", r"[0-9A-Z]{12}")
    date = await ask_digits(session, "请输入原交易日期MMDD", "enter the date of the sale, MMDD", r"[0-9]{4}")
    if not rrn or not date:
        return local("refund", "terminal.entry")
    if refused := await make_ready(session, "refund"):
        return refused
    row = Transaction(
        kind="refund",
        batch=session.book.batch,
        stan=session.book.next_stan,
        amount_fen=amount_fen,
        entry_mode=entry_mode(card, with_pin=False),
        card=mask_pan(card.pan),
        card_sealed=seal_card(session, card),
        original_batch=UNKNOWN,
        original_stan=UNKNOWN,
        original_date=date,
        original_rrn=rrn,
    )
    return await transact(session, row, undo_fields(session, row))


async def reverse(session: Session) -> Outcome:
    """Resolve now what is unresolved."""
    if pending := await resolve(session, "reverse"):
        return pending
    return done("reverse", "没有未完成的冲正", "nothing is pending")


async def clear_reversal(session: Session) -> Outcome:
    """Drop what is unresolved, by a supervisor: the audit trail keeps it and the display warns (decision 2)."""
    unresolved = session.book.unresolved
    if not unresolved:
        return local("clear_reversal", "terminal.nothing_to_clear")
    for row in unresolved:
        session.note("reversal cleared", f"{row.kind} {row.batch}/{row.stan} {row.amount_fen} fen, was {row.state}")
        session.journal.append(Moved(batch=row.batch, stan=row.stan, event=Event.CLEAR))
        session.show(f"警报：冲正{row.stan}已由主管清除", f"alarm: a supervisor cleared {row.stan}")
    cleared = ",".join(row.stan for row in unresolved)
    return done("clear_reversal", "冲正已清除，请人工对账", "cleared; reconcile it with the acquirer", stans=cleared)
