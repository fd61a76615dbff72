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
from protocol.elements import LAST_FIELD, Value
from protocol.errors import EncodeError
from protocol.fields import FIELDS, F, Form, Mask
from protocol.header import Header, Tpdu
from protocol.kinds import MTIS, identify
from protocol.masking import is_masked, mask_of, mask_pan, masked
from protocol.message import Message

__all__ = ["Frame", "describe", "document", "mask_pan", "message_from_document"]

Document = Mapping[str, object]

_BYTES_SHOWN: Final = 32
_NAME_COLUMNS: Final = 38
_KEYS: Final = ("ok", "frame", "tpdu", "header", "mti", "bitmap", "kind", "fields", "details", "warnings")
_TPDU_DIGITS: Final = {"id": 2, "destination": 4, "source": 4}
_HEADER_DIGITS: Final = {"application_class": 2, "version": 2, "processing_requirement": 1, "sub_version": 6}

LABELS: Final[Mapping[str, str]] = {
    "account_type": "账户类型",
    "acquirer": "收单机构",
    "algorithm": "加密算法",
    "amount_fen": "金额（分）",
    "batch": "批次号",
    "card_group": "卡组别",
    "card_reader": "读卡器",
    "check_value": "校验值",
    "chip_condition": "IC卡条件代码",
    "class": "应答码类别",
    "count": "笔数",
    "credit_count": "贷记笔数",
    "credit_fen": "贷记金额（分）",
    "date": "日期",
    "debit_count": "借记笔数",
    "debit_fen": "借记金额（分）",
    "display": "显示屏",
    "domestic": "内卡",
    "entry": "输入方式",
    "foreign": "外卡",
    "issuer": "发卡机构",
    "items": "明细",
    "key_bytes": "密钥长度（字节）",
    "keyboard": "键盘",
    "meaning": "含义",
    "model": "机型",
    "network_management": "网络管理信息码",
    "operator": "操作员",
    "organisation": "卡组织",
    "original_organisation": "原交易卡组织",
    "pan": "主账号",
    "parameters": "参数",
    "partial_approval": "部分承兑标志",
    "pin": "密码",
    "pin_format": "密码格式",
    "pin_pad": "密码键盘",
    "printer": "打印机",
    "read_capability": "终端读取能力",
    "reason": "原因码",
    "result": "对账结果",
    "serial_number": "序列号",
    "stan": "流水号",
    "terminal_action": "终端动作",
    "text": "说明",
    "tracks": "磁道",
    "type": "交易类型码",
    "version": "版本",
    "wrapped": "密钥密文",
}
"""What the keys of ``details`` are called in Chinese; a key that is no row, a key use or a tag, stands for itself."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a payload came in: a name of FRAMINGS, and the payload's length in bytes."""

    kind: str
    length: int


def describe(message: Message, *, frame: Frame | None = None, unmask: bool = False, lang: Language = "en") -> list[str]:
    """The lines of the dump: frame, TPDU, header, MTI and kind, every field with what is in it, and what is odd."""
    view = View(lang, unmask)
    identity = identify(message)
    details, faults = explain(message, identity, view)
    lines = [_line(view.say(("帧", "frame")), f"{frame.kind}, {frame.length} bytes")] if frame else []
    lines += _envelope_lines(message, view)
    kind = view.say(("未知交易", "unknown kind"))
    if identity:
        direction = view.say(("请求", "request") if identity.is_request else ("应答", "reply"))
        kind = f"{identity.kind.chinese} {identity.kind.english}, {direction}"
    lines += [_line("MTI", f"{message.mti}  {kind}"), _line(view.say(("位图", "bitmap")), _bitmap(message))]
    for number, value in sorted(message.fields.items()):
        name = view.say((FIELDS[number].chinese, FIELDS[number].name))
        shown = masked(value, Mask.OPEN if unmask else mask_of(number, identity))
        if isinstance(value, bytes) and not unmask and len(value) > _BYTES_SHOWN and not is_masked(shown):
            shown = f"{shown[: 2 * _BYTES_SHOWN]}… ({len(value)} bytes)"
        lines.append(_line(f"{number:>3}  {name}", shown))
        lines += _detail_lines(details.get(number, {}), view, depth=1)
    for warned in _sorted(faults + warnings(message, identity, view)):
        where = view.say((f"域{warned.field}", f"field {warned.field}")) if warned.field else "-"
        lines.append(f"  !  {where}: {warned.message}")
    return lines


