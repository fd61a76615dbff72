"""TABLE TRANSITIONS: the life of a transaction in the host's book (invariants M3, M10); TABLE SIGNS: what it counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from host.records import Transaction, TransactionState
from protocol.kinds import KINDS
from protocol.private import GroupTotals, keys_digest

_S = TransactionState


class Undo(StrEnum):
    """What changes a row after it was written."""

    VOID = "void"
    REVERSE = "reverse"
    REVERSE_VOID = "reverse the void"
    ADJUST = "adjust"
    EXPIRE = "expire"


TRANSITIONS: Final[Mapping[TransactionState, Mapping[Undo, TransactionState]]] = MappingProxyType(
    {
        _S.CAPTURED: {
            Undo.VOID: _S.VOIDED,
            Undo.REVERSE: _S.REVERSED,
            Undo.ADJUST: _S.ADJUSTED,
            Undo.EXPIRE: _S.EXPIRED,
        },
        _S.VOIDED: {Undo.REVERSE_VOID: _S.CAPTURED},
        _S.REVERSED: {},
        _S.ADJUSTED: {},
        _S.EXPIRED: {},
        _S.DECLINED: {},
        _S.TOMBSTONE: {},
    }
)

COMPLETIONS: Final = ("completion", "completion_advice")
ADJUSTMENTS: Final = ("offline_adjustment", "tip_adjustment")
LATE_REVERSAL, LATE_RESTORATION = "late_reversal", "late_restoration"
"""Rows of the host's own: what is undone, or given back, of a batch that was closed before (invariant S6)."""
_SALES: Final = ("sale", "qr_sale", "moto_sale", "offline_sale")
SIGNS: Final[Mapping[str, int]] = MappingProxyType(
    {**dict.fromkeys((*_SALES, *COMPLETIONS, *ADJUSTMENTS, LATE_RESTORATION), 1), "refund": -1, LATE_REVERSAL: -1}
)
"""What a captured row adds to the batch's net; a kind that is not here moves no money of its own."""
SETTLED: Final = frozenset(SIGNS) - {LATE_REVERSAL, LATE_RESTORATION}
"""The kinds that a terminal knows, and settles."""
PAYMENTS: Final = frozenset(kind for kind in SETTLED if SIGNS[kind] == 1)
"""The kinds by which somebody pays: what is given back of a closed batch is no payment of the day."""
CHARGED: Final = PAYMENTS | {LATE_REVERSAL, LATE_RESTORATION}
"""The kinds whose fees make up what payments cost: a late row takes back the fee of another, or makes it due again."""

VOIDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "sale_void": frozenset({"sale", "qr_sale", "offline_sale", *ADJUSTMENTS}),
        "moto_sale_void": frozenset({"moto_sale"}),
        "completion_void": frozenset(COMPLETIONS),
        "preauth_void": frozenset({"preauth"}),
    }
)
"""Kind of a void to the kinds that it may be about."""


def step(state: TransactionState, undo: Undo) -> TransactionState | None:
    """The next state, or None where the row cannot be undone so."""
    return TRANSITIONS[state].get(undo)


def stands(row: Transaction, followers: Iterable[Transaction]) -> bool:
    """Has the merchant the money of a debit: as it was captured, or given back after its void in a closed batch?"""
    return row.state is _S.CAPTURED or any(each.kind == LATE_RESTORATION for each in followers)


def group_totals(rows: Iterable[Transaction], *, foreign: bool) -> GroupTotals:
    """What a batch sums up to in one card group: captured refunds are credits, all others debits."""
    debit, credit = [
        [row.amount_fen for row in _captured(rows, sign) if row.foreign_card is foreign] for sign in (1, -1)
    ]
    return GroupTotals(sum(debit), len(debit), sum(credit), len(credit))


def batch_digest(rows: Iterable[Transaction]) -> bytes:
    """The digest of a batch's money rows, as the terminal makes it (``protocol.private.keys_digest``)."""
    return keys_digest(
        (row.stan, KINDS[row.kind].type_code, row.amount_fen) for sign in (1, -1) for row in _captured(rows, sign)
    )


def net_fen(rows: Iterable[Transaction]) -> int:
    """What the rows are worth to the merchant before fees, in fen."""
    return sum(sign * row.amount_fen for sign in (1, -1) for row in _captured(rows, sign))


def _captured(rows: Iterable[Transaction], sign: int) -> list[Transaction]:
    return [row for row in rows if row.state is _S.CAPTURED and SIGNS.get(row.kind) == sign]
