"""TABLE PAYLOADS: what is in field 62, which depends on the kind and the direction (CUP 3.7, 5.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from protocol.codes import CARD_GROUPS, CRYPTOGRAMS, PACKETS, PART_STATES, PARTS
from protocol.crypto.keys import split_keys
from protocol.details.parts import objects, readable
from protocol.details.view import Detail, View
from protocol.emv import verify_capk
from protocol.errors import DecodeError, KeyLoadError
from protocol.fields import F
from protocol.kinds import Identity
from protocol.private import (
    CONTACTLESS,
    PARAMETERS,
    BinPage,
    ChipDetail,
    unpack_contactless,
    unpack_rates,
    unpack_sequence_number,
    unpack_status,
    unpack_tags,
)
from protocol.tlv import Node, decode

Reader = Callable[[bytes, View], Detail]
_CHECKS: Final = {True: ("正确", "right"), False: ("错误", "wrong")}


def explain_payload(raw: bytes, identity: Identity, view: View) -> Detail:
    """What is in field 62 of a message of a known kind. Raises DecodeError where it is not what the kind puts there."""
    if identity.kind.extension or identity.kind.name == "settlement":
        return _tags(raw, view)
    reader = PAYLOADS.get(str(identity))
    return reader(raw, view) if reader else {}


def _tags(raw: bytes, view: View) -> Detail:
    return {tag: readable(value) for tag, value in unpack_tags(raw, field=F.PAYLOAD).items()}


def _sequence_number(raw: bytes, view: View) -> Detail:
    serial_number = unpack_sequence_number(raw)
    return {"serial_number": serial_number} if serial_number else {}


def _working_keys(raw: bytes, view: View) -> Detail:
    """Which keys come, how long, with which check values; the keys stay hidden."""
    try:
        keys = split_keys(raw)
    except KeyLoadError as error:
        raise DecodeError(error.message, field=F.PAYLOAD, hint=error.hint, code="keys") from None
    return {
        each.use.value: {"key_bytes": len(each.wrapped), "check_value": each.check_value.hex().upper()}
        | ({"wrapped": each.wrapped.hex().upper()} if view.unmask else {})
        for each in keys
    }


def _status(raw: bytes, view: View) -> Detail:
    states, parameters = unpack_status(raw)
    detail: Detail = {PARTS[code]: view.look(PART_STATES, state) for code, state in states.items()}
    return detail | {PARAMETERS[code].key: value.strip() for code, value in parameters.items()}


def _received(raw: bytes, view: View) -> Detail:
    found = re.fullmatch(rb"1([0-9]{2})", raw)
    if not found:
        raise DecodeError("no 1 and a count of two digits", field=F.PAYLOAD, code="query")
    return {"received": int(found[1])}


def _objects(raw: bytes, view: View) -> Detail:
    return {"objects": objects(_decode(raw), view)}


def _packet(raw: bytes, view: View) -> Detail:
    """A flag, then objects."""
    flag, nodes = _flagged(raw)
    detail: Detail = {"packet": view.look(PACKETS, flag)} if flag else {}
    return detail | ({"objects": objects(nodes, view)} if nodes else {})


def _ca_key(raw: bytes, view: View) -> Detail:
    detail, (_, nodes) = _packet(raw, view), _flagged(raw)
    if {node.tag for node in nodes} >= {0x9F06, 0x9F22, 0xDF02, 0xDF03, 0xDF04}:
        detail["check"] = view.say(_CHECKS[verify_capk(nodes)])
    return detail


def _flagged(raw: bytes) -> tuple[str, tuple[Node, ...]]:
    """The flag of a download reply, empty where there is none, and the objects behind it."""
    flag = raw[:1].decode("latin-1")
    return (flag, _decode(raw[1:])) if flag in PACKETS else ("", _decode(raw))


def _decode(raw: bytes) -> tuple[Node, ...]:
    try:
        return decode(raw)
    except DecodeError as error:
        raise DecodeError(error.message, field=F.PAYLOAD, offset=error.offset, code=error.code) from None


def _start(raw: bytes, view: View) -> Detail:
    if not re.fullmatch(rb"[0-9]{3}", raw):
        raise DecodeError("no number of three digits", field=F.PAYLOAD, code="bins")
    return {"start": raw.decode()}


def _bins(raw: bytes, view: View) -> Detail:
    if raw == b"0":
        return {"packet": view.look(PACKETS, "0")}
    page = BinPage.parse(raw)
    return {"packet": view.look(PACKETS, page.flag), "last": page.last, "bins": " ".join(page.bins)}


def _contactless(raw: bytes, view: View) -> Detail:
    flag = raw[:1].decode("latin-1")
    values = unpack_contactless(raw[1:] if flag in PACKETS else raw)
    detail: Detail = {"packet": view.look(PACKETS, flag)} if flag in PACKETS else {}
    return detail | {CONTACTLESS[tag].key if tag in CONTACTLESS else tag: value for tag, value in values.items()}


def _rates(raw: bytes, view: View) -> Detail:
    return {**unpack_rates(raw)}


def _chip_detail(raw: bytes, view: View) -> Detail:
    row = ChipDetail.parse(raw)
    detail: Detail = {
        "card_group": view.look(CARD_GROUPS, row.card_group),
        "response_code": row.response_code,
        "amount_fen": row.amount_fen,
        "currency": row.currency,
    }
    return detail | ({"cryptogram": view.look(CRYPTOGRAMS, row.cryptogram)} if row.cryptogram else {})


PAYLOADS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "sign_in.request": _sequence_number,
        "sign_in.reply": _working_keys,
        "status_upload.request": _status,
        "parameters.reply": _status,
        "tms_parameters.reply": _status,
        "rates.reply": _rates,
        "ca_key_query.request": _received,
        "ca_key_query.reply": _packet,
        "ca_key.request": _objects,
        "ca_key.reply": _ca_key,
        "aid_query.request": _received,
        "aid_query.reply": _packet,
        "aid.request": _objects,
        "aid.reply": _packet,
        "master_key.request": _packet,
        "master_key.reply": _packet,
        "rsa_key.request": _packet,
        "rsa_key.reply": _packet,
        "bin_blacklist.request": _start,
        "bin_blacklist.reply": _bins,
        "no_pin_bins.request": _start,
        "no_pin_bins.reply": _bins,
        "no_pin_blacklist.request": _start,
        "no_pin_blacklist.reply": _bins,
        "contactless_parameters.reply": _contactless,
        "chip_upload.request": _chip_detail,
        "chip_notice.request": _chip_detail,
    }
)
"""By kind and direction."""
