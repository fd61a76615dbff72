"""Asks for what undoes a sale: void, refund, reversal; and lets a supervisor drop a reversal (CUP 7.19, decision 2).

Rules owned here: TABLE VOIDS, what a void may be about and which kind it is then.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from terminal.flows.entry import ask_amount, ask_card, ask_digits
from terminal.flows.original import about, ask_stan, find_original
from terminal.flows.purchase import card_columns, entry_mode
from terminal.flows.resolve import resolve
from terminal.flows.transact import make_ready, transact
from terminal.money import fields_of
from terminal.outcome import Outcome, done, local
from terminal.records import Moved
from terminal.session import Session
from terminal.transaction import UNKNOWN_NUMBER, Event, Transaction

# flow -> kind of the original -> kind of its void
VOIDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "void": {
            **dict.fromkeys(("sale", "qr_sale", "offline_sale", "offline_adjustment", "tip_adjustment"), "sale_void"),
            "moto_sale": "moto_sale_void",
        },
        "completion_void": dict.fromkeys(("completion", "completion_advice"), "completion_void"),
    }
)


async def void(session: Session) -> Outcome:
    """Take back a captured sale of the open batch, whole, by its STAN."""
    return await _void(session, "void")


async def completion_void(session: Session) -> Outcome:
    """Take back a completion of the open batch, whole, by its STAN; its hold ends with it."""
    return await _void(session, "completion_void")


async def _void(session: Session, flow: str) -> Outcome:
    stan = await ask_stan(session)
    if not stan:
        return local(flow, "terminal.entry")
    if refused := await make_ready(session, flow):
        return refused
    original = find_original(session, flow, stan, VOIDS[flow], Event.VOID)
    if isinstance(original, Outcome):
        return original
    row = about(session, original, VOIDS[flow][original.kind], original.amount_fen)
    return await transact(session, row, fields_of(session, row))


async def refund(session: Session) -> Outcome:
    """Give back money of a settled sale: amount, the card, the original's reference number and date MMDD."""
    amount_fen = await ask_amount(session)
    if not amount_fen:
        return local("refund", "terminal.amount")
    card = await ask_card(session, amount_fen)
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
        **card_columns(session, card),
        original_batch=UNKNOWN_NUMBER,
        original_stan=UNKNOWN_NUMBER,
        original_date=date,
        original_rrn=rrn,
    )
    return await transact(session, row, fields_of(session, row))


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
