"""Answers to echo and status upload."""

from __future__ import annotations

from host.case import Case
from host.decision import Decision, Insert
from protocol.fields import F


def echo(case: Case) -> Decision:
    """The line works."""
    return Decision(remember=False)


def status_upload(case: Case) -> Decision:
    """What the device says of its parts is kept as it came (CUP 3.7: two-digit codes, 1 good, 0 bad)."""
    row = {
        "serial_number": case.terminal.serial_number,
        "status": case.request.message.octets(F.PAYLOAD).decode("ascii", "replace"),
        "at": case.at,
    }
    return Decision(writes=(Insert("statuses", row, replace=True),), remember=False)
