"""Plays scenarios in virtual time, with the faults that they state, and with a verdict and a report as in real time.

Rules owned here: the same seed is the same run, event by event; the faults of a step are counted from its beginning and
end with it; one that was to come at a certain occasion and did not is an error, for the story would prove nothing;
``duration_s`` is what an onlooker waited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Final

from pydantic import BaseModel

from host.policy import Policy
from pos_lab.scenario.faults import Fault
from pos_lab.scenario.model import Scenario, Step, StepSpec, Text
from pos_lab.scenario.runner import play_in
from pos_lab.scenario.steps.stage import StepError
from pos_lab.scenario.story import ScenarioResult, StepResult, gravest
from pos_lab.sim.chance import Streams
from pos_lab.sim.faults import FaultLedger
from pos_lab.sim.loop import SimLoop, run_virtual
from pos_lab.sim.occasions import OCCASIONS, Plan, Rule
from pos_lab.sim.run import silence
from pos_lab.sim.scenario_world import ScenarioWorld, opened

FAULTS: Final = "faults"


class StatedWorld(ScenarioWorld):
    """The world of a scenario in which the faults happen that it states."""

    def __init__(self, loop: SimLoop, seed: int, scenario: Scenario) -> None:
        assert isinstance(scenario.policy, Policy)
        self.ledger = FaultLedger(self.note)
        self.throughout = rules_of(scenario.faults)
        self.plan = Plan(self.ledger, Streams(seed).of, self.throughout)
        super().__init__(loop, seed, scenario.policy, self.plan)

    @contextmanager
    def during(self, step: Step) -> Iterator[list[str]]:
        """Let the faults of the scenario and of this step happen; raises StepError for one that did not come."""
        own, happened, seen = rules_of(step.faults), list[str](), len(self.ledger.names)
        self.plan.rules = [*self.throughout, *own]
        self.expose(self.plan.kinds)
        self.begin_step(self.place_of(step))
        try:
            yield happened
        finally:
            self.plan.rules = self.throughout
            self.expose(self.plan.kinds)
            happened += self.ledger.names[seen:]
            self.hear()
        if missed := [rule for rule in own if rule.is_due]:
            raise StepError(never_came(missed[0]).en)


def never_came(rule: Rule) -> Text:
    """What is wrong with a fault that was to come."""
    occasion = OCCASIONS[rule.kind].english
    there = f" at {rule.where}" if rule.where else ""
    return Text(
        zh=f"故障{rule.kind}没有发生：第{rule.at}次机会没有到来（只有{rule.seen}次）",
        en=f"{rule.kind} never came: there were {rule.seen} of {rule.at} occasions{there} ({occasion})",
    )


def rules_of(faults: Iterable[BaseModel]) -> list[Rule]:
    """The faults that somebody wrote, as rules."""
    return [
        Rule(
            fault.kind,
            at=fault.at or (0 if fault.rate else 1),
            rate=fault.rate or 0.0,
            where=fault.terminal or "",
            line=fault.line,
        )
        for fault in faults
        if isinstance(fault, Fault)
    ]


def play_virtually(
    scenario: Scenario, steps: Mapping[str, StepSpec], seed: int, on_step: Callable[[StepResult], None]
) -> ScenarioResult:
    """Play a scenario to its end in virtual time. Raises what is a defect of the product."""
    began = perf_counter()

    async def main(loop: SimLoop) -> ScenarioResult:
        async with opened(StatedWorld(loop, seed, scenario), scenario.terminals) as built:
            result = await play_in(built, scenario, steps, seed, on_step)
            if result.verdict == "passed":
                for rule in filter(lambda rule: rule.is_due, built.throughout):
                    result = _failed_by(rule, result)
                    on_step(result.steps[-1])
            return replace(result, digest=built.log.digest)

    with silence():
        result = run_virtual(main, Streams(seed).of("loop"))
    return replace(result, duration_s=perf_counter() - began)


def _failed_by(rule: Rule, result: ScenarioResult) -> ScenarioResult:
    missed = StepResult(len(result.steps), FAULTS, rule.line, "error", never_came(rule))
    steps = (*result.steps, missed)
    return replace(result, steps=steps, verdict=gravest(step.verdict for step in steps))
