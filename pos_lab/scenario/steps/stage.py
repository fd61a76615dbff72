"""What a step plays on, and what it tells when it is over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from pos_lab.scenario.model import Step, Text
from pos_lab.scenario.story import Fact
from pos_lab.world import World
from terminal.outcome import Outcome


class StepError(Exception):
    """A step that cannot be played as it is written, which only playing shows."""


@dataclass(frozen=True, slots=True)
class Told:
    """How a step went: ``went_well`` unless refused or unanswered, ``actual`` by the names of its expectation."""

    message: Text
    went_well: bool = True
    actual: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """The world, the sales that steps gave a name with ``as``, the facts for the report, and how to play a step.

    ``numbers`` makes the codes of customers differ.
    """

    world: World
    play: Callable[[Step], Awaitable[object]]
    named: dict[str, Outcome] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
