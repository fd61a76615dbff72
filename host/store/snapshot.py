"""Reads what the engine must know of one request, and no more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from host.case import Request, Snapshot, Standing
from host.issuer import find_wallet
from host.limits import LIMITED
from host.maintenance import day_begin
from host.partners import PARTNER_OF
from host.policy import Firmware, Limits, Policy
from host.records import DeviceModel, Merchant, Terminal, Transaction
from host.store.backend import Keys
from host.store.books import Books
from host.store.reconcile import RECONCILE
from host.transactions import ADJUSTMENTS, COMPLETIONS, LATE_REVERSAL, SIGNS, VOIDS
from protocol.downloads import DOWNLOAD_OF
from protocol.fields import F
from protocol.private import Original
from protocol.swap import Role

_HOLD_KINDS = frozenset({"preauth_void", "additional_preauth", *COMPLETIONS})
"""Kinds that name a pre-authorisation by its authorisation id."""
_NAMES_ORIGINAL = frozenset({*VOIDS, *ADJUSTMENTS, "script_result"}) - _HOLD_KINDS
_LEAVES_ORIGINAL = frozenset({*VOIDS, "additional_preauth"})
"""Kinds whose reversal looks at the original as well."""
_BATCH_KINDS = frozenset({"settlement", "batch_upload", "batch_end"})
_SWAP_KINDS = frozenset({"swap_query", "swap_report"})
_SIGNED_ANSWERS = frozenset({"rsa_key", "command_fetch"})
"""Kinds whose answer the host signs."""

_NAMES_NOBODY = frozenset(
    {"sale", "moto_sale", "qr_sale", "offline_sale", "preauth", "balance", "echo", "sign_in", "sign_off", "why"}
)
"""Kinds that are about no transaction but their own."""


def keys_of(request: Request, card_token: Callable[[str], str]) -> Keys:
    """What a request may touch: its terminal id, its device, its card, and where it may be about a transaction of
    another terminal, its merchant.
    """
    keys = {f"terminal {request.terminal_id}"}
    if request.serial_number:
        keys.add(f"device {request.serial_number}")
    if request.payer:
        keys.add(f"card {card_token(request.payer)}")
    if request.kind.name not in _NAMES_NOBODY:
        keys.add(f"merchant {request.message.text(F.MERCHANT_ID)}")
    return frozenset(keys)


def take_snapshot(
    books: Books, request: Request, at: int, card_token: Callable[[str], str], policy: Policy
) -> Snapshot:
    """The rows that gates and handlers of this kind look at; ``card_token`` names a card by its number.

    Takes a number where the reply names one.
    """
    about = (request.serial_number, request.merchant_id)
    standing = books.standing(request.terminal_id, about, partial(_standing, books, request))
    terminal, model, merchant = standing.terminal, standing.model, standing.merchant
    message, name = request.message, request.kind.name
    extra: dict[str, Any] = {
        "terminal": terminal,
        "tenant": standing.tenant,
        "merchant": merchant,
        "number": books.next_number() if request.stan else 0,
        "is_restored": standing.is_restored,
        "standing": standing,
    }
    if terminal is None:
        return Snapshot(**extra)
    born_at = terminal.refurbished_at
    extended = terminal.extended or bool(request.device.model)
    extra["model"], extra["holds"], extra["plan"] = model, standing.holds, standing.plan
    if extended:
        extra["commands"] = books.waiting_commands(terminal.serial_number, at)
    if request.stan:
        key = (request.terminal_id, request.control.batch, request.stan)
        extra["stored"] = books.stored_reply(*key, message.mti)
        extra["existing"] = books.transaction(*key)
    if request.pin_block:
        extra["wrong_pins"] = books.wrong_pins(card_token(request.pan))
    if terminal.activated_at is None:
        extra["turnover_fen"] = books.turnover_fen(terminal, policy.activation.reading)
    if name in LIMITED and _is_limited(merchant, policy.limits):
        extra["day_fen"], extra["day_count"] = books.sold_since(terminal.serial_number, max(day_begin(at), born_at))
    if name in PARTNER_OF:
        issuer = request.issuer or find_wallet(request.device.payment_code)
        if issuer and issuer.keeps_accounts:
            extra["spent_fen"] = books.spent_fen(card_token(request.payer))
        extra["partner"] = books.partner(PARTNER_OF[name])
    if policy.risk.rules and SIGNS.get(name) == 1:
        extra["recent"] = books.recent(terminal.serial_number, max(at - policy.risk.window_s, born_at))
        extra["alerts"] = books.alerts(terminal.serial_number, max(at - policy.risk.warning_s, born_at))
    if (model and model.recommended_firmware) or name == "firmware_report":
        extra["progress"] = books.progress(terminal.serial_number)
    if extended and (name == "firmware_query" or _may_update(model, policy)):
        extra["release"] = books.newest_release(terminal.model, model.blocked_firmware if model else "")
        extra["signing_key"] = books.secret("signing")
    if name in _SIGNED_ANSWERS:
        extra["signing_key"] = books.secret("signing")
    if name == "firmware_chunk":
        extra["read_image"] = lambda version, offset, size: books.image(terminal.model, version, offset, size)
    if name in DOWNLOAD_OF:
        extra["published"] = books.published(DOWNLOAD_OF[name].name)
        extra["fetch"] = books.fetch(terminal.serial_number, DOWNLOAD_OF[name].name)
    if name == "registration":
        forms = books.rows("registrations", serial_number=terminal.serial_number)
        extra["forms"] = tuple(form for form in forms if form["at"] >= born_at)
    if name == "why":
        extra["last_refusal"] = books.last_refusal(terminal.serial_number)
    if name in _BATCH_KINDS:
        extra["batch"] = books.batch(request.terminal_id, request.control.batch)
        extra["rows"] = books.money_rows(request.terminal_id, request.control.batch)
        extra["uploaded"] = books.uploaded(request.terminal_id, request.control.batch)
    elif request.kind.undoes:
        extra["batch"] = books.batch(request.terminal_id, request.control.batch)
    if name in _SWAP_KINDS:
        extra |= _swap(books, terminal, at)
    if name == "qr_sale":
        extra["code_used"] = books.code_used(card_token(request.payer))
    if name not in _NAMES_NOBODY:
        extra["original"] = _original(books, request, extra.get("existing"), card_token)
        if undone := extra["original"] or (extra.get("existing") if request.kind.undoes else None):
            extra["followers"] = _followers(books, undone)
            extra["contested_fen"] = books.contested_fen(undone)
        if request.kind.undoes in VOIDS and extra["original"]:
            extra["returned_fee_fen"] = books.returned_fee_fen(extra["original"])
    return Snapshot(**extra)


def _standing(books: Books, request: Request) -> Standing:
    terminal, tenant = _who(books, request)
    merchant, is_restored = books.merchant(request.merchant_id), books.counter(RECONCILE) > 0
    if terminal is None:
        return Standing(None, tenant, merchant, is_restored=is_restored)
    serial_number = terminal.serial_number
    model, plan = books.model(terminal.model), books.plan(serial_number)
    return Standing(terminal, tenant, merchant, model, books.holds(serial_number), plan, is_restored)


def _is_limited(merchant: Merchant | None, limits: Limits) -> bool:
    own = merchant is not None and (merchant.daily_fen or merchant.daily_count)
    return bool(own or limits.daily_fen or limits.daily_count)


def _may_update(model: DeviceModel | None, policy: Policy) -> bool:
    """Can a refusal or an offer of this model lead to an update?"""
    by_policy = bool(policy.compatibility) or policy.firmware.protocol_min != Firmware().protocol_min
    return by_policy or bool(model and (model.min_firmware or model.recommended_firmware or model.blocked_firmware))


def _who(books: Books, request: Request) -> tuple[Terminal | None, Terminal | None]:
    """The device that speaks, and the one that the terminal id belongs to where that is another.

    A terminal id that is bound to no serial number takes any device that no other terminal is.
    """
    tenants = books.tenants(request.terminal_id)
    tenant, told = (tenants[0] if tenants else None), request.serial_number
    if not told or (tenant and tenant.serial_number == told):
        return tenant, None
    terminal = next((known for known in tenants if known.serial_number == told), None)
    if terminal is None:
        books.keeps = False  # the rows of a device that speaks under another's terminal id are not locked
        terminal = books.terminal(told)
    if terminal is None and tenant and not tenant.bound:
        return tenant, None
    return terminal, tenant


def _swap(books: Books, terminal: Terminal, at: int) -> dict[str, Any]:
    """The latest swap of a device, the other device of it, and what is open at the till."""
    swap = books.swap(terminal.serial_number)
    if swap is None or swap.changed_at < terminal.refurbished_at:
        return {}
    role = swap.role(terminal.serial_number)
    peer = books.terminal(swap.successor if role is Role.OLD else swap.serial_number)
    old = terminal if role is Role.OLD else peer
    found: dict[str, Any] = {"swap": swap, "peer": peer, "signing_key": books.secret("signing")}
    if peer:
        found["peer_holds"] = books.holds(peer.serial_number)
        found["peer_commands"] = books.waiting_commands(peer.serial_number, at)
    if old:
        found["batch"] = books.batch(old.terminal_id, old.batch)
        found["rows"] = books.money_rows(old.terminal_id, old.batch)
    return found


def _original(
    books: Books, request: Request, existing: Transaction | None, card_token: Callable[[str], str]
) -> Transaction | None:
    message, name = request.message, request.kind.name
    if name == "refund":
        return books.sale_by_rrn(message.text(F.MERCHANT_ID), message.text(F.RRN))
    if name in _HOLD_KINDS:
        return books.hold(message.text(F.MERCHANT_ID), message.text(F.AUTH_ID), card_token(request.pan))
    if name in _NAMES_ORIGINAL:
        original = Original.parse(message.text(F.ORIGINAL))
        return books.transaction(request.terminal_id, original.batch, original.stan)
    if request.kind.undoes in _LEAVES_ORIGINAL and existing and existing.original_stan:
        return books.transaction(existing.original_terminal_id, existing.original_batch, existing.original_stan)
    return None


def _followers(books: Books, original: Transaction) -> tuple[Transaction, ...]:
    """The rows about a transaction, but for completions that were taken back after their batch was closed: those stay
    as they were settled (invariant S6), and the hold is free again.
    """
    return tuple(
        row
        for row in books.followers(original)
        if row.kind not in COMPLETIONS or all(each.kind != LATE_REVERSAL for each in books.followers(row))
    )
