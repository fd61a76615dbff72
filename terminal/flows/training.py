"""Lets a cashier practise (product X13).

Rules owned here: TABLE PRACTISED, what may be practised; all other business waits until training is over; what is
practised is neither sent nor journaled, takes no STAN, and says on screen and slip what it is. Money that is unresolved
from before is still brought to its end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from protocol.kinds import KINDS
from terminal.money import flow_of
from terminal.outcome import Outcome, done, local
from terminal.receipts import practice_slip
from terminal.records import TrainingSet
from terminal.session import Session
from terminal.transaction import Transaction

FLOW: Final = "training"
ON_OFF: Final = {"on": True, "off": False}
PRACTISED: Final = frozenset({"sale", "refund", "qr_sale", "moto_sale", "preauth"})
BARRED: Final = frozenset({"void", "balance", "settle"})
"""What waits besides any other flow that moves money."""


def is_barred(flow: str) -> bool:
    """Whether a flow waits until training is over."""
    moves_money = flow in KINDS and KINDS[flow].moves_money
    return flow in BARRED or (moves_money and flow not in PRACTISED)


async def training(session: Session) -> Outcome:
    """Begin to practise, or end it. Raises EntryTimeout, EntryCancelled."""
    session.show("培训模式 on/off", "training mode: on or off")
    word = await session.board.keypad.read(session.settings.entry_timeout_s)
    if word not in ON_OFF:
        return local(FLOW, "terminal.entry")
    on = ON_OFF[word]
    if on != session.book.training:
        session.note("training", word)
        session.journal.append(TrainingSet(on=on))
    if on:
        return done(FLOW, "培训模式已开启，交易不会上送", "training has begun: nothing is sent", training=word)
    return done(FLOW, "培训模式已结束", "training is over", training=word)


def practise(session: Session, row: Transaction) -> Outcome:
    """How a transaction would have ended; nobody but the cashier hears of it."""
    now = session.board.clock.now()
    chinese, english = practice_slip(
        row.model_copy(update={"date": f"{now:%m%d}", "time": f"{now:%H%M%S}"}), session.settings
    )
    told = done(
        flow_of(row), f"培训：{row.row.chinese}未上送", f"TRAINING: {row.row.english} was not sent", training="on"
    )
    return replace(told, amount_fen=row.amount_fen, receipt_zh=chinese, receipt_en=english)
