"""TABLE TRANSITIONS: the life of a transaction in the host's book (invariants M3, M10)."""

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


TRANSITIONS: Final[Mapping[TransactionState, Mapping[Undo, TransactionState]]] = MappingProxyType(
    {
        _S.CAPTURED: {Undo.VOID: _S.VOIDED, Undo.REVERSE: _S.REVERSED},
        _S.VOIDED: {Undo.REVERSE_VOID: _S.CAPTURED},
        _S.REVERSED: {},
        _S.DECLINED: {},
        _S.TOMBSTONE: {},
    }
)

SIGNS: Final[Mapping[str, int]] = MappingProxyType({"sale": 1, "refund": -1})
"""What a captured row adds to the batch's net; a kind that is not here moves no money of its own."""


def step(state: TransactionState, undo: Undo) -> TransactionState | None:
    """The next state, or None where the row cannot be undone so."""
    return TRANSITIONS[state].get(undo)


def group_totals(rows: Iterable[Transaction], *, foreign: bool) -> GroupTotals:
    """What a batch sums up to in one card group: captured sales are debits, captured refunds credits."""
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
