"""The end of a terminal by plan or by order: what moves it, and what is written when its date has come.

A plan is dated: notice, grace, stop. Until the stop the terminal sells; the stop at its date needs nobody to press a
button, and an order may stop it earlier (product, "Administrative state").
"""

from __future__ import annotations

from typing import Final

from host.decision import Insert, Update, Write
from host.lifecycle import Event, step
from host.records import Plan, Terminal

ENDINGS: Final = frozenset({Event.STOP, Event.RETIRE, Event.REPLACE, Event.LOSE, Event.TAMPER})
"""After these a campaign looks at its terminal again."""


def move(terminal: Terminal, event: Event, *, actor: str, at: int, why: str = "", **changes: object) -> list[Write]:
    """The writes of one legal step of the administrative life, with its audit row; none where the step is not legal."""
    state = step(terminal.state, event)
    if state is None:
        return []
    reason = {"why": why} if why else {}
    wake = [Update("campaign_items", {"serial_number": terminal.serial_number}, {"next_at": at})]
    return [
        *(wake if event in ENDINGS else []),
        Update("terminals", {"serial_number": terminal.serial_number}, {"state": state, **reason, **changes}),
        audit(
            actor, terminal.serial_number, str(event), f"{terminal.state} -> {state}" + (f": {why}" if why else ""), at
        ),
    ]


def carry_out(plan: Plan, terminal: Terminal, at: int) -> list[Write]:
    """What a plan whose stop date has come does to its terminal, once."""
    done = Update("plans", {"serial_number": plan.serial_number}, {"done_at": at})
    return [done, *move(terminal, Event.STOP, actor="plan", at=at, why=plan.reason)]


def audit(actor: str, serial_number: str, act: str, detail: str, at: int) -> Insert:
    """The row that every administrative act leaves."""
    return Insert("audit", {"at": at, "actor": actor, "serial_number": serial_number, "act": act, "detail": detail})
