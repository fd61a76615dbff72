"""A host of somebody's own, put through the network part of the simulation in real time, and what it shows.

Rules owned here: only what terminals and the wire show is asked (ASKED), since the database is not ours to read; what
lasts longer than people wait is left out (TOO_LONG); in the end the line is healed, and every terminal has RESOLVE_S to
come to an end of what is pending.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from firmware_sim.board import Hardware
from firmware_sim.line import Direction
from firmware_sim.models import find_model
from host.store.memory import MemoryDatabase
from pos_lab.cashier import PIN, as_told
from pos_lab.key_card import KeyCard
from pos_lab.sim.chance import Streams
from pos_lab.sim.checker.evidence import Told
from pos_lab.sim.checker.examiner import Examiner, Violation
from pos_lab.sim.checker.invariants import INVARIANTS
from pos_lab.sim.faults import FaultLedger
from pos_lab.sim.gateway import WeatherLoop, faulty_line, line_url, reach
from pos_lab.sim.net import Writing
from pos_lab.sim.profiles import drawn_rates
from pos_lab.sim.weather import CONNECTING, FAULTS
from pos_lab.vendor import VENDOR_PUBLIC_KEY, make_image
from protocol.money import yuan
from terminal.app import Terminal
from terminal.outcome import Outcome
from terminal.settings import Settings

ASKED: Final = frozenset({"J1", "J2", "J4", "J5", "I1", "I4", "M5", "M12", "M13", "D3"})
"""Invariants that need no look into the host."""
TOO_LONG: Final = frozenset({"net.held_back", "net.throttled"})
PROFILES: Final = ("network", "calm")
THINK_S: Final = 0.3
RESOLVE_S: Final = 60.0
RETRY_S: Final = 1.0
TRIES_MAX: Final = 60
INTENTS: Final[Mapping[str, int]] = {"sale": 70, "void": 12, "reverse": 5, "settle": 5, "sign_in": 5, "echo": 3}
"""What cashiers do, and how often of a hundred."""
CARDS: Final = ("debit", "credit", "debit_second")


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """What a trial is made of: ``url`` is the host's, ``folder`` keeps the terminals' memories."""

    url: str
    cards: Sequence[KeyCard]
    profile: str
    seed: int
    seconds: float
    reply_timeout_s: float
    folder: Path
    believe_declines: bool = False


class Trial:
    """One trial; what it has found so far may be read at any time."""

    def __init__(self, settings: TrialSettings, clock: Callable[[], datetime], fresh: Callable[[int], bytes]) -> None:
        self.settings = settings
        self.streams = Streams(settings.seed)
        self.ledger = FaultLedger(_unlogged)
        self.results: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.flows: Counter[str] = Counter()
        self.unresolved: list[str] = []
        self.examiner = Examiner(MemoryDatabase(Random(0).randbytes).driver)  # noqa: S311
        self._clock = clock
        self._fresh = fresh

    @property
    def violations(self) -> list[Violation]:
        """What does not hold, the first first."""
        return [found for found in self.examiner.violations if found.id in ASKED]

    @property
    def not_asked(self) -> list[str]:
        """Invariants that only a look into the host could answer."""
        return sorted({row.id for row in INVARIANTS} - ASKED)

    async def run(self) -> None:
        """Let the terminals sell through the weather, heal, and resolve. Raises TransportError where no host is."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WeatherLoop)
        await reach(self.settings.url)
        network = faulty_line(
            loop,
            self.settings.url,
            self.streams.of,
            reply_timeout_s=self.settings.reply_timeout_s,
            happens=self.ledger.happens,
            tap=self._tap,
        )
        rates = drawn_rates(self.settings.profile, self.streams.of("swarm"))
        network.rates = {kind: rate for kind, rate in rates.items() if kind in {*FAULTS, *CONNECTING} - TOO_LONG}
        tills = [_Till(self, f"t{number}", card) for number, card in enumerate(self.settings.cards, 1)]
        try:
            until = loop.time() + self.settings.seconds
            await asyncio.gather(*(till.work(until) for till in tills))
            network.rates = {}
            self.ledger.heal()
            network.sever(only=lambda transport: transport.is_client, reset=True)
            until = loop.time() + RESOLVE_S
            await asyncio.gather(*(till.resolve(until) for till in tills))
        finally:
            for till in tills:
                till.hardware.close()

    def note_unresolved(self, terminal_id: str) -> None:
        """Write down what a terminal could not come to an end with."""
        till = self.examiner.evidence.tills[terminal_id]
        for key in till.unresolved:
            self.unresolved.append(f"{terminal_id}/{'/'.join(key)} is still {till.rows[key].state}")
        if till.unresolved:
            self.examiner.violations.append(Violation("D3", "nothing stays unresolved", self.unresolved[-1]))

    def _tap(self, writer: Writing, data: bytes) -> None:
        if not writer.is_client:
            self.examiner.replied(data, writer.route)


