"""What all money requests share: their fields, the judgement of their replies, and what the cashier is told.

Rules owned here: what a reply means is durable before anybody is told (M4); doubt is told as unknown; a slip is made
of the book's row, after it was captured.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from firmware_sim.cards import Card
from protocol.elements import Value
from protocol.fields import F
from protocol.private import Original
from terminal.outcome import Outcome, local
from terminal.receipts import slips
from terminal.records import Moved
from terminal.session import Reply, Session, Silence, refused
from terminal.transaction import SILENCE, Event, Judgement, Mac, Transaction, in_doubt, judge

RENMINBI: Final = "156"
NORMAL: Final = "00"
FLOW_OF: Final = {"sale": "sale", "sale_void": "void", "refund": "refund"}


def seal_card(session: Session, card: Card) -> str:
    """What the journal keeps of a card until settlement: PAN and expiry, sealed, as hex; never a track or a PIN."""
    return session.board.secure_module.seal(json.dumps([card.pan, card.expiry]).encode()).hex()


def unseal_card(session: Session, row: Transaction) -> tuple[str, str]:
    """PAN and expiry of a row; raises KeyLoadError on another device's journal."""
    pan, expiry = json.loads(session.board.secure_module.unseal(bytes.fromhex(row.card_sealed)))
    return pan, expiry


def amount_fields(row: Transaction) -> dict[int, Value]:
    """The fields that a request and its reversal have in common (CUP 7.3)."""
    return {
        F.AMOUNT: f"{row.amount_fen:012d}",
        F.ENTRY_MODE: row.entry_mode,
        F.CONDITION_CODE: NORMAL,
        F.CURRENCY: RENMINBI,
        **original_fields(row),
    }


def original_fields(row: Transaction) -> dict[int, Value]:
    """Field 61, where the transaction is about another one (CUP 2.6)."""
    if not row.original_stan:
        return {}
    return {F.ORIGINAL: str(Original(row.original_batch, row.original_stan, row.original_date))}


def undo_fields(session: Session, row: Transaction) -> dict[int, Value]:
    """The fields of a void or a refund; all from the row, so that a refund can be sent again as it was."""
    fields = amount_fields(row) | {F.RRN: row.original_rrn}
    if row.original_auth_id:
        fields[F.AUTH_ID] = row.original_auth_id
    return {**fields, **card_fields(session, row)}


def card_fields(session: Session, row: Transaction) -> dict[int, Value]:
    """PAN and expiry, where the journal keeps them: the host compares them with what it is to undo (M11)."""
    if not row.card_sealed:
        return {}
    pan, expiry = unseal_card(session, row)
    return {F.PAN: pan, F.EXPIRY: expiry}


def take(session: Session, row: Transaction, answer: Reply | Silence) -> Outcome:
    """Write down what the answer to ``row`` means, and return what to tell."""
    flow = FLOW_OF[row.kind]
    judgement, known = _judged(session, row, answer), _known(answer)
    if judgement.event is not Event.RESEND:
        session.journal.append(
            Moved(batch=row.batch, stan=row.stan, event=judgement.event, reason=judgement.reason, **known)
        )
    if judgement.event is Event.APPROVE:
        return _approved(session, session.book.rows[row.key])
    if isinstance(answer, Silence):
        outcome = replace(local(flow, "terminal.no_answer"), result="unknown")
    elif judgement.event in (Event.RESEND, Event.DOUBT):
        outcome = replace(local(flow, "terminal.bad_reply"), code=answer.response.code)
    else:
        outcome = refused(flow, answer)
    return replace(outcome, stan=row.stan, amount_fen=row.amount_fen)


def _judged(session: Session, row: Transaction, answer: Reply | Silence) -> Judgement:
    if isinstance(answer, Silence):
        return in_doubt(row.row, SILENCE)
    return judge(
        row.row,
        approved=answer.response.approved,
        leaves_doubt=answer.response.leaves_doubt,
        mac=answer.mac,
        decline_needs_mac=session.settings.decline_mac == "required",
    )


def _known(answer: Reply | Silence) -> dict[str, str]:
    """What the book may learn from a reply: what nobody proved is not written down, but for the code."""
    if isinstance(answer, Silence):
        return {}
    names = {"rrn": F.RRN, "auth_id": F.AUTH_ID, "date": F.LOCAL_DATE, "time": F.LOCAL_TIME}
    told = {name: answer.message.text(number) for name, number in names.items()}
    return {"code": answer.response.code, **(told if answer.mac is Mac.GOOD else {})}


def _approved(session: Session, row: Transaction) -> Outcome:
    chinese, english = slips(row, session.settings)
    return Outcome(
        FLOW_OF[row.kind],
        "approved",
        row.code,
        text_zh=f"{row.row.chinese}成功",
        text_en=f"{row.row.english} approved",
        stan=row.stan,
        rrn=row.rrn,
        amount_fen=row.amount_fen,
        receipt_zh=chinese,
        receipt_en=english,
    )
