"""Putting a hold on and lifting it: the rows, each with its line of the audit (product decision 11)."""

from __future__ import annotations

from host.decision import Insert, Update, Write
from host.records import Hold, columns
from host.retirement import audit


def put_on(hold: Hold, at: int) -> list[Write]:
    """The writes of a new hold, which may begin later; its number is given by the store."""
    row = {name: value for name, value in columns(hold).items() if name != "number"}
    detail = f"{hold.reason}: {hold.note}" if hold.note else hold.reason
    return [Insert("holds", row), audit(hold.actor, hold.serial_number, "hold", detail, at)]


def lift(hold: Hold, actor: str, at: int) -> list[Write]:
    """The writes by which a stored hold ends."""
    changes = {"released_at": at, "released_by": actor}
    return [
        Update("holds", {"number": hold.number}, changes),
        audit(actor, hold.serial_number, "release", hold.reason, at),
    ]