class _Till:
    """One of our terminals in front of the host, and whoever sells there."""

    def __init__(self, trial: Trial, name: str, card: KeyCard) -> None:
        settings = trial.settings
        model = find_model(card.model)
        self._trial = trial
        self._chance = trial.streams.of(name)
        self._stans: list[str] = []
        self.terminal_id = card.terminal_id
        self.hardware = Hardware.make(
            model,
            card.serial_number,
            factory_image=make_image(model, model.factory_firmware),
            vendor_public_key=VENDOR_PUBLIC_KEY,
            url=line_url(name, settings.url),
            now=trial._clock,
            fresh=trial._fresh,
            directory=settings.folder / f"till-{card.serial_number}",
        )
        self.hardware.on_traffic = self._traffic
        journal = self.hardware.chips.journal
        trial.examiner.watch(card.terminal_id, journal.read, journal.size_bytes)
        self.terminal = Terminal(
            self.hardware,
            Settings(
                terminal_id=card.terminal_id,
                merchant_id=card.merchant_id,
                reply_timeout_s=settings.reply_timeout_s,
                decline_mac="optional" if settings.believe_declines else "required",
            ),
        )
        card.load(self.terminal.board.secure_module)

    async def work(self, until: float) -> None:
        """Sell until it is time."""
        loop = asyncio.get_running_loop()
        await self._play("sign_in")
        while loop.time() < until:
            await asyncio.sleep(self._chance.expovariate(1 / THINK_S))
            flow = self._chance.choices(list(INTENTS), list(INTENTS.values()))[0]
            if flow == "sale":
                amount = yuan(self._chance.randint(1, 30_000))
                outcome = await self._play("sale", amount, self._chance.choice(CARDS), PIN, "initials")
                if outcome.result == "approved":
                    self._stans.append(outcome.stan)
            elif flow != "void":
                await self._play(flow)
            elif self._stans:
                await self._play("void", self._stans.pop())

    async def resolve(self, until: float) -> None:
        """Come to an end of what is pending, and settle."""
        loop = asyncio.get_running_loop()
        for _ in range(TRIES_MAX):
            if (await self._play("reverse")).is_good or loop.time() >= until:
                break
            await asyncio.sleep(RETRY_S)
        await self._play("settle")
        self._trial.examiner.look_at(self.terminal_id)
        self._trial.note_unresolved(self.terminal_id)

    async def _play(self, flow: str, *words: str) -> Outcome:
        seen = len(self.terminal.told)
        self._trial.flows[flow] += 1
        outcome = await self.terminal.do(flow, *words)
        for told in self.terminal.told[seen:]:
            self._trial.results[told.result] += 1
            if not told.is_good:
                self._trial.reasons[told.reason or told.code] += 1
            if result := as_told(told.flow, told.result, told.stan):
                event = Told(self.terminal_id, told.flow, result, told.stan, told.amount_fen)
                self._trial.examiner.told(event)
        if self.terminal.reboot_due:
            self.terminal.reboot()
        return outcome

    def _traffic(self, direction: Direction, payload: bytes) -> None:
        if direction is Direction.SENT:
            self._trial.examiner.sent(self.terminal_id, payload)
        else:
            self._trial.examiner.received(self.terminal_id, payload)


def _unlogged(who: str, what: str, words: str) -> None:
    """In real time there is no log to replay."""


def document(trial: Trial, lasted_s: float, *, interrupted: bool) -> dict[str, Any]:
    """What a trial came to, for programs."""
    return {
        "passed": not trial.violations,
        "host": trial.settings.url,
        "profile": trial.settings.profile,
        "seed": trial.settings.seed,
        "lasted_s": round(lasted_s, 3),
        "interrupted": interrupted,
        "terminals": [card.terminal_id for card in trial.settings.cards],
        "flows": dict(sorted(trial.flows.items())),
        "told": dict(sorted(trial.results.items())),
        "reasons": dict(sorted(trial.reasons.items())),
        "faults": len(trial.ledger.names),
        "kinds": dict(sorted(trial.ledger.fired.items())),
        "violations": [{"id": found.id, "rule": found.rule, "finding": found.finding} for found in trial.violations],
        "asked": sorted(ASKED),
        "not_asked": trial.not_asked,
    }
