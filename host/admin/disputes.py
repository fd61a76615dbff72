"""Disputes: opened by a cardholder's bank, answered by the merchant, decided (product D, U4; invariants M3, S9, S10).

Rules owned here: nothing is contested twice or beyond what is left of the sale; an answer in time keeps a dispute
alive, silence loses it; a lost one is taken from the merchant once, in the batch of its sale: at the next payout.
"""

from __future__ import annotations

from typing import Any, Final

from host import postings
from host.admin.desk import Desk, Result
from host.admin.signatures import missing_signatures
from host.decision import Update
from host.disputes import REASONS, STANDING, TRANSITIONS, DisputeState, Move, step
from host.errors import AdminError
from host.records import Transaction, TransactionState
from host.store.books import columns_of
from host.transactions import LATE_REVERSAL, SIGNS, stands
from protocol.money import yuan

_KEY: Final = ("terminal_id", "batch", "stan")
_SILENCE: Final = "no answer in time"


def open_dispute(desk: Desk, merchant_id: str, rrn: str, reason: str, amount_fen: int = 0, note: str = "") -> Result:
    """Contest a captured payment, by its RRN, in whole or in part; the merchant has until a day to answer."""
    desk.line(note=note)
    if reason not in REASONS:
        raise AdminError(f"no dispute reason {reason!r}", hint=f"one of {', '.join(REASONS)}", code="unknown_reason")
    row = desk.books.sale_by_rrn(merchant_id, rrn)
    if row is None or SIGNS.get(row.kind) != 1:
        raise AdminError(f"{merchant_id} has no sale with RRN {rrn}", code="unknown_transaction")
    if not stands(row, desk.books.followers(row)):
        raise AdminError(f"the sale was {row.state}: there is nothing to contest", code="not_captured")
    left_fen = _left_fen(desk, row)
    if not left_fen:
        raise AdminError("nothing of the sale is left to contest", hint="poslab admin disputes", code="amount")
    amount_fen = amount_fen or left_fen
    if not 0 < amount_fen <= left_fen:
        raise AdminError(f"{yuan(left_fen)} of the sale can be contested, not {yuan(amount_fen)}", code="amount")
    number = desk.books.add("dispute", 1)
    due_at = desk.at + desk.policy.disputes.answer_s
    desk.insert(
        "disputes",
        number=number,
        terminal_id=row.terminal_id,
        batch=row.batch,
        stan=row.stan,
        merchant_id=merchant_id,
        serial_number=row.serial_number,
        reason=reason,
        amount_fen=amount_fen,
        state=DisputeState.OPEN,
        opened_at=desk.at,
        due_at=due_at,
        note=note,
    )
    desk.note(row.serial_number, "open dispute", f"{number}: {reason}, {yuan(amount_fen)} of RRN {rrn}")
    return {"number": number, "state": DisputeState.OPEN, "amount_fen": amount_fen, "due_at": due_at}


def answer_dispute(desk: Desk, number: int, answer: str) -> Result:
    """The merchant's answer; a later one stands beside the earlier."""
    desk.line(answer=answer)
    if not answer.strip():
        raise AdminError("an answer says something", code="answer")
    dispute = _dispute(desk, number)
    said = "; ".join(filter(None, (dispute["answer"], answer)))
    return _move(desk, dispute, Move.ANSWER, answer=said)


def resolve_dispute(desk: Desk, number: int, why: str) -> Result:
    """The merchant is right: the payment stands."""
    desk.line(why=why)
    return _move(desk, _dispute(desk, number), Move.RESOLVE, note=why, closed_at=desk.at)


def withdraw_dispute(desk: Desk, number: int, why: str) -> Result:
    """The cardholder's bank lets it be."""
    desk.line(why=why)
    return _move(desk, _dispute(desk, number), Move.WITHDRAW, note=why, closed_at=desk.at)


def lose_dispute(desk: Desk, number: int, why: str) -> Result:
    """The cardholder is right: the money goes back, and the merchant's next payout is less by it."""
    desk.line(why=why)
    return _lose(desk, _dispute(desk, number), why)


