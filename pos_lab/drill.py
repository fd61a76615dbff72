"""An emergency stop, drilled: the power of the terminal goes at every point between the order and the wipe (T6).

Rules owned here: TABLE STAGES, what a shop does from the stop on; it is lived once whole to learn the points, then once
for each of them. Whatever was cut is done again, as a shopkeeper would. Every time nothing is captured after the stop,
what was sold before it is settled and paid, both books agree, and nothing is left in the device; and it takes no longer
than the limit, which is the drill's timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from firmware_sim.faults import Faults
from firmware_sim.models import MODELS
from firmware_sim.network import Network
from firmware_sim.power import Phase, PowerLost, cuts, kind_of
from firmware_sim.secure_module import KeyState
from host.policy import Activation, Policy
from pos_lab.books import compare_books
from pos_lab.scenario.model import CastMember
from pos_lab.world import Device, Over, World, world
from terminal.outcome import Outcome

LIMIT_S: Final = 60.0
PROTOCOL_KINDS: Final = frozenset({"send", "barrier"})
"""Where a program that speaks the protocol stands: before and after it says something, and where it wrote that down."""
_MODEL: Final = "PX-E90"
_SOLD: Final = (("60.00", "debit", "123456"), ("25.00", "credit", "123456"))
_TRIES_MAX: Final = 5
_LOST_S: Final = 0.02
_PATIENCE_S: Final = 30.0
ORDER: Final = {
    "title_zh": "紧急停用演练",
    "title_en": "Emergency stop: a drill",
    "text_zh": "请立即结算并交机。",
    "text_en": "Settle now and hand over.",
}


@dataclass
class Shop:
    """A shop under the order: its device, the one that comes in its place, and what was on the books before."""

    world: World
    old: Device
    new: Device
    ordered_s: float = 0.0
    captured: frozenset[tuple[str, str]] = frozenset()
    reached_s: dict[str, float] = field(default_factory=dict)

    async def do(self, flow: str, *words: str) -> Outcome:
        """A flow at the old device. Raises PowerLost."""
        return await self.old.terminal.do(flow, *words)

    async def rows(self) -> list[dict[str, Any]]:
        """What stands on the host's books for this till."""
        terminal_id = self.old.member.terminal_id
        found: list[dict[str, Any]] = await self.world.read(
            lambda books: books.rows("transactions", terminal_id=terminal_id, state="captured")
        )
        return found


@dataclass(frozen=True, slots=True)
class Stage:
    """A row of STAGES: what is done at the device, and what must be so afterwards; ``expects`` tells what is not."""

    name: str
    chinese: str
    english: str
    play: Callable[[Shop], Awaitable[Outcome]]
    expects: Callable[[Shop, Outcome], Awaitable[str]]


async def _refused(shop: Shop, told: Outcome) -> str:
    return "" if told.result in ("refused", "unknown") else f"a sale after the stop was {told.result}"


async def _good(shop: Shop, told: Outcome) -> str:
    return "" if told.is_good else f"{told.flow} was {told.result}: {told.reason or told.code}"


async def _settled(shop: Shop, told: Outcome) -> str:
    if not told.is_good:
        return await _good(shop, told)
    book, member = shop.old.terminal.book, shop.old.member
    differences = await shop.world.read(lambda books: compare_books(book, member, books).differences)
    open_rows = await shop.world.read(lambda books: books.money_rows(member.terminal_id, book.batch))
    return "; ".join(differences) or ("a sale is in no settled batch" if open_rows else "")


async def _wiped(shop: Shop, told: Outcome) -> str:
    if not told.is_good:
        return await _good(shop, told)
    result: dict[str, Any] = await shop.world.act("swaps", serial_number=shop.old.member.serial_number)
    swap = result["swaps"][-1]
    if swap["state"] != "wiped" or not swap["certificate"]:
        return f"the host has no certificate: the swap is {swap['state']}"
    has_keys = shop.old.terminal.board.secure_module.key_state is not KeyState.TAMPERED
    return "keys are left in the device" if has_keys or not shop.old.terminal.book.is_wiped else ""


def _flow(name: str) -> Callable[[Shop], Awaitable[Outcome]]:
    return lambda shop: shop.do(name)


async def _sell(shop: Shop) -> Outcome:
    return await shop.do("sale", "1.00", "debit", "123456")


async def _take_over(shop: Shop) -> Outcome:
    """The other device, whose power stays, then the old one, which is wiped."""
    if "wiped" not in shop.reached_s:
        told = await shop.new.terminal.do("take_over")
        if not told.is_good and told.reason != "swap.restored_already":
            return told
    return await shop.do("hand_over")


