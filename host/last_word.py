"""What a device says of itself, and which word of it is the last.

Rules owned here: TABLE WORDS; the last word on a matter counts, which is not the last that arrives. A line may hold a
word back for minutes, and the device has said another one by then; so a word counts only behind the one before it, by
batch and STAN. That is so for as long as the keys serve under which it was said: a device that lost its memory signs
on, and counts from one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from host.books_ahead import follows
from host.case import Case
from host.decision import Update

WORDS: Final[Mapping[str, str]] = MappingProxyType({"pause": "pause_word", "status_upload": "status_word"})
"""Kind -> the column of its terminal that has batch and STAN of the last."""
NO_WORDS: Final[Mapping[str, str]] = MappingProxyType(dict.fromkeys(WORDS.values(), ""))
"""Those of a terminal that has said nothing yet."""
_BATCH_DIGITS: Final = 6


def is_outdated(case: Case) -> bool:
    """Was a later word on the same matter heard before this one?"""
    last = str(getattr(case.terminal, WORDS[case.request.kind.name]))
    if not last or case.ends_old_keys:
        return False
    batch, known_batch, known_stan = case.request.control.batch, last[:_BATCH_DIGITS], last[_BATCH_DIGITS:]
    return not (follows(case.request.stan, known_stan) if batch == known_batch else follows(batch, known_batch))


def as_last_word(case: Case) -> Update:
    """From here on this word is the last on its matter."""
    word = {WORDS[case.request.kind.name]: case.request.control.batch + case.request.stan}
    return Update("terminals", {"serial_number": case.terminal.serial_number}, word)
