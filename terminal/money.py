"""What all money requests share: their fields, the judgement of their replies, and what the cashier is told.

Rules owned here: what a reply means is durable before anybody is told (M4); doubt is told as unknown; a slip is made
of the book's row, after it was captured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from protocol.elements import Value
from protocol.fields import F
from protocol.private import Original, order_number
from terminal.chip_objects import subset
from terminal.emv_kernel import ChipTransaction
from terminal.outcome import Outcome, local
from terminal.receipts import slips
from terminal.records import Moved
from terminal.session import Reply, Session, Silence, refused, silent
from terminal.transaction import FOREIGN, NOT_COMPLETED, SILENCE, Event, Judgement, Mac, Transaction, in_doubt, judge

RENMINBI: Final = "156"
NORMAL: Final = "00"
FLOW_OF: Final[Mapping[str, str]] = MappingProxyType({"sale_void": "void", "moto_sale_void": "void"})
"""Kind to flow, where the names differ."""
STAND_IN: Final = "02"
AUTHORISATIONS: Final[Mapping[str, str]] = MappingProxyType({"offline_sale": STAND_IN, "offline_adjustment": STAND_IN})
"""61.4 of kinds that nobody authorised online (CUP 2.6)."""
TOLD: Final = ("auth_id", "date", "order")
"""Columns of an approved row that its outcome tells besides: what a later request names it by."""


def seal_card(session: Session, pan: str, expiry: str) -> str:
    """What the journal keeps of a card until settlement: PAN and expiry, sealed, as hex; never a track or a PIN."""
    return session.board.secure_module.seal(json.dumps([pan, expiry]).encode()).hex()


def unseal_card(session: Session, row: Transaction) -> tuple[str, str]:
    """PAN and expiry of a row; raises KeyLoadError on another device's journal."""
    pan, expiry = json.loads(session.board.secure_module.unseal(bytes.fromhex(row.card_sealed)))
    return pan, expiry


def flow_of(row: Transaction) -> str:
    """The flow that asks for a row."""
    return FLOW_OF.get(row.kind, row.kind)


def amount_fields(row: Transaction) -> dict[int, Value]:
    """The fields that a request and its reversal have in common (CUP 7.3)."""
    return {
        F.AMOUNT: f"{row.amount_fen:012d}",
        F.ENTRY_MODE: row.entry_mode,
        F.CONDITION_CODE: row.row.condition_code or NORMAL,
        F.CURRENCY: RENMINBI,
        **original_fields(row),
    }


def original_fields(row: Transaction) -> dict[int, Value]:
    """Field 61, where the transaction is about another one (CUP 2.6)."""
    if not row.original_stan:
        return {}
    authorisation = AUTHORISATIONS.get(row.kind, "")
    return {F.ORIGINAL: str(Original(row.original_batch, row.original_stan, row.original_date, authorisation))}


def fields_of(session: Session, row: Transaction) -> dict[int, Value]:
    """The fields of a request that come from its row alone, so that an advice can be sent again as it was."""
    known = {F.RRN: row.original_rrn, F.AUTH_ID: row.original_auth_id}
    return {
        **amount_fields(row),
        **{number: value for number, value in known.items() if value},
        **card_fields(session, row),
    }


def card_fields(session: Session, row: Transaction) -> dict[int, Value]:
    """PAN and expiry, where the journal keeps them: the host compares them with what it is to undo (M11)."""
    if not row.card_sealed:
        return {}
    pan, expiry = unseal_card(session, row)
    return {F.PAN: pan, F.EXPIRY: expiry}


def chip_fields(row: Transaction, tags: Iterable[int]) -> dict[int, Value]:
    """What the journal keeps of the chip: sequence number, and ``tags`` in field 55."""
    if not row.chip:
        return {}
    return {F.PAN_SEQUENCE: row.sequence, F.ICC: subset(row.chip, tags)}


def take(session: Session, row: Transaction, answer: Reply | Silence, chip: ChipTransaction | None = None) -> Outcome:
    """Write down what the answer to ``row`` means, once the ``chip`` has heard it, and return what to tell."""
    flow = flow_of(row)
    judgement, known = _judged(session, row, answer), _known(answer)
    agreed = True
    if chip:
        approved = judgement.event is Event.APPROVE
        completion = chip.complete(chip_answer(answer), approved=approved, answered=isinstance(answer, Reply))
        known |= {"chip": completion.chip if completion.chip != row.chip else "", "script": completion.script}
        agreed = completion.agreed or not approved
    if not agreed:
        judgement = NOT_COMPLETED
    if judgement.event is not Event.RESEND:
        session.journal.append(
            Moved(batch=row.batch, stan=row.stan, event=judgement.event, reason=judgement.reason, **known)
        )
    if judgement.event is Event.APPROVE:
        return approval(session, session.book.rows[row.key])
    if isinstance(answer, Silence):
        outcome = replace(silent(flow, answer), result="unknown")
    elif not agreed:
        outcome = local(flow, "terminal.card_declined")
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


def chip_answer(answer: Reply | Silence) -> bytes:
    """Field 55 of a reply that nobody forged."""
    is_proven = isinstance(answer, Reply) and answer.mac is Mac.GOOD
    return answer.message.octets(F.ICC) if isinstance(answer, Reply) and is_proven else b""


def _known(answer: Reply | Silence) -> dict[str, str]:
    """What the book may learn from a reply: what nobody proved is not written down, but for the code."""
    if isinstance(answer, Silence):
        return {}
    names = {
        "rrn": F.RRN,
        "auth_id": F.AUTH_ID,
        "date": F.LOCAL_DATE,
        "time": F.LOCAL_TIME,
        "settlement_date": F.SETTLEMENT_DATE,
    }
    told = {name: answer.message.text(number) for name, number in names.items()}
    organisation = answer.refusal.organisation
    told["organisation"] = organisation if organisation in FOREIGN else ""
    told["order"] = order_number(answer.message.octets(F.DEVICE))
    return {"code": answer.response.code, **(told if answer.mac is Mac.GOOD else {})}


def approval(session: Session, row: Transaction) -> Outcome:
    """The good end of a row, with its slip; raises ValueError for a row that is neither captured nor offline."""
    chinese, english = slips(row, session.settings)
    return Outcome(
        flow_of(row),
        "approved",
        row.code,
        text_zh=f"{row.row.chinese}成功",
        text_en=f"{row.row.english} approved",
        stan=row.stan,
        rrn=row.rrn,
        amount_fen=row.amount_fen,
        receipt_zh=chinese,
        receipt_en=english,
        detail={name: value for name in TOLD if (value := getattr(row, name))},
    )
