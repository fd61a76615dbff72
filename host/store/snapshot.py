"""Reads what the engine must know of one request, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from host.case import Request, Snapshot
from host.records import Terminal, Transaction
from host.store.books import Books
from protocol.fields import F
from protocol.private import Original

_BATCH_KINDS = frozenset({"settlement", "batch_upload", "batch_end"})


def take_snapshot(books: Books, request: Request, at: int) -> Snapshot:
    """The rows that gates and handlers of this kind look at. Takes a number where the reply names one."""
    terminal, tenant = _who(books, request)
    message, name = request.message, request.kind.name
    snapshot = Snapshot(
        terminal=terminal,
        tenant=tenant,
        merchant=books.merchant(message.text(F.MERCHANT_ID)),
        number=books.next_number() if message.has(F.STAN) else 0,
    )
    if terminal is None:
        return snapshot
    model = books.model(terminal.model)
    extended = terminal.extended or bool(request.device.model)
    extra: dict[str, Any] = {
        "model": model,
        "holds": books.holds(terminal.serial_number),
        "plan": books.plan(terminal.serial_number),
        "commands": books.waiting_commands(terminal.serial_number, at) if extended else (),
    }
    if message.has(F.STAN):
        key = (request.terminal_id, request.control.batch, request.stan)
        extra["stored"] = books.stored_reply(*key, message.mti)
        extra["existing"] = books.transaction(*key)
    if terminal.activated_at is None:
        extra["turnover_fen"] = books.turnover_fen(terminal.serial_number)
    if extended and ((model and model.min_firmware) or name == "firmware_query"):
        extra["release"] = books.newest_release(terminal.model)
        extra["signing_key"] = books.secret("signing")
    if name == "firmware_chunk":
        extra["read_image"] = lambda version, offset, size: books.image(terminal.model, version, offset, size)
    if name == "why":
        extra["last_refusal"] = books.last_refusal(terminal.serial_number)
    if name in _BATCH_KINDS:
        extra["batch"] = books.batch(request.terminal_id, request.control.batch)
        extra["rows"] = books.money_rows(request.terminal_id, request.control.batch)
        extra["uploaded"] = books.uploaded(request.terminal_id, request.control.batch)
    extra["original"] = _original(books, request, extra.get("existing"))
    if undone := extra["original"] or (extra.get("existing") if request.kind.undoes else None):
        extra["refunded_fen"] = books.refunded_fen(undone)
    return replace(snapshot, **extra)


def _who(books: Books, request: Request) -> tuple[Terminal | None, Terminal | None]:
    """The device that speaks, and the one that the terminal id belongs to where that is another.

    A terminal id that is bound to no serial number takes any device that no other terminal is.
    """
    tenants = books.tenants(request.terminal_id)
    tenant, told = (tenants[0] if tenants else None), request.serial_number
    if not told or (tenant and tenant.serial_number == told):
        return tenant, None
    terminal = next((known for known in tenants if known.serial_number == told), None) or books.terminal(told)
    if terminal is None and tenant and not tenant.bound:
        return tenant, None
    return terminal, tenant


def _original(books: Books, request: Request, existing: Transaction | None) -> Transaction | None:
    if request.kind.name == "refund":
        return books.sale_by_rrn(request.message.text(F.MERCHANT_ID), request.message.text(F.RRN))
    if request.kind.name == "sale_void":
        original = Original.parse(request.message.text(F.ORIGINAL))
        return books.transaction(request.terminal_id, original.batch, original.stan)
    if request.kind.name == "sale_void_reversal" and existing and existing.original_stan:
        return books.transaction(request.terminal_id, existing.original_batch, existing.original_stan)
    return None
