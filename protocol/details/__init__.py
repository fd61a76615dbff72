"""The meaning of what stands inside a field, for people and for the ``details`` of a decoded document.

Rules owned here: TABLE EXPLAINERS, field number to the function that takes its value apart. Sub-fields at fixed places
stand in FIELDS, the uses of field 62 in PAYLOADS. A field that cannot be taken apart is a warning, never an error: the
message itself was sound. A row of a dialect that means something else than that of FIELDS is told by its parts alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from protocol.codes import AMOUNT_TYPES, BALANCE
from protocol.details.parts import cut, objects, tagged
from protocol.details.payload import explain_payload
from protocol.details.view import UNKNOWN, Detail, Language, View, Warned
from protocol.emv import decode_chip_data
from protocol.errors import DecodeError
from protocol.fields import FIELDS, F, FieldSpec
from protocol.header import REQUIREMENTS, Requirement
from protocol.kinds import Identity
from protocol.message import Message
from protocol.private import (
    Balance,
    Control,
    GroupTotals,
    Original,
    RefusalText,
    Tag,
    Totals,
    parse_tip,
    read_group,
    read_tags,
    unpack_upload,
)
from protocol.private.receipt import read_receipt
from protocol.private.security import SM4_PIN_HEAD
from protocol.responses import response
from protocol.tlv import decode

__all__ = [
    "EXPLAINERS",
    "Detail",
    "Language",
    "View",
    "Warned",
    "explain",
    "requirement_text",
]

_COUNT_DIGITS: Final = 4
_TIP_DIGITS: Final = 12
_TAGGED = re.compile(rb"[0-9A-Z]{2}[0-9]{2}")


def explain(
    message: Message, identity: Identity | None, view: View, fields: Mapping[int, FieldSpec] = FIELDS
) -> tuple[dict[int, Detail], list[Warned]]:
    """Field number to what is in it, and a warning for each field that is not what its kind puts there."""
    details: dict[int, Detail] = {}
    warnings: list[Warned] = []
    for number in sorted(message.fields):
        row = fields[number]
        explainer = EXPLAINERS.get(number) if row.means(FIELDS.get(number)) else None
        try:
            told = explainer(message, identity, view) if explainer else {}
            detail = cut(row, message.text(number), view) | told
        except DecodeError as error:
            warnings.append(Warned(number, error.message))
            continue
        if detail:
            details[number] = detail
    return details, warnings


def requirement_text(nibble: str, view: View, requirements: Mapping[str, Requirement] = REQUIREMENTS) -> str:
    """What the processing requirement of a header asks for (CUP 1.9)."""
    row = requirements.get(nibble)
    return view.say((row.chinese, row.english) if row else UNKNOWN)


def _response(message: Message, identity: Identity | None, view: View) -> Detail:
    row = response(message.text(F.RESPONSE_CODE))
    return {
        "meaning": view.say((row.chinese, row.english)),
        "class": row.group.value,
        "terminal_action": row.action.value,
    }


def _group(message: Message, identity: Identity | None, view: View) -> Detail:
    return tagged(read_group(message.octets(F.ISSUER_DATA)), view)


def _totals(message: Message, identity: Identity | None, view: View) -> Detail:
    digits, name = message.text(F.TOTALS), identity.kind.name if identity else ""
    if name == "settlement":
        totals = Totals.parse(digits)
        return {"domestic": _card_group(totals.domestic, view), "foreign": _card_group(totals.foreign, view)}
    if name == "batch_upload":
        return {
            "items": [
                {"card_group": i.card_group, "stan": i.stan, "pan": view.pan(i.pan), "amount_fen": i.amount_fen}
                for i in unpack_upload(digits)
            ]
        }
    if name == "batch_end":
        if len(digits) != _COUNT_DIGITS:
            raise DecodeError(f"{len(digits)} digits are not the 4 of a count", field=F.TOTALS, code="count")
        return {"count": int(digits)}
    return {"tip_fen": int(digits)} if len(digits) == _TIP_DIGITS else {}


def _card_group(totals: GroupTotals, view: View) -> Detail:
    return {
        "debit_fen": totals.debit_fen,
        "debit_count": totals.debit_count,
        "credit_fen": totals.credit_fen,
        "credit_count": totals.credit_count,
        "result": view.look(BALANCE, str(totals.result)),
    }


def _amounts(message: Message, identity: Identity | None, view: View) -> Detail:
    text = message.text(F.ADDITIONAL_AMOUNT)
    if identity and identity.is_request:
        return {"tip_fen": parse_tip(text)}
    row = Balance.parse(text)
    return {
        "account": row.account_type,
        "type": view.look(AMOUNT_TYPES, row.amount_type),
        "currency": row.currency,
        "amount_fen": row.amount_fen,
    }


def _chip(message: Message, identity: Identity | None, view: View) -> Detail:
    raw = message.octets(F.ICC)
    if identity and identity.kind.name == "signature_upload":
        return tagged(read_receipt(raw), view)
    return {"objects": objects(decode_chip_data(raw), view)}


def _private57(message: Message, identity: Identity | None, view: View) -> Detail:
    raw = message.octets(F.PRIVATE57)
    if raw.startswith(SM4_PIN_HEAD):
        block = raw[len(SM4_PIN_HEAD) :]
        return tagged([(Tag("pin_block", "密码密文", secret=True), block)], view)
    return tagged(read_tags(raw, field=F.PRIVATE57), view) if _TAGGED.match(raw) else {}


def _purse(message: Message, identity: Identity | None, view: View) -> Detail:
    """Objects of an e-purse; what an acquirer of its own puts there stays as it is."""
    try:
        return {"objects": objects(decode(message.octets(F.PRIVATE58)), view)}
    except DecodeError:
        return {}


def _device(message: Message, identity: Identity | None, view: View) -> Detail:
    raw = message.octets(F.DEVICE)
    return tagged(read_tags(raw, field=F.DEVICE), view) if _TAGGED.match(raw) else {}


def _control(message: Message, identity: Identity | None, view: View) -> Detail:
    Control.parse(message.text(F.CONTROL))
    return {}


def _original(message: Message, identity: Identity | None, view: View) -> Detail:
    Original.parse(message.text(F.ORIGINAL))
    return {}


def _payload(message: Message, identity: Identity | None, view: View) -> Detail:
    return explain_payload(message.octets(F.PAYLOAD), identity, view) if identity else {}


def _text(message: Message, identity: Identity | None, view: View) -> Detail:
    text = message.text(F.TEXT)
    if identity is None:
        return {}
    if identity.is_request:
        name = "original_organisation" if identity.kind.name == "refund" else "operator"
        return {name: text[:3].strip()}
    parsed = RefusalText.parse(text)
    parts = {"organisation": parsed.organisation.strip(), "reason": parsed.reason, "text": parsed.chinese}
    return {name: value for name, value in parts.items() if value}


Explainer = Callable[[Message, Identity | None, View], Detail]

EXPLAINERS: Final[Mapping[int, Explainer]] = MappingProxyType(
    {
        F.RESPONSE_CODE: _response,
        F.ISSUER_DATA: _group,
        F.TOTALS: _totals,
        F.ADDITIONAL_AMOUNT: _amounts,
        F.ICC: _chip,
        F.PRIVATE57: _private57,
        F.PRIVATE58: _purse,
        F.DEVICE: _device,
        F.CONTROL: _control,
        F.ORIGINAL: _original,
        F.PAYLOAD: _payload,
        F.TEXT: _text,
    }
)
