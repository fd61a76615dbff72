"""Answers to echo, status upload and the cashier's sign-on."""

from __future__ import annotations

from host.case import Case
from host.decision import Decision, Insert
from host.downloads import answered
from host.retirement import audit
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.header import UPLOAD_CONFIGURATION, UPLOAD_STATUS
from protocol.private import TEXT_CHARSET, unpack_status


def echo(case: Case) -> Decision:
    """The line works."""
    return Decision(remember=False)


def status_upload(case: Case) -> Decision:
    """What the device says of its parts is kept as it came (CUP 3.7: two-digit codes, 1 good, 0 bad)."""
    told = case.request.message.octets(F.PAYLOAD)
    row = {
        "serial_number": case.terminal.serial_number,
        "status": told.decode(TEXT_CHARSET, "replace"),
        "at": case.at,
    }
    met = answered(case.terminal, UPLOAD_STATUS + (UPLOAD_CONFIGURATION if _has_parameters(told) else ""))
    return Decision(writes=(Insert("statuses", row, replace=True), *met), remember=False)


def _has_parameters(told: bytes) -> bool:
    try:
        return bool(unpack_status(told)[1])
    except DecodeError:
        return False


def cashier_sign_in(case: Case) -> Decision:
    """Who works at the till, for the record."""
    operator = case.request.message.text(F.TEXT)[:3].strip()
    line = audit("host", case.terminal.serial_number, "cashier", operator, case.at)
    return Decision(writes=(line,), remember=False)
