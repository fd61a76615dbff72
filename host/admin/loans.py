"""Spare devices: lent in the place of one that is away, returned, refurbished (product X9).

Rules owned here: a spare takes a till over like any successor, and gives it back by a swap, so that no batch and no
fee is lost on either way; a loan ends once the till has left the spare. What leaves a till for good has lost its keys:
``refurbish`` gives it a new life, with a new master key, as a device in stock that knows nothing of the last one.
"""

from __future__ import annotations

from typing import Any, Final

from host import postings
from host.admin.desk import Desk, Result
from host.admin.ending import drained, hand_till
from host.admin.repairs import end_repair, open_repair
from host.decision import Delete, Update
from host.errors import AdminError
from host.last_word import NO_WORDS
from host.lifecycle import ABSENT, Event, State
from host.notices import moment
from host.policy import DAY_S
from host.records import Terminal
from host.repairs import AT_DEPOT, RepairState
from host.suspension import lift
from host.swap import PROVES_WIPE
from protocol.downloads import DOWNLOADS
from protocol.money import yuan

DAYS_MAX: Final = 365
_OF_A_LIFE: Final = ("plans", "updates", "diagnoses", "statuses", "refusals", "fetches", "commands")
"""Tables whose rows about a device end with its life; money, holds, audit and what people wrote stay."""


def lend_spare(desk: Desk, serial_number: str, spare: str, days: int = 0) -> Result:
    """Let a spare device take the till of one that is repaired, lost or opened; it is due back after some days.

    A device that can still settle does so first; of one that is at the depot the host's own ledger is paid.
    """
    old, new = desk.terminal(serial_number), desk.terminal(spare)
    if not 0 <= days <= DAYS_MAX:
        raise AdminError(
            f"a spare is lent for 1 to {DAYS_MAX} days, or for what the policy says", code="days", field="days"
        )
    repair = open_repair(desk, serial_number)
    if repair is None and old.state not in ABSENT:
        hint = f"poslab admin report-fault {serial_number} opens its repair"
        raise AdminError(f"{serial_number} is {old.state} and no repair of it is open", hint=hint, code="no_repair")
    wanted_fen, there_fen = desk.policy.service.deposit_fen, desk.books.balance_fen(postings.deposited(old.merchant_id))
    free_fen = there_fen - on_loan_fen(desk, old.merchant_id)
    if free_fen < wanted_fen:
        hint = f"poslab admin deposit {old.merchant_id} {wanted_fen - free_fen}"
        message = f"a loan needs a deposit of {yuan(wanted_fen)} yuan, {yuan(max(0, free_fen))} are free"
        raise AdminError(message, hint=hint, code="deposit_short")
    if repair is None or repair["state"] not in AT_DEPOT:
        drained(desk, old)
    told = hand_till(desk, old, new)
    due_at = desk.at + (days * DAY_S or desk.policy.service.loan_s)
    number = desk.books.add("loan", 1)
    row = {"serial_number": serial_number, "spare": spare, "merchant_id": old.merchant_id, "deposit_fen": wanted_fen}
    desk.insert("loans", number=number, **row, actor=desk.actor, lent_at=desk.at, due_at=due_at)
    desk.note(spare, "lend spare", f"{number}: in the place of {serial_number}, until {moment(due_at)}")
    return {"number": number, "due_at": due_at, **told}


def return_spare(desk: Desk, number: int) -> Result:
    """A spare is back: another device has its till. What it was held on deposit for is free."""
    loan = _loan(desk, number)
    spare = desk.terminal(loan["spare"])
    if spare.state not in (State.REPLACED, State.RETIRED):
        hint = f"poslab admin begin-swap {spare.serial_number} SERIAL gives its till back"
        raise AdminError(f"{spare.serial_number} is {spare.state}: it has the till yet", hint=hint, code="illegal_step")
    desk.books.write(Update("loans", {"number": number}, {"returned_at": desk.at}))
    desk.note(spare.serial_number, "return spare", str(number))
    return {"number": number, "spare": spare.serial_number, "lent_s": desk.at - loan["lent_at"]}


