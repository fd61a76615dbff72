"""Explores the space of faults around a scenario: each seed plays it under other faults, and the examiner judges.

Rules owned here: a seed decides profile, faults and instants; people take their time between steps (THINK_S), so that
what lasts can end; a step that is taken out keeps everybody else's names; what the scenario states happens as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Final

from host.policy import Policy
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.model import CHAPTER, Scenario, Step
from pos_lab.scenario.runner import Play
from pos_lab.scenario.steps import STEPS
from pos_lab.sim.both_books import both_books
from pos_lab.sim.chance import Streams
from pos_lab.sim.checker.examiner import Violation
from pos_lab.sim.crash import crashed
from pos_lab.sim.device import PART_FAULTS
from pos_lab.sim.examined import ExaminedWorld
from pos_lab.sim.faults import FaultLedger
from pos_lab.sim.loop import SimLoop, run_virtual
from pos_lab.sim.occasions import OCCASIONS, OPERATION, Plan, Rule
from pos_lab.sim.profiles import drawn_profile, drawn_rates
from pos_lab.sim.run import Result, silence
from pos_lab.sim.scenario_run import rules_of
from pos_lab.sim.scenario_world import opened

THINK_S: Final = 20.0
OPERATIONS: Final = 12
"""About how many operations of its device a step has."""
PART: Final = "part"


class ExploredWorld(ExaminedWorld):
    """The world of one seed of a scenario."""

    def __init__(self, loop: SimLoop, seed: int, profile: str, suppressed: frozenset[str], scenario: Scenario) -> None:
        assert isinstance(scenario.policy, Policy)
        streams = Streams(seed)
        self.profile = profile or drawn_profile(streams.of("profile"))
        self.ledger = FaultLedger(self.note, suppressed)
        rates = drawn_rates(self.profile, streams.of("swarm"))
        self._part_rate = rates.get(PART, 0.0)
        self._throughout = [*rules_of(scenario.faults), *_drawn_rules(rates)]
        self._plan = Plan(self.ledger, streams.of, self._throughout)
        self.intents: list[str] = []
        super().__init__(loop, seed, scenario.policy, self._plan)

    @contextmanager
    def during(self, step: Step) -> Iterator[list[str]]:
        """Let happen what the seed drew and what the step states."""
        self._plan.rules = [*self._throughout, *rules_of(step.faults)]
        self.expose(self._plan.kinds)
        name = self.place_of(step)
        self.begin_step(name)
        self._break_a_part(name)
        try:
            yield []
        finally:
            self._plan.rules = self._throughout
            self.expose(self._plan.kinds)

    async def live(self, scenario: Scenario) -> None:
        """Play every step, with time in between, then conclude."""
        play, chance = Play(STEPS, self), self.streams.of("cashier")
        for index, step in enumerate(scenario.steps):
            if step.verb == CHAPTER:
                continue
            await asyncio.sleep(chance.expovariate(1 / THINK_S))
            if name := self.ledger.intends(f"line {step.line}"):
                self.intents.append(name)
                self.note("story", "intent", f"line {step.line}: {step.verb}")
                await self.play_on(play, index, step)
        await self.conclude()

    def heal(self) -> None:
        """From here on nothing happens by itself."""
        self.ledger.heal()
        super().heal()

    def _break_a_part(self, name: str) -> None:
        chance = self._plan.draws(PART)
        if name and chance.random() < self._part_rate and self.ledger.happens(PART, name):
            self.devices[name].hardware.faults.arm(chance.choice(PART_FAULTS))


def explore(file: str, seed: int, profile: str = "", *, suppressed: frozenset[str] = frozenset()) -> Result:
    """Live one seed of the scenario in a file. Raises ScenarioErrors, and what is a defect of the product."""
    scenario = _scenario(file)
    worlds: list[ExploredWorld] = []

    async def main(loop: SimLoop) -> None:
        worlds.append(ExploredWorld(loop, seed, profile, suppressed, scenario))
        async with opened(worlds[0], scenario.terminals) as built:
            await built.live(scenario)

    stuck: list[Violation] = []
    try:
        with silence():
            run_virtual(main, Streams(seed).of("loop"))
    except Exception as error:  # the other seeds are still to be played
        if not worlds:
            raise
        stuck.append(crashed(error))
    built = worlds[0]
    violations = (*built.violations, *stuck)
    return Result(
        seed=seed,
        profile=built.profile,
        digest=built.log.digest,
        virtual_s=built.loop.time(),
        faults=tuple(built.ledger.names),
        intents=tuple(built.intents),
        fired=dict(built.ledger.fired),
        markers={},
        acts={},
        results=built.results,
        violations=violations,
        books=tuple(both_books(built.examiner.evidence)) if violations else (),
        events=tuple(built.log.events),
    )


def _drawn_rules(rates: Mapping[str, float]) -> list[Rule]:
    """Rates of a profile are by intent where a fault falls at an operation, of which an intent has many."""
    return [
        Rule(kind, rate=rate / OPERATIONS if OCCASIONS[kind] is OPERATION else rate)
        for kind, rate in rates.items()
        if kind in OCCASIONS
    ]


@cache
def _scenario(file: str) -> Scenario:
    return load_scenario(file, STEPS, Policy)
