"""Finds the transaction of the open batch that a void or an adjustment is about, and makes the row that names it."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from terminal.flows.entry import ask_digits
from terminal.outcome import Outcome, local
from terminal.session import Session
from terminal.transaction import TRANSITIONS, Event, Transaction

NO_CARD: Final = "002"
"""Field 22 of a request for which no card was read (CUP 2.1)."""


async def ask_stan(session: Session) -> str:
    """The STAN of an earlier transaction, six digits, "" for what is none; raises EntryTimeout, EntryCancelled."""
    stan = await ask_digits(session, "请输入原凭证号", "enter the STAN of the sale", r"[0-9]{1,6}")
    return stan and stan.zfill(6)


def find_original(session: Session, flow: str, stan: str, kinds: Container[str], event: Event) -> Transaction | Outcome:
    """The row of one of ``kinds`` that ``event`` may still move, else the refusal of ``flow``."""
    original = session.book.find(stan)
    if original is None or original.kind not in kinds:
        return local(flow, "terminal.original_not_found")
    if event not in TRANSITIONS[original.state] or not original.rrn:
        return local(flow, "terminal.original_undone", state=original.state)
    return original


def about(session: Session, original: Transaction, kind: str, amount_fen: int) -> Transaction:
    """A new row of ``kind`` that names ``original``; without a card of its own."""
    return Transaction(
        kind=kind,
        batch=session.book.batch,
        stan=session.book.next_stan,
        amount_fen=amount_fen,
        entry_mode=NO_CARD,
        card=original.card,
        original_batch=original.batch,
        original_stan=original.stan,
        original_date=original.date,
        original_rrn=original.rrn,
        original_auth_id=original.auth_id,
    )
