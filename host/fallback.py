"""A code by which a shop is paid while its terminal is away: when it is good, and what it takes (product X10).

Rules owned here: a code is for a till that cannot sell just now: its device is at fault, in repair, lost, opened, or
handing over in a swap; once the till has a device that sells, the code takes nothing. What is stopped or on hold for
the merchant's sake is not got round by a code: nothing is captured after a stop (T7). What is paid by it lies in a till
of its own, one batch a day, so that no terminal has to know of it and it is settled without one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from host.holds import FAULT, HOLDS, REPAIR
from host.lifecycle import IN_SERVICE, State
from host.payouts import china_day
from host.records import Hold, Swap, Terminal
from host.swap import OPEN
from protocol.swap import SwapState

TILL: Final = "Q"
"""Terminal ids of such tills begin so; no device has one of them."""
_AWAY: Final = frozenset({State.LOST, State.TAMPERED})
_HELD_AWAY: Final = frozenset({FAULT, REPAIR})
_OUT: Final = frozenset({State.STOPPED, State.RETIRED})
_HANDING_OVER: Final = OPEN - {SwapState.ORDERED}
"""Until it begins to hand over the old device sells."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """A code of a shop: ``terminal_id`` is the till of its own, ``until`` when it ends by itself."""

    number: int
    code: str
    serial_number: str
    merchant_id: str
    terminal_id: str
    why: str
    actor: str
    opened_at: int
    until: int
    closed_at: int | None = None

    def is_open(self, at: int) -> bool:
        """Was it neither closed nor has its time run out?"""
        return self.closed_at is None and at < self.until


def is_away(terminal: Terminal, swap: Swap | None, holds: Iterable[Hold]) -> str:
    """Why a till cannot sell just now, empty where it can, or shall not. ``holds`` are those in force."""
    standing = {hold.reason for hold in holds if not hold.kinds}
    if terminal.state in _OUT or any(HOLDS[reason].follows_till for reason in standing):
        return ""
    if terminal.state in _AWAY:
        return str(terminal.state)
    if swap and swap.serial_number == terminal.serial_number and swap.state in _HANDING_OVER:
        return "swap"
    held = sorted(standing & _HELD_AWAY)
    return held[0] if held and terminal.state in IN_SERVICE else ""


def till_of(number: int) -> str:
    """The terminal id of the till of a code."""
    return f"{TILL}{number:07d}"


def batch_of(at: int) -> str:
    """The batch of a day in China: YYMMDD."""
    return f"{china_day(at):%y%m%d}"
