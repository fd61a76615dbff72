"""What a device says of itself, and which word of it is the last.

Rules owned here: the last word counts, which is not the last that arrives. A line may hold a word back for minutes, and
the device has said another one by then; so a word counts only behind the one before it, by batch and STAN. That is so
for as long as the keys serve under which it was said: a device that lost its memory signs on, and counts from one.
"""

from __future__ import annotations

from typing import Final

from host.books_ahead import follows
from host.case import Case
from host.decision import Update

_BATCH_DIGITS: Final = 6


def is_outdated(case: Case) -> bool:
    """Was another word said behind this one?"""
    last = case.terminal.last_word
    if not last or case.ends_old_keys:
        return False
    batch, known_batch, known_stan = case.request.control.batch, last[:_BATCH_DIGITS], last[_BATCH_DIGITS:]
    return not (follows(case.request.stan, known_stan) if batch == known_batch else follows(batch, known_batch))


def as_last_word(case: Case) -> Update:
    """From here on this word is the last."""
    word = case.request.control.batch + case.request.stan
    return Update("terminals", {"serial_number": case.terminal.serial_number}, {"last_word": word})
