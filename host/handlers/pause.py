"""Answers to a merchant who pauses a terminal, or resumes (product U8): the hold "merchant" beside all others."""

from __future__ import annotations

from typing import Final

from host.case import Case
from host.decision import Decision, Write
from host.last_word import as_last_word, is_outdated
from host.records import Hold
from host.refusals import Refused
from host.suspension import lift, put_on
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.private import text_tag, unpack_tags

REASON: Final = "merchant"
_ACTOR: Final = "device"
_PAUSES: Final = {"1": True, "0": False}


def pause(case: Case) -> Decision:
    """Put the hold on or take it off, once: a pause that comes again behind its resume gets its stored reply.

    One that comes for the first time behind its resume is refused. Raises DecodeError where tag PA is neither 1 nor 0.
    """
    said = text_tag(unpack_tags(case.request.message.octets(F.PAYLOAD), field=F.PAYLOAD), "PA")
    if said not in _PAUSES:
        raise DecodeError("tag PA is neither 1 nor 0", field=F.PAYLOAD, code="tags")
    if is_outdated(case):
        return Decision(Refused("pause.superseded"), remember=False)  # a line that holds words back takes no seat
    serial_number = case.terminal.serial_number
    held = [hold for hold in case.snapshot.holds if hold.reason == REASON]
    writes: list[Write] = []
    if _PAUSES[said] and not held:
        writes = put_on(Hold(0, serial_number, REASON, "", _ACTOR, case.at), case.at)
    elif not _PAUSES[said]:
        writes = [write for hold in held for write in lift(hold, _ACTOR, case.at)]
    return Decision(writes=(*writes, as_last_word(case)))
