"""How people write values in a policy or a scenario: amounts, durations, counts, flags, days, and texts of a form.

Rules owned here: what is written and what it means. Every kind takes the text of a file or, from a program, the value
itself: fen, seconds, epoch seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Final

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from protocol.money import yuan

CHINA_TIME: Final = timezone(timedelta(hours=8), "CST")
"""The zone in which fields 12 and 13 count, and days and hours in files."""
AMOUNT_MAX_FEN: Final = 9_999_999_999
DURATION_MAX_S: Final = 3650 * 86_400
COUNT_MAX: Final = 999_999_999
MOMENT_END: Final = 7_258_089_600
"""The year 2200 in China."""
VALUE_SHOWN_MAX: Final = 40
"""Characters of a wrong value that an error repeats."""
NONE: Final = "none"
"""What is written for no limit and no date."""

_AMOUNT: Final = re.compile(r"(0|[1-9][0-9]{0,7})(?:\.([0-9]{1,2}))?")
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_LEVEL: Final = re.compile(r"0(\.[0-9]{1,3})?|1(\.0{1,3})?", re.ASCII)
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FLAGS: Final = {"yes": True, "true": True, "no": False, "false": False}
_CARD_NUMBER: Final = re.compile(r"(?<!\d)(\d{6})(\d{3,9})(\d{4})(?!\d)", re.ASCII)


def shown(value: str) -> str:
    """A wrong value as an error may repeat it: quoted, escaped, short, and without anything like a card number."""
    masked = _CARD_NUMBER.sub(lambda found: found[1] + "*" * len(found[2]) + found[3], value)
    clipped = masked if len(masked) <= VALUE_SHOWN_MAX else masked[: VALUE_SHOWN_MAX - 1] + "…"
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in clipped)
    return f"'{escaped}'"


def mistake(message: str, hint: str = "") -> PydanticCustomError:
    """The error that a validator raises; who reads the file adds the name of the key and the position."""
    return PydanticCustomError("mistake", "{message}", {"message": message, "hint": hint})


def amount_fen(text: str) -> int:
    """Yuan as ``60``, ``60.0`` or ``60.00`` in fen, 1 to AMOUNT_MAX_FEN. ValueError for anything else."""
    fen = balance_fen(text)
    if fen == 0:
        raise ValueError("an amount is more than zero")
    return fen


def balance_fen(text: str) -> int:
    """Like ``amount_fen``, but nothing at all (``0.00``) is allowed too."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is not an amount in yuan such as 60.00")
    return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))


def limit_fen(text: str) -> int:
    """An amount, or 0 for ``none``. ValueError for anything else."""
    return 0 if text == NONE else amount_fen(text)


def duration_s(text: str) -> int:
    """``30s``, ``15m``, ``2h`` or ``90d`` in seconds, 1 to DURATION_MAX_S. ValueError for anything else."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is not a duration such as 30s, 15m, 2h or 90d")
    seconds = int(found[1]) * _UNIT_S[found[2]]
    if seconds > DURATION_MAX_S:
        raise ValueError(f"{shown(text)} is longer than {DURATION_MAX_S // 86_400}d")
    return seconds


def span_s(text: str) -> int:
    """A duration, or 0 for ``none``. ValueError for anything else."""
    return 0 if text == NONE else duration_s(text)


def count(text: str) -> int:
    """A whole number from 0 to COUNT_MAX. ValueError for anything else."""
    if _COUNT.fullmatch(text) is None:
        raise ValueError(f"{shown(text)} is not a whole number such as 90")
    return int(text)


def level(text: str) -> float:
    """``0``, ``0.3`` or ``1``: a share from 0 to 1. ValueError for anything else."""
    if _LEVEL.fullmatch(text) is None:
        raise ValueError(f"{shown(text)} is not a level from 0 to 1 such as 0.3")
    return float(text)


def flag(text: str) -> bool:
    """yes or true, no or false. ValueError for anything else."""
    if text not in _FLAGS:
        raise ValueError(f"{shown(text)} is neither yes nor no")
    return _FLAGS[text]


def moment_at(text: str) -> int:
    """``2027-06-30`` or ``2027-06-30 02:00`` in China's time as epoch seconds, 0 for ``none``. ValueError otherwise."""
    if text == NONE:
        return 0
    found = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?: ([0-9]{2}:[0-9]{2}))?", text)
    try:
        moment = datetime.fromisoformat(f"{found[1]} {found[2] or '00:00'}") if found else None
    except ValueError:
        moment = None
    if moment is None or not 1970 < moment.year < 2200:
        raise ValueError(f"{shown(text)} is not a day such as 2027-06-30, perhaps with a time such as 02:00")
    return int(moment.replace(tzinfo=CHINA_TIME).timestamp())


