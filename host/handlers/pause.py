"""Answers to a merchant who pauses a terminal, or resumes (product U8): the hold "merchant" beside all others.

Rules owned here: the last word counts, which is not the last that arrives. A line may hold a word back for minutes, and
the merchant has said another one by then; so a word counts only behind the one before it, by batch and STAN. That is
so for as long as the keys serve under which it was said: a device that lost its memory signs on, and counts from one.
"""

from __future__ import annotations

from typing import Final

from host.books_ahead import follows
from host.case import Case
from host.decision import Decision, Update, Write
from host.records import Hold
from host.refusals import Refused
from host.suspension import lift, put_on
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.private import text_tag, unpack_tags

REASON: Final = "merchant"
_ACTOR: Final = "device"
_PAUSES: Final = {"1": True, "0": False}
_BATCH_DIGITS: Final = 6


def pause(case: Case) -> Decision:
    """Put the hold on or take it off, once: a pause that comes again behind its resume gets its stored reply.

    One that comes for the first time behind its resume is refused. Raises DecodeError where tag PA is neither 1 nor 0.
    """
    said = text_tag(unpack_tags(case.request.message.octets(F.PAYLOAD), field=F.PAYLOAD), "PA")
    if said not in _PAUSES:
        raise DecodeError("tag PA is neither 1 nor 0", field=F.PAYLOAD, code="tags")
    batch, stan = case.request.control.batch, case.request.stan
    if not case.ends_old_keys and _has_said_more(case.terminal.pause_word, batch, stan):
        return Decision(Refused("pause.superseded"))
    serial_number = case.terminal.serial_number
    held = [hold for hold in case.snapshot.holds if hold.reason == REASON]
    writes: list[Write] = []
    if _PAUSES[said] and not held:
        writes = put_on(Hold(0, serial_number, REASON, "", _ACTOR, case.at), case.at)
    elif not _PAUSES[said]:
        writes = [write for hold in held for write in lift(hold, _ACTOR, case.at)]
    last = Update("terminals", {"serial_number": serial_number}, {"pause_word": batch + stan})
    return Decision(writes=(*writes, last))


def _has_said_more(pause_word: str, batch: str, stan: str) -> bool:
    """Was the last word said behind this one?"""
    known_batch, known_stan = pause_word[:_BATCH_DIGITS], pause_word[_BATCH_DIGITS:]
    if not pause_word:
        return False
    return not (follows(stan, known_stan) if batch == known_batch else follows(batch, known_batch))
