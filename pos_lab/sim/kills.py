"""The kill-anywhere matrix: a scenario is played once for each point at which a terminal or the host can die.

Rules owned here: a dry run counts the points (each write, erasure and barrier of a chip, each sending, reply, printed
line and screen, each commit and reply of the host) that are passed while steps are played; then each cut is a play of
its own, in which whoever was struck comes back, what is pending is resolved, a step that takes no amount is done again,
and the rest of the story is played and examined. A second cut falls between the first and the end of that recovery.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple

from firmware_sim.power import Cut, Phase, PowerLost, cuts
from host.policy import Policy
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.model import CHAPTER, Language, Scenario, Step
from pos_lab.scenario.runner import Play
from pos_lab.scenario.steps import STEPS
from pos_lab.sim.chance import Streams
from pos_lab.sim.checker.examiner import Violation
from pos_lab.sim.crash import crashed
from pos_lab.sim.examined import ExaminedWorld
from pos_lab.sim.loop import SimLoop, run_virtual
from pos_lab.sim.occasions import HOST
from pos_lab.sim.run import silence
from pos_lab.sim.scenario_world import RECEIVED, REPLIED, SHOWN, opened
from pos_lab.sim.wording import name_told, result_told, said, state_told
from protocol.money import yuan
from terminal.outcome import Outcome

SENT: Final = "line.send"
COMMITS: Final = {"host.crash_before_commit": "host.before_commit", "host.crash_after_commit": "host.after_commit"}
"""Kind of fault -> the point of the host that it is."""
NOTICED: Final = frozenset({RECEIVED, SHOWN, REPLIED, *COMMITS.values()})
"""Points that have nothing before them and no middle."""


class Said(NamedTuple):
    """How a flow ended, as the cashier was told."""

    flow: str
    result: str

    def told(self, language: Language) -> str:
        """In words."""
        return f"{name_told(self.flow, language)} {result_told(self.result, language)}"


class Standing(NamedTuple):
    """A transaction as it stands at the terminal and at the host, "" where it is not there."""

    kind: str
    amount_fen: int
    till: str
    host: str

    def told(self, language: Language) -> str:
        """In words."""
        states = " / ".join(state_told(state, language) for state in (self.till, self.host))
        return f"{name_told(self.kind, language)} {yuan(self.amount_fen)}: {states}"


class Progress(NamedTuple):
    """How far a step has come: this many messages of the device, and how many answers have reached it."""

    sent: int = 0
    received: int = 0

    def told(self, language: Language) -> str:
        """In words."""
        if self.sent > self.received:
            return said("under_way", language, number=self.sent)
        return said("behind", language, number=self.received) if self.received else said("first", language)


@dataclass(frozen=True, slots=True)
class Point:
    """Something that was passed: the ``number``-th of the run, by a device or the host, in a step, in a phase of it."""

    number: int
    where: str
    name: str
    line: int
    verb: str
    phase: Progress


@dataclass(frozen=True, slots=True)
class Kill:
    """A cut: the point, and whether nothing, a part, or all of what happens there is done."""

    point: Point
    phase: Phase

    @property
    def name(self) -> str:
        """As it is written at a command line: ``137:after``."""
        return f"{self.point.number}:{self.phase.value}"


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one cut, or of a pair: what the cashier was told, and how the money stands in both books.

    ``told`` is of the step that was struck, ``then`` of the recovery; ``books`` are the transactions that the step
    touched.
    """

    kill: Kill
    second: Kill | None
    told: tuple[Said, ...]
    then: tuple[Said, ...]
    books: tuple[Standing, ...]
    violations: tuple[Violation, ...]

    @property
    def name(self) -> str:
        """As it is written at a command line: ``137:after`` or ``137:after+12:before``."""
        return self.kill.name + (f"+{self.second.name}" if self.second else "")

    @property
    def verdict(self) -> str:
        """ "ok", or the invariants that do not hold."""
        return ", ".join(dict.fromkeys(found.id for found in self.violations)) or "ok"


class Outcomes(NamedTuple):
    """``told``, ``then`` and ``books`` of a Row."""

    told: tuple[Said, ...] = ()
    then: tuple[Said, ...] = ()
    books: tuple[Standing, ...] = ()


@dataclass(slots=True)
class Killer:
    """Lets the cuts ``at`` (number, phase) happen, and writes down every point while ``step`` is set."""

    at: Sequence[tuple[int, Phase]] = ()
    points: list[Point] = field(default_factory=list)
    struck: list[int] = field(default_factory=list)
    step: Step | None = None
    _progress: Progress = field(default_factory=Progress)

    def happens(self, kind: str, where: str) -> bool:
        """Does the host die at this commit?"""
        return kind in COMMITS and self._passes(HOST, COMMITS[kind]) is not None

    def cut(self, name: str, point: str) -> Cut | None:
        """Does the power of a device go at this point?"""
        phase = self._passes(name, point)
        return None if phase is None else Cut("", phase)

    def noticed(self, where: str, point: str) -> bool:
        """Does a device, or the host, die behind this?"""
        return self._passes(where, point) is not None

    def begin(self, step: Step) -> None:
        """A step begins."""
        self.step, self._progress = step, Progress()

    def end(self) -> None:
        """What follows is not at risk."""
        self.step = None

    def _passes(self, where: str, name: str) -> Phase | None:
        if self.step is None:
            return None
        number = len(self.points) + 1
        self.points.append(Point(number, where, name, self.step.line, self.step.verb, self._progress))
        sent, received = self._progress
        self._progress = Progress(sent + (name == SENT), received + (name == RECEIVED))
        due = next((phase for at, phase in self.at if at == number), None)
        if due is not None:
            self.struck.append(number)
        return due


