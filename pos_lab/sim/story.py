"""A failing seed as a bank examiner reports it: what does not hold, the rows that say so, and what led there.

Rules owned here: a payload is told by its key and amount only, never by what a card is, and a number that could be a
card's is masked; the story ends with the one command that plays it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pos_lab.sim.checker.wire import Fact, fact_of, frames_of
from pos_lab.sim.log import Event
from pos_lab.sim.run import Result
from protocol.masking import mask_pan
from protocol.money import yuan

EVENTS: Final = 40
_TO_ALL: Final = frozenset({"fault", "dark", "boot", "heal", "broken"})
ARROWS: Final = {"sent": "──▶", "received": "◀──", "replied": "◀··"}
_KEY: Final = re.compile(r"([0-9A-Za-z]{8})/([0-9]{6})/([0-9]{6})")
_NUMBER: Final = re.compile(r"(?<![0-9])[0-9]{13,19}(?![0-9])")


def story(result: Result, command: str, *, events: int = EVENTS) -> Iterator[str]:
    """The lines of a failing result; ``command`` plays it again."""
    for violation in result.violations[:3]:
        yield f"{violation.id} does not hold: {violation.rule}."
        yield f"  {masked(violation.finding)}"
        yield from (f"    {masked(line)}" for line in violation.books)
    yield ""
    chosen = about(result)[-events:] or list(result.events[-events:])
    yield f"What led there ({len(chosen)} of {len(result.events)} events, seconds of virtual time):"
    for event in chosen:
        yield f"  {event.at_s:12.3f}  {event.who:8} {_told(event)}"
    yield ""
    yield f"{len(result.faults)} faults happened: {', '.join(result.faults[-12:]) or 'none'}"
    yield f"Play it again: {command}"


Named = frozenset[tuple[str, str]]
"""Terminal id and STAN of the transactions that a verdict names."""


def named(result: Result) -> Named:
    """The transactions that the verdict names."""
    found = (match for violation in result.violations for match in _KEY.finditer(violation.finding))
    return frozenset((match[1], match[3]) for match in found)


def about(result: Result) -> list[Event]:
    """The events that name one of these transactions, and those that happen to everybody."""
    keys = named(result)
    return [event for event in result.events if event.what in _TO_ALL or is_named(event, keys)]


def is_named(event: Event, keys: Named) -> bool:
    """Is an event about one of these transactions? Words name the STAN alone."""
    if any((fact.terminal_id, fact.stan) in keys for fact in facts_of(event)):
        return True
    return any(stan in event.words.split() for _, stan in keys)


def facts_of(event: Event) -> list[Fact]:
    """What the messages of an event say, without those that make no sense."""
    payloads = frames_of(event.payload) if event.what == "replied" else [event.payload]
    return [fact for payload in payloads if payload and (fact := fact_of(payload))]


def spelt_out(event: Event) -> str:
    """The words of an event: its own, or what its messages say."""
    if event.what not in ARROWS:
        return masked(event.words)
    return "; ".join(map(_spelt, facts_of(event))) or f"{len(event.payload)} bytes that are no message"


def masked(text: str) -> str:
    """A text without card numbers and payment codes."""
    return _NUMBER.sub(lambda found: mask_pan(found.group()), text)


def _told(event: Event) -> str:
    return f"{ARROWS.get(event.what, f'{event.what:8}')} {spelt_out(event)}".rstrip()


def _spelt(fact: Fact) -> str:
    amount = f" {yuan(fact.amount_fen)}" if fact.amount_fen else ""
    code = f" answered {fact.code}" if fact.code and fact.mti[2] in "13" else ""
    return f"{fact.mti} {fact.batch}/{fact.stan or '-'}{amount}{code}"
