"""Holds: put on, taken off; a terminal sells again when none is left (product decision 11, U10)."""

from __future__ import annotations

from host.admin.desk import Desk, Result
from host.decision import Update
from host.errors import AdminError
from host.lifecycle import HOLDS


def hold(desk: Desk, serial_number: str, reason: str, note: str = "") -> Result:
    """Suspend a terminal for one reason; other reasons stand beside it."""
    terminal = desk.terminal(serial_number)
    desk.line(note=note, actor=desk.actor)
    if reason not in HOLDS:
        raise AdminError(f"no hold reason {reason!r}", hint=f"one of {', '.join(HOLDS)}", code="unknown_reason")
    if any(held.reason == reason for held in desk.books.holds(serial_number)):
        raise AdminError(f"{serial_number} is on hold for {reason} already", code="already_held")
    row = {"reason": reason, "note": note, "actor": desk.actor, "since": desk.at}
    desk.insert("holds", serial_number=terminal.serial_number, **row)
    desk.note(serial_number, "hold", f"{reason}: {note}".rstrip(": "))
    return _standing(desk, serial_number)


def release(desk: Desk, serial_number: str, reason: str) -> Result:
    """Lift one hold."""
    desk.terminal(serial_number)
    held = [row for row in desk.books.holds(serial_number) if row.reason == reason]
    if not held:
        raise AdminError(f"{serial_number} is not on hold for {reason!r}", code="not_held")
    changes = {"released_at": desk.at, "released_by": desk.actor}
    desk.books.write(Update("holds", {"number": held[0].number}, changes))
    desk.note(serial_number, "release", reason)
    return _standing(desk, serial_number)


def _standing(desk: Desk, serial_number: str) -> Result:
    reasons = [held.reason for held in desk.books.holds(serial_number)]
    return {"serial_number": serial_number, "holds": reasons, "suspended": bool(reasons)}
