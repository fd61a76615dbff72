"""A scenario in virtual time under the eyes of the examiner: played to its last step whatever happens, then healed,
resolved, settled and examined.

Rules owned here: what a fault may rightly break, such as an expectation, is no violation; what is asked are the
invariants of money, journal, answers, settlement, signatures and progress (FAMILIES), since a scenario chooses its own
rules and lifecycle; a device that its story ends (LAST_WORDS) owes nothing any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from firmware_sim.line import Direction
from firmware_sim.power import PowerLost
from host.errors import AdminError
from host.policy import Policy
from pos_lab.cashier import as_told
from pos_lab.scenario.model import CHAPTER, CastMember, Scenario, Step, StepSpec
from pos_lab.scenario.runner import Play
from pos_lab.scenario.story import StepResult
from pos_lab.sim.checker.evidence import Told
from pos_lab.sim.checker.examiner import Violation
from pos_lab.sim.checker.invariants import INVARIANTS
from pos_lab.sim.loop import SimLoop
from pos_lab.sim.scenario_world import Fates, ScenarioWorld
from pos_lab.sim.world import LATE_S, RETRY_S, TRIES
from pos_lab.world import Device
from terminal.outcome import Outcome

FAMILIES: Final = frozenset("MSJIGDP")
"""First letters of the invariants that hold whatever a scenario is about."""
NOT_HERE: Final = frozenset({"I6"})
"""Not asked: a partner whom a story makes slow lets an answer leave on a line that another has taken over from."""
STEP_MAX_S: Final = 86_400.0
"""No step lasts longer, in virtual time, unless somebody waits in vain."""
LAST_WORDS: Final = frozenset({"terminal.tampered", "swap.wiped", "terminal.replaced"})
"""What a device says that settles nothing any more."""
NO_KEY: Final = "terminal.no_master_key"
FORCED: Final = frozenset({"replace", "lend_spare"})
SERIAL: Final = "serial_number"
"""Acts by which an administrator gives a till to another device whatever the first still has, and their argument."""
REPLACED: Final = "replaced"
"""The state of a device that has given its till to another."""
ENDS: Final = frozenset(row.id for row in INVARIANTS if row.phase == "quiet")
"""What is asked once everything is settled."""


class ExaminedWorld(ScenarioWorld):
    """Made on a loop. ``violations`` is what the examiner found."""

    def __init__(self, loop: SimLoop, seed: int, policy: Policy, fates: Fates) -> None:
        super().__init__(loop, seed, policy, fates)
        self.results: dict[str, int] = {}
        self._ended: set[str] = set()
        self._forced = ""
        """The terminal id of a till that is being given to another device by force."""
        self._tills: dict[str, str] = {}
        """Terminal id -> the device whose journal is read."""

    @property
    def violations(self) -> list[Violation]:
        """What does not hold, the first first, of the invariants that are asked here."""
        return [found for found in self.examiner.violations if is_asked(found.id) and not self._is_excused(found)]

    def add(self, name: str, member: CastMember) -> Device:
        """A device as its factory ships it; the first one of a till is the one that is looked at."""
        device = super().add(name, member)
        if member.terminal_id not in self._tills:
            self._look_into(device)
        return device

    def record(self, name: str, direction: Direction, payload: bytes) -> None:
        """A payload passes on the line of a device."""
        self.hear()
        if self._is_till(name):
            terminal_id = self.devices[name].member.terminal_id
            if direction is Direction.SENT:
                self.examiner.sent(terminal_id, payload)
            else:
                self.examiner.received(terminal_id, payload)
        super().record(name, direction, payload)

    def went_dark(self, device: Device) -> None:
        """The power of a device is gone: what is left is looked at."""
        super().went_dark(device)
        self._look(device)

    def booted(self, device: Device) -> None:
        """A device runs, and what it recovered is looked at."""
        super().booted(device)
        self._look(device)

    def told(self, name: str, outcome: Outcome) -> None:
        """A cashier was told something."""
        super().told(name, outcome)
        self.results[outcome.result] = self.results.get(outcome.result, 0) + 1
        if self._is_till(name) and (result := as_told(outcome.flow, outcome.result, outcome.stan)):
            terminal_id = self.devices[name].member.terminal_id
            self.examiner.told(Told(terminal_id, outcome.flow, result, outcome.stan, outcome.amount_fen))

    def replied(self, route: str, data: bytes, line: str) -> None:
        """The host lets bytes go on a connection."""
        super().replied(route, data, line)
        self.examiner.replied(data, line)

    def committed(self) -> None:
        """The host has committed something; it may have given a till to another device."""
        changes = self.examiner.look_at_ledger()
        words = (
            f"{change.after.get('kind', '')} {change.after.get('state', '')} {change.after.get('stan', '')}"
            for change in changes
            if change.table == "transactions"
        )
        self.note("host", "commit", ", ".join(words))
        if any(change.table == "terminals" for change in changes):
            self._follow_tills()

    async def act(self, act: str, **arguments: Any) -> dict[str, object]:
        """An administrative act; a device that is replaced by force takes with it what it has not told."""
        if act not in FORCED:
            return await super().act(act, **arguments)
        device = next((one for one in self.devices.values() if one.member.serial_number == arguments[SERIAL]), None)
        self._forced = device.member.terminal_id if device else ""
        try:
            result = await super().act(act, **arguments)
            if self._forced:  # nobody has the till yet
                self.examiner.write_off(self._forced)
        finally:
            self._forced = ""
        return result

    async def play_on(self, play: Play, index: int, step: Step) -> StepResult:
        """Play a step however it ends; who lost its power is switched on again. TimeoutError where it never ends."""
        async with asyncio.timeout(STEP_MAX_S):
            result = await play.judge(index, step)
        self.hear()
        for device in self.devices.values():
            if device.is_dark and device.has_supply:
                device.power_cycle()
        return result

    async def conclude(self) -> None:
        """Heal, let what is late arrive, resolve, settle, and ask everything."""
        self.heal()
        await asyncio.sleep(LATE_S)
        await self.host.up()
        for flow in ("reverse", "settle"):
            for device in self.devices.values():
                if device.is_used and self._is_till(device.name):
                    await self._insist(device, flow)
        self.hear()
        for merchant_id in sorted({device.member.merchant_id for device in self.devices.values()}):
            await self._pay(merchant_id)
        self.examiner.quiet()

    async def _pay(self, merchant_id: str) -> None:
        """Pay what is due, where a story lets it be paid."""
        try:
            await self.act("payout", merchant_id=merchant_id)
        except AdminError as error:
            self.note("world", "not paid", error.code)

    async def _insist(self, device: Device, flow: str) -> None:
        """Try until it is done: everything is healed, so it must be."""
        outcome: Outcome | None = None
        for _ in range(TRIES):
            if device.is_dark:
                device.power_cycle()
            try:
                outcome = await device.terminal.do(flow)
            except PowerLost:
                continue
            if outcome.reason in LAST_WORDS:
                self._ended.add(device.member.terminal_id)
            if outcome.is_good or outcome.reason in LAST_WORDS:
                return
            if outcome.reason == NO_KEY and not self._is_known(device):
                return  # whoever was never registered has never sold
            if outcome.reason == NO_KEY:
                await self.load_keys(device.name)  # the power went while the depot did it
            await asyncio.sleep(RETRY_S)
        words = f"{flow} at {device.name} is never done: {outcome and outcome.reason}"
        self.examiner.violations.append(Violation("D3", "nothing stays unresolved", words))

    def _is_excused(self, found: Violation) -> bool:
        """Is it about what a device could not settle any more that its story ended?"""
        return found.id in ENDS and any(f"{terminal_id}/" in found.finding for terminal_id in self._ended)

    def _is_till(self, name: str) -> bool:
        return self._tills.get(self.devices[name].member.terminal_id) == name

    def _is_known(self, device: Device) -> bool:
        return (device.member.serial_number,) in self.examiner.evidence.ledger.tables["terminals"]

    def _look(self, device: Device) -> None:
        if self._is_till(device.name):
            self.examiner.look_at(device.member.terminal_id)

    def _look_into(self, device: Device) -> None:
        self._tills[device.member.terminal_id] = device.name
        journal = device.hardware.chips.journal
        self.examiner.watch(device.member.terminal_id, journal.read, journal.size_bytes)

    def _follow_tills(self) -> None:
        rows = self.examiner.evidence.ledger.tables["terminals"]
        for device in self.devices.values():
            row = rows.get((device.member.serial_number,), {})
            has_it = row.get("terminal_id") == device.member.terminal_id and row["state"] != REPLACED
            if has_it and not self._is_till(device.name):
                self._look(self.devices[self._tills[device.member.terminal_id]])
                if device.member.terminal_id == self._forced:  # before anybody looks at the next device
                    self._forced = ""
                    self.examiner.write_off(device.member.terminal_id)
                self._look_into(device)


def is_asked(invariant: str) -> bool:
    """Is this an invariant that holds whatever a scenario is about?"""
    return invariant[0] in FAMILIES and invariant not in NOT_HERE


async def play_all(built: ExaminedWorld, scenario: Scenario, steps: Mapping[str, StepSpec]) -> list[StepResult]:
    """Play every step of a scenario, and examine it. Raises what is a defect of the product."""
    play = Play(steps, built)
    results = [
        await built.play_on(play, index, step) for index, step in enumerate(scenario.steps) if step.verb != CHAPTER
    ]
    await built.conclude()
    return results
