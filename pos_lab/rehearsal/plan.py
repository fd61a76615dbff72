"""What is rehearsed: TABLE Rehearsal, read from YAML with every mistake at its place, and the list of models from CSV.

Rules owned here: the figures and their defaults; shares of behaviours count against their sum; the list is what
``host.admin.models`` takes, one list however many files it comes in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from host.admin.models import listed
from host.campaign import STEP_DAYS
from host.errors import AdminError
from host.policy import DAY_S, Line, Policy, Section
from host.written import Count, DurationS, Flag, Level, ModelId, Moment, SpanS, mistake, moment_at
from pos_lab.scenario.errors import ScenarioError, ScenarioErrors
from pos_lab.scenario.files import shipped
from pos_lab.scenario.loader import load_mapping
from pos_lab.scenario.source import Entries, Place, compose, read_text

TITLE: Final = "rehearsal"
LIST: Final = "retirement/models_to_retire.csv"
"""The list that comes with the program: 196 models."""
DAYS: Final = 90
AFTER_STOP_DAYS: Final = 10
"""So long before the end the last wave stops, where nobody says when."""
WAVES: Final = 4
"""Into so many waves a campaign falls that nobody described, where there are WAVES_DAYS or more."""
WAVES_DAYS: Final = 90
ON_WIRE: Final = 100
TERMINALS_MAX: Final = 100_000
DAYS_MAX: Final = 3_650
SALES_MAX: Final = 1_000
PLACES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "successor": ("fleet", "successor"),
        "capacity": ("course", "capacity"),
        "waves": ("course", "waves"),
        "plan_dates": ("course",),
        "too_soon": ("course", "stop"),
        "blocklist": ("models",),
        "sign_on": ("policy",),
    }
)
"""Why a rehearsal is refused -> the keys in its file that lead to what is wrong."""
_BEGINS: Final = moment_at("2026-03-02")


class Behaviour(Section):
    """One way in which merchants take a retirement. Chances are from 0 to 1; spans are days such as 5d, or none."""

    name: Line = Field(description="what it is called")
    share: Annotated[Count, Field(le=1_000_000)] = Field(1, description="how many terminals, against the other shares")
    reads: Level = Field(1.0, description="how likely a notice is read")
    comes: Level = Field(1.0, description="how likely somebody who has read comes to the appointment")
    again_s: SpanS = Field(0, description="how long after a missed appointment another is asked for")
    wakes_s: SpanS = Field(0, description="how long after the first refused sale a swap is asked for")
    sells: Flag = Field(True, description="whether the shop is still in business")
    loses: Level = Field(0.0, description="how likely the device is lost before its date")


BEHAVIOURS: Final = (
    Behaviour(name="punctual", share=60, reads=0.95, comes=0.97, again_s=3 * DAY_S, wakes_s=1 * DAY_S),
    Behaviour(name="forgetful", share=20, reads=0.6, comes=0.5, again_s=7 * DAY_S, wakes_s=2 * DAY_S),
    Behaviour(name="does not read", share=10, reads=0.0, wakes_s=2 * DAY_S),
    Behaviour(name="sells to the end", share=6, reads=0.9, comes=0.0),
    Behaviour(name="out of business", share=4, reads=0.0, sells=False, loses=0.25),
)


class Course(Section):
    """How the campaign lies in time; spans are before the stop."""

    stop_s: SpanS = Field(0, description="how long after the first day all stop; none: each model on its date")
    grace_s: DurationS = Field(7 * DAY_S, description="from when on a terminal is overdue")
    suspend_s: SpanS = Field(3 * DAY_S, description="from when on it sells no more")
    waves: Annotated[Count, Field(ge=1)] = Field(1, description="parts that stop one after the other")
    capacity: Count | None = Field(None, description="swaps a day, 0 for no appointments; left out: enough")
    exempt: Level = Field(0.0, description="the share of terminals that is taken out of the campaign")


class Fleet(Section):
    """The terminals."""

    terminals: Annotated[Count, Field(ge=1, le=TERMINALS_MAX)] = Field(100, description="how many")
    others: Level = Field(0.1, description="the share whose model is not on the list")
    per_merchant: Annotated[Count, Field(ge=1)] = Field(3, description="terminals a merchant has")
    on_wire: Annotated[Count, Field(le=TERMINALS_MAX)] = Field(ON_WIRE, description="how many really sell")
    sales: Annotated[Count, Field(le=SALES_MAX)] = Field(3, description="sales a day of each that sells")
    successor: ModelId = Field("NX-E21", description="the model that takes over")


class Rehearsal(Section):
    """One rehearsal. ``policy`` is the host's; what is left out is the product's."""

    rehearsal: Line = Field("retirement", description="the title")
    models: tuple[str, ...] = Field((), description="CSV files of models, seen from this file")
    begins_at: Moment = Field(_BEGINS, description="the first day")
    days: Annotated[Count, Field(ge=1, le=DAYS_MAX)] = Field(DAYS, description="how many days are played")
    course: Course | None = Field(None, description="how the campaign lies in time")
    fleet: Fleet = Field(Fleet(), description="the terminals")
    behaviours: tuple[Behaviour, ...] = Field(BEHAVIOURS, description="how merchants behave")
    policy: Policy = Field(Policy(), description="the host's rules")

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if not sum(row.share for row in self.behaviours):
            raise mistake("the shares of behaviours sum to nothing", "give one of them a share")
        names = [row.name for row in self.behaviours]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise mistake(f"two behaviours are called '{twice}'")
        return self

    @property
    def plan(self) -> Course:
        """How the campaign lies in time; all stop some days before the end where nobody says otherwise."""
        stop_s = max(1, self.days - AFTER_STOP_DAYS) * DAY_S
        return self.course or Course(stop_s=stop_s, waves=WAVES if self.days >= WAVES_DAYS else 1)

    @property
    def capacity(self) -> int:
        """Swaps a day, 0 for any number; where nobody says, the fleet takes half of the time before the first stop."""
        plan = self.plan
        if plan.capacity is not None:
            return plan.capacity
        days = (
            (plan.stop_s or self.days * DAY_S) - (plan.waves - 1) * self.policy.retirement.wave_s - plan.suspend_s
        ) // DAY_S
        return -(-2 * self.fleet.terminals // max(2, min(days, STEP_DAYS[0]) - 1))


@dataclass(frozen=True, slots=True)
class Listed:
    """The list of models as one CSV, and the ``files`` that it was made of."""

    content: bytes
    names: tuple[str, ...]
    files: tuple[str, ...]


def load_rehearsal(path: str) -> Rehearsal:
    """The rehearsal in a YAML file. Raises ScenarioErrors with all mistakes, each with line, column and a hint."""
    return load_mapping(path, Rehearsal)


def is_rehearsal(path: str) -> bool:
    """Does a file describe a rehearsal: has it its title? Not one that cannot be read at all."""
    try:
        root, _ = compose(read_text(path), path)
    except ScenarioErrors:
        return False
    return isinstance(root, Entries) and TITLE in root


def lists_of(path: str, rehearsal: Rehearsal) -> tuple[str, ...]:
    """The files of models that a rehearsal names, which lie where it lies."""
    return tuple(str(Path(path).parent / name) for name in rehearsal.models)


def refused_at(path: str, error: AdminError) -> ScenarioErrors:
    """What a rehearsal is refused for, at the place in its file that is to be changed (PLACES)."""
    node, _ = compose(read_text(path), path)
    place = Place(1, 1, "")
    for key in PLACES.get(error.code, ()):
        if not isinstance(node, Entries) or key not in node:
            break
        place, node = node.key_places[key], node[key]
    return ScenarioErrors([ScenarioError(path, place.line, place.column, place.path, error.message, error.hint)])


def load_list(files: tuple[str, ...]) -> Listed:
    """The models of some CSV files, of the list that comes with the program where none is given.

    Raises AdminError that names file and line, and OSError.
    """
    parts, names, owners = list[bytes](), list[str](), dict[str, str]()
    for file in files or (str(shipped(LIST)),):
        content = Path(file).read_bytes()
        try:
            rows = listed(content)
        except AdminError as error:
            raise AdminError(f"{file}: {error.message}", hint=error.hint, code=error.code) from None
        for row in rows:
            if row["model"] in owners:
                raise AdminError(f"{file}: {row['model']} is in {owners[row['model']]} already", code="blocklist")
            owners[row["model"]] = file
            names.append(row["model"])
        head, _, body = content.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
        parts += [body] if parts else [head + b"\n", body]
        if not parts[-1].endswith(b"\n"):
            parts.append(b"\n")
    return Listed(b"".join(parts), tuple(names), files)
