"""A shop: one till with its device, and the cashier who sells, makes mistakes and remembers what the till said.

Rules owned here: a cashier knows slips and nothing else; after a power cut the device is switched on again, and only
what its NVRAM holds comes back. TABLE INTENTS: what cashiers do, how often, and the words they key in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from firmware_sim.board import Hardware
from firmware_sim.errors import BootFailed, DeviceError, NvramCorrupt
from firmware_sim.faults import FAULT_POINTS
from firmware_sim.power import Phase, PowerLost
from pos_lab.sim.checker.evidence import Told
from protocol.money import yuan
from terminal.app import Terminal
from terminal.errors import JournalUnreadable, TransitionRefused
from terminal.outcome import Outcome
from terminal.settings import Settings

if TYPE_CHECKING:
    from pos_lab.sim.world import SimWorld

CARDS: Final = (
    "debit", "debit_second:insert", "debit_stripe", "credit:insert", "credit_second", "foreign:insert", "wearable",
    "debit_poor", "stolen", "expired:insert", "pin_locked:insert", "forced_96", "forced_68", "forced_51",
)  # fmt: skip
CARD_WEIGHTS: Final = (30, 10, 10, 20, 10, 4, 6, 2, 1, 1, 1, 2, 2, 1)
PIN: Final = "123456"
AMOUNTS_FEN: Final = (1, 99, 100, 999, 4_999, 5_000, 6_000, 9_999, 10_000, 12_345, 99_999, 250_000, 4_999_999)
THINK_S: Final = 20.0
CUT_WITHIN: Final = 80
"""Among how many operations from now a planned power cut falls."""
DARK_S: Final = (0.5, 120.0)
BOOTS_MAX: Final = 20
_NOT_CURED: Final = frozenset({"journal.erase_fails", "secure_module.tamper", "firmware.trial_crashes"})
PART_FAULTS: Final = tuple(name for name, point in FAULT_POINTS.items() if point.takes(None) and name not in _NOT_CURED)
"""What can be armed and leaves the device as it was: after the others a terminal never settles again."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What a cashier keeps of an approved transaction."""

    flow: str
    stan: str
    rrn: str
    amount_fen: int
    card: str
    auth_id: str
    date: str


@dataclass(slots=True)
class Drawer:
    """The slips of a shop, newest last, without those that were taken back."""

    slips: list[Slip] = field(default_factory=list)

    def some(self, chance: Random, *flows: str) -> Slip | None:
        """One of these flows, rather a new one, None where there is none."""
        found = [slip for slip in self.slips if slip.flow in flows]
        return chance.choice(found[-5:]) if found else None


Words = Callable[["Shop"], tuple[str, ...] | None]


def _paying(shop: Shop) -> tuple[str, ...]:
    card = shop.readable(shop.chance.choices(CARDS, CARD_WEIGHTS)[0])
    pin = PIN if shop.chance.random() < 0.97 else "654321"
    return yuan(shop.amount_fen()), card, pin


def _small(shop: Shop) -> tuple[str, ...]:
    return yuan(shop.chance.randint(1, 20_000)), shop.readable(shop.chance.choice(("credit:insert", "credit_second")))


def _voided(shop: Shop) -> tuple[str, ...] | None:
    slip = shop.drawer.some(shop.chance, "sale", "offline_sale", "qr_sale", "tip_adjustment")
    if slip is None or shop.chance.random() < 0.05:
        return (f"{shop.chance.randint(1, 60)}",)
    return (slip.stan,)


