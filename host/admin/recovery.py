"""After a restore: the books are older than the terminals, until somebody has compared them and says so."""

from __future__ import annotations

from host.admin.desk import Desk, Result
from host.errors import AdminError
from host.store.reconcile import RECONCILE


def accept_books(desk: Desk, note: str) -> Result:
    """Let a host that was restored from a backup sell again; ``note`` says who compared what (invariants J4, S2)."""
    desk.line(note=note)
    if not (waiting := desk.books.counter(RECONCILE)):
        raise AdminError("the host was not restored from a backup", code="not_restored")
    desk.books.add(RECONCILE, -waiting)
    desk.note("", "accept books", note)
    return {"accepted": True}