def document(
    message: Message, *, frame: Frame | None = None, unmask: bool = False, lang: Language = "en"
) -> dict[str, object]:
    """What ``decode --json`` prints: digits, text or upper-case hex by field number, their meaning, and warnings."""
    view = View(lang, unmask)
    identity = identify(message)
    details, faults = explain(message, identity, view)
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
            str(number): masked(value, Mask.OPEN if unmask else mask_of(number, identity))
            for number, value in sorted(message.fields.items())
        },
        "details": {str(number): detail for number, detail in details.items()},
        "warnings": [asdict(warned) for warned in _sorted(faults + warnings(message, identity, view))],
    }


def message_from_document(given: object) -> bytes:
    """The payload, or the body alone where ``tpdu`` and ``header`` are null, that ``document`` was made of.

    Bitmap, kind, details and warnings follow from the fields and are not read. Raises EncodeError with the field for
    the first thing that is wrong, a masked value above all.
    """
    if not isinstance(given, dict) or not isinstance(given.get("fields"), dict):
        raise EncodeError("not a document of a message", hint="an object with mti and fields, as decode --json prints")
    if strange := sorted(given.keys() - set(_KEYS)):
        raise EncodeError(f"{len(strange)} keys that no document has", hint=f"known: {' '.join(_KEYS)}")
    mti = given.get("mti")
    if not isinstance(mti, str) or mti not in MTIS:
        raise EncodeError("the MTI is none of this dialect", field=F.MTI, hint=f"known: {' '.join(sorted(MTIS))}")
    tpdu, header = given.get("tpdu"), given.get("header")
    if (tpdu is None) != (header is None):
        raise EncodeError("TPDU and header come together", hint="give both, or null for both")
    fields = dict(_field(key, value) for key, value in given["fields"].items())
    if not fields:
        raise EncodeError("a message has at least one field", field=F.MTI)
    message = Message(mti, fields)
    if tpdu is None:
        return pack(message)
    return seal(Message(message.mti, fields, Tpdu(**_parts("tpdu", tpdu, _TPDU_DIGITS)), _header(header)))


def _field(key: object, value: object) -> tuple[int, Value]:
    number = int(key) if isinstance(key, str) and re.fullmatch(r"[1-9][0-9]?", key) else 0
    if number not in FIELDS:
        raise EncodeError("a key of fields is no field of this dialect", field=number, hint="a number from 2 to 64")
    if not isinstance(value, str):
        raise EncodeError("the value is not a string", field=number)
    form = FIELDS[number].form
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
    return f"{sum(1 << (LAST_FIELD - number) for number in message.fields):016X}"


def _sorted(rows: list[Warned]) -> list[Warned]:
    return sorted(rows, key=lambda row: row.field)


def _envelope_lines(message: Message, view: View) -> Iterator[str]:
    if tpdu := message.tpdu:
        ends = view.say(
            (f"目的 {tpdu.destination}，源 {tpdu.source}", f"destination {tpdu.destination}, source {tpdu.source}")
        )
        yield _line("TPDU", f"{tpdu.id} {tpdu.destination} {tpdu.source}  {ends}")
    if header := message.header:
        yield _line(view.say(("报文头", "header")), bytes(header).hex().upper())
        test = header.terminal_status != "0"
        for name, value in (
            (("应用类别", "application class"), header.application_class),
            (("软件总版本", "version"), header.version),
            (
                ("终端状态", "terminal status"),
                f"{header.terminal_status} {view.say(('测试', 'test') if test else ('正常', 'normal'))}",
            ),
            (
                ("处理要求", "processing requirement"),
                f"{header.processing_requirement} {requirement_text(header.processing_requirement, view)}",
            ),
            (("软件分版本", "sub-version"), header.sub_version),
        ):
            yield _line(f"       {view.say(name)}", value)


def _detail_lines(detail: Detail, view: View, *, depth: int) -> Iterator[str]:
    for key, value in detail.items():
        name = " " * (5 + 2 * depth) + (LABELS.get(key, key) if view.language == "zh" else key.replace("_", " "))
        if isinstance(value, dict):
            yield name
            yield from _detail_lines(value, view, depth=depth + 1)
        elif isinstance(value, list):
            for row in value:
                yield _line(name, "  ".join(f"{part}" for part in row.values()))
        else:
            yield _line(name, f"{value}")


def _line(name: str, value: str) -> str:
    """A name, filled up to its columns on a screen, and a value."""
    columns = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in name)
    return f"{name}{' ' * max(1, _NAME_COLUMNS - columns)}{value}".rstrip()