def _refunded(shop: Shop) -> tuple[str, ...] | None:
    slip = shop.drawer.some(shop.chance, "sale")
    if slip is None:
        return None
    amount_fen = shop.chance.choice((slip.amount_fen, max(1, slip.amount_fen // 2), slip.amount_fen + 1))
    return yuan(amount_fen), slip.card, slip.rrn, slip.date


def _held(shop: Shop) -> tuple[str, ...] | None:
    slip = shop.drawer.some(shop.chance, "preauth")
    if slip is None:
        return None
    share = shop.chance.choice((100, 100, 50, 115, 116))
    return yuan(max(1, slip.amount_fen * share // 100)), slip.card, slip.auth_id, slip.date


def _completed(shop: Shop) -> tuple[str, ...] | None:
    slip = shop.drawer.some(shop.chance, "completion")
    return (slip.stan,) if slip else None


def _tipped(shop: Shop) -> tuple[str, ...] | None:
    slip = shop.drawer.some(shop.chance, "sale")
    return (slip.stan, yuan(slip.amount_fen + slip.amount_fen // 10)) if slip else None


def _scanned(shop: Shop) -> tuple[str, ...]:
    code = f"62{shop.chance.randrange(10**17):017d}"
    return yuan(shop.amount_fen()), code


def _nothing(shop: Shop) -> tuple[str, ...]:
    return ()


INTENTS: Final[Mapping[str, tuple[int, Words]]] = MappingProxyType(
    {
        "sale": (60, _paying),
        "void": (9, _voided),
        "refund": (6, _refunded),
        "preauth": (4, _paying),
        "completion": (3, _held),
        "preauth_void": (1, _held),
        "completion_void": (1, _completed),
        "offline_sale": (4, _small),
        "tip_adjustment": (2, _tipped),
        "qr_sale": (2, _scanned),
        "settle": (5, _nothing),
        "sign_in": (3, _nothing),
        "reverse": (2, _nothing),
        "reprint": (1, _nothing),
        "echo": (1, _nothing),
    }
)
"""Flow -> how often of a hundred, and its words."""


class Shop:
    """One shop of a world: its ``hardware``, and the application while the power is on."""

    def __init__(self, world: SimWorld, name: str, hardware: Hardware, settings: Settings, chance: Random) -> None:
        self.world = world
        self.name = name
        self.hardware = hardware
        self.settings = settings
        self.chance = chance
        self.drawer = Drawer()
        self.rates: Mapping[str, float] = {}
        self.results: dict[str, int] = {}
        self.intents: list[str] = []
        self._terminal: Terminal | None = None

    @property
    def terminal_id(self) -> str:
        """Field 41."""
        return self.settings.terminal_id

    async def terminal(self) -> Terminal:
        """The application, switched on where the power is off; recovery may be cut as anything else."""
        for _ in range(BOOTS_MAX):
            if self._terminal is not None and self.hardware.power.is_on:
                return self._terminal
            try:
                self._terminal = Terminal(self.hardware, self.settings)
            except PowerLost:
                await self._dark("in the boot")
            except (BootFailed, NvramCorrupt, JournalUnreadable, TransitionRefused, DeviceError) as error:
                self.world.broken(self.name, f"J5: the terminal does not start any more: {error}")
            else:
                self.world.note(self.name, "boot", f"epoch {self.hardware.power.epoch}")
                self.world.examiner.look_at(self.terminal_id)
        raise AssertionError("a device that is cut at every boot")

    def amount_fen(self) -> int:
        """An amount as shops have them, edges among them."""
        if self.chance.random() < 0.3:
            return self.chance.choice(AMOUNTS_FEN)
        return self.chance.randint(1, 30_000)

    def readable(self, card: str) -> str:
        """The same card, the way in which this model reads it; another one where it cannot."""
        model, (name, _, way) = self.hardware.model, card.partition(":")
        if name == "wearable" and not model.contactless:
            return "debit"
        return card if model.chip or not way else name

    async def work(self, intents: int) -> None:
        """A day: one intent after the other."""
        flows = list(INTENTS)
        weights = [weight for weight, _ in INTENTS.values()]
        for _ in range(intents):
            await asyncio.sleep(self.chance.expovariate(1 / THINK_S))
            flow = self.chance.choices(flows, weights)[0]
            words = INTENTS[flow][1](self)
            name = self.world.ledger.intends(self.name)
            if words is not None and name:
                self.intents.append(name)
                self._plan_faults()
                await self.play(flow, *words)

    async def play(self, flow: str, *words: str) -> Outcome | None:
        """Let the cashier do something; None where the power went meanwhile."""
        terminal = await self.terminal()
        seen = len(terminal.told)
        self.world.note(self.name, "intent", " ".join((flow, *(word for word in words if word != PIN))))
        try:
            return await terminal.do(flow, *words)
        except PowerLost:
            return None
        finally:
            for outcome in terminal.told[seen:]:
                self._hear(outcome, words)
            if not self.hardware.power.is_on:
                await self._dark(flow)

    def _hear(self, outcome: Outcome, words: tuple[str, ...]) -> None:
        self.results[outcome.result] = self.results.get(outcome.result, 0) + 1
        told = f"{outcome.flow} {outcome.result} {outcome.reason or outcome.code} {outcome.stan}"
        self.world.note(self.name, "told", told)
        result = outcome.result
        if outcome.flow == "reverse" and outcome.stan and outcome.is_good:
            result = "unknown" if outcome.result == "unknown" else "approved"
            self._told(outcome, "reversed")
        elif outcome.flow in ("upload", "reprint", "print", "signature"):
            pass
        elif outcome.stan and result in ("approved", "refused", "unknown"):
            self._told(outcome, result)
        if outcome.result == "approved" and outcome.flow in INTENTS:
            card = words[1] if len(words) > 1 else ""
            detail = outcome.detail
            self.drawer.slips.append(
                Slip(
                    outcome.flow,
                    outcome.stan,
                    outcome.rrn,
                    outcome.amount_fen,
                    card,
                    detail.get("auth_id", ""),
                    detail.get("date", ""),
                )
            )

    def _told(self, outcome: Outcome, result: str) -> None:
        told = Told(self.terminal_id, outcome.flow, result, outcome.stan, outcome.amount_fen)
        self.world.examiner.told(told)

    async def _dark(self, where: str) -> None:
        """The power is gone: the examiner looks at what is left, then it comes back."""
        self._terminal = None
        self.world.note(self.name, "dark", where)
        self.world.examiner.look_at(self.terminal_id)
        await asyncio.sleep(self.chance.uniform(*DARK_S))

    def _plan_faults(self) -> None:
        power, chance = self.hardware.power, self.chance
        if self._strikes("power.cut"):
            power.cut_at(chance.randint(1, CUT_WITHIN), chance.choice((Phase.BEFORE, Phase.AFTER)))
        if self._strikes("power.torn"):
            power.cut_at(
                chance.randint(1, CUT_WITHIN),
                Phase.TORN,
                torn_bytes=chance.randint(0, 256),
                lost=chance.getrandbits(8),
            )
        if self._strikes("power.at_once"):
            later_s = chance.choice((chance.uniform(0, 1), chance.uniform(0, 40)))
            self.world.loop.call_later(later_s, self._pull)
        if self._strikes("part"):
            name = chance.choice(PART_FAULTS)
            self.world.count(name)
            self.hardware.faults.arm(name)

    def _pull(self) -> None:
        if self.hardware.power.is_on:
            self.hardware.power.cut()

    def _strikes(self, kind: str) -> bool:
        rate = self.rates.get(kind, 0.0)
        return bool(rate) and self.chance.random() < rate and self.world.ledger.happens(kind, self.name)

    def heal(self) -> None:
        """Nothing fails at this device any more."""
        self.rates = {}
        self.hardware.power.spare()
        for name in self.hardware.faults.armed:
            self.hardware.faults.disarm(name)
