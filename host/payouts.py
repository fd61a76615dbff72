"""TABLE TERMS: when a settled batch is paid (product M: T+0, D+0, T+1).

A day is China's. ``T`` counts working days, Monday to Friday without the policy's holidays; ``D`` counts all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

from host.written import CHINA_TIME

Day = Callable[[date, Collection[date]], date]
_SATURDAY: Final = 5


def _is_working(day: date, holidays: Collection[date]) -> bool:
    return day.weekday() < _SATURDAY and day not in holidays


def _this_working_day(day: date, holidays: Collection[date]) -> date:
    while not _is_working(day, holidays):
        day += timedelta(days=1)
    return day


def _next_working_day(day: date, holidays: Collection[date]) -> date:
    return _this_working_day(day + timedelta(days=1), holidays)


def _this_day(day: date, holidays: Collection[date]) -> date:
    return day


TERMS: Final[Mapping[str, Day]] = MappingProxyType(
    {"T+0": _this_working_day, "D+0": _this_day, "T+1": _next_working_day}
)


def pay_day(term: str, settled_at: int, holidays: Collection[date]) -> date:
    """The day on which a batch that was settled at an instant is due; raises KeyError where there is no such term."""
    return TERMS[term](china_day(settled_at), holidays)


def due_before(term: str, today: date, holidays: Collection[date]) -> int:
    """The instant before which a batch was settled if it is due today or was due earlier: ``pay_day`` the other way."""
    settled = today
    while TERMS[term](settled, holidays) > today:
        settled -= timedelta(days=1)
    following = settled + timedelta(days=1)
    return int(datetime(following.year, following.month, following.day, tzinfo=CHINA_TIME).timestamp())


def china_day(at: int) -> date:
    """The day of an instant in China."""
    return datetime.fromtimestamp(at, CHINA_TIME).date()
