"""Answers to sign-on and sign-off (CUP 3.2, 5.2)."""

from __future__ import annotations

from dataclasses import replace

from host.case import Case
from host.decision import Decision, Update
from host.last_word import NO_WORDS
from protocol.elements import Value
from protocol.fields import F
from protocol.private import Batches


def sign_in(case: Case) -> Decision:
    """New working keys in layout and cipher that 60.3 asks for; the batch of the reply is the one to use (CUP 7.10).

    A sign-on carries no MAC, so nothing but keys comes of it, and a copy of it gets the stored reply. A terminal that
    knows our extensions is told what was heard, and takes no keys where that is not what it said. The keys that it has
    serve on until it proves the new ones, however many sign-ons it hears no reply to.
    """
    terminal, told = case.terminal, case.request.control.batch
    issued = case.keys.issue(terminal, case.request.control.network)
    changes: dict[str, object] = {
        "previous_keys": terminal.previous_keys if terminal.missed_sign_on else terminal.working_keys,
        "working_keys": issued.sealed,
        "signed_on": True,
        "told_batch": told,
        "missed_sign_on": False,
    }
    fields: dict[int, Value] = {
        F.CONTROL: str(replace(case.request.control, batch=terminal.batch)),
        F.PAYLOAD: issued.field62,
    }
    if case.request.device.model:  # which only those name that know our extensions, in their first sign-on already
        fields[F.DEVICE] = bytes(Batches(told, terminal.batch))
    return Decision(
        fields=fields,
        writes=(Update("terminals", {"serial_number": terminal.serial_number}, changes),),
    )


def sign_off(case: Case) -> Decision:
    """The session ends; its keys serve nobody any more (faults A16)."""
    changes = {"signed_on": False, "working_keys": b"", "previous_keys": b"", "missed_sign_on": False, **NO_WORDS}
    key = {"serial_number": case.terminal.serial_number}
    return Decision(writes=(Update("terminals", key, changes),))
