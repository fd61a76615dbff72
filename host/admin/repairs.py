"""Repairs: reported, received at the depot, repaired or scrapped, returned (product X7).

Rules owned here: a device in service is on hold for as long as its repair is open; a device that somebody else's till
runs on meanwhile goes back to stock instead of to the shop, which is ``refurbish``.
"""

from __future__ import annotations

from typing import Any, Final

from host import postings
from host.admin.desk import Desk, Result
from host.decision import Update
from host.errors import AdminError
from host.holds import REPAIR
from host.lifecycle import IN_SERVICE, UNREGISTERED, State
from host.records import Hold, Terminal
from host.repairs import CAUSES, OPEN, Move, RepairState, is_covered, repair_s, step
from host.suspension import lift, put_on
from protocol.money import yuan

COST_MAX_FEN: Final = 10_000_000


def report_fault(desk: Desk, serial_number: str, cause: str, note: str = "") -> Result:
    """Open the repair of a device: from now on it sells no more, and its warranty is looked at as it is today."""
    desk.line(note=note)
    terminal = desk.terminal(serial_number)
    if cause not in CAUSES:
        raise AdminError(f"no cause {cause!r}", hint=f"one of {', '.join(CAUSES)}", code="unknown_cause", field="cause")
    if terminal.state in UNREGISTERED or terminal.state is State.RETIRED:
        raise AdminError(f"{serial_number} is {terminal.state}: no shop has it", code="illegal_step")
    if found := open_repair(desk, serial_number):
        raise AdminError(f"repair {found['number']} of {serial_number} is {found['state']}", code="already_reported")
    number, covered = desk.books.add("repair", 1), is_covered(terminal, cause, desk.at)
    row: dict[str, Any] = {"serial_number": serial_number, "merchant_id": terminal.merchant_id, "cause": cause}
    row |= {
        "note": note,
        "state": RepairState.REPORTED,
        "covered": covered,
        "actor": desk.actor,
        "reported_at": desk.at,
    }
    desk.insert("repairs", number=number, **row)
    desk.note(serial_number, "report fault", f"{number}: {cause}, {'covered' if covered else 'to be paid'}")
    if terminal.state in IN_SERVICE:
        held = Hold(0, serial_number, REPAIR, f"repair {number}", desk.actor, desk.at)
        desk.books.apply(put_on(held, desk.at))
    return {"number": number, "state": RepairState.REPORTED, "covered": covered}


def receive_device(desk: Desk, number: int) -> Result:
    """The depot has the device of a repair."""
    return _move(desk, _repair(desk, number), Move.RECEIVE, received_at=desk.at)


def repair_device(desk: Desk, number: int, outcome: str, cost_fen: int = 0) -> Result:
    """The device works again; what the warranty does not cover is taken from the merchant's deposit."""
    desk.line(outcome=outcome)
    row = _repair(desk, number)
    if not 0 <= cost_fen <= COST_MAX_FEN:
        raise AdminError(f"a repair costs 0 to {COST_MAX_FEN} fen", code="cost", field="cost_fen")
    if cost_fen and row["covered"]:
        raise AdminError(f"repair {number} is covered by the warranty", code="covered", field="cost_fen")
    told = _move(desk, row, Move.REPAIR, repaired_at=desk.at, cost_fen=cost_fen, outcome=outcome)
    if cost_fen:
        charge(desk, row["merchant_id"], cost_fen)
    terminal = desk.terminal(row["serial_number"])
    lasts_until = max(terminal.warranty_until or 0, desk.at + desk.policy.service.repaired_s)
    desk.change(terminal, warranty_until=lasts_until)
    return {**told, "cost_fen": cost_fen, "warranty_until": lasts_until}


