"""The maintenance calendar: in which window of the policy the host takes no new business (product U2, R8)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from host.policy import DAY_S, Policy, Window
from host.written import CHINA_TIME

_EAST_S: Final = 8 * 3600
"""Midnight in China is so long before that of UTC."""


def day_begin(at: int) -> int:
    """The midnight in China's time before an instant."""
    return at - (at + _EAST_S) % DAY_S


def end_of(window: Window, at: int) -> int:
    """When a window in which an instant falls ends; 0 where it falls outside. A daily one may go over midnight."""
    begins = [window.begins_at]
    if window.daily_s is not None:
        today = day_begin(at) + window.daily_s
        begins = [today, today - DAY_S]
    return next((begin + window.lasts_s for begin in begins if begin <= at < begin + window.lasts_s), 0)


def open_window(policy: Policy, at: int, model: str = "", region: str = "") -> tuple[Window, int] | None:
    """The first open window that is about this model and region, and its end.

    Without both, one that is about everybody.
    """
    for window in policy.maintenance:
        if window.model in ("", model) and region.startswith(window.region) and (end := end_of(window, at)):
            return window, end
    return None


def clock(at: int) -> str:
    """The time of day in China's time."""
    return f"{datetime.fromtimestamp(at, CHINA_TIME):%H:%M}"
