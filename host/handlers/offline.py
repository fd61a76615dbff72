"""Answers to adjustments: another amount for what was sold, in the same batch (CUP 3.1, 2.6).

Rules owned here: TABLE ADJUSTABLE, what each kind may be about; the original gives way to the adjustment with its fee
and its postings, so that of the two exactly one counts (M3); a tip only adds, and nothing adds more than
``tip_percent``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from host import postings
from host.case import Case
from host.decision import Decision, Insert, refuse
from host.handlers.purchase import record
from host.handlers.undo import move, state_after
from host.records import columns
from host.transactions import Undo
from protocol.fields import F
from protocol.money import yuan

ADJUSTABLE: Final[Mapping[str, str]] = MappingProxyType(
    {"offline_adjustment": "offline_sale", "tip_adjustment": "sale"}
)


def adjust(case: Case) -> Decision:
    """Captures the new amount in place of the old one."""
    original, request = case.snapshot.original, case.request
    if original is None or original.kind != ADJUSTABLE[request.kind.name] or original.batch != request.control.batch:
        return refuse("original.not_found")
    state = state_after(case, original, Undo.ADJUST)
    if isinstance(state, Decision):
        return state
    least_fen = original.amount_fen if request.kind.name == "tip_adjustment" else 1
    limit_fen = original.amount_fen * (100 + case.policy.adjustments.tip_percent) // 100
    if not least_fen <= request.amount_fen <= limit_fen:
        return refuse("adjustment.out_of_bounds", least=yuan(least_fen), limit=yuan(limit_fen))
    issuer = request.issuer
    if issuer is None:
        return refuse("card.unknown")
    row = replace(record(case, issuer, None, original), auth_id=original.auth_id)
    return Decision(
        fields={F.AUTH_ID: row.auth_id, F.TEXT: issuer.organisation},
        writes=(
            Insert("transactions", columns(row)),
            move(original, state),
            *postings.undo(original, case.at),
            *postings.capture(row, case.at),
        ),
        turnover_fen=row.amount_fen - original.amount_fen,
    )
