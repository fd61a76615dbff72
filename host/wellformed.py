"""TABLE CONTENTS: what must hold in a field of a request that carries it; the gate "malformed" asks.

What the protocol's TABLE CHECKS only calls odd is refused here where a row names its field: an impossible date or time,
and a trace number that no terminal counts to. A day that some year has is possible, since no year comes with it. An
original's date of zeros says that it is not known, as its batch and its STAN may (CUP 2.6). Chip data may repeat a tag
and may have 00 before, between and after its objects (EMV Book 3 B); in an electronic signature field 55 is the slip's
text instead (CUP 6). Field 62 is what its kind says (CUP 3.7): a kind that says nothing has none, and private bytes
that a kind allows and this host has no use for are read, kept and logged by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Final

from host.refusals import Refused
from protocol.checks import CHECKS, Check, is_date
from protocol.elements import Value
from protocol.emv import decode_chip_data
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.kinds import Kind
from protocol.message import Message
from protocol.tlv import Padding, decode

_DATE_AT: Final = slice(12, 16)
_NO_DATE: Final = ("", "0000")
SANE: Final[Mapping[int, tuple[Check, ...]]] = {
    number: tuple(check for check in CHECKS if check.number == number) for number in {check.number for check in CHECKS}
}


def _sane(number: int, value: Value) -> Refused | None:
    """The refusal of the first row of CHECKS that the value does not pass."""
    for check in SANE[number]:
        if not check.passes(value):
            return _wrong(number, *check.words)
    return None


def _original(value: Value) -> Refused | None:
    date = value[_DATE_AT]
    if date in _NO_DATE or (len(date) == len("MMDD") and is_date(date)):
        return None
    return _wrong(F.ORIGINAL, "原交易日期不是日期", "61.3 is not a date MMDD")


def _wrong(number: int, chinese: str, english: str) -> Refused:
    return Refused("message.value", {"field": str(int(number)), "what_zh": chinese, "what": english})


def _chip_data(value: Value) -> Refused | None:
    """Padding is admitted, but ``decode_chip_data`` says more of what is wrong where there is none."""
    assert isinstance(value, bytes)
    try:
        decode_chip_data(value)
    except DecodeError as error:
        strict = error
    else:
        return None
    try:
        decode(value, padding=Padding.ZEROS)
    except DecodeError as error:
        told = strict if strict.offset == error.offset else error
    else:
        return None
    what = f"{told.message} ({told.hint})" if told.hint else told.message
    return Refused("message.chip_data", {"field": str(int(F.ICC)), "offset": str(told.offset), "what": what})


CONTENTS: Final[Mapping[int, Callable[[Value], Refused | None]]] = MappingProxyType(
    {
        F.STAN: partial(_sane, F.STAN),
        F.LOCAL_TIME: partial(_sane, F.LOCAL_TIME),
        F.LOCAL_DATE: partial(_sane, F.LOCAL_DATE),
        F.EXPIRY: partial(_sane, F.EXPIRY),
        F.ICC: _chip_data,
        F.ORIGINAL: _original,
    }
)
_LAYOUTS_KEPT: Final = 256
_SLIPS: Final = frozenset({"signature_upload"})


@lru_cache(_LAYOUTS_KEPT)
def _rows_about(numbers: tuple[int, ...]) -> tuple[tuple[int, Callable[[Value], Refused | None]], ...]:
    """The rows about fields that a message has."""
    return tuple((number, refuse) for number, refuse in CONTENTS.items() if number in numbers)


def wrong_content(kind: Kind, message: Message) -> Refused | None:
    """The refusal of the first field whose value cannot be what it says, None where all can."""
    fields = message.fields
    for number, refuse in _rows_about(message.numbers):
        value = fields[number]
        if not value or (number == F.ICC and kind.name in _SLIPS):
            continue
        if refused := refuse(value):
            return refused
    if fields.get(F.PAYLOAD) and F.PAYLOAD not in kind.request.named:
        return Refused("message.foreign_field", {"field": str(int(F.PAYLOAD))})
    return None
