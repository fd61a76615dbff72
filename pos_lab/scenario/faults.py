"""What a scenario may let happen by itself in virtual time: the shape of ``faults``, at the top or beside a step.

Rules owned here: how a fault is written; what there is, ``pos_lab.sim.occasions`` says.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from host.written import Count, Level, Shape, mistake, shown
from pos_lab.scenario.errors import did_you_mean
from pos_lab.scenario.model import ScenarioModel, TerminalRef
from pos_lab.sim.occasions import HOST, OCCASIONS, instead_of


def _known_kind(value: str) -> str:
    if value not in OCCASIONS:
        if hint := instead_of(value):
            raise mistake(f"{shown(value)} does not happen in a scenario", hint)
        raise mistake(f"there is no kind of fault {shown(value)}", did_you_mean(value, OCCASIONS))
    return value


FaultKind = Annotated[
    str, Shape(r"[a-z_]+(\.[a-z_]+)?", "a kind of fault such as net.lost"), AfterValidator(_known_kind)
]


class WrittenFault(ScenarioModel):
    """A kind of fault that happens by itself, in virtual time.

    ``at`` is the number of the occasion, 1 being the first from where it is written, which it is unless a ``rate``, a
    share of all occasions from 0 to 1, is given. ``terminal`` is whose line or whose device; without it any.
    """

    kind: FaultKind
    at: Count | None = None
    rate: Level | None = None
    terminal: TerminalRef | None = None

    @model_validator(mode="after")
    def _is_one_rule(self) -> WrittenFault:
        if self.at is not None and self.rate is not None:
            raise mistake("at and rate in one fault", "write two faults")
        if self.at == 0:
            raise mistake("at is at least 1: the first occasion")
        if self.rate == 0:
            raise mistake("rate is more than 0: this would never happen")
        if self.terminal is not None and OCCASIONS[self.kind].target == HOST:
            raise mistake(f"{self.kind} happens at the host", "leave terminal out")
        return self


class Fault(WrittenFault):
    """One that was read, and the line on which it stands."""

    line: int = Field(ge=1)
