"""Answers to what is about a hold: more of it, its cancel, its completion (CUP 3.1, 2.6; invariant M9).

Rules owned here: a hold is found by authorisation id, card and date, at any terminal of its merchant; it is completed
once, within its time, by at most ``completion_percent`` of what is held, and never after it was cancelled. A completion
that was voided has used it up; one that was reversed has not, be it after its batch was closed. What a hold was found
to have expired it stays, whatever a clock says later.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from host import postings
from host.case import Case
from host.decision import Decision, Insert, refuse
from host.handlers import purchase
from host.handlers.purchase import record
from host.handlers.undo import COMPLETED, move, other_card, record_undo, refuse_undone
from host.records import Transaction, TransactionState, columns
from host.refusals import Refused
from host.transactions import Undo, step
from protocol.fields import F
from protocol.money import yuan
from protocol.private import Original

_UNDATED = ("", "0000")


def additional(case: Case) -> Decision:
    """Holds more under the authorisation id of the hold that it is about. Raises DecodeError as ``purchase.sale``."""
    hold = _open_hold(case)
    if isinstance(hold, Decision):
        return hold
    decision = purchase.sale(case)
    return decision if decision.refused else replace(decision, fields={**decision.fields, F.AUTH_ID: hold.auth_id})


def void(case: Case) -> Decision:
    """Lets go of a hold, whole."""
    hold = _open_hold(case)
    if isinstance(hold, Decision):
        return hold
    if case.request.amount_fen != case.snapshot.held_fen:
        return refuse("original.other_amount")
    return Decision(
        fields={F.AUTH_ID: hold.auth_id}, writes=(record_undo(case, hold), move(hold, TransactionState.VOIDED))
    )


def completion(case: Case) -> Decision:
    """Captures what a hold is for, with fee and postings; the issuer guaranteed it when it was held."""
    hold = _open_hold(case)
    if isinstance(hold, Decision):
        return hold
    bound_fen = case.snapshot.held_fen * case.policy.preauth.completion_percent // 100
    if not case.request.amount_fen:
        return refuse("amount.zero")
    if case.request.amount_fen > bound_fen:
        return refuse("completion.above_bound", limit=yuan(bound_fen))
    issuer = case.request.issuer
    if issuer is None:
        return refuse("card.unknown")
    row = replace(record(case, issuer, None, hold), auth_id=hold.auth_id)
    return Decision(
        fields={F.AUTH_ID: hold.auth_id, F.TEXT: issuer.organisation},
        writes=(Insert("transactions", columns(row)), *postings.capture(row, case.at)),
        turnover_fen=row.amount_fen,
    )


def _open_hold(case: Case) -> Transaction | Decision:
    """The hold that a request is about, or the refusal where it does not stand."""
    hold = case.snapshot.original
    if hold is None or _other_day(case, hold):
        return refuse("original.not_found")
    if other_card(case, hold):
        return refuse("original.other_card")
    if hold.state is TransactionState.EXPIRED:
        return refuse("preauth.expired")
    expired = step(hold.state, Undo.EXPIRE)
    if expired is None:
        return refuse_undone(hold.state)
    if case.snapshot.is_completed:
        return refuse_undone(COMPLETED)
    if case.at >= hold.at + case.policy.preauth.ttl_s:
        return Decision(Refused("preauth.expired"), writes=(move(hold, expired),))
    return hold


def _other_day(case: Case, hold: Transaction) -> bool:
    """Does the request date the hold otherwise than its reply did (CUP 2.6)?"""
    original = case.request.message.text(F.ORIGINAL)
    told = Original.parse(original).date if original else ""
    return told not in _UNDATED and told != f"{datetime.fromtimestamp(hold.at, case.now.tzinfo):%m%d}"
