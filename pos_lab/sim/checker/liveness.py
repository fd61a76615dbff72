"""Invariants D that an examiner can ask: everything is bounded, explained, and comes to an end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pos_lab.sim.checker.evidence import Evidence, Loaded, Quiet, Replied
from pos_lab.sim.checker.invariant import Invariant, spelt
from pos_lab.sim.checker.talk import reason_of
from pos_lab.sim.checker.wire import APPROVALS

NEED_NO_WORDS: Final = APPROVALS | {"94"}
CONNECTIONS_MAX: Final = 10
"""Lines that a host keeps for one shop, but for those that died without a word."""
DEAD_MAX: Final = 60
"""Those stay until they were idle for half an hour, and a shop takes the time of an answer, 30 s, to notice one."""
TASKS_MAX: Final = 8
GUEST_TASKS_MAX: Final = 2
"""A stranger, and the connection that he opens."""
LEFT: Final = 2
"""The world itself, and one of its own."""


def _bounded(evidence: Evidence, event: Loaded) -> Iterator[str]:
    """Memory and descriptors are a process's; in a world what can pile up are lines and what waits on them."""
    if event.connections > CONNECTIONS_MAX * event.shops + event.guests:
        yield f"the host has {event.connections} lines for {event.shops} shops and {event.guests} strangers"
    if event.dead > DEAD_MAX * event.shops:
        yield f"the host has {event.dead} dead lines of {event.shops} shops"
    if event.tasks > TASKS_MAX * event.shops + GUEST_TASKS_MAX * event.guests:
        yield f"{event.tasks} things are under way for {event.shops} shops and {event.guests} strangers"
    if event.is_quiet and event.tasks > event.shops + LEFT:
        yield f"{event.tasks} tasks are left when all is over"


def _nothing_unresolved(evidence: Evidence, event: Quiet) -> Iterator[str]:
    for terminal_id, till in evidence.tills.items():
        for key in till.unresolved:
            yield f"{spelt((terminal_id, *key))} is still {till.rows[key].state}"


def _explained(evidence: Evidence, event: Replied) -> Iterator[str]:
    """One refusal, one reason: field 39 alone tells nobody what to mend (product decision 12)."""
    fact = event.fact
    if fact.code and fact.code not in NEED_NO_WORDS and not reason_of(fact):
        yield f"{fact.mti} refuses {spelt(fact.key)} with {fact.code} and does not say why"


LIVENESS: Final = (
    Invariant("D2", Loaded, "lines and tasks are bounded", _bounded),
    Invariant("D3", Quiet, "nothing stays unresolved", _nothing_unresolved),
    Invariant("D4", Replied, "every refusal says why", _explained),
)
