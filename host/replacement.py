"""One device takes the till of another over, by a swap or by order: what stands against it, and what is written.

Rules owned here: no captured money may be left in a batch that nobody will settle (invariant W1); the new device gets
terminal id, merchant, activation and the next batch number, never keys (W3); holds that are about the merchant go with
the till. A stop does not: replacing a stopped device is what a stop by plan leads to, and a merchant who shall not sell
is put on hold. The rate is the merchant's and stays (product decision 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from host.decision import Insert, Write
from host.holds import HOLDS
from host.lifecycle import ABSENT, Event, step
from host.records import Batch, BatchState, DeviceModel, Hold, Terminal, Transaction, columns
from host.retirement import move
from host.suspension import put_on

_LAST_BATCH: Final = 999_999


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a till cannot change hands now; ``code`` is for machines."""

    code: str
    message: str
    hint: str = ""


def undrained(terminal: Terminal, batch: Batch | None, rows: Sequence[Transaction]) -> Obstacle | None:
    """What is left to settle at a till; ``batch`` and ``rows`` are those of its open batch."""
    if terminal.state in ABSENT:
        return None
    if batch and batch.state is BatchState.UPLOADING:
        return Obstacle("batch_open", f"batch {batch.batch} of {terminal.serial_number} is being uploaded")
    if rows:
        left = f"{len(rows)} unsettled transactions in batch {terminal.batch}"
        return Obstacle("batch_open", f"{terminal.serial_number} has {left}", "settle first")
    return None


def unfit(old: Terminal, new: Terminal, new_model: DeviceModel | None) -> Obstacle | None:
    """What else stands against ``new`` in the place of ``old``."""
    if new_model is None or new_model.retired_at is not None:
        return Obstacle("model_retired", f"{new.serial_number} is a {new.model}, which retires itself")
    for terminal, event in ((old, Event.REPLACE), (new, Event.TAKE_OVER)):
        if step(terminal.state, event) is None:
            said = f"{terminal.serial_number} is {terminal.state}: '{event}' has no place there"
            return Obstacle("illegal_step", said)
    return None


def take_over(old: Terminal, new: Terminal, holds: Sequence[Hold], *, actor: str, at: int) -> list[Write]:
    """The writes; ``holds`` are those of the old device. Nothing may stand against it."""
    gone, come = f"replaced by {new.serial_number}", f"takes over from {old.serial_number}"
    till = {"merchant_id": old.merchant_id, "terminal_id": old.terminal_id, "batch": _following(old.batch)}
    dates = {"registered_at": at, "activate_by": old.activate_by}
    writes = [
        *closing(old, at),
        *move(old, Event.REPLACE, actor=actor, at=at, why=gone, replaced_by=new.serial_number, signed_on=False),
        *move(new, Event.TAKE_OVER, actor=actor, at=at, why=come, **till, **dates),
        *(write for hold in holds if HOLDS[hold.reason].follows_till for write in _put_on(hold, new, at)),
    ]
    taken = step(new.state, Event.TAKE_OVER)
    if old.activated_at is not None and taken is not None:
        registered = replace(new, state=taken)
        writes += move(registered, Event.ACTIVATE, actor=actor, at=at, activated_at=old.activated_at)
    return writes


def closing(terminal: Terminal, at: int) -> list[Write]:
    """Close what is open, empty as it is: what a late reversal restores in it is paid or carried like the rest."""
    if not terminal.terminal_id:
        return []
    closed = Batch(terminal.terminal_id, terminal.batch, terminal.merchant_id, BatchState.CLOSED, settled_at=at)
    return [Insert("batches", columns(closed), replace=True)]


def _following(batch: str) -> str:
    return f"{int(batch) % _LAST_BATCH + 1:06d}"


def _put_on(hold: Hold, new: Terminal, at: int) -> list[Write]:
    return put_on(replace(hold, serial_number=new.serial_number), at)
