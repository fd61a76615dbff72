"""How the values of a scenario are written: TABLE VALUES, by the types of ``pos_lab.scenario.model``.

Rules owned here: what a reader is told of a type. What a type accepts is the business of ``pos_lab.scenario.model``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from host.written import (
    AMOUNT_MAX_FEN,
    COUNT_MAX,
    DURATION_MAX_S,
    NONE,
    AmountFen,
    BalanceFen,
    Count,
    DurationS,
    Flag,
    Level,
    LimitFen,
    Moment,
    Shape,
    SpanS,
    TimeOfDayS,
)
from pos_lab.handbook.markdown import Markdown, code, codes, plain, prose, table
from pos_lab.policy_file import kind_of
from pos_lab.scenario.model import Document, FaultList, StepList, TerminalRef, Text, Title
from protocol.money import yuan


class Value(NamedTuple):
    """A row of VALUES."""

    name: str
    type: Any
    meaning: str


VALUES: Final = (
    Value("amount", AmountFen, f"yuan such as 60.00, from 0.01 to {yuan(AMOUNT_MAX_FEN)}"),
    Value("balance", BalanceFen, f"yuan such as 60.00, from 0.00 to {yuan(AMOUNT_MAX_FEN)}"),
    Value("duration", DurationS, f"30s, 15m, 2h or 90d, at most {DURATION_MAX_S // 86_400}d"),
    Value("count", Count, f"a whole number from 0 to {COUNT_MAX}"),
    Value("level", Level, "a share from 0 to 1, such as 0.3"),
    Value("flag", Flag, "yes or no"),
    Value("limit", LimitFen, f"an amount, or {NONE}"),
    Value("span", SpanS, f"a duration, or {NONE}"),
    Value("moment", Moment, f"2027-06-30 or 2027-06-30 02:00, in China's time, or {NONE}"),
    Value("time of day", TimeOfDayS, "02:30, in China's time"),
    Value("terminal", TerminalRef, "the name of a terminal of the cast"),
    Value("steps", StepList, "a list of steps"),
    Value("faults", FaultList, "a list of faults, each a mapping such as {kind: net.lost, at: 1}"),
    Value("title", Title, "a text of 1 to 100 characters"),
    Value("text", Text, "a text, or {zh: 中文, en: English}"),
    Value("line", str, "any text"),
    Value("policy", get_type_hints(Document, include_extras=True)["policy"], "figures of the host; may be left out"),
    Value("cast", get_type_hints(Document, include_extras=True)["terminals"], "terminals by name"),
)
"""A type that is not here is a ``Shape`` or a choice, which says itself what it is."""


def as_written(model: type[BaseModel]) -> Iterator[tuple[str, Markdown, str]]:
    """Key, kind of value and meaning of every field of ``model``."""
    for name, hint in get_type_hints(model, include_extras=True).items():
        info = model.model_fields.get(name)
        if info:
            value, meaning = _written(hint)
            told = f"{info.description}: {', '.join(_choices(hint))}" if _choices(hint) else info.description
            yield info.alias or name, value, told or str(meaning)


def _choices(hint: Any) -> list[str]:
    """The words of a choice, or of a list of them."""
    if get_origin(hint) is Literal:
        return [str(word) for word in get_args(hint) if word]
    return [word for part in get_args(hint) for word in _choices(part)]


def values() -> str:
    """TABLE VALUES as a table."""
    return table(("value", "how it is written"), ((code(row.name), row.meaning) for row in VALUES))


def keys(model: type[BaseModel]) -> str:
    """The keys of ``model`` as a table; the default is left out where no key has one."""
    rows = list(_keys(model))
    if all(default == _NEEDED for *_, default in rows) or not any(default for *_, default in rows):
        return table(("key", "value", "meaning"), (row[:3] for row in rows)) if rows else ""
    return table(("key", "value", "meaning", "default"), rows)


_NEEDED: Final = Markdown("needed")


def _keys(model: type[BaseModel]) -> Iterator[tuple[Markdown, Markdown, Markdown, Markdown]]:
    hints = get_type_hints(model, include_extras=True)
    for name, info in model.model_fields.items():
        value, meaning = _written(hints[name])
        told = prose(info.description) if info.description else meaning
        yield code(info.alias or name), value, told, _NEEDED if info.is_required() else _default(info)


def names(model: type[BaseModel]) -> list[str]:
    """The keys of ``model`` as they are written."""
    return [info.alias or name for name, info in model.model_fields.items()]


def _default(info: FieldInfo) -> Markdown:
    if isinstance(info.default, bool):
        return code("yes" if info.default else "no")
    return code("" if info.default in (None, ()) else info.default)


def _written(hint: Any) -> tuple[Markdown, Markdown]:
    """The name of a kind of value, and what it means."""
    kind = kind_of(hint)
    row = next((row for row in VALUES if row.type == hint or (kind and kind_of(row.type) == kind)), None)
    if row:
        return Markdown(row.name), plain(row.meaning)
    parts = [part for part in get_args(hint) if part is not type(None)]
    if get_origin(hint) is Literal:
        return Markdown("choice"), Markdown(f"one of {codes(parts)}")
    shape = next((part for part in reversed(parts) if isinstance(part, Shape)), None)
    if shape:
        return Markdown("line"), plain(shape.meaning)
    return _written(parts[0]) if parts else (Markdown("number"), Markdown("a whole number"))
