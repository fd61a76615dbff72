"""What a scenario is made of: the shapes of the file, and the kinds of value that its steps are written with.

Rules owned here: how names, numbers of terminals and bilingual texts are written; amounts and the like are
``host.written``. The words themselves (sale, settle, …) are rows of a table of ``StepSpec``; the loader interprets it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    model_validator,
)

from firmware_sim.models import MODELS
from host.written import FirmwareVersion, Flag, ModelId, Shape, mistake, shown
from pos_lab.features import FEATURES
from pos_lab.scenario.errors import did_you_mean

Language = Literal["zh", "en"]

CHAPTER = "chapter"
"""The verb that opens a chapter: its argument is a bilingual text and it does nothing else."""


class ScenarioModel(BaseModel):
    """Base of every shape written in a scenario: no unknown keys, never changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---- kinds of value ----

Name = Annotated[str, Shape(r"[a-z][a-z0-9_]{0,31}", "a name of small letters, digits and _ such as old")]
SerialNumber = Annotated[str, Shape(r"[0-9A-Z]{4,20}", "a serial number of digits and capital letters")]
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


def _known_feature(value: str) -> str:
    if value not in FEATURES:
        raise mistake(f"there is no feature {shown(value)}", did_you_mean(value, FEATURES))
    return value


FeatureId = Annotated[str, Shape(r"[A-Z]+[0-9]*", "a feature such as R13"), AfterValidator(_known_feature)]


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

    def faults(self, value: object) -> tuple[BaseModel, ...]:
        """Reads a list of faults; notes its mistakes and returns those that are right."""


class Step(ScenarioModel):
    """One step: the verb, its arguments and what is expected of it, each in the verb's own model.

    ``faults`` happen while it is played.
    """

    verb: str
    arguments: SerializeAsAny[BaseModel]
    expect: SerializeAsAny[BaseModel] | None = None
    say: Text | None = None
    faults: tuple[SerializeAsAny[BaseModel], ...] = ()
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


def _faults(value: object, info: ValidationInfo) -> object:
    loading = _loading(info)
    return value if loading is None else loading.faults(value)


TerminalRef = Annotated[str, AfterValidator(_terminal)]
"""The name of a terminal of the cast."""

StepList = Annotated[tuple[Step, ...], BeforeValidator(_steps)]
"""Steps inside a step, read with the same table: ``before_reply: StepList = ()``."""


FaultList = Annotated[tuple[SerializeAsAny[BaseModel], ...], BeforeValidator(_faults)]
"""What happens by itself, each as ``pos_lab.scenario.faults`` has it."""


class Document(ScenarioModel):
    """The top of a scenario file. ``faults`` happen by themselves from the first step to the last."""

    scenario: Title
    title: Text
    features: tuple[FeatureId, ...] = ()
    policy: Annotated[SerializeAsAny[BaseModel], BeforeValidator(_policy)]
    terminals: dict[Name, CastMember]
    faults: FaultList = ()
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
    features: tuple[str, ...] = ()
    faults: tuple[BaseModel, ...] = ()

    @property
    def all_faults(self) -> tuple[BaseModel, ...]:
        """Those at the top and those beside steps."""
        return (*self.faults, *(fault for step in self.steps for fault in step.faults))


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One word of the language: a row of the table of steps. ``expectation`` is None where nothing can be expected."""

    name: str
    arguments: type[BaseModel]
    expectation: type[BaseModel] | None
    summary: str
    run: Callable[..., Awaitable[Any]]
