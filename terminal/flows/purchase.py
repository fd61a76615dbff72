"""Asks for what a card pays or holds, by swipe, chip or tap: the route of all of it (CUP 3.1, 3.5, 7.9)."""

from __future__ import annotations

from typing import Final

from protocol.describe import mask_pan
from protocol.elements import Value
from protocol.fields import F
from terminal.emv_kernel import PinRule
from terminal.flows.entry import Presented, ask_amount, ask_card, ask_hold, ask_pin
from terminal.flows.training import practise
from terminal.flows.transact import make_ready, transact
from terminal.money import fields_of, seal_card
from terminal.outcome import Outcome, local
from terminal.security import security_fields
from terminal.session import Session
from terminal.transaction import Transaction

# whether there is a PIN -> digit 3 of field 22 (CUP 2.1)
ENTRY_WITH_PIN: Final = {True: "1", False: "2"}
ABOUT_HOLD: Final = frozenset({"additional_preauth"})
"""Kinds that name the pre-authorisation that they are about."""
EXEMPT: Final = frozenset({"sale"})
"""Kinds for which a small tap needs no PIN (CUP 7.9)."""


async def sale(session: Session) -> Outcome:
    """Sell; raises as ``pay``."""
    return await pay(session, "sale")


async def pay(session: Session, kind: str) -> Outcome:
    """Ask for a ``kind`` that a card pays for, or will; the flow has the same name.

    The amount comes from the keypad, the card from the reader, the PIN goes into the secure module. Raises CardError
    while nothing was sent.
    """
    if not session.journal.has_room(session.settings.journal_limit):
        return local(kind, session.journal.no_room)
    amount_fen = await ask_amount(session)
    if not amount_fen:
        return local(kind, "terminal.amount")
    card = await ask_card(session, amount_fen, exempt=kind in EXEMPT)
    hold = await ask_hold(session) if kind in ABOUT_HOLD else None
    if hold and not all(hold):
        return local(kind, "terminal.entry")
    with_pin = await ask_pin(session, card.pin)
    if card.pin is PinRule.REQUIRED and not with_pin:
        return local(kind, "terminal.pin_required")
    if refused := await make_ready(session, kind):
        return refused
    stan = session.book.next_stan
    if card.chip:
        card.chip.request(stan, with_pin=with_pin)
    row = Transaction(
        kind=kind,
        batch=session.book.batch,
        stan=stan,
        amount_fen=amount_fen,
        entry_mode=entry_mode(card, with_pin=with_pin),
        capability=card.capability,
        **card_columns(session, card),
        chip=card.chip.kept if card.chip else "",
        **(session.book.about_hold(*hold) if hold else {}),
    )
    if session.book.training:
        return practise(session, row)
    fields = fields_of(session, row) | presented_fields(session, card, with_pin=with_pin)
    return await transact(session, row, fields, card.chip)


def entry_mode(card: Presented, *, with_pin: bool) -> str:
    """Field 22 (CUP 2.1)."""
    return card.entry_mode.value + ENTRY_WITH_PIN[with_pin]


def card_columns(session: Session, card: Presented) -> dict[str, str]:
    """What a row keeps of a card."""
    return {
        "card": mask_pan(card.pan),
        "card_sealed": seal_card(session, card.pan, card.expiry),
        "sequence": card.sequence,
    }


def presented_fields(session: Session, card: Presented, *, with_pin: bool) -> dict[int, Value]:
    """What a card and its holder add to a request (CUP 3.5); the PIN leaves the secure entry."""
    fields: dict[int, Value] = {
        F.PAN: card.pan,
        F.EXPIRY: card.expiry,
        **security_fields(session, card.pan, card.track2, with_pin=with_pin),
    }
    if card.chip:
        fields |= {F.PAN_SEQUENCE: card.sequence, F.ICC: card.chip.field_55()}
    return fields
