"""The host's time, from fields 12 and 13, which name no year.

Rules owned here: the year is the one that lies nearest to what the board shows; digits that are no time are ignored.
"""

from __future__ import annotations

import re
from datetime import datetime


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
