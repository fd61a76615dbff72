"""Answers to what undoes another row: void, refund, reversal (product decisions 3 and 8; M8, M10, M11, S6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from host import postings
from host.case import Case
from host.decision import Decision, Insert, Update, Write, refuse
from host.handlers.purchase import record
from host.lifecycle import ABSENT
from host.records import BatchState, Transaction, TransactionState, columns
from host.transactions import LATE_RESTORATION, LATE_REVERSAL, SIGNS, VOIDS, Undo, stands, step
from protocol.fields import F
from protocol.money import yuan

_MANUAL_ENTRY = "01"
_OURS, _NUMBERS = "H", 10**5
REFUNDED = "refunded"
COMPLETED = "completed"
CHINESE: Final[Mapping[str, str]] = MappingProxyType(
    {
        TransactionState.VOIDED: "撤销",
        TransactionState.REVERSED: "冲正",
        TransactionState.DECLINED: "拒绝",
        TransactionState.ADJUSTED: "调整",
        TransactionState.EXPIRED: "过期",
        TransactionState.TOMBSTONE: "冲正",
        REFUNDED: "退货",
        COMPLETED: "完成",
    }
)
"""What became of a row that cannot be undone any more."""
_HOLDS = ("preauth", "additional_preauth")


def void(case: Case) -> Decision:
    """Undoes a captured row of the same terminal and batch, whole; its fee and its postings go with it."""
    original = case.snapshot.original
    if original is None or original.batch != case.request.control.batch:
        return refuse("original.not_found")
    if original.kind not in VOIDS[case.request.kind.name]:
        return refuse("original.not_found")
    if original.rrn != case.request.message.text(F.RRN):
        return refuse("original.not_found")
    if original.amount_fen != case.request.amount_fen:
        return refuse("original.other_amount")
    state = state_after(case, original, Undo.VOID)
    if isinstance(state, Decision):
        return state
    return Decision(
        fields={F.AUTH_ID: original.auth_id},
        writes=(record_undo(case, original), move(original, state), *postings.undo(original, case.at)),
        turnover_fen=-original.amount_fen,
    )


def state_after(case: Case, original: Transaction, undo: Undo) -> TransactionState | Decision:
    """Where ``undo`` brings a row, or the refusal: it was undone, refunded, or is another card's."""
    state = step(original.state, undo)
    if state is None:
        return refuse_undone(original.state)
    if case.snapshot.refunded_fen:
        return refuse_undone(REFUNDED)
    return refuse("original.other_card") if other_card(case, original) else state


def refund(case: Case) -> Decision:
    """Gives back at most what is left of a captured debit of the same merchant; the card must be the original's."""
    original, request = case.snapshot.original, case.request
    if request.message.text(F.ENTRY_MODE).startswith(_MANUAL_ENTRY):
        return refuse("refund.manual")
    if not request.amount_fen:
        return refuse("amount.zero")
    if original is None or original.merchant_id != case.merchant.merchant_id:
        return refuse("original.not_found")
    if not stands(original, case.snapshot.followers):
        return refuse_undone(original.state)
    if other_card(case, original):
        return refuse("original.other_card")
    rest_fen = original.amount_fen - case.snapshot.refunded_fen
    if request.amount_fen > rest_fen:
        return refuse("refund.above_rest", rest=yuan(rest_fen))
    issuer = request.issuer
    if issuer is None:
        return refuse("card.unknown")
    row = record(case, issuer, None, original)
    return Decision(
        fields={F.AUTH_ID: row.auth_id, F.TEXT: issuer.organisation},
        writes=(Insert("transactions", columns(row)), *postings.capture(row, case.at)),
    )


