"""A message as people and programs read it: the dump in words, and the JSON document and back.

Rules owned here: the shape of the document of ``decode --json`` and the layout of the dump. Both are masked unless
``unmask`` is given; a masked document cannot be turned into bytes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from protocol.checks import warnings
from protocol.codec import pack, seal
from protocol.details import Detail, Language, View, Warned, explain, requirement_text
from protocol.details.labels import labels_of
from protocol.dialect import CUP, Dialect
from protocol.elements import Value, bitmap_of
from protocol.errors import EncodeError
from protocol.fields import F, FieldSpec, Form, Mask
from protocol.header import Header, Tpdu
from protocol.masking import is_masked, mask_of, mask_pan, masked
from protocol.message import Message

__all__ = ["Frame", "describe", "document", "mask_pan", "message_from_document"]

Document = Mapping[str, object]

_BYTES_SHOWN: Final = 32
_NAME_COLUMNS: Final = 38
_KEYS: Final = ("ok", "frame", "tpdu", "header", "mti", "bitmap", "kind", "fields", "details", "warnings")
_TPDU_DIGITS: Final = {"id": 2, "destination": 4, "source": 4}
_HEADER_DIGITS: Final = {"application_class": 2, "version": 2, "processing_requirement": 1, "sub_version": 6}


@dataclass(frozen=True, slots=True)
class Frame:
    """What a payload came in: a name of FRAMINGS, and the payload's length in bytes."""

    kind: str
    length: int


def describe(
    message: Message,
    *,
    frame: Frame | None = None,
    unmask: bool = False,
    lang: Language = "en",
    dialect: Dialect = CUP,
) -> list[str]:
    """The lines of the dump: frame, TPDU, header, MTI and kind, every field with what is in it, and what is odd."""
    view = View(lang, unmask)
    identity = dialect.kinds.identify(message)
    details, faults = explain(message, identity, view, dialect.fields)
    labels = labels_of(dialect.fields) if lang == "zh" else {}
    lines = [_line(view.say(("帧", "frame")), f"{frame.kind}, {frame.length} bytes")] if frame else []
    lines += _envelope_lines(message, view, dialect)
    kind = view.say(("未知交易", "unknown kind"))
    if identity:
        direction = view.say(("请求", "request") if identity.is_request else ("应答", "reply"))
        kind = f"{identity.row.chinese} {identity.row.english}, {direction}"
    lines += [_line("MTI", f"{message.mti}  {kind}"), _line(view.say(("位图", "bitmap")), _bitmap(message))]
    for number, value in sorted(message.fields.items()):
        name = view.say((dialect.fields[number].chinese, dialect.fields[number].name))
        shown = masked(value, Mask.OPEN if unmask else mask_of(number, identity, dialect.fields))
        if isinstance(value, bytes) and not unmask and len(value) > _BYTES_SHOWN and not is_masked(shown):
            shown = f"{shown[: 2 * _BYTES_SHOWN]}… ({len(value)} bytes)"
        lines.append(_line(f"{number:>3}  {name}", shown))
        lines += _detail_lines(details.get(number, {}), labels, depth=1)
    for warned in _sorted(faults + warnings(message, identity, view, dialect)):
        where = view.say((f"域{warned.field}", f"field {warned.field}")) if warned.field else "-"
        lines.append(f"  !  {where}: {warned.message}")
    return lines


def document(
    message: Message,
    *,
    frame: Frame | None = None,
    unmask: bool = False,
    lang: Language = "en",
    dialect: Dialect = CUP,
) -> dict[str, object]:
    """What ``decode --json`` prints: digits, text or upper-case hex by field number, their meaning, and warnings."""
    view = View(lang, unmask)
    identity = dialect.kinds.identify(message)
    details, faults = explain(message, identity, view, dialect.fields)
    header = message.header
    return {
        "ok": True,
        "frame": asdict(frame) if frame else None,
        "tpdu": asdict(message.tpdu) if message.tpdu else None,
        "header": asdict(header) | {"terminal_status": int(header.terminal_status, 16)} if header else None,
        "mti": message.mti,
        "bitmap": _bitmap(message),
        "kind": str(identity) if identity else None,
        "fields": {
            str(number): masked(value, Mask.OPEN if unmask else mask_of(number, identity, dialect.fields))
            for number, value in sorted(message.fields.items())
        },
        "details": {str(number): detail for number, detail in details.items()},
        "warnings": [asdict(warned) for warned in _sorted(faults + warnings(message, identity, view, dialect))],
    }