def time_of_day_s(text: str) -> int:
    """``02:30`` in seconds after midnight. ValueError for anything else."""
    found = _TIME_OF_DAY.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is not a time of day such as 02:30")
    return int(found[1]) * 3600 + int(found[2]) * 60


def _without_unit_s(seconds: int) -> str:
    """Seconds in the largest unit that they fill, such as ``90d``."""
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _UNIT_S[unit] == 0)
    return f"{seconds // _UNIT_S[unit]}{unit}"


@dataclass(frozen=True, slots=True)
class Written:
    """A value that is text in a file and ``kind`` in Python: how it is read, and how it is written again."""

    kind: type
    parse: Callable[[str], object]
    write: Callable[[Any], str]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def read(self, value: object) -> object:
        """The value; raises ``mistake`` for a text that is none, and for what is no text."""
        if type(value) is self.kind:
            return value
        if not isinstance(value, str):
            raise mistake("must be a single value")
        try:
            return self.parse(value)
        except ValueError as error:
            raise mistake(str(error)) from None


def _or_none(write: Callable[[int], str]) -> Callable[[int], str]:
    return lambda value: write(value) if value else NONE


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at, CHINA_TIME):%Y-%m-%d %H:%M}"


def _time_of_day(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"


AmountFen = Annotated[int, Written(int, amount_fen, yuan), Field(gt=0, le=AMOUNT_MAX_FEN)]
BalanceFen = Annotated[int, Written(int, balance_fen, yuan), Field(ge=0, le=AMOUNT_MAX_FEN)]
LimitFen = Annotated[int, Written(int, limit_fen, _or_none(yuan)), Field(ge=0, le=AMOUNT_MAX_FEN)]
DurationS = Annotated[int, Written(int, duration_s, _without_unit_s), Field(gt=0, le=DURATION_MAX_S)]
SpanS = Annotated[int, Written(int, span_s, _or_none(_without_unit_s)), Field(ge=0, le=DURATION_MAX_S)]
Count = Annotated[int, Written(int, count, str), Field(ge=0, le=COUNT_MAX)]
Level = Annotated[float, Written(float, level, str), Field(ge=0, le=1)]
Flag = Annotated[bool, Written(bool, flag, lambda value: "yes" if value else "no")]
Moment = Annotated[int, Written(int, moment_at, _or_none(_moment)), Field(ge=0, lt=MOMENT_END)]
TimeOfDayS = Annotated[int, Written(int, time_of_day_s, _time_of_day), Field(ge=0, lt=86_400)]


@dataclass(frozen=True, slots=True)
class Shape:
    """Text of a given form: ``Annotated[str, Shape(r"[0-9A-Z]{2}", "a response code such as 97")]``."""

    pattern: str
    meaning: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.read, handler(source))

    def read(self, text: str) -> str:
        """The text itself; raises ``mistake`` where it has another form."""
        if re.fullmatch(self.pattern, text, re.ASCII) is None:
            raise mistake(f"{shown(text)} is not {self.meaning}")
        return text


def Digits(length: int, length_max: int | None = None) -> Shape:  # noqa: N802 - used like a type in annotations
    """ASCII digits, exactly ``length`` or up to ``length_max``: ``Annotated[str, Digits(6)]``. Leading zeros stay."""
    if length_max is None:
        return Shape(rf"[0-9]{{{length}}}", f"{length} digits")
    return Shape(rf"[0-9]{{{length},{length_max}}}", f"{length} to {length_max} digits")


ModelId = Annotated[str, Shape(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,19}", "a model such as PX-E90")]
FirmwareVersion = Annotated[
    str, Shape(r"(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){2}", "a firmware version such as 2.1.0")
]
