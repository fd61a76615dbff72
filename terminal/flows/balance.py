"""Asks what is on a card, and shows it; nothing but the STAN is journaled (CUP 2.4, 3.1)."""

from __future__ import annotations

from protocol.errors import DecodeError
from protocol.fields import F
from protocol.money import yuan
from protocol.private import Balance
from terminal.emv_kernel import PinRule
from terminal.explain import unapproved
from terminal.flows.entry import ask_card, ask_pin
from terminal.flows.purchase import entry_mode, presented_fields
from terminal.flows.transact import make_ready
from terminal.money import NORMAL, RENMINBI, chip_answer
from terminal.outcome import Outcome, done, local
from terminal.session import Reply, Session


async def balance(session: Session) -> Outcome:
    """Show the cardholder what the issuer says is there. Raises CardError while nothing was sent."""
    card = await ask_card(session, 0, exempt=False)
    with_pin = await ask_pin(session, card.pin)
    if card.pin is PinRule.REQUIRED and not with_pin:
        return local("balance", "terminal.pin_required")
    if stopped := await make_ready(session, "balance"):
        return stopped
    if card.chip:
        card.chip.request(session.book.next_stan, with_pin=with_pin)
    answer = await session.ask(
        "balance",
        {
            F.ENTRY_MODE: entry_mode(card, with_pin=with_pin),
            F.CONDITION_CODE: NORMAL,
            F.CURRENCY: RENMINBI,
            **presented_fields(session, card, with_pin=with_pin),
        },
        stan=session.take_stan(),
        capability=card.capability,
    )
    if card.chip:
        approved = isinstance(answer, Reply) and answer.response.approved
        card.chip.complete(chip_answer(answer), approved=approved, answered=isinstance(answer, Reply))
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, "balance", answer)
    return _told(answer) if session.believes(answer) else local("balance", "terminal.bad_reply")


def _told(reply: Reply) -> Outcome:
    try:
        amount_fen = Balance.parse(reply.message.text(F.ADDITIONAL_AMOUNT)).amount_fen
    except DecodeError:
        return local("balance", "terminal.bad_reply")
    told = yuan(amount_fen)
    return done("balance", f"可用余额{told}元", f"{told} yuan are available", balance_fen=str(amount_fen))
