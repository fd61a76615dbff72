"""After a restore: the books are older than the terminals, until somebody has compared them and says so."""

from __future__ import annotations

from host.admin.desk import Desk, Result
from host.books_ahead import follows
from host.errors import AdminError
from host.holds import BOOKS
from host.store.reconcile import RECONCILE
from host.suspension import lift


def accept_books(desk: Desk, note: str, serial_number: str = "") -> Result:
    """Let a host that was restored from a backup sell again; ``note`` says who compared what (invariants J4, S2).

    With a serial number, accept that this one terminal was ahead of the host: it goes on in the batch that it told.
    """
    desk.line(note=note)
    if serial_number:
        return _accept_terminal(desk, serial_number, note)
    if not (waiting := desk.books.counter(RECONCILE)):
        raise AdminError("the host was not restored from a backup", code="not_restored")
    desk.books.add(RECONCILE, -waiting)
    desk.note("", "accept books", note)
    return {"accepted": True}


def _accept_terminal(desk: Desk, serial_number: str, note: str) -> Result:
    terminal = desk.terminal(serial_number)
    held = [hold for hold in desk.books.holds(serial_number) if hold.reason == BOOKS]
    if not held:
        raise AdminError(f"{serial_number} was not ahead of the books", code="not_ahead", field="serial_number")
    for hold in held:
        desk.books.apply(lift(hold, desk.actor, desk.at))
    batch = terminal.told_batch if follows(terminal.told_batch, terminal.batch) else terminal.batch
    desk.change(terminal, batch=batch, told_batch="")
    desk.note(serial_number, "accept books", f"{note}: it goes on in batch {batch}")
    return {"accepted": True, "serial_number": serial_number, "batch": batch}