def overdue_disputes(desk: Desk) -> Result:
    """Lose every dispute whose day has passed without an answer."""
    return {"lost": [_lose(desk, row, _SILENCE)["number"] for row in _overdue(desk)]}


def is_any_overdue(desk: Desk) -> bool:
    """Is there something for ``overdue_disputes`` to do?"""
    return bool(_overdue(desk))


def disputes(desk: Desk, merchant_id: str = "", standing: bool = False) -> Result:
    """Every dispute, of one merchant or only those that are not over."""
    rows = desk.books.rows("disputes", **({"merchant_id": merchant_id} if merchant_id else {}))
    return {"disputes": [row for row in rows if not standing or row["state"] in STANDING]}


def evidence(desk: Desk, number: int) -> Result:
    """What the host can show: the transaction with its card masked, what followed, the signature, and what lacks."""
    dispute = _dispute(desk, number)
    key = {name: dispute[name] for name in _KEY}
    [row] = columns_of(desk.books.rows("transactions", **key), "card_token")
    kept = columns_of(desk.books.rows("signatures", **key), "image", "receipt")
    unsigned = missing_signatures(desk, dispute["terminal_id"], dispute["batch"])["missing"]
    assert isinstance(unsigned, list)
    is_missing = any(each["stan"] == dispute["stan"] for each in unsigned)
    reason = REASONS[dispute["reason"]]
    lacks = ["the cardholder's signature: it is on paper in the shop, or nowhere"] if is_missing else []
    return {
        **{name: dispute[name] for name in ("number", "state", "reason", "amount_fen", "due_at", "answer")},
        "zh": reason.chinese,
        "en": reason.english,
        "signature_decides": reason.signature,
        "transaction": [row],
        "followers": columns_of(_followers(desk, key), "card_token"),
        "signature": kept,
        "lacks": lacks,
    }


def _overdue(desk: Desk) -> list[dict[str, Any]]:
    return [_dispute(desk, number) for number in desk.books.overdue_disputes(desk.at)]


def _left_fen(desk: Desk, row: Transaction) -> int:
    """The amount less what was given back of it and what is or was contested of it with success."""
    refunds = (each for each in desk.books.followers(row) if each.kind in ("refund", LATE_REVERSAL))
    refunded_fen = sum(each.amount_fen for each in refunds if each.state is TransactionState.CAPTURED)
    return row.amount_fen - refunded_fen - desk.books.contested_fen(row)


def _followers(desk: Desk, key: dict[str, str]) -> list[dict[str, Any]]:
    return desk.books.rows("transactions", **{f"original_{name}": value for name, value in key.items()})


def _dispute(desk: Desk, number: int) -> dict[str, Any]:
    found = desk.books.rows("disputes", number=number)
    if not found:
        raise AdminError(f"no dispute {number}", hint="poslab admin disputes lists them", code="unknown_dispute")
    return found[0]


def _move(desk: Desk, dispute: dict[str, Any], move: Move, **changes: object) -> Result:
    state = step(DisputeState(dispute["state"]), move)
    if state is None:
        moves = ", ".join(TRANSITIONS[DisputeState(dispute["state"])])
        hint = f"what it can do is {moves}" if moves else "it is over"
        message = f"dispute {dispute['number']} is {dispute['state']}: '{move}' has no place there"
        raise AdminError(message, hint=hint, code="illegal_step")
    desk.books.write(Update("disputes", {"number": dispute["number"]}, {"state": state, **changes}))
    desk.note(dispute["serial_number"], f"{move} dispute", f"{dispute['number']}: {dispute['state']} -> {state}")
    return {"number": dispute["number"], "state": state}


def _lose(desk: Desk, dispute: dict[str, Any], why: str) -> Result:
    told = _move(desk, dispute, Move.LOSE, note=why, closed_at=desk.at)
    batch, terminal_id = dispute["batch"], dispute["terminal_id"]
    desk.books.write(postings.chargeback(dispute["merchant_id"], dispute["amount_fen"], batch, terminal_id, desk.at))
    return {**told, "amount_fen": dispute["amount_fen"]}
