"""Answers to echo, status upload and the cashier's sign-on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from host.case import Case
from host.decision import Decision, Insert, Write
from host.downloads import answered
from host.holds import FAULT
from host.last_word import as_last_word, is_outdated
from host.records import Hold
from host.retirement import audit
from host.suspension import lift, put_on
from protocol.codes import PARTS
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.header import UPLOAD_CONFIGURATION, UPLOAD_STATUS
from protocol.private import TEXT_CHARSET, unpack_status

ACTOR: Final = "device"
BROKEN: Final = "0"


def echo(case: Case) -> Decision:
    """The line works."""
    return Decision(remember=False)


def status_upload(case: Case) -> Decision:
    """What the device says of its parts is kept as it came (CUP 3.7: two-digit codes, 1 good, 0 bad).

    A device that is known to add a MAC is heard without, for it may have lost its keys; but only what it proves, behind
    what it said before, holds it or lets it go.
    """
    is_proven = case.mac.good and bool(case.request.stan)
    if is_proven and is_outdated(case):
        return Decision(remember=False)
    told = case.request.message.octets(F.PAYLOAD)
    row = {
        "serial_number": case.terminal.serial_number,
        "status": told.decode(TEXT_CHARSET, "replace"),
        "at": case.at,
    }
    states, parameters = _read(told)
    met = answered(case.terminal, UPLOAD_STATUS + (UPLOAD_CONFIGURATION if parameters else ""))
    health = _health(case, states) if is_proven or not case.terminal.extended else []
    last = [as_last_word(case)] if is_proven else []
    return Decision(writes=(Insert("statuses", row, replace=True), *met, *health, *last), remember=False)


def _read(told: bytes) -> tuple[dict[str, str], dict[str, str]]:
    try:
        return unpack_status(told)
    except DecodeError:
        return {}, {}


def _health(case: Case, states: Mapping[str, str]) -> list[Write]:
    """A device that reports a grave part broken is held, and let go when it reports all of them well (product U1)."""
    graves = {PARTS[code]: state for code, state in states.items() if PARTS[code] in case.policy.holds.fault_parts}
    broken = [part for part, state in graves.items() if state == BROKEN]
    own = [hold for hold in case.snapshot.holds if hold.reason == FAULT and hold.actor == ACTOR]
    if broken and not own:
        return put_on(Hold(0, case.terminal.serial_number, FAULT, ", ".join(broken), ACTOR, case.at), case.at)
    if graves and not broken:
        return [write for hold in own for write in lift(hold, ACTOR, case.at)]
    return []


def cashier_sign_in(case: Case) -> Decision:
    """Who works at the till, for the record."""
    operator = case.request.message.text(F.TEXT)[:3].strip()
    line = audit("host", case.terminal.serial_number, "cashier", operator, case.at)
    return Decision(writes=(line,), remember=False)