class KilledWorld(ExaminedWorld):
    """The world of one play."""

    def __init__(self, loop: SimLoop, seed: int, scenario: Scenario, killer: Killer) -> None:
        assert isinstance(scenario.policy, Policy)
        self.killer = killer
        self.said: list[Said] = []
        self._is_struck = False
        self.outcome = Outcomes()
        super().__init__(loop, seed, scenario.policy, killer)

    @contextmanager
    def during(self, step: Step) -> Iterator[list[str]]:
        """Around a step: its points count."""
        self.expose(COMMITS)
        yield []

    def told(self, name: str, outcome: Outcome) -> None:
        """A cashier was told something."""
        super().told(name, outcome)
        self.said.append(Said(outcome.flow, outcome.result))

    async def live(self, scenario: Scenario) -> None:
        """Play the scenario, and write down what was told and how the books stood after what was struck."""
        play = Play(STEPS, self)
        for index, step in enumerate(scenario.steps):
            if step.verb == CHAPTER:
                continue
            before, told = self._books(), len(self.said)
            self.killer.begin(step)
            await self.play_on(play, index, step)
            if self.killer.struck and not self._is_struck:
                self._is_struck, heard = True, len(self.said)
                await self._recover(play, index, step)
                touched = {name: stands for name, stands in self._books().items() if before.get(name) != stands}
                told_then = (tuple(self.said[told:heard]), tuple(self.said[heard:]))
                self.outcome = Outcomes(*told_then, tuple(touched.values()))
            self.killer.end()
        await self.conclude()

    async def _recover(self, play: Play, index: int, step: Step) -> None:
        """Whoever died comes back, and does what people do then."""
        await self.host.up()
        device = self.devices.get(self.place_of(step))
        if device and device.is_used and device.has_supply and self._is_till(device.name):
            try:
                await device.terminal.do("reverse")
            except PowerLost:
                device.power_cycle()
                await self.host.up()
                await device.terminal.do("reverse")
        self.hear()
        if not hasattr(step.arguments, "amount"):
            await self.play_on(play, index, step)

    def _books(self) -> dict[tuple[str, str, str], Standing]:
        """Every transaction as both books have it."""
        evidence = self.examiner.evidence
        theirs = {
            (terminal_id, *key): row for terminal_id, till in evidence.tills.items() for key, row in till.rows.items()
        }
        books = {}
        for name in sorted(theirs.keys() | {name for name, _ in evidence.rows()}):
            row, ours = theirs.get(name), evidence.row(name)
            kind = row.kind if row else ours["kind"]
            amount_fen = row.amount_fen if row else ours["amount_fen"]
            books[name] = Standing(kind, amount_fen, row.state if row else "", str(ours.get("state", "")))
        return books


def points_of(file: str, seed: int) -> list[Point]:
    """The dry run: every point that the scenario in a file passes."""
    killer = Killer()
    _play(file, seed, killer)
    return killer.points


def kills_of(points: Sequence[Point], victims: str) -> list[Kill]:
    """Every cut that makes a difference, in the order of the run; ``victims`` is terminal, host or both."""
    found = []
    for where in dict.fromkeys(point.where for point in points):
        if victims not in ("both", "host" if where == HOST else "terminal"):
            continue
        own = [point for point in points if point.where == where]
        for number, phase in cuts([point.name for point in own]):
            if phase is Phase.AFTER or own[number - 1].name not in NOTICED:
                found.append(Kill(own[number - 1], phase))
    return sorted(found, key=lambda kill: (kill.point.number, list(Phase).index(kill.phase)))


def named(points: Sequence[Point], name: str) -> Kill:
    """The cut with this name; ValueError where there is none."""
    number, _, phase = name.partition(":")
    if not (number.isascii() and number.isdigit()) or not 1 <= int(number) <= len(points):
        raise ValueError(f"there is no point {number}: the run has {len(points)}")
    kill = next((kill for kill in kills_of(points, "both") if kill.name == name), None)
    if kill is None:
        raise ValueError(f"{points[int(number) - 1].name} cannot be cut {phase or 'so'}: try {number}:after")
    return kill


def played(file: str, seed: int, kill: Kill, second: Kill | None = None) -> tuple[Row, list[Point]]:
    """Play the scenario with one cut or two; returns what came of it, and the points at which a second may fall."""
    killer = Killer([(each.point.number, each.phase) for each in (kill, second) if each])
    outcome, violations = _play(file, seed, killer)
    if kill.point.number not in killer.struck:
        violations = (Violation("D6", "the same seed is the same run", "the cut never came"), *violations)
    recovery = [point for point in killer.points if point.number > kill.point.number and point.line == kill.point.line]
    return Row(kill, second, *outcome, violations), recovery


def pairs_of(file: str, seed: int, kill: Kill, victims: str) -> Iterator[Row]:
    """Every second cut in what follows a first one."""
    _, recovery = played(file, seed, kill)
    for second in kills_of(recovery, victims):
        row, _ = played(file, seed, kill, second)
        yield row


def _play(file: str, seed: int, killer: Killer) -> tuple[Outcomes, tuple[Violation, ...]]:
    scenario = _scenario(file)
    worlds: list[KilledWorld] = []

    async def main(loop: SimLoop) -> None:
        worlds.append(KilledWorld(loop, seed, scenario, killer))
        async with opened(worlds[0], scenario.terminals) as built:
            await built.live(scenario)

    stuck = list[Violation]()
    try:
        with silence():
            run_virtual(main, Streams(seed).of("loop"))
    except Exception as error:  # the other cuts are still to be played
        if not worlds:
            raise
        stuck.append(crashed(error))
    return worlds[0].outcome, (*worlds[0].violations, *stuck)


@cache
def _scenario(file: str) -> Scenario:
    return load_scenario(file, STEPS, Policy)
