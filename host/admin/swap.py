"""Swaps: begun for an old and a new device, looked at, cancelled before the till has changed hands (product X1, X6)."""

from __future__ import annotations

import json

from host.admin.desk import Desk, Result
from host.errors import AdminError
from host.handlers.commands import enqueue
from host.handlers.swap import ORDERED
from host.lifecycle import ABSENT
from host.records import Swap, Terminal
from host.replacement import unfit
from host.swap import OPEN, Step, move
from protocol.crypto.derived import PROOF_BYTES
from protocol.swap import SwapState


def begin_swap(desk: Desk, serial_number: str, successor: str) -> Result:
    """Let a device in service hand over to a delivered one: backup, till, wipe. For one that is lost: replace."""
    old, new = desk.terminal(serial_number), desk.terminal(successor)
    if old.state in ABSENT:
        raise AdminError(f"{serial_number} is {old.state}", hint="a device that is gone is replaced", code="absent")
    if new.merchant_id not in ("", old.merchant_id):
        raise AdminError(f"{successor} was ordered for another merchant", code="other_merchant")
    if obstacle := unfit(old, new, desk.model(new.model)):
        raise AdminError(obstacle.message, hint=obstacle.hint, code=obstacle.code)
    for terminal in (old, new):
        swap = desk.books.swap(terminal.serial_number)
        if swap and swap.state in OPEN:
            raise AdminError(
                f"swap {swap.number} of {swap.serial_number} for {swap.successor} is {swap.state}",
                hint=f"finish it, or poslab admin cancel-swap {swap.serial_number}",
                code="swap_open",
            )
    desk.insert(
        "swaps",
        serial_number=serial_number,
        successor=successor,
        state=SwapState.ORDERED,
        actor=desk.actor,
        ordered_at=desk.at,
        changed_at=desk.at,
    )
    desk.note(serial_number, "begin swap", f"for {successor}")
    if old.extended:
        _tell(desk, old, new)
    number = _swap(desk, serial_number).number
    return {"swap": number, "serial_number": serial_number, "successor": successor, "state": SwapState.ORDERED}


def swaps(desk: Desk, serial_number: str = "") -> Result:
    """Every swap, or those of one device: how far it has come, how much of the backup, what was certified."""
    if serial_number:
        desk.terminal(serial_number)
    return {
        "swaps": [
            {**row, "backup": len(row["backup"]), "certificate": _stated(row["certificate"])}
            for row in desk.books.rows("swaps")
            if serial_number in ("", row["serial_number"], row["successor"])
        ]
    }


def cancel_swap(desk: Desk, serial_number: str) -> Result:
    """End the swap of an old device before the new one has claimed the till; the old one goes on selling."""
    desk.terminal(serial_number)
    swap = _swap(desk, serial_number)
    writes = move(swap, Step.CANCEL, actor=desk.actor, at=desk.at, backup=b"")
    if not writes or swap.serial_number != serial_number:
        raise AdminError(
            f"swap {swap.number} of {swap.serial_number} is {swap.state}",
            hint="once the till has changed hands a swap can only be finished",
            code="swap_state",
        )
    desk.books.apply(writes)
    return {"swap": swap.number, "serial_number": serial_number, "state": SwapState.CANCELLED}


def _stated(certificate: bytes) -> dict[str, object]:
    """What was certified, as it was when the proof was verified."""
    return json.loads(certificate[:-PROOF_BYTES]) if certificate else {}


def _swap(desk: Desk, serial_number: str) -> Swap:
    swap = desk.books.swap(serial_number)
    if swap is None:
        raise AdminError(f"no swap of {serial_number} was ordered", hint="poslab admin swaps", code="no_swap")
    return swap


def _tell(desk: Desk, old: Terminal, new: Terminal) -> None:
    """A notice at the old device: what to do next."""
    body = {
        "title_zh": "换机通知",
        "title_en": "Your terminal is swapped",
        "text_zh": f"请在本机执行交机，再在新终端{new.serial_number}上执行接机。",
        "text_en": f"Hand over on this terminal, then take over on the new one, {new.serial_number}.",
        "reason": ORDERED,
        "stop_at": "",
    }
    key = desk.keys.signing_key(desk.books.secret("signing"))
    desk.books.apply(enqueue(old, "notice", body, signing_key=key, at=desk.at, ttl_s=desk.policy.commands.ttl_s))
