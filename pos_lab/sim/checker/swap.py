"""Invariants W: a till changes hands, and money, keys and names stay whose they are.

A successor gets the terminal id of its predecessor, so batches and STANs of a terminal id go on rising across devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pos_lab.sim.checker.device import Rekeyed
from pos_lab.sim.checker.evidence import Committed, Evidence, Quiet
from pos_lab.sim.checker.invariant import CLOSED, LATE_REVERSALS, Invariant, is_new_business, name_of, sign, spelt
from pos_lab.sim.checker.ledger import Change

LAST_BATCH: Final = 999_999
ALIVE: Final = frozenset({"registered", "activated", "retiring", "stopped"})
"""States from which a till is handed over; that of a device that is lost is recovered from the host's own book."""
SHARED: Final = frozenset({"host_public"})
"""Keys that every device of a host has."""


def _conserves(evidence: Evidence, event: Committed) -> Iterator[str]:
    """The till goes with an empty batch: what was captured in it must have been settled before (product decision 6).

    An adjustment of the host's own does not keep it, for no device can settle it: its batch is closed with the handing
    over, and it is paid or carried with that.
    """
    for change in event.changes:
        states = change.before.get("state", ""), change.after.get("state", "")
        if change.table != "terminals" or states[1] != "replaced" or states[0] not in ALIVE:
            continue
        terminal_id, batch = change.before["terminal_id"], change.before["batch"]
        is_closed = evidence.ledger.tables["batches"].get((terminal_id, batch), {}).get("state") == CLOSED
        for name, row in evidence.rows():
            if is_closed and row["kind"] in LATE_REVERSALS:
                continue
            if name[:2] == (terminal_id, batch) and row["state"] == "captured" and sign(row["kind"]):
                yield f"{spelt(name)} is captured and unsettled, and its till has gone to {change.after['replaced_by']}"


def _is_all_there(evidence: Evidence, event: Quiet) -> Iterator[str]:
    """Nothing of a terminal id belongs to a device that never had it."""
    had: dict[str, set[str]] = {}
    for row in evidence.rows_of("terminals"):
        had.setdefault(row["terminal_id"], set()).add(row["serial_number"])
    for name, row in evidence.rows():
        if row["serial_number"] not in had.get(name[0], set()):
            yield f"{spelt(name)} is of {row['serial_number']}, which never had this till"


def _old_is_dead(evidence: Evidence, event: Change) -> Iterator[str]:
    """It may still undo what it began: the adjustment that the host makes of that is no business of the device's."""
    if is_new_business(event):
        terminal = evidence.ledger.tables["terminals"].get((event.after["serial_number"],), {})
        if terminal.get("state") in ("replaced", "lost", "tampered"):
            yield f"{spelt(name_of(event.after))} is captured by a device that is {terminal['state']}"
    if event.table == "terminals" and event.before.get("state") == "replaced" and event.after:
        changed = [name for name in ("terminal_id", "batch", "state", "replaced_by") if _differs(event, name)]
        if changed:
            yield f"{event.after['serial_number']} was replaced, and its {changed[0]} changes"


def _differs(event: Change, column: str) -> bool:
    return bool(event.before[column] != event.after[column])


def _begins_behind(evidence: Evidence, event: Change) -> Iterator[str]:
    """Read as the design's order of keys: batches wrap, so behind means the one that follows the last."""
    row = event.after
    if event.table != "terminals" or not event.before or not row or event.before["terminal_id"] == row["terminal_id"]:
        return
    used = [int(name[1]) for name, _ in evidence.rows() if name[0] == row["terminal_id"]]
    batch = int(row["batch"])
    if batch in used or (any(used) and batch <= max(used) < LAST_BATCH):
        yield f"{row['serial_number']} begins at {row['terminal_id']}/{row['batch']}, {max(used):06d} was used there"


def _own_keys(evidence: Evidence, event: Rekeyed) -> Iterator[str]:
    own = {bytes(key) for slot, key in event.after.keys.items() if slot not in SHARED}
    for serial_number, talk in evidence.talks.items():
        shared = {bytes(key) for slot, key in talk.device.ring.keys.items() if slot in SHARED}
        if serial_number != event.serial_number and own & talk.device.known_keys - shared:
            yield f"{event.serial_number} has a key of {serial_number}"


SWAP: Final = (
    Invariant("W1", Committed, "a till goes on when its batch is settled", _conserves),
    Invariant("W1", Quiet, "and every transaction is of a device that had it", _is_all_there),
    Invariant("W2", Change, "a device that was replaced does nothing any more", _old_is_dead),
    Invariant("W3", Change, "its successor begins behind it", _begins_behind),
    Invariant("W3", Rekeyed, "and has keys of its own", _own_keys),
)