def loans(desk: Desk, serial_number: str = "") -> Result:
    """Every loan, or those of one device, lent or away: since when, until when, whether it is overdue."""
    if serial_number:
        desk.terminal(serial_number)
    return {
        "loans": [
            {**row, "overdue": row["returned_at"] is None and row["due_at"] < desk.at}
            for row in desk.books.rows("loans")
            if serial_number in ("", row["serial_number"], row["spare"])
        ]
    }


def on_loan_fen(desk: Desk, merchant_id: str) -> int:
    """What of a merchant's deposit stands for spares that it has not given back."""
    return sum(row["deposit_fen"] for row in desk.books.rows("loans", merchant_id=merchant_id, returned_at=None))


def refurbish(desk: Desk, serial_number: str, reference: str) -> Result:
    """Give a device that was replaced a new life in stock: wiped, with a new master key, of no merchant.

    ``reference`` is the depot's sheet. A device whose swap waits for its wipe proves that first.
    """
    desk.line(reference=reference)
    if not reference.strip():
        raise AdminError("the depot's sheet is named", code="reference", field="reference")
    terminal = desk.terminal(serial_number)
    swap = desk.books.swap(serial_number)
    if swap and swap.serial_number == serial_number and swap.state in PROVES_WIPE:
        raise AdminError(
            f"swap {swap.number} of {serial_number} is {swap.state}: its wipe is not proven",
            hint=f"hand over on {serial_number} until it is wiped",
            code="swap_open",
        )
    repair = open_repair(desk, serial_number)
    if repair and repair["state"] != RepairState.REPAIRED:
        raise AdminError(f"repair {repair['number']} is {repair['state']}", hint="repair it first", code="repair_open")
    if desk.books.rows("loans", spare=serial_number, returned_at=None):
        raise AdminError(f"{serial_number} is lent", hint="poslab admin return-spare", code="lent")
    desk.step(terminal, Event.REFURBISH, **_as_new(desk, terminal))
    desk.change(terminal, why="")
    _forget_life(desk, terminal)
    if repair:
        end_repair(desk, repair)
    desk.note(serial_number, "refurbish", f"{reference}: in stock, with a new master key")
    return {"serial_number": serial_number, "state": State.ORDERED}


def _as_new(desk: Desk, terminal: Terminal) -> dict[str, Any]:
    """The columns of a device in stock; its numbers go on, so that nothing of its last life fits into this one."""
    return {
        "merchant_id": "", "terminal_id": "", "batch": "000001", "replaced_by": "", "line": "",
        "told_batch": "", "signed_on": False, "bound": True, "extended": False, "firmware": "", "download_until": 0,
        "tmk": desk.keys.new_tmk(terminal.serial_number), "working_keys": b"", "previous_keys": b"",
        "missed_sign_on": False, **NO_WORDS,
        "due": "".join(row.requirement for row in DOWNLOADS.values() if desk.books.published(row.name)),
        "activated_at": None, "registered_at": None, "activate_by": None, "refurbished_at": desk.at,
    }  # fmt: skip


def _forget_life(desk: Desk, terminal: Terminal) -> None:
    key = {"serial_number": terminal.serial_number}
    for held in desk.books.holds(terminal.serial_number):
        desk.books.apply(lift(held, desk.actor, desk.at))
    desk.books.write(*(Delete(table, key) for table in _OF_A_LIFE))
    desk.books.write(Delete("registrations", {**key, "verdict": ""}))


def _loan(desk: Desk, number: int) -> dict[str, Any]:
    rows = desk.books.rows("loans", number=number)
    if not rows:
        raise AdminError(f"no loan {number}", hint="poslab admin loans lists them", code="unknown_loan")
    if rows[0]["returned_at"] is not None:
        raise AdminError(f"{rows[0]['spare']} is back already", code="not_open")
    return rows[0]
