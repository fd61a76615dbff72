"""Answers to what undoes a sale: void, refund, reversal (product decisions 3 and 8; invariants M8, M10, M11)."""

from __future__ import annotations

from dataclasses import replace

from host import postings
from host.case import Case
from host.decision import Decision, Insert, Update, Write, refuse
from host.fees import contract_rate
from host.handlers.purchase import record
from host.issuer import find_issuer
from host.lifecycle import ABSENT
from host.records import Transaction, TransactionState, columns
from host.transactions import SIGNS, Undo, step
from protocol.fields import F
from protocol.money import yuan

_MANUAL_ENTRY = "01"
_REFUNDED = "refunded"


def sale_void(case: Case) -> Decision:
    """Undoes a captured sale of the same terminal and batch, whole; the sale's fee and postings go with it."""
    original = case.snapshot.original
    if original is None or original.kind != "sale" or original.batch != case.request.control.batch:
        return refuse("original.not_found")
    if original.rrn != case.request.message.text(F.RRN):
        return refuse("original.not_found")
    if original.amount_fen != case.request.amount_fen:
        return refuse("original.other_amount")
    state = step(original.state, Undo.VOID)
    if state is None:
        return refuse("original.undone", state=original.state)
    if case.snapshot.refunded_fen:
        return refuse("original.undone", state=_REFUNDED)
    if _other_card(case, original):
        return refuse("original.other_card")
    return Decision(
        fields={F.AUTH_ID: original.auth_id},
        writes=(_record_undo(case, original), _move(original, state, fee_fen=0), *postings.undo(original, case.at)),
        turnover_fen=-original.amount_fen,
    )


def refund(case: Case) -> Decision:
    """Gives back at most what is left of a captured sale of the same merchant; the card must be the original's."""
    original, request = case.snapshot.original, case.request
    if request.message.text(F.ENTRY_MODE).startswith(_MANUAL_ENTRY):
        return refuse("refund.manual")
    if not request.amount_fen:
        return refuse("amount.zero")
    if original is None or original.kind != "sale" or original.merchant_id != case.merchant.merchant_id:
        return refuse("original.not_found")
    if original.state is not TransactionState.CAPTURED:
        return refuse("original.undone", state=original.state)
    if _other_card(case, original):
        return refuse("original.other_card")
    rest_fen = original.amount_fen - case.snapshot.refunded_fen
    if request.amount_fen > rest_fen:
        return refuse("refund.above_rest", rest=yuan(rest_fen))
    issuer = find_issuer(request.pan)
    if issuer is None:
        return refuse("card.unknown")
    row = record(case, issuer, None, original)
    return Decision(
        fields={F.AUTH_ID: row.auth_id}, writes=(Insert("transactions", columns(row)), *postings.capture(row, case.at))
    )


def reversal(case: Case) -> Decision:
    """Undoes what its STAN names, once; of an unknown original it leaves a tombstone, so that a late one is refused."""
    row = case.snapshot.existing
    if row is None:
        return _tombstone(case)
    if row.serial_number != case.terminal.serial_number or _other_card(case, row):
        return refuse("original.not_found")
    if row.kind != case.request.kind.undoes or row.amount_fen != case.request.amount_fen:
        return refuse("original.not_found")
    state = step(row.state, Undo.REVERSE)
    if state is None:
        if row.state is TransactionState.VOIDED:
            return refuse("original.undone", state=row.state)
        return Decision()
    if row.kind == "sale" and case.snapshot.refunded_fen:
        return refuse("original.undone", state=_REFUNDED)
    writes: list[Write] = [_move(row, state, fee_fen=0), *postings.undo(row, case.at)]
    turnover_fen = -SIGNS.get(row.kind, 0) * row.amount_fen
    original = case.snapshot.original
    if row.kind == "sale_void" and original and (back := step(original.state, Undo.REVERSE_VOID)):
        fee_fen = contract_rate(case.merchant, original.card_type).fee_fen(original.amount_fen)
        restored = replace(original, fee_fen=fee_fen)
        writes += [_move(original, back, fee_fen=fee_fen), *postings.capture(restored, case.at)]
        turnover_fen = original.amount_fen
    return Decision(writes=tuple(writes), turnover_fen=turnover_fen)


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
    )
    write = Insert("transactions", columns(row))
    if case.policy.unknown_reversal_code == "25":
        return Decision(refuse("original.not_found").refused, writes=(write,))
    return Decision(writes=(write,))


def _other_card(case: Case, original: Transaction) -> bool:
    told = case.request.pan
    return bool(told and original.card_token) and case.keys.card_token(told) != original.card_token


def _move(row: Transaction, state: TransactionState, *, fee_fen: int) -> Update:
    """A row that is undone costs nothing (product decision 8)."""
    key = {"terminal_id": row.terminal_id, "batch": row.batch, "stan": row.stan}
    return Update("transactions", key, {"state": state, "fee_fen": fee_fen})


def _record_undo(case: Case, original: Transaction) -> Insert:
    values = columns(original) | {
        "stan": case.request.stan,
        "kind": case.request.kind.name,
        "fee_fen": 0,
        "state": TransactionState.CAPTURED,
        "rrn": f"{case.snapshot.number:012d}",
        "original_terminal_id": original.terminal_id,
        "original_batch": original.batch,
        "original_stan": original.stan,
        "at": case.at,
    }
    return Insert("transactions", values)
