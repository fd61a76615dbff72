"""Sells without the host below the floor limit, and changes the amount of what was sold (CUP 3.1, 2.6, 7.12 to 7.14).

Rules owned here: an offline sale is in the journal before anybody is told, keeps what the upload needs and no more, and
is refused while anything else is unresolved (decision 4), above the floor limit, for a card that needs its issuer, and
where too many wait already; a chip must prove itself and make a TC; ``resolve`` uploads it before anything else goes
on. TABLE ADJUSTABLE: what an adjustment may be about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from terminal.emv_kernel import PinRule
from terminal.flows.entry import Presented, ask_amount, ask_card
from terminal.flows.original import about, ask_stan, find_original
from terminal.flows.purchase import card_columns, entry_mode
from terminal.flows.transact import make_ready, not_now, transact
from terminal.money import approval, fields_of
from terminal.outcome import Outcome, local
from terminal.records import Opened
from terminal.session import Session
from terminal.transaction import UNKNOWN_NUMBER, Event, State, Transaction

ADJUSTABLE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {"offline_adjustment": frozenset({"offline_sale"}), "tip_adjustment": frozenset({"sale"})}
)


async def offline_sale(session: Session) -> Outcome:
    """Sell without asking anybody; the host hears of it with the next business. Raises CardError."""
    if reason := not_now(session) or _not_now(session):
        return local("offline_sale", reason)
    amount_fen = await ask_amount(session)
    if not amount_fen:
        return local("offline_sale", "terminal.amount")
    if amount_fen > session.settings.offline_limit_fen:
        return local("offline_sale", "terminal.above_floor_limit")
    card = await ask_card(session, amount_fen, offline=True)
    now = session.board.clock.now()
    if reason := _not_this(card, f"{now:%y%m}"):
        return local("offline_sale", reason)
    stan = session.book.next_stan
    if card.chip and not card.chip.approves(stan):
        return local("offline_sale", "terminal.offline_declined", chip=card.chip.kept, why=card.chip.fault)
    row = Transaction(
        kind="offline_sale",
        state=State.OFFLINE,
        batch=session.book.batch,
        stan=stan,
        amount_fen=amount_fen,
        entry_mode=entry_mode(card, with_pin=False),
        **card_columns(session, card),
        chip=card.chip.kept if card.chip else "",
        original_batch=UNKNOWN_NUMBER,
        original_stan=UNKNOWN_NUMBER,
        original_date=f"{now:%m%d}",
        date=f"{now:%m%d}",
        time=f"{now:%H%M%S}",
    )
    session.journal.append(Opened(row=row))
    outcome = approval(session, row)
    return replace(outcome, text_zh=f"{outcome.text_zh}，待上送", text_en=f"{outcome.text_en}, to be uploaded")


async def offline_adjustment(session: Session) -> Outcome:
    """Change the amount of an offline sale of the open batch, by its STAN."""
    return await _adjust(session, "offline_adjustment")


async def tip_adjustment(session: Session) -> Outcome:
    """Add a tip to a sale of the open batch, by its STAN and the amount with the tip."""
    return await _adjust(session, "tip_adjustment")


async def _adjust(session: Session, kind: str) -> Outcome:
    stan = await ask_stan(session)
    if not stan:
        return local(kind, "terminal.entry")
    amount_fen = await ask_amount(session)
    if not amount_fen:
        return local(kind, "terminal.amount")
    if refused := await make_ready(session, kind):
        return refused
    original = find_original(session, kind, stan, ADJUSTABLE[kind], Event.ADJUST)
    if isinstance(original, Outcome):
        return original
    row = about(session, original, kind, amount_fen)
    row = row.model_copy(update={"card_sealed": original.card_sealed, "sequence": original.sequence})
    return await transact(session, row, fields_of(session, row))


def _not_now(session: Session) -> str:
    """Why nothing can be sold offline now, a row of LOCAL; empty where it can."""
    book, settings = session.book, session.settings
    waiting = [row for row in book.unresolved if row.state is State.OFFLINE]
    if len(waiting) < len(book.unresolved):
        return "terminal.reversal_pending"
    if book.settling:
        return "terminal.settlement_pending"
    if not session.is_signed_on:
        return "terminal.not_signed_on"
    if len(waiting) >= settings.offline_max:
        return "terminal.offline_full"
    return "" if session.journal.has_room(settings.journal_limit) else session.journal.no_room


def _not_this(card: Presented, month: str) -> str:
    """Why this card cannot be taken offline in a month YYMM; empty where it can."""
    if card.pin is PinRule.REQUIRED:
        return "terminal.online_only"
    return "terminal.card_expired" if card.expiry < month else ""
