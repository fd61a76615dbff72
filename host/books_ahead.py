"""A terminal that knows more than the host: the host stands on an old copy of its books (H09, J4, S2).

Rules owned here: a till's batches are numbered by the host, one after the other, so a device that proves its keys and
is in a later batch than the host knows of has settled what the host has forgotten. Nothing new is taken from it then,
until somebody has compared the books and accepts them. What a sign-on says of the batch is not authenticated: it counts
once a message under the keys that this sign-on issued has come. Trace numbers prove nothing, for they have gaps by
nature; rows that are lacking within a batch show in its settlement, which names them. A till that the host has never
seen trade may come with any number.
"""

from __future__ import annotations

import re
from typing import Final

from host.case import Case
from host.decision import Update, Write
from host.holds import BOOKS
from host.keys import MacCheck
from host.lifecycle import NEW_BUSINESS
from host.records import Hold
from host.refusals import Refused
from host.retirement import audit
from host.suspension import put_on

IN_OPEN_BATCH: Final = NEW_BUSINESS | {"settlement"}
"""Kinds that name the batch which the terminal has open."""
FIRST_BATCH: Final = "000001"
_BATCHES: Final = 999_999


def follows(batch: str, known: str) -> bool:
    """Is a batch, or a STAN, later than another one, on the shorter way round?"""
    return bool(re.fullmatch(r"[0-9]{6}", batch)) and 0 < (int(batch) - int(known)) % _BATCHES <= _BATCHES // 2


def ahead(case: Case) -> str:
    """The batch of a terminal that is ahead of the host, empty where it is not, or has not proven who it is."""
    if not case.mac.good or not case.is_extended or not _has_traded(case):
        return ""
    terminal, told = case.terminal, []
    if case.request.kind.name in IN_OPEN_BATCH:
        told.append(case.request.control.batch)
    if case.mac is MacCheck.CURRENT:
        told.append(terminal.told_batch)
    told = [batch for batch in told if batch != FIRST_BATCH]  # a device that lost its memory says so, too
    return next((batch for batch in told if follows(batch, terminal.batch)), "")


def books_ahead(case: Case) -> Refused | None:
    """The refusal of what would go on as if nothing had been forgotten."""
    told = ahead(case)
    return Refused("terminal.books_ahead", {"told": told, "batch": case.terminal.batch}) if told else None


def raise_alarm(case: Case) -> list[Write]:
    """The alarm, and the hold that stays when the device has taken the host's older number over; once for each."""
    told = ahead(case)
    if not told or any(hold.reason == BOOKS for hold in case.snapshot.holds):
        return []
    serial_number = case.terminal.serial_number
    detail = f"the terminal is in batch {told}, our books in {case.terminal.batch}: they are an old copy"
    return [
        audit("host", serial_number, "alarm", detail, case.at),
        Update("terminals", {"serial_number": serial_number}, {"told_batch": told}),
        *put_on(Hold(0, serial_number, BOOKS, detail, "host", case.at), case.at),
    ]


def _has_traded(case: Case) -> bool:
    terminal = case.terminal
    return terminal.batch != FIRST_BATCH or terminal.activated_at is not None or case.snapshot.turnover_fen > 0