def message_from_document(given: object, dialect: Dialect = CUP) -> bytes:
    """The payload, or the body alone where ``tpdu`` and ``header`` are null, that ``document`` was made of.

    Bitmap, kind, details and warnings follow from the fields and are not read. Raises EncodeError with the field for
    the first thing that is wrong, a masked value above all.
    """
    if not isinstance(given, dict) or not isinstance(given.get("fields"), dict):
        raise EncodeError("not a document of a message", hint="an object with mti and fields, as decode --json prints")
    if strange := sorted(given.keys() - set(_KEYS)):
        raise EncodeError(f"{len(strange)} keys that no document has", hint=f"known: {' '.join(_KEYS)}")
    mti = given.get("mti")
    if not isinstance(mti, str) or mti not in dialect.mtis:
        raise EncodeError(
            "the MTI is none of this dialect", field=F.MTI, hint=f"known: {' '.join(sorted(dialect.mtis))}"
        )
    tpdu, header = given.get("tpdu"), given.get("header")
    if (tpdu is None) != (header is None):
        raise EncodeError("TPDU and header come together", hint="give both, or null for both")
    fields = dict(_field(key, value, dialect.fields) for key, value in given["fields"].items())
    if not fields:
        raise EncodeError("a message has at least one field", field=F.MTI)
    message = Message(mti, fields)
    if tpdu is None:
        return pack(message, dialect)
    envelope = Tpdu(**_parts("tpdu", tpdu, _TPDU_DIGITS)), _header(header)
    return seal(Message(message.mti, fields, *envelope), dialect=dialect)


def _field(key: object, value: object, rows: Mapping[int, FieldSpec]) -> tuple[int, Value]:
    number = int(key) if isinstance(key, str) and re.fullmatch(r"[1-9][0-9]{0,2}", key) else 0
    if number not in rows:
        hint = f"a number from {min(rows)} to {max(rows)}"
        raise EncodeError("a key of fields is no field of this dialect", field=number, hint=hint)
    if not isinstance(value, str):
        raise EncodeError("the value is not a string", field=number)
    form = rows[number].form
    if form is not Form.TEXT and is_masked(value):
        raise EncodeError("the value is masked", field=number, hint="decode with --unmask")
    if form is not Form.HEX:
        return number, value
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", value):
        raise EncodeError("the value is not hex", field=number, hint="two hex digits a byte")
    return number, bytes.fromhex(value)


def _header(given: object) -> Header:
    status = given.get("terminal_status") if isinstance(given, dict) else None
    if type(status) is not int or not 0 <= status <= 15:
        raise EncodeError("the terminal_status of the header is not a whole number from 0 to 15")
    rest = {name: part for name, part in given.items() if name != "terminal_status"} if isinstance(given, dict) else {}
    return Header(terminal_status=f"{status:X}", **_parts("header", rest, _HEADER_DIGITS))


def _parts(what: str, given: object, digits: Mapping[str, int]) -> dict[str, str]:
    """The named strings of hex digits, each of its length."""
    if not isinstance(given, dict) or given.keys() != digits.keys():
        raise EncodeError(f"the {what} has other keys than {' '.join(digits)}")
    for name, length in digits.items():
        if not isinstance(given[name], str) or not re.fullmatch(f"[0-9A-Fa-f]{{{length}}}", given[name]):
            raise EncodeError(f"the {name} of the {what} is not {length} hex digits")
    return {name: given[name].upper() for name in digits}


def _bitmap(message: Message) -> str:
    return bitmap_of(message.fields).hex().upper()


def _sorted(rows: list[Warned]) -> list[Warned]:
    return sorted(rows, key=lambda row: row.field)


def _envelope_lines(message: Message, view: View, dialect: Dialect) -> Iterator[str]:
    if tpdu := message.tpdu:
        ends = view.say(
            (f"目的 {tpdu.destination}，源 {tpdu.source}", f"destination {tpdu.destination}, source {tpdu.source}")
        )
        yield _line("TPDU", f"{tpdu.id} {tpdu.destination} {tpdu.source}  {ends}")
    if header := message.header:
        yield _line(view.say(("报文头", "header")), bytes(header).hex().upper())
        test = header.terminal_status != "0"
        nibble = header.processing_requirement
        for name, value in (
            (("应用类别", "application class"), header.application_class),
            (("软件总版本", "version"), header.version),
            (
                ("终端状态", "terminal status"),
                f"{header.terminal_status} {view.say(('测试', 'test') if test else ('正常', 'normal'))}",
            ),
            (
                ("处理要求", "processing requirement"),
                f"{nibble} {requirement_text(nibble, view, dialect.requirements)}",
            ),
            (("软件分版本", "sub-version"), header.sub_version),
        ):
            yield _line(f"       {view.say(name)}", value)


def _detail_lines(detail: Detail, labels: Mapping[str, str], *, depth: int) -> Iterator[str]:
    for key, value in detail.items():
        name = " " * (5 + 2 * depth) + labels.get(key, key.replace("_", " "))
        if isinstance(value, dict):
            yield name
            yield from _detail_lines(value, labels, depth=depth + 1)
        elif isinstance(value, list):
            for row in value:
                yield _line(name, "  ".join(f"{part}" for part in row.values()))
        else:
            yield _line(name, f"{value}")


def _line(name: str, value: str) -> str:
    """A name, filled up to its columns on a screen, and a value."""
    columns = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in name)
    return f"{name}{' ' * max(1, _NAME_COLUMNS - columns)}{value}".rstrip()
