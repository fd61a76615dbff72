"""A failing seed as a bank examiner reports it: what does not hold, the rows that say so, and what led there.

Rules owned here: a payload is told by its key and amount only, never by what a card is; the story ends with the one
command that plays it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pos_lab.sim.checker.wire import Fact, fact_of, frames_of
from pos_lab.sim.log import Event
from pos_lab.sim.run import Result
from protocol.money import yuan

EVENTS: Final = 40
ARROWS: Final = {"sent": "──▶", "received": "◀──", "replied": "◀··"}
_STAN: Final = re.compile(r"/([0-9]{6})/([0-9]{6})")


def story(result: Result, command: str, *, events: int = EVENTS) -> Iterator[str]:
    """The lines of a failing result; ``command`` plays it again."""
    for violation in result.violations[:3]:
        yield f"{violation.id} does not hold: {violation.rule}."
        yield f"  {violation.finding}"
    stans = {match.group(2) for violation in result.violations for match in _STAN.finditer(violation.finding)}
    yield ""
    about = [event for event in result.events if _is_about(event, stans)]
    chosen = about[-events:] if about else list(result.events[-events:])
    yield f"What led there ({len(chosen)} of {len(result.events)} events, seconds of virtual time):"
    for event in chosen:
        yield f"  {event.at_s:12.3f}  {event.who:8} {_told(event)}"
    yield ""
    yield f"{len(result.faults)} faults happened: {', '.join(result.faults[-12:]) or 'none'}"
    yield f"Play it again: {command}"


def _is_about(event: Event, stans: set[str]) -> bool:
    """Does an event name one of the transactions, or is it something that happens to everybody?"""
    if event.what in ("fault", "dark", "boot", "heal", "broken"):
        return True
    facts = _facts(event)
    return any(fact.stan in stans for fact in facts) or any(stan in event.words for stan in stans)


def _facts(event: Event) -> list[Fact]:
    payloads = frames_of(event.payload) if event.what == "replied" else [event.payload]
    return [fact for payload in payloads if payload and (fact := fact_of(payload))]


def _told(event: Event) -> str:
    arrow = ARROWS.get(event.what)
    if arrow is None:
        return f"{event.what:8} {event.words}".rstrip()
    facts = _facts(event)
    return f"{arrow} {'; '.join(map(_spelt, facts)) or f'{len(event.payload)} bytes that are no message'}"


def _spelt(fact: Fact) -> str:
    amount = f" {yuan(fact.amount_fen)}" if fact.amount_fen else ""
    code = f" answered {fact.code}" if fact.code and fact.mti[2] in "13" else ""
    return f"{fact.mti} {fact.batch}/{fact.stan or '-'}{amount}{code}"
