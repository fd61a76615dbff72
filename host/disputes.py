"""The life of a dispute: TABLE TRANSITIONS; TABLE REASONS, why a cardholder contests a payment (product D).

A dispute is about one captured debit and at most its amount. The acquirer asks the merchant, who answers with papers;
the transaction and the cardholder's signature are evidence that the host holds already. What is lost goes back to the
scheme; its fee does not come back to the merchant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class DisputeState(StrEnum):
    """Where a dispute stands."""

    OPEN = "open"
    NEGOTIATING = "negotiating"
    RESOLVED = "resolved"
    LOST = "lost"
    WITHDRAWN = "withdrawn"


CHINESE_STATES: Final[Mapping[DisputeState, str]] = MappingProxyType(
    {
        DisputeState.OPEN: "待答复",
        DisputeState.NEGOTIATING: "协商中",
        DisputeState.RESOLVED: "商户胜",
        DisputeState.LOST: "拒付",
        DisputeState.WITHDRAWN: "已撤回",
    }
)


class Move(StrEnum):
    """What moves it."""

    ANSWER = "answer"
    RESOLVE = "resolve"
    LOSE = "lose"
    WITHDRAW = "withdraw"


_ENDS: Final = {
    Move.RESOLVE: DisputeState.RESOLVED,
    Move.LOSE: DisputeState.LOST,
    Move.WITHDRAW: DisputeState.WITHDRAWN,
}
TRANSITIONS: Final[Mapping[DisputeState, Mapping[Move, DisputeState]]] = MappingProxyType(
    {
        DisputeState.OPEN: {
            Move.ANSWER: DisputeState.NEGOTIATING,
            Move.LOSE: DisputeState.LOST,
            Move.WITHDRAW: DisputeState.WITHDRAWN,
        },
        DisputeState.NEGOTIATING: {Move.ANSWER: DisputeState.NEGOTIATING, **_ENDS},
        DisputeState.RESOLVED: {},
        DisputeState.LOST: {},
        DisputeState.WITHDRAWN: {},
    }
)
STANDING: Final = frozenset(state for state, moves in TRANSITIONS.items() if moves)
"""Disputes that are not over."""


@dataclass(frozen=True, slots=True)
class DisputeReason:
    """A row of REASONS; where the ``signature`` decides, a sale without one is lost as a rule."""

    reason: str
    chinese: str
    english: str
    signature: bool = False


REASONS: Final[Mapping[str, DisputeReason]] = MappingProxyType(
    {
        row.reason: row
        for row in (
            DisputeReason("not_mine", "持卡人否认交易", "the cardholder did not pay this", signature=True),
            DisputeReason("amount", "金额不符", "the amount is another one", signature=True),
            DisputeReason("twice", "重复扣款", "it was paid twice"),
            DisputeReason("goods", "未收到商品或服务", "the goods never came"),
            DisputeReason("refund", "退款未到账", "a refund never came"),
        )
    }
)


def step(state: DisputeState, move: Move) -> DisputeState | None:
    """The next state, or None where the move has no place."""
    return TRANSITIONS[state].get(move)
