"""What is odd in a message that decodes: missing and foreign fields, and values that no sane sender writes.

Rules owned here: TABLE CHECKS. A check never refuses anything; whether odd is wrong, the gates of a host decide. No
text repeats a value, which may be card data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from protocol.codes import ENTRIES, Words
from protocol.crypto.pinblock import PAN_DIGITS_MIN
from protocol.details import View, Warned, requirement_text
from protocol.dialect import CUP, Dialect
from protocol.elements import Value
from protocol.fields import FIELDS, F, FieldSpec
from protocol.header import NO_REQUIREMENT
from protocol.kinds import Identity, foreign_fields, missing_fields
from protocol.message import Message
from protocol.responses import RESPONSES, response

_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
"""A digit to the digits of its double, added up."""
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def luhn_ok(digits: str) -> bool:
    """Does the last digit check the others (ISO/IEC 7812-1 annex B)?"""
    total = sum(digits[-1::-2].encode()) + sum(digits[-2::-2].translate(_DOUBLED).encode())
    return (total - len(digits) * ord("0")) % 10 == 0


def is_date(value: Value) -> bool:
    """MMDD; the 29th of February is a date, the year is not known here."""
    month, day = int(value[:2]), int(value[2:])
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]


def _is_time(value: Value) -> bool:
    return int(value[:2]) < 24 and int(value[2:4]) < 60 and int(value[4:]) < 60


@dataclass(frozen=True, slots=True)
class Check:
    """A row of CHECKS: what a sane value of a field passes, and what to say when it does not.

    With ``own_row`` it does not hold where the row of a dialect means something else than that of FIELDS.
    """

    number: int
    passes: Callable[[Value], bool]
    words: Words
    own_row: bool = False


CHECKS: Final = (
    Check(F.PAN, lambda value: len(value) >= PAN_DIGITS_MIN, ("卡号不足13位", "shorter than 13 digits")),
    Check(F.PAN, lambda value: luhn_ok(str(value)), ("卡号校验位错误", "the check digit is wrong (Luhn)")),
    Check(F.AMOUNT, lambda value: int(value) > 0, ("金额为零", "the amount is zero")),
    Check(F.STAN, lambda value: int(value) > 0, ("流水号为零", "the trace number is zero")),
    Check(F.LOCAL_TIME, _is_time, ("不是时间", "not a time hhmmss")),
    Check(F.LOCAL_DATE, is_date, ("不是日期", "not a date MMDD")),
    Check(F.SETTLEMENT_DATE, is_date, ("不是日期", "not a date MMDD")),
    Check(F.EXPIRY, lambda value: 1 <= int(value[2:]) <= 12, ("有效期月份错误", "the month is none")),
    Check(F.ENTRY_MODE, lambda value: value[:2] in ENTRIES, ("未知输入方式", "an unknown entry mode"), own_row=True),
    Check(
        F.RESPONSE_CODE,
        lambda value: value in RESPONSES,
        ("未知应答码", "an unknown response code: failed"),
        own_row=True,
    ),
    Check(
        F.CURRENCY, lambda value: value == "156", ("币种不是人民币156", "the currency is not 156, yuan"), own_row=True
    ),
    Check(F.PIN_BLOCK, lambda value: any(value) if isinstance(value, bytes) else False, ("全零", "all zero")),
)


def warnings(message: Message, identity: Identity | None, view: View, dialect: Dialect = CUP) -> list[Warned]:
    """Everything odd in the message, what stands before the fields first, then by field number."""
    fields = dialect.fields
    found = [
        Warned(check.number, view.say(check.words))
        for check in CHECKS
        if message.has(check.number)
        and not (check.own_row and not fields[check.number].means(FIELDS[check.number]))
        and not check.passes(message.fields[check.number])
    ]
    found += _header_warnings(message, identity, view, dialect)
    found += _track_warnings(message, view)
    if identity is None:
        found.append(Warned(F.CONTROL, view.say(("代码组合不属于任何已知交易", "the codes name no kind of message"))))
        return sorted(found, key=lambda row: row.field)
    kind = view.say((identity.row.chinese, identity.row.english))
    if identity.is_request or response(message.text(F.RESPONSE_CODE)).approved:
        found += [
            _presence(fields, number, ("缺少该域", "is due and not there"), kind, view)
            for number in missing_fields(identity, message)
        ]
    found += [
        _presence(fields, number, ("该交易没有该域", "is there and not foreseen"), kind, view)
        for number in foreign_fields(identity, message)
    ]
    return sorted(found, key=lambda row: row.field)


def _presence(fields: Mapping[int, FieldSpec], number: int, words: Words, kind: str, view: View) -> Warned:
    row = fields.get(number) or FIELDS[number]
    name = view.say((row.chinese, row.name))
    return Warned(number, f"{name} {view.say(words)} ({kind})")


def _header_warnings(message: Message, identity: Identity | None, view: View, dialect: Dialect) -> list[Warned]:
    nibble = message.header.processing_requirement if message.header else NO_REQUIREMENT
    if nibble not in dialect.requirements:
        return [Warned(F.MTI, view.say(("未知处理要求", "the header has an unknown processing requirement")))]
    if nibble == NO_REQUIREMENT or identity is None:
        return []
    if identity.is_request:
        return [Warned(F.MTI, view.say(("请求不应有处理要求", "the header of a request asks for something")))]
    asked = requirement_text(nibble, view, dialect.requirements)
    return [Warned(F.MTI, view.say((f"主机要求：{asked}", f"the host asks the terminal to: {asked}")))]


def _track_warnings(message: Message, view: View) -> list[Warned]:
    """A clear track 2 is PAN, D, expiry…; an encrypted one may hold anything (CUP 5.6)."""
    track, pan = message.text(F.TRACK2), message.text(F.PAN)
    if not track or message.text(F.SECURITY)[2:3] == "1":
        return []
    found = re.fullmatch(r"([0-9]{1,19})D[0-9]*", track)
    if not found:
        return [Warned(F.TRACK2, view.say(("不是一个分隔符的磁道", "not digits around one separator D")))]
    if pan and found[1] != pan:
        return [Warned(F.TRACK2, view.say(("磁道与主账号不符", "belongs to another card than field 2")))]
    return []
