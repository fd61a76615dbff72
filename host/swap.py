"""How far a swap has come: TABLE TRANSITIONS, one row a state, and what each state is called (product X1, X6).

Rules owned here: a swap goes forward one step at a time and never back; up to the binding it may be cancelled, and the
old device then goes on as if nothing had been; from the binding on it can only be finished. A step that was done may be
asked for again and changes nothing, so that whoever was cut off asks again. What it cost is given back where it is
cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from host import postings
from host.decision import Update, Write
from host.records import Swap
from host.retirement import audit
from protocol.swap import SwapState


class Step(StrEnum):
    """What moves a swap."""

    DRAIN = "drain"
    SETTLE = "settle"
    BACK_UP = "back up"
    BIND = "bind"
    RESTORE = "restore"
    WIPE = "wipe"
    CANCEL = "cancel"


_CANCEL: Final = {Step.CANCEL: SwapState.CANCELLED}
TRANSITIONS: Final[Mapping[SwapState, Mapping[Step, SwapState]]] = MappingProxyType(
    {
        SwapState.ORDERED: {Step.DRAIN: SwapState.DRAINING, **_CANCEL},
        SwapState.DRAINING: {Step.SETTLE: SwapState.SETTLED, **_CANCEL},
        SwapState.SETTLED: {Step.BACK_UP: SwapState.BACKED_UP, **_CANCEL},
        SwapState.BACKED_UP: {Step.BIND: SwapState.BOUND, **_CANCEL},
        SwapState.BOUND: {Step.RESTORE: SwapState.RESTORED},
        SwapState.RESTORED: {Step.WIPE: SwapState.WIPED},
        SwapState.WIPED: {},
        SwapState.CANCELLED: {},
    }
)
CHINESE_STATES: Final[Mapping[SwapState, str]] = MappingProxyType(
    {
        SwapState.ORDERED: "已受理",
        SwapState.DRAINING: "清理中",
        SwapState.SETTLED: "已结算",
        SwapState.BACKED_UP: "已备份",
        SwapState.BOUND: "已绑定新机",
        SwapState.RESTORED: "已恢复",
        SwapState.WIPED: "旧机已擦除",
        SwapState.CANCELLED: "已取消",
    }
)
OPEN: Final = frozenset(state for state, row in TRANSITIONS.items() if row) - {SwapState.RESTORED}
"""Neither device of a swap in one of these may begin another; a restored one only waits for its old device's wipe."""
PROVES_WIPE: Final = frozenset({SwapState.BACKED_UP, SwapState.BOUND, SwapState.RESTORED})
"""In one of these the old device's master key stays: a certificate that it may make at any moment needs it."""


def step(state: SwapState, event: Step) -> SwapState | None:
    """The next state, or None where the step has no place in this state."""
    return TRANSITIONS[state].get(event)


def is_done(state: SwapState, event: Step) -> bool:
    """Was this step taken before?"""
    before = next(row for row, events in TRANSITIONS.items() if event in events)
    while (following := _onward(before)) is not None:
        if following is state:
            return True
        before = following
    return False


def move(swap: Swap, event: Step, *, actor: str, at: int, **changes: object) -> list[Write]:
    """The writes of one step, with its audit row; none where the step has no place."""
    state = step(swap.state, event)
    if state is None:
        return []
    line = f"{swap.number}: {swap.state} -> {state}"
    gives_back = event is Step.CANCEL and swap.fee_fen
    return [
        *([postings.service(swap.merchant_id, -swap.fee_fen, at)] if gives_back else []),
        Update("swaps", {"number": swap.number}, {"state": state, "changed_at": at, **changes}),
        audit(actor, swap.serial_number, f"swap {event}", line, at),
    ]


def pass_on(swap: Swap, successor: str, *, actor: str, at: int) -> list[Write]:
    """The writes by which another device replaces the new one of a swap; none where that has no use for the backup."""
    if swap.state is not SwapState.BOUND:
        return []
    line = f"{swap.number}: {swap.successor} -> {successor}"
    return [
        Update("swaps", {"number": swap.number}, {"successor": successor, "changed_at": at}),
        audit(actor, swap.serial_number, "swap pass on", line, at),
    ]


def _onward(state: SwapState) -> SwapState | None:
    """The state that follows where nobody cancels."""
    return next((following for event, following in TRANSITIONS[state].items() if event is not Step.CANCEL), None)