def return_device(desk: Desk, number: int) -> Result:
    """The device is back in its shop, and sells again unless something else holds it."""
    row = _repair(desk, number)
    terminal = desk.terminal(row["serial_number"])
    if terminal.state is State.REPLACED:
        hint = f"refurbish {terminal.serial_number}, then let it take over from {terminal.replaced_by}"
        raise AdminError(f"{terminal.replaced_by} has its till", hint=hint, code="replaced")
    return _close(desk, row, Move.RETURN)


def scrap_device(desk: Desk, number: int, why: str) -> Result:
    """The device cannot be repaired: its hold stays, and another one replaces it."""
    desk.line(why=why)
    return _move(desk, _repair(desk, number), Move.SCRAP, closed_at=desk.at, outcome=why)


def cancel_repair(desk: Desk, number: int, why: str) -> Result:
    """The device was well, or never sent: it sells again."""
    desk.line(why=why)
    return _close(desk, _repair(desk, number), Move.CANCEL, outcome=why)


def repairs(desk: Desk, serial_number: str = "") -> Result:
    """Every repair, of one device or of all: its state, dates, cost, how long it took, whether that was too long."""
    matches = {"serial_number": desk.terminal(serial_number).serial_number} if serial_number else {}
    told = []
    for row in desk.books.rows("repairs", **matches):
        took_s = repair_s(row, desk.at)
        told.append({**row, "repair_s": took_s, "late": took_s > desk.policy.service.repair_s})
    done = [row["repair_s"] for row in told if row["state"] == RepairState.RETURNED]
    return {"repairs": told, "mean_repair_s": sum(done) // len(done) if done else 0}


def open_repair(desk: Desk, serial_number: str) -> dict[str, Any] | None:
    """The repair of a device that has not ended."""
    rows = desk.books.rows("repairs", serial_number=serial_number)
    return next((row for row in rows if row["state"] in OPEN), None)


def charge(desk: Desk, merchant_id: str, amount_fen: int) -> None:
    """Take what a service costs from a merchant's deposit, or AdminError where that is too small."""
    there_fen = desk.books.balance_fen(postings.deposited(merchant_id))
    if there_fen < amount_fen:
        hint = f"poslab admin deposit {merchant_id} {amount_fen - there_fen}"
        raise AdminError(
            f"{yuan(amount_fen)} yuan are due and the deposit has {yuan(there_fen)}", hint=hint, code="deposit_short"
        )
    desk.books.write(postings.service(merchant_id, amount_fen, desk.at))


def lift_repair(desk: Desk, terminal: Terminal) -> None:
    """The hold of a repair ends."""
    for held in desk.books.holds(terminal.serial_number):
        if held.reason == REPAIR:
            desk.books.apply(lift(held, desk.actor, desk.at))


def end_repair(desk: Desk, row: dict[str, Any]) -> Result:
    """The device of a repair has gone where it belongs; what it is held for is lifted."""
    return _close(desk, row, Move.RETURN)


def _close(desk: Desk, row: dict[str, Any], move: Move, **changes: object) -> Result:
    told = _move(desk, row, move, closed_at=desk.at, **changes)
    lift_repair(desk, desk.terminal(row["serial_number"]))
    return {**told, "repair_s": repair_s({**row, "closed_at": desk.at}, desk.at)}


def _repair(desk: Desk, number: int) -> dict[str, Any]:
    rows = desk.books.rows("repairs", number=number)
    if not rows:
        raise AdminError(f"no repair {number}", hint="poslab admin repairs lists them", code="unknown_repair")
    return rows[0]


def _move(desk: Desk, row: dict[str, Any], move: Move, **changes: object) -> Result:
    state = step(RepairState(row["state"]), move)
    if state is None:
        message = f"repair {row['number']} is {row['state']}: '{move}' has no place there"
        raise AdminError(message, hint="poslab admin repairs", code="illegal_step")
    desk.books.write(Update("repairs", {"number": row["number"]}, {"state": state, **changes}))
    desk.note(row["serial_number"], f"{move} device", f"{row['number']}: {row['state']} -> {state}")
    return {"number": row["number"], "serial_number": row["serial_number"], "state": state}