STAGES: Final = (
    Stage("refused", "拒绝新交易", "a sale is refused", _sell, _refused),
    Stage("told", "收到通知并回执", "the order is fetched and acknowledged", _flow("commands"), _good),
    Stage("settled", "冲正与结算", "what is pending is reversed, the batch settled", _flow("settle"), _settled),
    Stage("handed over", "备份交机", "the till is backed up", _flow("hand_over"), _good),
    Stage("wiped", "擦除并出证", "the device is wiped and certified", _take_over, _wiped),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One life of a shop under the order: where the power went, what was wrong, when each stage was reached."""

    point: str
    number: int
    phase: str
    finding: str
    reached_s: dict[str, float]

    @property
    def lasted_s(self) -> float:
        """From the order to the end."""
        return max(self.reached_s.values(), default=0.0)


@dataclass(frozen=True, slots=True)
class Report:
    """What a drill came to; ``points`` are those that the order passes where nothing goes wrong."""

    points: tuple[str, ...]
    runs: tuple[Run, ...]
    violations: tuple[str, ...]
    limit_s: float

    @property
    def failed(self) -> tuple[Run, ...]:
        """The runs in which something was wrong, or that took too long."""
        return tuple(run for run in self.runs if run.finding or run.lasted_s > self.limit_s)

    @property
    def passed(self) -> bool:
        """Did every run go well, and does the ledger hold?"""
        return not self.failed and not self.violations

    def worst_s(self, stage: str) -> float:
        """The longest that a stage was waited for."""
        return max((run.reached_s[stage] for run in self.runs if stage in run.reached_s), default=0.0)


async def drill(
    directory: Path,
    *,
    every: bool = False,
    network: Network,
    limit_s: float = LIMIT_S,
    on_run: Callable[[Run, int], None] = lambda run, due: None,
) -> Report:
    """Drill the stop with a host in ``directory``; with ``every``, at every operation of every chip as well.

    ``on_run`` hears of each run and of how many there are. Raises StoreError and TransportError.
    """
    numbers = count(1)
    policy = Policy(activation=Activation(turnover_fen=1))
    async with world({}, policy, Over.MEMORY, directory, seed=6) as lab:
        lab.reply_timeout_s = _PATIENCE_S
        shop = await _open(lab, next(numbers), network)
        with shop.old.hardware.power.watched() as points:
            runs = [await _live(shop, "nowhere", 0, "")]
        due = list(_due(points, every=every))
        on_run(runs[0], len(due))
        for number, phase in due:
            shop = await _open(lab, next(numbers), network)
            shop.old.hardware.power.cut_at(number, phase)
            runs.append(await _live(shop, points[number - 1], number, phase.value))
            on_run(runs[-1], len(due))
        violations: Any = (await lab.act("verify"))["violations"]
    return Report(tuple(points), tuple(runs), tuple(violations), limit_s)


def _due(points: Sequence[str], *, every: bool) -> Iterator[tuple[int, Phase]]:
    """Where the power is to go: at every point of the protocol, or at every one."""
    return ((number, phase) for number, phase in cuts(points) if every or kind_of(points[number - 1]) in PROTOCOL_KINDS)


async def _live(shop: Shop, point: str, number: int, phase: str) -> Run:
    """Everything from the order on; whatever is cut off is begun again."""
    power, finding = shop.old.hardware.power, ""
    for stage in STAGES:
        finding = await _reach(shop, stage)
        if finding:
            finding = f"{stage.name}: {finding}"
            break
        shop.reached_s[stage.name] = asyncio.get_running_loop().time() - shop.ordered_s
    power.spare()
    if late := {(row["batch"], row["stan"]) for row in await shop.rows()} - shop.captured:
        finding = finding or f"captured after the stop: {', '.join('/'.join(key) for key in sorted(late))}"
    return Run(point, number, phase, finding, dict(shop.reached_s))


async def _reach(shop: Shop, stage: Stage) -> str:
    """Do what a stage asks until it is so; what is wrong, empty where nothing is."""
    wrong = ""
    for _ in range(_TRIES_MAX):
        try:
            wrong = await stage.expects(shop, await stage.play(shop))
        except PowerLost:
            shop.old.hardware.faults = Faults()
            shop.old.power_cycle()
            continue
        if not wrong:
            return ""
    return wrong or "it was never reached"


async def _open(lab: World, number: int, network: Network) -> Shop:
    """A shop with a settled batch, an open one, a reversal that waits, and the order to stop."""
    member = CastMember(
        serial_number=f"DR{number:09d}",
        model=_MODEL,
        firmware=MODELS[_MODEL].factory_firmware,
        terminal_id=f"{70_000_000 + number}",
        merchant_id=f"898{number:012d}",
    )
    box = member.model_copy(update={"serial_number": f"DN{number:09d}"})
    old, new = lab.add(f"old_{number}", member), lab.add(f"new_{number}", box)
    for device in (old, new):
        device.hardware.chip_memories = {}
        device.hardware.network = network
    till = {"terminal_id": member.terminal_id, "merchant_id": member.merchant_id}
    await lab.act("register", **till, serial_number=member.serial_number, model=_MODEL)
    await lab.act("order", serial_number=box.serial_number, model=_MODEL)
    for device in (old, new):
        await lab.load_keys(device.name)
    for act in ("ship", "deliver"):
        await lab.act(act, serial_number=box.serial_number)
    shop = Shop(lab, old, new)
    for words in _SOLD:
        await shop.do("sale", *words)
        await shop.do("settle")
    await shop.do("sale", *_SOLD[0])
    await _lose_a_sale(shop, number)
    shop.captured = frozenset((row["batch"], row["stan"]) for row in await shop.rows())
    await lab.act("stop", serial_number=member.serial_number, why="emergency stop: drill")
    await lab.act("announce", serial_number=member.serial_number, **ORDER)
    await lab.act("begin_swap", serial_number=member.serial_number, successor=box.serial_number)
    shop.ordered_s = asyncio.get_running_loop().time()
    return shop


async def _lose_a_sale(shop: Shop, number: int) -> None:
    """The line fails in the middle of a sale, just before the order."""
    session = shop.old.terminal.session
    shop.old.hardware.faults.arm("line.drop_reply")
    session.settings = session.settings.model_copy(update={"reply_timeout_s": _LOST_S})
    await shop.do("qr_sale", "12.00", f"6200{number:015d}")
    shop.old.hardware.faults = Faults()  # a reply that is slower than the patience would be dropped in its place later
    shop.old.power_cycle()
