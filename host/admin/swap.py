"""Swaps: begun for an old and a new device, looked at, cancelled before the till has changed hands (product X1, X6)."""

from __future__ import annotations

import json
from typing import Any, Final

from host import postings
from host.admin.desk import Desk, Result
from host.admin.models import after_day
from host.admin.repairs import charge
from host.errors import AdminError
from host.handlers.commands import enqueue
from host.handlers.swap import ORDERED
from host.lifecycle import ABSENT
from host.notices import moment
from host.policy import DAY_S
from host.records import Swap, Terminal
from host.replacement import unfit
from host.swap import OPEN, Step, move
from protocol.crypto.derived import PROOF_BYTES
from protocol.money import yuan
from protocol.swap import SwapState

NOT_QUOTED: Final = -1
_RATES: Final = ("credit_bp", "debit_bp", "debit_cap_fen")
_KEPT: Final = ("merchant_id", "fee_fen", "deposit_fen", *_RATES)


def quote_swap(desk: Desk, serial_number: str) -> Result:
    """What the swap of a device costs today, which deposit it needs, at which rates its till goes on: never others."""
    return _quote(desk, desk.terminal(serial_number))


def begin_swap(desk: Desk, serial_number: str, successor: str, day: str = "", quoted_fen: int = NOT_QUOTED) -> Result:
    """Let a device in service hand over to a delivered one: backup, till, wipe. For one that is lost: replace.

    With a day it has an appointment in the off-peak window of that day; else it has its campaign's, if there is one.
    Fee, deposit and rates are kept as they are now, whatever the policy says later; with the fee that was quoted,
    another one is refused. The fee is taken from the deposit, and given back where the swap is cancelled.
    """
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
    quote = _quote(desk, old)
    fee_fen, appointment_at = _pay(desk, quote, quoted_fen), _appointment(desk, serial_number, day)
    desk.insert(
        "swaps",
        serial_number=serial_number,
        successor=successor,
        state=SwapState.ORDERED,
        actor=desk.actor,
        ordered_at=desk.at,
        changed_at=desk.at,
        appointment_at=appointment_at,
        **{name: quote[name] for name in _KEPT},
    )
    when = f", {moment(appointment_at)}" if appointment_at else ""
    desk.note(serial_number, "begin swap", f"for {successor}, {yuan(fee_fen)} yuan{when}")
    if old.extended:
        _tell(desk, old, new, when)
    told = {"serial_number": serial_number, "successor": successor, "appointment": moment(appointment_at)}
    return {"swap": _swap(desk, serial_number).number, **told, "state": SwapState.ORDERED, **quote}


def swaps(desk: Desk, serial_number: str = "") -> Result:
    """Every swap, or those of one device: how far it has come, how much of the backup, what was certified.

    Also what was quoted, the appointment, and whether the merchant's rates are still those of the quote.
    """
    if serial_number:
        desk.terminal(serial_number)
    return {
        "swaps": [
            {
                **row,
                "backup": len(row["backup"]),
                "certificate": _stated(row["certificate"]),
                "appointment": moment(row["appointment_at"]),
                "rate_kept": all(row[name] == rate for name, rate in _rates(desk, row["merchant_id"]).items()),
            }
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


def _quote(desk: Desk, old: Terminal) -> dict[str, Any]:
    figures, there_fen = desk.policy.service, desk.books.balance_fen(postings.deposited(old.merchant_id))
    due_fen = max(0, figures.deposit_fen + figures.swap_fee_fen - there_fen)
    quoted = {"merchant_id": old.merchant_id, "fee_fen": figures.swap_fee_fen, "deposit_fen": figures.deposit_fen}
    return {**quoted, **_rates(desk, old.merchant_id), "due_fen": due_fen}


def _rates(desk: Desk, merchant_id: str) -> dict[str, int]:
    merchant = desk.books.merchant(merchant_id)
    return {name: getattr(merchant, name, 0) for name in _RATES}


def _pay(desk: Desk, quote: dict[str, Any], quoted_fen: int) -> int:
    """Take the fee as it was quoted, where the deposit stays as large as it has to be."""
    fee_fen = int(quote["fee_fen"])
    if quoted_fen not in (NOT_QUOTED, fee_fen):
        hint = "quote-swap tells what it costs now"
        message = f"{yuan(fee_fen)} yuan are due, not {yuan(quoted_fen)}"
        raise AdminError(message, hint=hint, code="quote", field="quoted_fen")
    if quote["due_fen"]:
        hint = f"poslab admin deposit {quote['merchant_id']} {quote['due_fen']}"
        raise AdminError(f"{yuan(quote['due_fen'])} yuan of deposit are missing", hint=hint, code="deposit_short")
    if fee_fen:
        charge(desk, str(quote["merchant_id"]), fee_fen)
    return fee_fen


def _appointment(desk: Desk, serial_number: str, day: str) -> int | None:
    """An instant in the off-peak window of a day that has room, else the terminal's in its campaign (product X3)."""
    if not day:
        plan = desk.books.plan(serial_number)
        item = desk.books.item(plan.campaign, serial_number) if plan and plan.campaign else None
        return item.swap_at if item else None
    rules, most = desk.policy.retirement, desk.policy.service.swaps_a_day
    slot = after_day(day) - DAY_S + rules.window_begins_s
    if slot <= desk.at:
        raise AdminError(f"the window of {day} is past", hint="a later day", code="day", field="day")
    taken = desk.books.appointments(slot, slot + rules.window_s)
    if not most:
        return slot
    free = [at for place in range(most) if (at := slot + place * (rules.window_s // most)) not in taken.values()]
    if len(taken) >= most or not free:
        raise AdminError(f"{len(taken)} swaps are on {day} already", hint="another day", code="capacity", field="day")
    return free[0]


def _tell(desk: Desk, old: Terminal, new: Terminal, when: str) -> None:
    """A notice at the old device: what to do next."""
    body = {
        "title_zh": "换机通知",
        "title_en": "Your terminal is swapped",
        "text_zh": f"请在本机执行交机，再在新终端{new.serial_number}上执行接机{when.replace(', ', '，预约')}。",
        "text_en": f"Hand over on this terminal, then take over on the new one, {new.serial_number}{when}.",
        "reason": ORDERED,
        "stop_at": "",
    }
    key = desk.keys.signing_key(desk.books.secret("signing"))
    desk.books.apply(enqueue(old, "notice", body, signing_key=key, at=desk.at, ttl_s=desk.policy.commands.ttl_s))
