"""From order to counter: order, ship, deliver, and the key card that the depot loads (product R10)."""

from __future__ import annotations

import re
from typing import Any

from host.admin.desk import Desk, Result
from host.errors import AdminError
from host.fallback import TILL
from host.lifecycle import UNREGISTERED, Event, State
from host.records import Terminal, columns
from protocol.downloads import DOWNLOADS

_SHAPES = {
    "serial_number": r"[0-9A-Za-z-]{4,20}",
    "terminal_id": rf"(?!{TILL})[0-9A-Za-z]{{8}}",
    "merchant_id": r"[0-9A-Za-z]{15}",
}


def order(
    desk: Desk, serial_number: str, model: str, merchant_id: str = "", terminal_id: str = "", tmk: str = ""
) -> Result:
    """Order a device of a model for a merchant's till; its master key is made now, or given as 32 hex digits."""
    desk.shaped("serial_number", serial_number, _SHAPES["serial_number"])
    if terminal_id or merchant_id:
        _free_till(desk, merchant_id, terminal_id)
    if desk.books.terminal(serial_number):
        raise AdminError(f"{serial_number} is ordered already", code="serial_number_taken")
    terminal = Terminal(
        serial_number,
        desk.model(model).model,
        merchant_id,
        terminal_id,
        State.ORDERED,
        tmk=desk.keys.new_tmk(serial_number, read_tmk(tmk)),
        due="".join(row.requirement for row in DOWNLOADS.values() if desk.books.published(row.name)),
    )
    desk.insert("terminals", **columns(terminal))
    desk.note(serial_number, "order", f"{model} for {merchant_id or 'stock'} {terminal_id}".strip())
    return {"serial_number": serial_number, "state": State.ORDERED}


def ship(desk: Desk, serial_number: str) -> Result:
    """The depot has loaded the keys and sent the device."""
    return {"serial_number": serial_number, "state": desk.step(desk.terminal(serial_number), Event.SHIP)}


def deliver(desk: Desk, serial_number: str) -> Result:
    """The merchant has it; with the first delivery its warranty begins (product X7)."""
    terminal, warranty_s = desk.terminal(serial_number), desk.policy.service.warranty_s
    begins: dict[str, Any] = {"warranty_until": desk.at + warranty_s} if terminal.warranty_until is None else {}
    return {"serial_number": serial_number, "state": desk.step(terminal, Event.DELIVER, **begins)}


def bind(desk: Desk, serial_number: str, merchant_id: str, terminal_id: str) -> Result:
    """Bind a device from stock to a merchant's till; one that has a till stays there: one machine, one code."""
    terminal = desk.terminal(serial_number)
    if terminal.terminal_id or terminal.state not in UNREGISTERED:
        hint = "a replacement takes over by 'replace'"
        raise AdminError(f"{serial_number} is bound to {terminal.terminal_id} already", hint=hint, code="bound")
    _free_till(desk, merchant_id, terminal_id)
    desk.change(terminal, merchant_id=merchant_id, terminal_id=terminal_id)
    desk.note(serial_number, "bind", f"{terminal_id} of {merchant_id}")
    return {"serial_number": serial_number, "terminal_id": terminal_id, "merchant_id": merchant_id}


def key_card(desk: Desk, serial_number: str) -> Result:
    """What the depot loads: the terminal master key and the host's public key. The only act that shows a key."""
    terminal = desk.terminal(serial_number)
    desk.note(serial_number, "key card", "issued")
    till = {name: getattr(terminal, name) for name in ("model", "terminal_id", "merchant_id")}
    return {"serial_number": serial_number, **till, **desk.keys.key_card(terminal, desk.books.secret("signing"))}


def read_tmk(tmk: str) -> bytes | None:
    """A double-length key in hex, or None for a random one. Raises AdminError."""
    if tmk and not re.fullmatch(r"[0-9A-Fa-f]{32}", tmk):
        raise AdminError("a terminal master key is 32 hex digits", code="tmk")
    return bytes.fromhex(tmk) if tmk else None


def _free_till(desk: Desk, merchant_id: str, terminal_id: str) -> None:
    """A terminal id that is well formed and no device has, or AdminError."""
    desk.shaped("terminal_id", terminal_id, _SHAPES["terminal_id"])
    desk.shaped("merchant_id", merchant_id, _SHAPES["merchant_id"])
    for tenant in desk.books.tenants(terminal_id):
        if not tenant.replaced_by:
            raise AdminError(f"terminal id {terminal_id} belongs to {tenant.serial_number}", code="terminal_id_taken")
