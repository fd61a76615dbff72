"""What a scenario is made of: the shapes of the file, and the kinds of value that its steps are written with.

Rules owned here: how amounts, durations, counts, names and bilingual texts are written. The words themselves (sale,
settle, …) are rows of a table of ``StepSpec``; the loader interprets that table.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SerializeAsAny,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from firmware_sim.models import MODELS
from pos_lab.scenario.errors import did_you_mean, shown

Language = Literal["zh", "en"]

CHAPTER = "chapter"
"""The verb that opens a chapter: its argument is a bilingual text and it does nothing else."""

AMOUNT_MAX_FEN = 9_999_999_999
DURATION_MAX_S = 3650 * 86_400
COUNT_MAX = 999_999_999

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,7})(?:\.([0-9]{1,2}))?")
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_COUNT = re.compile(r"0|[1-9][0-9]{0,8}")
_LEVEL = re.compile(r"0(\.[0-9]{1,3})?|1(\.0{1,3})?", re.ASCII)
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FLAGS = {"yes": True, "true": True, "no": False, "false": False}


def mistake(message: str, hint: str = "") -> PydanticCustomError:
    """The error that a validator raises; the loader adds the name of the key and the position."""
    return PydanticCustomError("mistake", "{message}", {"message": message, "hint": hint})


class ScenarioModel(BaseModel):
    """Base of every shape written in a scenario: no unknown keys, never changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---- kinds of value ----


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


def duration_s(text: str) -> int:
    """``30s``, ``15m``, ``2h`` or ``90d`` in seconds, 1 to DURATION_MAX_S. ValueError for anything else."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is not a duration such as 30s, 15m, 2h or 90d")
    seconds = int(found[1]) * _UNIT_S[found[2]]
    if seconds > DURATION_MAX_S:
        raise ValueError(f"{shown(text)} is longer than {DURATION_MAX_S // 86_400}d")
    return seconds


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


def _written(kind: type, parse: Callable[[str], object]) -> BeforeValidator:
    """A value that is text in a file and ``kind`` in Python."""

    def read(value: object) -> object:
        if type(value) is kind:
            return value
        if not isinstance(value, str):
            raise mistake("must be a single value")
        try:
            return parse(value)
        except ValueError as error:
            raise mistake(str(error)) from None

    return BeforeValidator(read)


AmountFen = Annotated[int, _written(int, amount_fen), Field(gt=0, le=AMOUNT_MAX_FEN)]
BalanceFen = Annotated[int, _written(int, balance_fen), Field(ge=0, le=AMOUNT_MAX_FEN)]
DurationS = Annotated[int, _written(int, duration_s), Field(gt=0, le=DURATION_MAX_S)]
Count = Annotated[int, _written(int, count), Field(ge=0, le=COUNT_MAX)]
Level = Annotated[float, _written(float, level), Field(ge=0, le=1)]
Flag = Annotated[bool, _written(bool, flag)]


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


Name = Annotated[str, Shape(r"[a-z][a-z0-9_]{0,31}", "a name of small letters, digits and _ such as old")]
SerialNumber = Annotated[str, Shape(r"[0-9A-Z]{4,20}", "a serial number of digits and capital letters")]
ModelId = Annotated[str, Shape(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,19}", "a model such as PX-E90")]
FirmwareVersion = Annotated[
    str, Shape(r"(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){2}", "a firmware version such as 2.1.0")
]
TerminalId = Annotated[str, Shape(r"[0-9A-Z]{8}", "a terminal number of 8 digits or capital letters")]
MerchantId = Annotated[str, Shape(r"[0-9A-Z]{15}", "a merchant number of 15 digits or capital letters")]
ResponseCode = Annotated[str, Shape(r"[0-9A-Z]{2}", "a response code of two characters such as 97")]
Title = Annotated[str, Field(min_length=1, max_length=100)]


class Text(ScenarioModel):
    """A text in both languages; a plain string in the file stands for both."""

    zh: str
    en: str

    @model_validator(mode="before")
    @classmethod
    def _same_in_both(cls, value: object) -> object:
        if value == "":
            raise mistake("is empty")
        return {"zh": value, "en": value} if isinstance(value, str) else value

    def told(self, language: Language) -> str:
        """The text in one language."""
        return self.zh if language == "zh" else self.en


# ---- the file ----


def _known_model(value: str) -> str:
    if value not in MODELS:
        raise mistake(f"there is no model {shown(value)} in the catalogue", did_you_mean(value, MODELS))
    return value


KnownModel = Annotated[ModelId, AfterValidator(_known_model)]


class CastMember(ScenarioModel):
    """One terminal of the story, as it leaves the factory and as it is to be registered.

    ``manual_entry`` lets its cashier key card numbers.
    """

    serial_number: SerialNumber
    model: KnownModel
    firmware: FirmwareVersion
    terminal_id: TerminalId
    merchant_id: MerchantId
    manual_entry: Flag = False


class Loading(Protocol):
    """What validators need of the file that is being read: pydantic's validation context."""

    terminals: Collection[str]

    def steps(self, value: object) -> tuple[Step, ...]:
        """Reads a list of steps; notes its mistakes and returns the steps that are right."""

    def policy(self, value: object) -> BaseModel:
        """Reads the policy; notes its mistakes."""


class Step(ScenarioModel):
    """One step: the verb, its arguments and what is expected of it, each in the verb's own model."""

    verb: str
    arguments: SerializeAsAny[BaseModel]
    expect: SerializeAsAny[BaseModel] | None = None
    say: Text | None = None
    line: int
    column: int


def _loading(info: ValidationInfo) -> Loading | None:
    return cast("Loading | None", info.context)


def _terminal(value: str, info: ValidationInfo) -> str:
    loading = _loading(info)
    if loading is not None and value not in loading.terminals:
        raise mistake(f"there is no terminal {shown(value)}", did_you_mean(value, loading.terminals))
    return value


def _steps(value: object, info: ValidationInfo) -> object:
    loading = _loading(info)
    return value if loading is None else loading.steps(value)


def _policy(value: object, info: ValidationInfo) -> object:
    loading = _loading(info)
    return value if loading is None else loading.policy(value)


TerminalRef = Annotated[str, AfterValidator(_terminal)]
"""The name of a terminal of the cast."""

StepList = Annotated[tuple[Step, ...], BeforeValidator(_steps)]
"""Steps inside a step, read with the same table: ``before_reply: StepList = ()``."""


class Document(ScenarioModel):
    """The top of a scenario file."""

    scenario: Title
    title: Text
    policy: Annotated[SerializeAsAny[BaseModel], BeforeValidator(_policy)]
    terminals: dict[Name, CastMember]
    steps: StepList


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario without mistakes, ready to be run. ``policy`` is of the model that the loader was given."""

    name: str
    title: Text
    policy: BaseModel
    terminals: Mapping[str, CastMember]
    steps: tuple[Step, ...]
    file: str


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One word of the language: a row of the table of steps. ``expectation`` is None where nothing can be expected."""

    name: str
    arguments: type[BaseModel]
    expectation: type[BaseModel] | None
    summary: str
    run: Callable[..., Awaitable[Any]]
