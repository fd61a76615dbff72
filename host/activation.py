"""Activation: what counts as turnover (TABLE READINGS), what else it needs, and what follows (product A1 to A6).

Rules owned here: activation comes once and is never revoked (product decision 1); the reward belongs to it, so that it
is paid once too, and only before the deadline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from host import postings
from host.decision import Update, Write
from host.lifecycle import Event, step
from host.policy import Activation
from host.records import Merchant, Terminal, TransactionState
from host.retirement import audit
from host.transactions import LATE_RESTORATION, LATE_REVERSAL, SIGNS

_S: Final = TransactionState


@dataclass(frozen=True, slots=True)
class Reading:
    """A row of READINGS: kinds that add, kinds that subtract, and the states in which a row counts.

    ``leaves_out`` are kinds that count for nothing, nor does a late row about one of them.
    """

    adds: frozenset[str]
    meaning: str
    subtracts: frozenset[str] = frozenset({LATE_REVERSAL})
    states: frozenset[TransactionState] = frozenset({_S.CAPTURED})
    leaves_out: frozenset[str] = frozenset()

    def counts(self, kind: str, *, restored: bool) -> bool:
        """Does a row of this kind add when it is captured, or ``restored`` by the reversal of its void?"""
        return kind in self.adds - self.leaves_out and not (restored and _S.VOIDED in self.states)


_DEBITS: Final = frozenset(kind for kind, sign in SIGNS.items() if sign == 1)
_CREDITS: Final = frozenset(SIGNS) - _DEBITS
READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {
        "net": Reading(_DEBITS, "sales and completions less voids and reversals"),
        "less_refunds": Reading(_DEBITS, "the same, less refunds", _CREDITS),
        "cards": Reading(_DEBITS, "the same without customers' codes", leaves_out=frozenset({"qr_sale"})),
        "gross": Reading(
            _DEBITS - {LATE_RESTORATION},
            "what was captured, voided since or not",
            states=frozenset({_S.CAPTURED, _S.VOIDED}),
        ),
    }
)


def missing(merchant: Merchant | None, figures: Activation) -> tuple[tuple[str, str], ...]:
    """What a merchant must do before a terminal is activated, in Chinese and English (product A3)."""
    card = figures.needs_card and not (merchant and merchant.payout_card)
    limits = figures.needs_limits and not (merchant and merchant.single_fen and merchant.daily_fen)
    wanted = ((card, ("绑定结算卡", "bind a card for payouts")), (limits, ("设置限额", "set the limits")))
    return tuple(words for is_missing, words in wanted if is_missing)


def activation(
    terminal: Terminal, merchant: Merchant | None, turnover_fen: int, figures: Activation, at: int, actor: str = "host"
) -> list[Write]:
    """The writes of an activation that is due, with its reward; none where it is not, or where it came before."""
    if terminal.activated_at is not None or turnover_fen < figures.turnover_fen or missing(merchant, figures):
        return []
    state = step(terminal.state, Event.ACTIVATE) or terminal.state
    changes: dict[str, object] = {"activated_at": at, "state": state}
    told = audit(actor, terminal.serial_number, str(Event.ACTIVATE), f"{terminal.state} -> {state}", at)
    writes: list[Write] = [Update("terminals", {"serial_number": terminal.serial_number}, changes), told]
    if figures.reward_fen and (terminal.activate_by is None or at < terminal.activate_by):
        writes.append(postings.reward(terminal, figures.reward_fen, at))
    return writes
