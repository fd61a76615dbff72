"""TABLE GATES: who is refused, in order of precedence; the first hit wins.

A gate is a row: a name, when it is asked, which kinds it spares, and a test that gives a refusal or None. Identity
gates come before a repeated request finds its stored reply, permission gates after it: what was answered once is
answered so again, whatever happened to the terminal since. For the same reason the batch is compared after the MAC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from host.case import Case
from host.downloads import overdue
from host.keys import MacCheck
from host.lifecycle import (
    ABSENT,
    ALL_KINDS,
    CHINESE_STATES,
    DRAIN,
    FINISHING,
    HOLDS,
    NEW_BUSINESS,
    PERMITS,
    REGISTERING,
    REVERSALS,
    UNREGISTERED,
    State,
)
from host.records import TransactionState
from host.refusals import Refused
from host.wellformed import wrong_content
from protocol.downloads import DOWNLOAD_OF
from protocol.fields import FIELDS, F
from protocol.image import parse_version
from protocol.kinds import Identity, missing_fields
from protocol.money import yuan


class Stage(Enum):
    """When a gate is asked."""

    IDENTITY = "before a repeated request is recognised"
    PERMISSION = "after it"


@dataclass(frozen=True, slots=True)
class Gate:
    """A row of GATES."""

    name: str
    stage: Stage
    spares: frozenset[str]
    test: Callable[[Case], Refused | None]


def _malformed(case: Case) -> Refused | None:
    kind, message = case.request.kind, case.request.message
    missing = missing_fields(Identity(kind, is_request=True), message)
    if missing:
        names = ", ".join(f"field {number} ({FIELDS[number].name})" for number in missing)
        return Refused("message.malformed", {"what": f"{names} missing"})
    return wrong_content(kind, message)


def _unknown(case: Case) -> Refused | None:
    known = case.snapshot.terminal or case.snapshot.tenant
    return None if known else Refused("terminal.unknown")


def _unregistered(case: Case) -> Refused | None:
    terminal = case.snapshot.terminal
    if terminal is None or terminal.state not in UNREGISTERED or case.request.kind.name in PERMITS[terminal.state]:
        return None
    return Refused("terminal.not_registered", {"state": terminal.state, "state_zh": CHINESE_STATES[terminal.state]})


def _merchant(case: Case) -> Refused | None:
    merchant = case.snapshot.merchant
    if merchant is None:
        return Refused("merchant.unknown")
    return None if merchant.active else Refused("merchant.inactive")


def _bound_elsewhere(case: Case) -> Refused | None:
    terminal, request = case.snapshot.terminal, case.request
    if terminal is None:
        return Refused("terminal.other_device")
    if request.kind.name in _MUST_NAME_DEVICE and terminal.bound and not request.serial_number:
        return Refused("terminal.other_device")
    if request.kind.name in _FOR_ANY_TILL:
        return None
    if terminal.terminal_id != request.terminal_id:
        return Refused("terminal.other_device")
    if case.snapshot.tenant and terminal.state not in ABSENT:
        return Refused("terminal.other_device")
    if case.snapshot.merchant and terminal.merchant_id != case.snapshot.merchant.merchant_id:
        return Refused("terminal.other_merchant")
    return None


def _absent(case: Case) -> Refused | None:
    terminal = case.terminal
    if terminal.state not in ABSENT or case.request.kind.name in PERMITS[terminal.state] or case.is_repeated:
        return None
    return Refused(f"terminal.{terminal.state}", {"successor": terminal.replaced_by})


def _not_signed_on(case: Case) -> Refused | None:
    terminal = case.terminal
    spared = terminal.signed_on or case.request.kind.name in FINISHING or case.is_repeated
    if terminal.working_keys and spared:
        return None
    return Refused("terminal.not_signed_on")


def _wrong_mac(case: Case) -> Refused | None:
    """Kinds that the dialect leaves without a MAC may lack it, but not from a device that is known to add one."""
    bare = case.request.kind.may_mac and case.mac is MacCheck.ABSENT and not case.terminal.extended
    return None if case.mac.good or bare else Refused("message.mac")


def _wrong_batch(case: Case) -> Refused | None:
    batch = case.terminal.batch
    return None if case.request.control.batch == batch else Refused("terminal.wrong_batch", {"batch": batch})


def _currency(case: Case) -> Refused | None:
    return None if case.request.message.text(F.CURRENCY) == RENMINBI else Refused("currency.unsupported")


def _stopped(case: Case) -> Refused | None:
    terminal = case.terminal
    permitted = terminal.state is not State.STOPPED or case.request.kind.name in PERMITS[State.STOPPED]
    return None if permitted else Refused("terminal.stopped", {"why": terminal.why})


def _held(case: Case) -> Refused | None:
    reasons = [HOLDS[hold.reason] for hold in case.snapshot.holds]
    return Refused(f"hold.{min(reasons, key=lambda row: row.rank).reason}") if reasons else None


def _model(case: Case) -> Refused | None:
    model = case.snapshot.model
    if model is None:
        return Refused("model.unknown")
    over = model.retired_at is not None and case.at >= model.retired_at
    return Refused("model.retired", {"model": model.model}) if over else None


def _firmware(case: Case) -> Refused | None:
    required = case.snapshot.model.min_firmware if case.snapshot.model else ""
    running = case.firmware
    if not required or (running and parse_version(running) >= parse_version(required)):
        return None
    return Refused("firmware.too_old", {"version": running or "unknown", "required": required})


def _parameters(case: Case) -> Refused | None:
    """Product G7: what is published is to be fetched first, where the policy says so; the header asks for it."""
    rows = overdue(case.terminal.due) if case.policy.parameters_required and case.terminal.due else []
    if not rows:
        return None
    words = {"what": ", ".join(row.english for row in rows), "what_zh": "、".join(row.chinese for row in rows)}
    return Refused("terminal.parameters_old", words)


def _not_activated(case: Case) -> Refused | None:
    if case.terminal.activated_at is not None or case.request.kind.name in PERMITS[State.REGISTERED]:
        return None
    words = {"turnover": yuan(case.snapshot.turnover_fen), "required": yuan(case.policy.activation_fen)}
    return Refused("terminal.not_activated", words)


def _used(case: Case) -> Refused | None:
    existing = case.snapshot.existing
    if existing is None:
        return None
    return Refused("transaction.reversed" if existing.state is TransactionState.TOMBSTONE else "request.key_reused")


_MUST_NAME_DEVICE: Final = REGISTERING | {"sign_in"}
_FOR_ANY_TILL: Final = frozenset({"swap_query"})
"""Kinds by which a device asks about a till that is not its own yet, or not any more."""
_NONE: Final[frozenset[str]] = frozenset()
_WHY: Final = frozenset({"why"})
RENMINBI: Final = "156"
_NEED_SIGN_ON: Final = NEW_BUSINESS | REVERSALS | {"settlement", "batch_upload", "batch_end", "sign_off"} | {
    "command_fetch", "command_ack", "firmware_query", "firmware_chunk", "firmware_report", "script_result",
    "signature_upload", "cashier_sign_in", "pause", "swap_report",
} | DOWNLOAD_OF.keys()  # fmt: skip
_IN_OPEN_BATCH: Final = NEW_BUSINESS | {"settlement"}
_I, _P = Stage.IDENTITY, Stage.PERMISSION

GATES: Final = (
    Gate("malformed", _I, _NONE, _malformed),
    Gate("unknown terminal", _I, _WHY, _unknown),
    Gate("not registered", _I, _WHY, _unregistered),
    Gate("merchant", _I, _WHY | REGISTERING, _merchant),
    Gate("bound elsewhere", _I, _WHY, _bound_elsewhere),
    Gate("replaced, retired, lost or tampered", _I, _WHY, _absent),
    Gate("not signed on", _I, ALL_KINDS - _NEED_SIGN_ON, _not_signed_on),
    Gate("MAC", _I, ALL_KINDS - _NEED_SIGN_ON, _wrong_mac),
    Gate("wrong batch", _P, ALL_KINDS - _IN_OPEN_BATCH, _wrong_batch),
    Gate("currency", _P, ALL_KINDS - NEW_BUSINESS, _currency),
    Gate("stopped", _P, _WHY, _stopped),
    Gate("held", _P, DRAIN, _held),
    Gate("model", _P, DRAIN, _model),
    Gate("firmware", _P, DRAIN, _firmware),
    Gate("parameters", _P, DRAIN, _parameters),
    Gate("not activated", _P, _WHY, _not_activated),
    Gate("STAN used", _P, ALL_KINDS - NEW_BUSINESS, _used),
)


def first_refusal(case: Case, gates: Iterable[Gate]) -> Refused | None:
    """The refusal of the first gate that does not let the case through."""
    name = case.request.kind.name
    for gate in gates:
        if name not in gate.spares and (refused := gate.test(case)):
            return refused
    return None


def gates_of(stage: Stage) -> tuple[Gate, ...]:
    """The gates of one stage, in order."""
    return tuple(gate for gate in GATES if gate.stage is stage)
