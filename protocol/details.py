"""The meaning of what stands inside a field, for people and for the ``details`` of a decoded document.

Rules owned here: TABLE EXPLAINERS, field number to the function that takes its value apart, and the meaning of the
codes of fields 22 and 53 and of a status upload. A field that cannot be taken apart is a warning, never an error: the
message itself was sound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from protocol.crypto.keys import KEY_LAYOUTS
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.header import REQUIREMENTS
from protocol.kinds import Identity
from protocol.masking import mask_pan
from protocol.message import Message
from protocol.private import (
    TEXT_CHARSET,
    Control,
    DeviceInfo,
    GroupTotals,
    Original,
    RefusalText,
    Totals,
    unpack_sequence_number,
    unpack_tags,
    unpack_upload,
)
from protocol.responses import response

Language = Literal["zh", "en"]
Words = tuple[str, str]
Detail = dict[str, object]

_COUNT_DIGITS: Final = 4
_UNKNOWN: Final = ("未知", "unknown")

ENTRIES: Final[Mapping[str, Words]] = {
    "00": ("未指明", "unspecified"),
    "01": ("手工", "manual"),
    "02": ("磁条", "magnetic stripe"),
    "03": ("二维码", "bar code or QR"),
    "04": ("光学", "optical"),
    "05": ("接触式芯片", "chip"),
    "07": ("非接触式", "contactless"),
    "09": ("软POS", "soft POS"),
    "90": ("可靠磁条", "reliable magnetic stripe"),
    "91": ("非接触式磁条", "contactless magnetic stripe"),
    "95": ("不可靠芯片", "chip, unreliable data"),
    "96": ("云端", "cloud"),
    "98": ("云端", "cloud"),
}
PIN_ENTRY: Final[Mapping[str, Words]] = {
    "0": ("未指明", "unspecified"),
    "1": ("可输入密码", "can be entered"),
    "2": ("无密码", "none"),
}
PIN_FORMATS: Final[Mapping[str, Words]] = {
    "0": ("无", "none"),
    "1": ("X9.8，不带主账号", "X9.8 without PAN"),
    "2": ("X9.8，带主账号", "X9.8 with PAN"),
}
ALGORITHMS: Final[Mapping[str, Words]] = {
    "0": ("单倍长DES", "single DES"),
    "3": ("国密SM4", "SM4"),
    "6": ("双倍长3DES", "double-length 3DES"),
}
TRACKS: Final[Mapping[str, Words]] = {"0": ("明文", "plain"), "1": ("加密", "encrypted")}
BALANCE: Final[Mapping[str, Words]] = {
    "0": ("请求", "asked"),
    "1": ("对账平", "balanced"),
    "2": ("对账不平", "unbalanced"),
    "3": ("出错", "error"),
}
PARTS: Final[Mapping[str, str]] = {
    "01": "keyboard",
    "02": "pin_pad",
    "03": "card_reader",
    "04": "printer",
    "05": "display",
}
PART_STATES: Final[Mapping[str, Words]] = {"0": ("故障", "bad"), "1": ("正常", "good")}


@dataclass(frozen=True, slots=True)
class View:
    """Who looks: their language, and whether they asked for everything."""

    language: Language = "en"
    unmask: bool = False

    def say(self, words: Words) -> str:
        """The text in the language of the view."""
        return words[0] if self.language == "zh" else words[1]

    def look(self, table: Mapping[str, Words], code: str) -> str:
        """The meaning of a code, ``unknown`` where the table lacks it."""
        return self.say(table.get(code, _UNKNOWN))

    def pan(self, pan: str) -> str:
        """A PAN as this view may see it."""
        return pan if self.unmask else mask_pan(pan)


@dataclass(frozen=True, slots=True)
class Warned:
    """Something odd in a sound message. ``field`` is 0 for what stands before the fields."""

    field: int
    message: str


def explain(message: Message, identity: Identity | None, view: View) -> tuple[dict[int, Detail], list[Warned]]:
    """Field number to what is in it, and a warning for each field that is not what its kind puts there."""
    details: dict[int, Detail] = {}
    warnings: list[Warned] = []
    for number in sorted(EXPLAINERS.keys() & message.fields.keys()):
        try:
            detail = EXPLAINERS[number](message, identity, view)
        except DecodeError as error:
            warnings.append(Warned(number, error.message))
            continue
        if detail:
            details[number] = detail
    return details, warnings


def requirement_text(nibble: str, view: View) -> str:
    """What the processing requirement of a header asks for (CUP 1.9)."""
    row = REQUIREMENTS.get(nibble)
    return view.say((row.chinese, row.english) if row else _UNKNOWN)


def _entry_mode(message: Message, identity: Identity | None, view: View) -> Detail:
    value = message.text(F.ENTRY_MODE)
    return {"entry": view.look(ENTRIES, value[:2]), "pin": view.look(PIN_ENTRY, value[2])}


def _response(message: Message, identity: Identity | None, view: View) -> Detail:
    row = response(message.text(F.RESPONSE_CODE))
    return {
        "meaning": view.say((row.chinese, row.english)),
        "class": row.group.value,
        "terminal_action": row.action.value,
    }


def _institutions(message: Message, identity: Identity | None, view: View) -> Detail:
    value = message.text(F.ADDITIONAL_RESPONSE)
    return {"issuer": value[:11].strip(), "acquirer": value[11:].strip()}


def _totals(message: Message, identity: Identity | None, view: View) -> Detail:
    digits, name = message.text(F.TOTALS), identity.kind.name if identity else ""
    if name == "settlement":
        totals = Totals.parse(digits)
        return {"domestic": _group(totals.domestic, view), "foreign": _group(totals.foreign, view)}
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
    return {}


def _group(totals: GroupTotals, view: View) -> Detail:
    return {
        "debit_fen": totals.debit_fen,
        "debit_count": totals.debit_count,
        "credit_fen": totals.credit_fen,
        "credit_count": totals.credit_count,
        "result": view.look(BALANCE, str(totals.result)),
    }


def _security(message: Message, identity: Identity | None, view: View) -> Detail:
    value = message.text(F.SECURITY)
    return {
        "pin_format": view.look(PIN_FORMATS, value[0]),
        "algorithm": view.look(ALGORITHMS, value[1]),
        "tracks": view.look(TRACKS, value[2]),
    }


def _device(message: Message, identity: Identity | None, view: View) -> Detail:
    device = DeviceInfo.parse(message.octets(F.DEVICE))
    parts = {"serial_number": device.serial_number, "version": device.version, "model": device.model}
    return {name: value for name, value in parts.items() if value}


def _control(message: Message, identity: Identity | None, view: View) -> Detail:
    control = Control.parse(message.text(F.CONTROL))
    rest = control.rest
    parts = {
        "type": control.type_code,
        "batch": control.batch,
        "network_management": control.network,
        "read_capability": rest[:1],
        "chip_condition": rest[1:2],
        "partial_approval": rest[2:3],
        "account_type": rest[3:],
    }
    return {name: value for name, value in parts.items() if value}


def _original(message: Message, identity: Identity | None, view: View) -> Detail:
    original = Original.parse(message.text(F.ORIGINAL))
    parts = {"batch": original.batch, "stan": original.stan, "date": original.date}
    return {name: value for name, value in parts.items() if value}


def _payload(message: Message, identity: Identity | None, view: View) -> Detail:
    raw = message.octets(F.PAYLOAD)
    if identity is None:
        return {}
    if identity.kind.name == "sign_in":
        if not identity.is_request:
            return _working_keys(raw, view)
        serial_number = unpack_sequence_number(raw)
        return {"serial_number": serial_number} if serial_number else {}
    if identity.kind.name == "status_upload" and identity.is_request:
        return _status(raw, view)
    if identity.kind.extension or identity.kind.name == "settlement":
        return {tag: _tag_text(value) for tag, value in unpack_tags(raw, field=F.PAYLOAD).items()}
    return {}


def _working_keys(raw: bytes, view: View) -> Detail:
    """Which keys come, how long, with which check values; the keys stay hidden (CUP 5.2)."""
    layout = next((slots for slots in KEY_LAYOUTS.values() if sum(slot.slot_bytes for slot in slots) == len(raw)), ())
    if not layout:
        raise DecodeError(f"{len(raw)} bytes are no layout of working keys", field=F.PAYLOAD, code="keys")
    detail: Detail = {}
    at = 0
    for slot in layout:
        wrapped = raw[at : at + slot.key_bytes]
        key: Detail = {
            "key_bytes": slot.key_bytes // 2 if slot.may_be_single and not any(wrapped[8:]) else slot.key_bytes,
            "check_value": raw[at + slot.key_bytes : at + slot.slot_bytes].hex().upper(),
        }
        detail[slot.use.value] = key | ({"wrapped": wrapped.hex().upper()} if view.unmask else {})
        at += slot.slot_bytes
    return detail


def _status(raw: bytes, view: View) -> Detail:
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise DecodeError("a status that is not ASCII", field=F.PAYLOAD, code="status") from None
    detail: Detail = {}
    while len(text) >= 3 and text[:2] in PARTS:
        detail[PARTS[text[:2]]] = view.look(PART_STATES, text[2])
        text = text[3:]
    return detail | ({"parameters": text} if text else {})


def _tag_text(value: bytes) -> str:
    """Text as text, a digest as hex, anything longer by its length."""
    try:
        text = value.decode(TEXT_CHARSET)
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and bool(text) == bool(value):
        return text
    return value.hex().upper() if len(value) <= 32 else f"<{len(value)} bytes>"


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

EXPLAINERS: Final[Mapping[int, Explainer]] = {
    F.ENTRY_MODE: _entry_mode,
    F.RESPONSE_CODE: _response,
    F.ADDITIONAL_RESPONSE: _institutions,
    F.TOTALS: _totals,
    F.SECURITY: _security,
    F.DEVICE: _device,
    F.CONTROL: _control,
    F.ORIGINAL: _original,
    F.PAYLOAD: _payload,
    F.TEXT: _text,
}
