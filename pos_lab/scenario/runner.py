"""Plays a scenario in a world and judges it, step by step.

A step passes when it went well and everything that it expects came true; a step that expects a refusal, an error or
silence passes when just that came. The first step that does not pass ends the scenario: what follows it is skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pydantic import BaseModel

from firmware_sim.line import Direction
from firmware_sim.power import PowerLost
from host.acquirer import CLOCK_OFFSET
from host.policy import Policy
from pos_lab.scenario.evidence import Way, evidence
from pos_lab.scenario.model import CHAPTER, Scenario, Step, StepSpec, Text
from pos_lab.scenario.steps.stage import Stage, StepError, Told
from pos_lab.scenario.story import Evidence, Impact, ScenarioResult, StepResult, Verdict, gravest
from pos_lab.world import Over, Passed, RunningElsewhere, World, world
from protocol.errors import ToldError
from protocol.money import yuan

MONEY: Final = frozenset({"amount", "turnover", "total", "sum", "fees"})
ASKS_FOR_TROUBLE: Final = frozenset({"outcome", "error", "verdict"})
"""Expectations by which a step may end otherwise than well."""

_DIRECTIONS: Final[Mapping[Direction, Way]] = {Direction.SENT: "request", Direction.RECEIVED: "response"}


class Runner:
    """Plays scenarios with one table of steps; ``on_step`` is told each result as it comes."""

    def __init__(self, steps: Mapping[str, StepSpec], over: Over | RunningElsewhere, seed: int) -> None:
        self._steps = steps
        self._over = over
        self._seed = seed

    async def run(
        self, scenario: Scenario, on_step: Callable[[StepResult], None], directory: Path | None = None
    ) -> ScenarioResult:
        """Play all steps in a new world, in ``directory`` or one that is removed. Raises StoreError, TransportError."""
        if directory is None:
            with TemporaryDirectory(prefix="poslab-") as temporary:
                return await self.run(scenario, on_step, Path(temporary))
        assert isinstance(scenario.policy, Policy)
        async with world(scenario.terminals, scenario.policy, self._over, directory, self._seed) as built:
            return await play_in(built, scenario, self._steps, self._seed, on_step)


async def play_in(
    built: World,
    scenario: Scenario,
    steps: Mapping[str, StepSpec],
    seed: int,
    on_step: Callable[[StepResult], None],
) -> ScenarioResult:
    """Play all steps of a scenario in its world, until one does not pass."""
    began = asyncio.get_running_loop().time()
    since = int(built.now().timestamp()) + await built.read(lambda books: books.counter(CLOCK_OFFSET))
    play = Play(steps, built)
    results: list[StepResult] = []
    for index, step in enumerate(scenario.steps):
        broken = gravest(result.verdict for result in results) != "passed"
        results.append(_skipped(index, step) if broken else await play.judge(index, step))
        on_step(results[-1])
    return ScenarioResult(
        name=scenario.name,
        title=scenario.title,
        file=scenario.file,
        verdict=gravest(result.verdict for result in results),
        steps=tuple(results),
        seed=seed,
        duration_s=asyncio.get_running_loop().time() - began,
        virtual_s=built.elapsed_s() + built.advanced_s,
        facts=play.stage.facts,
        impact=await _impact(built, since),
    )


class Play:
    """One scenario while it is played."""

    def __init__(self, steps: Mapping[str, StepSpec], built: World) -> None:
        self._steps = steps
        self._world = built
        self.stage = Stage(built, self._inner)

    async def judge(self, index: int, step: Step) -> StepResult:
        """Play one step and hold what came against what was expected."""
        loop = asyncio.get_running_loop()
        if step.verb == CHAPTER:
            title = step.arguments
            assert isinstance(title, Text)
            return StepResult(index, CHAPTER, step.line, "passed", title)
        began, seen = loop.time(), len(self._world.passed)
        happened: list[str] = []
        try:
            with self._world.during(step) as happened:
                told = await self._steps[step.verb].run(self.stage, step.arguments)
            verdict: Verdict = "passed" if _is_met(step, told) else "failed"
        except (ToldError, StepError) as error:
            told, verdict = Told(Text(zh=f"出错：{error}", en=f"error: {error}"), went_well=False), "error"
        except PowerLost:
            told = Told(Text(zh="出错：没有电源", en="error: there is no power (plug it in)"), went_well=False)
            verdict = "error"
        return StepResult(
            index=index,
            name=step.verb,
            line=step.line,
            verdict=verdict,
            message=_with_faults(told.message, happened),
            duration_s=loop.time() - began,
            evidence=tuple(_evidence(passed) for passed in self._world.passed[seen:]),
            say=step.say,
            expected=_expected(step.expect),
            actual={name: _shown(name, value) for name, value in told.actual.items()},
        )

    async def _inner(self, step: Step) -> object:
        told = await self._steps[step.verb].run(self.stage, step.arguments)
        if not _is_met(step, told):
            raise StepError(f"the step inside, {step.verb} on line {step.line}, failed: {told.message.en}")
        return told


def _with_faults(message: Text, happened: Sequence[str]) -> Text:
    if not happened:
        return message
    names = ", ".join(happened)
    return Text(zh=f"{message.zh}（故障：{names}）", en=f"{message.en} (faults: {names})")


async def _impact(built: World, since: int) -> Impact:
    told: dict[str, Any] = await built.act("impact", since=since)
    return Impact(**{figure.name: told[figure.name] for figure in fields(Impact)})


def _is_met(step: Step, told: Told) -> bool:
    expected = _raw(step.expect)
    if not told.went_well and not ASKS_FOR_TROUBLE & expected.keys():
        return False
    return all(told.actual.get(name) == value for name, value in expected.items())


def _raw(expect: BaseModel | None) -> dict[str, object]:
    return expect.model_dump(exclude_none=True) if expect else {}


def _expected(expect: BaseModel | None) -> dict[str, str]:
    return {name: _shown(name, value) for name, value in _raw(expect).items()}


def _shown(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return yuan(value) if name in MONEY and isinstance(value, int) else str(value)


def _skipped(index: int, step: Step) -> StepResult:
    message = Text(zh=f"{step.verb}：未执行", en=f"{step.verb}: not played")
    if step.verb == CHAPTER and isinstance(step.arguments, Text):
        message = step.arguments
    return StepResult(index, step.verb, step.line, "skipped", message, say=step.say, expected=_expected(step.expect))


def _evidence(passed: Passed) -> Evidence:
    return evidence(passed.payload, _DIRECTIONS[passed.direction], passed.at_s, passed.terminal)
