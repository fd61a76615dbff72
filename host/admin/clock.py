"""The lab clock: an administrator moves it on, so that dated plans can be played between real processes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from host.acquirer import CLOCK_OFFSET
from host.admin.calendar import sweep
from host.admin.campaigns import carry_out_due
from host.admin.desk import Desk, Result
from host.errors import AdminError

LAB_CLOCK: Final = "lab_clock"
_TEN_YEARS_S: Final = 10 * 366 * 86_400


def clock_advance(desk: Desk, seconds: int) -> Result:
    """Move the host's clock on and carry out the plans that fall due; only where the host runs with a lab clock."""
    if not desk.books.counter(LAB_CLOCK):
        raise AdminError("the host keeps real time", hint="start it with --lab-clock", code="no_lab_clock")
    if not 0 < seconds <= _TEN_YEARS_S:
        raise AdminError("the clock only moves forward, by ten years at most", code="clock_step")
    offset_s = desk.books.add(CLOCK_OFFSET, seconds)
    at = desk.at + seconds
    later = replace(desk, at=at)
    ran = carry_out_due(later)
    told = sweep(later)
    desk.note("", "clock advance", f"{seconds} s")
    return {"advanced_s": seconds, "offset_s": offset_s, "stopped": sorted(ran.stopped), **told}
