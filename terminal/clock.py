"""The host's time, from fields 12 and 13, which name no year.

Rules owned here: the year is the one that lies nearest to what the board shows, unless the host proves that it is
another; digits that are no time are ignored.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

DAY: Final = timedelta(days=1)


def host_time(date: str, time: str, near: datetime) -> datetime | None:
    """``date`` MMDD and ``time`` hhmmss in the zone of the aware ``near``; None where they are no time."""
    if not re.fullmatch(r"[0-9]{4}", date) or not re.fullmatch(r"[0-9]{6}", time):
        return None
    day = int(date[:2]), int(date[2:])
    clock = int(time[:2]), int(time[2:4]), int(time[4:])
    candidates = []
    for year in (near.year - 1, near.year, near.year + 1):
        try:
            at = datetime(year, *day, *clock, tzinfo=near.tzinfo)
        except ValueError:
            continue  # the 29th of February of another year, or no date at all
        candidates.append(at)
    return min(candidates, key=lambda at: abs(at - near), default=None)


def year_between(now: datetime, begins: int, ends: int) -> datetime | None:
    """The aware ``now`` in the nearest year in which it lies between two instants, epoch seconds; None where it does so
    already, by a day, or in no year.
    """
    first, last = (datetime.fromtimestamp(at, now.tzinfo) for at in (begins, ends))
    if first - DAY <= now < last + DAY:
        return None
    candidates = []
    for year in range(first.year - 1, last.year + 2):
        try:
            at = now.replace(year=year)
        except ValueError:
            continue  # the 29th of February of another year
        if first - DAY <= at < last:
            candidates.append(at)
    return min(candidates, key=lambda at: abs(at - now), default=None)
