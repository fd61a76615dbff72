"""Answers to the merchant's form handed in at the device, and to the question how it stands (product R2, R7, R8).

Rules owned here: a terminal has one form that waits for its review, however often it is handed in; the same form again
changes nothing, a corrected one takes its place, and which one waits is told; what is registered takes none. The rates
are those posted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from host.case import Case
from host.decision import Decision, Insert, Update, Write
from host.holds import REGISTRATION
from host.lifecycle import UNREGISTERED, Event, State
from host.records import Merchant
from host.retirement import audit, move
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.private import FORM_TAGS, TEXT_CHARSET, Waiting, pack_tags, text_tag, unpack_tags

ENTRY_MAX: Final = 80
_ACTOR: Final = "device"


def registration(case: Case) -> Decision:
    """File the form, if one came, and tell how it stands: tag ST, FN and FD for which one waits, RZ and RE for why one
    was rejected.

    Raises DecodeError for a form that is not whole, or whose entries are no lines of text.
    """
    payload = case.request.message.octets(F.PAYLOAD)
    form = _read(unpack_tags(payload, field=F.PAYLOAD)) if payload else None
    open_to_forms = case.terminal.state in UNREGISTERED or _must_register_again(case)
    filed = form if open_to_forms else None
    return Decision(
        fields={F.PAYLOAD: pack_tags(_standing(case, filed))},
        writes=tuple(_file(case, filed)) if filed else (),
        remember=False,
    )


def _read(tags: Mapping[str, bytes]) -> dict[str, str]:
    form = {field: text_tag(tags, tag) for field, tag in FORM_TAGS.items()}
    for field, tag in FORM_TAGS.items():
        if not form[field] or len(form[field]) > ENTRY_MAX or not form[field].isprintable():
            raise DecodeError(f"tag {tag} is no line of text", field=F.PAYLOAD, code="tags")
    return form


def _file(case: Case, form: dict[str, str]) -> list[Write]:
    terminal, waiting = case.terminal, _waiting(case)
    if waiting:
        if all(waiting[field] == text for field, text in form.items()):
            return []
        line = audit(_ACTOR, terminal.serial_number, "form", "corrected before its review", case.at)
        return [Update("registrations", {"number": waiting["number"]}, {**form, "at": case.at}), line]
    posted = Merchant(terminal.merchant_id)
    row = {
        **form,
        "serial_number": terminal.serial_number,
        "merchant_id": terminal.merchant_id,
        "credit_bp": posted.credit_bp,
        "debit_bp": posted.debit_bp,
        "debit_cap_fen": posted.debit_cap_fen,
        "merchant_type": case.policy.registration.merchant_type,
        "at": case.at,
    }
    return [Insert("registrations", row), *move(terminal, Event.SUBMIT, actor=_ACTOR, at=case.at)]


def _waiting(case: Case) -> Mapping[str, Any] | None:
    """The form that nobody has reviewed yet."""
    forms = case.snapshot.forms
    return forms[-1] if forms and not forms[-1]["verdict"] else None


def _must_register_again(case: Case) -> bool:
    """Was it told to, perhaps for a day that is still ahead (product R13)?"""
    return any(hold.reason == REGISTRATION for hold in case.snapshot.holds)


def _standing(case: Case, filed: Mapping[str, str] | None) -> list[tuple[str, bytes]]:
    forms, waiting = case.snapshot.forms, _waiting(case)
    if case.terminal.state not in UNREGISTERED and not _must_register_again(case):
        return [("ST", b"registered")]
    if form := filed or waiting:
        number = len(forms) if waiting else len(forms) + 1
        which = Waiting.of(number, form).tags if form["name"] else []  # of one that was erased there is nothing to tell
        return [("ST", State.SUBMITTED.encode("ascii")), *which]
    if forms and forms[-1]["verdict"] == "rejected":
        told = {"RZ": forms[-1]["reasons_zh"], "RE": forms[-1]["reasons"]}
        return [("ST", b"rejected"), *((tag, text.encode(TEXT_CHARSET)) for tag, text in told.items())]
    return [("ST", (b"registered" if case.terminal.state not in UNREGISTERED else case.terminal.state.encode("ascii")))]
