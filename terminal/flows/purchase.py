"""Asks for a sale (CUP 3.1, 3.5)."""

from __future__ import annotations

from typing import Final

from firmware_sim.cards import Card
from protocol.crypto.pinblock import PIN_DIGITS_MAX
from protocol.describe import mask_pan
from protocol.elements import Value
from protocol.fields import F
from terminal.flows.entry import ask_amount, ask_card, ask_pin
from terminal.flows.transact import make_ready, transact
from terminal.money import amount_fields, seal_card
from terminal.outcome import Outcome, local
from terminal.session import Session
from terminal.transaction import Transaction

# whether there is a PIN -> digit 3 of field 22 (CUP 2.1), field 53 (CUP 2.3)
ENTRY_WITH_PIN: Final = {True: "1", False: "2"}
SECURITY: Final = {True: "2600000000000000", False: "0600000000000000"}


async def sale(session: Session) -> Outcome:
    """Sell: the amount at the keypad, the card at the reader, the PIN into the secure module."""
    if not session.journal.has_room(session.settings.journal_limit):
        return local("sale", "terminal.journal_full")
    amount_fen = await ask_amount(session)
    if not amount_fen:
        return local("sale", "terminal.amount")
    card = await ask_card(session)
    with_pin = await ask_pin(session)
    if refused := await make_ready(session, "sale"):
        return refused
    row = Transaction(
        kind="sale",
        batch=session.book.batch,
        stan=session.book.next_stan,
        amount_fen=amount_fen,
        entry_mode=entry_mode(card, with_pin=with_pin),
        card=mask_pan(card.pan),
        card_sealed=seal_card(session, card),
    )
    return await transact(session, row, amount_fields(row) | _card_fields(session, card, with_pin=with_pin))


def entry_mode(card: Card, *, with_pin: bool) -> str:
    """Field 22 (CUP 2.1)."""
    return card.entry_mode.value + ENTRY_WITH_PIN[with_pin]


def _card_fields(session: Session, card: Card, *, with_pin: bool) -> dict[int, Value]:
    fields: dict[int, Value] = {
        F.PAN: card.pan,
        F.EXPIRY: card.expiry,
        F.TRACK2: card.track2,
        F.SECURITY: SECURITY[with_pin],
    }
    if with_pin:
        fields[F.PIN_CAPTURE] = str(PIN_DIGITS_MAX)
        fields[F.PIN_BLOCK] = session.board.secure_module.pin_block(card.pan)
    return fields