def reversal(case: Case) -> Decision:
    """Undoes what its STAN names, once; of an unknown original it leaves a tombstone, so that a late one is refused."""
    row = case.snapshot.existing
    if row is None:
        return _tombstone(case)
    if row.serial_number != case.terminal.serial_number or other_card(case, row):
        return refuse("original.not_found")
    if row.kind != case.request.kind.undoes or row.amount_fen != case.request.amount_fen:
        return refuse("original.not_found")
    state = step(row.state, Undo.REVERSE)
    if state is None:
        if row.state in (TransactionState.VOIDED, TransactionState.ADJUSTED):
            return refuse_undone(row.state)
        return Decision()
    if any(about.kind == LATE_REVERSAL for about in case.snapshot.followers):
        return Decision()
    if SIGNS.get(row.kind) == 1 and case.snapshot.refunded_fen:
        return refuse_undone(REFUNDED)
    if row.kind in _HOLDS and case.snapshot.is_completed:
        return refuse_undone(COMPLETED)
    is_closed = case.snapshot.batch is not None and case.snapshot.batch.state is BatchState.CLOSED
    turnover_fen = -SIGNS.get(row.kind, 0) * row.amount_fen
    if is_closed and turnover_fen:
        return Decision(writes=_adjust(case, row, LATE_REVERSAL, -row.fee_fen), turnover_fen=turnover_fen)
    writes: list[Write] = [move(row, state), *postings.undo(row, case.at)]
    original = case.snapshot.original
    if row.kind in VOIDS and original and (back := step(original.state, Undo.REVERSE_VOID)):
        fee_fen = case.snapshot.returned_fee_fen  # that of the sale, whatever the contract says by now
        turnover_fen = SIGNS.get(original.kind, 0) * original.amount_fen
        if is_closed and turnover_fen:
            writes += _adjust(case, original, LATE_RESTORATION, fee_fen)
        else:
            restored = replace(original, fee_fen=fee_fen)
            writes += [move(original, back, fee_fen=fee_fen), *postings.capture(restored, case.at)]
    return Decision(writes=tuple(writes), turnover_fen=turnover_fen)


def _adjust(case: Case, row: Transaction, kind: str, fee_fen: int) -> tuple[Write, ...]:
    """A row of the batch that is open now, since a closed one stays as it was settled and paid (invariant S6).

    Its STAN is none that a terminal can have. A device that is gone without a successor has no open batch: then it is
    one more row of the last.
    """
    snapshot = case.snapshot
    adjustment = replace(
        row,
        batch=(snapshot.tenant or case.terminal).batch,
        stan=f"{_OURS}{snapshot.number % _NUMBERS:05d}",
        kind=kind,
        state=TransactionState.CAPTURED,
        fee_fen=fee_fen,
        rrn=f"{snapshot.number:012d}",
        original_terminal_id=row.terminal_id,
        original_batch=row.batch,
        original_stan=row.stan,
        at=case.at,
        policy=case.policy_version,
    )
    return (Insert("transactions", columns(adjustment)), *postings.capture(adjustment, case.at))


def _tombstone(case: Case) -> Decision:
    request = case.request
    if case.terminal.state in ABSENT and request.control.batch > case.terminal.batch:
        return refuse("original.not_found")  # a batch of its successor
    row = Transaction(
        terminal_id=request.terminal_id,
        batch=request.control.batch,
        stan=request.stan,
        serial_number=case.terminal.serial_number,
        merchant_id=case.merchant.merchant_id,
        kind=request.kind.undoes,
        state=TransactionState.TOMBSTONE,
        amount_fen=request.amount_fen,
        at=case.at,
        policy=case.policy_version,
    )
    write = Insert("transactions", columns(row))
    if case.policy.reversals.unknown_code == "25":
        return Decision(refuse("original.not_found").refused, writes=(write,))
    return Decision(writes=(write,))


def refuse_undone(state: str) -> Decision:
    """The refusal where nothing is left to undo; ``state`` says why."""
    return refuse("original.undone", state=state, state_zh=CHINESE[state])


def other_card(case: Case, original: Transaction) -> bool:
    """Does the request name another card than the one of ``original``?"""
    told = case.request.pan
    return bool(told and original.card_token) and case.keys.card_token(told) != original.card_token


def move(row: Transaction, state: TransactionState, *, fee_fen: int = 0) -> Update:
    """The row in another state; one that is undone costs nothing (product decision 8)."""
    key = {"terminal_id": row.terminal_id, "batch": row.batch, "stan": row.stan}
    return Update("transactions", key, {"state": state, "fee_fen": fee_fen})


def record_undo(case: Case, original: Transaction) -> Insert:
    """The ledger row of a void of ``original``."""
    values = columns(original) | {
        **case.request.key,
        "serial_number": case.terminal.serial_number,
        "kind": case.request.kind.name,
        "amount_fen": case.request.amount_fen,
        "fee_fen": 0,
        "state": TransactionState.CAPTURED,
        "rrn": f"{case.snapshot.number:012d}",
        "original_terminal_id": original.terminal_id,
        "original_batch": original.batch,
        "original_stan": original.stan,
        "at": case.at,
        "policy": case.policy_version,
    }
    return Insert("transactions", values)
