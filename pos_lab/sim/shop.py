"""A shop: one till with its device, and the cashier who sells, makes mistakes and remembers what the till said.

Rules owned here: a cashier does what the till says must be done first (REMEDIES); what is due at the device itself (a
swap, a key card, a device that is broken) goes before the next customer. TABLE INTENTS: what cashiers do, how often,
and the words they key in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from firmware_sim.models import Model
from pos_lab.cashier import PIN, Drawer, Intents, as_told, completed, drawn_flow, held, nothing, payment_code
from pos_lab.sim.checker.evidence import Told
from pos_lab.sim.device import Device
from pos_lab.sim.moving import OUT_OF_ORDER, Moving
from protocol.money import yuan
from terminal.outcome import Outcome
from terminal.settings import Settings

if TYPE_CHECKING:
    from pos_lab.sim.world import SimWorld

CARDS: Final = (
    "debit", "debit_second:insert", "debit_stripe", "credit:insert", "credit_second", "foreign:insert", "wearable",
    "debit_poor", "stolen", "expired:insert", "pin_locked:insert", "forced_96", "forced_68", "forced_51",
)  # fmt: skip
CARD_WEIGHTS: Final = (30, 10, 10, 20, 10, 4, 6, 2, 1, 1, 1, 2, 2, 1)
AMOUNTS_FEN: Final = (1, 99, 100, 999, 4_999, 5_000, 6_000, 9_999, 10_000, 12_345, 99_999, 250_000, 4_999_999)
THINK_S: Final = 20.0
ERRAND: Final = 0.6
"""How often what is due at the device comes before the next customer."""
KEYS_NEEDED: Final = frozenset(
    {"terminal.bad_keys", "terminal.no_master_key", "terminal.keys_locked", "swap.backup_foreign"}
)
REMEDIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "terminal.announcement_unread": ("acknowledge", ""),
        "terminal.paused": ("resume",),
        "terminal.journal_full": ("settle",),
        "terminal.training": ("training", "off"),
        "terminal.settlement_pending": ("settle",),
        "update.batch_open": ("settle",),
    }
)
"""Why a till sells nothing now -> what a cashier does about it."""
PENDING: Final = "terminal.reversal_pending"
CLEARS: Final = "operator.clears"
"""Why a till does nothing before a reversal is done, and the fault by which a supervisor drops it there and then."""
SEEN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "terminal.announcement_unread": "announcement_stops_sale",
        "terminal.journal_full": "journal_was_full",
        "terminal.card_declined": "chip_declined_approval",
    }
)
"""Reason -> marker."""


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
    return slip.refund(shop.chance.choice((slip.amount_fen, slip.share_fen(50), slip.amount_fen + 1)))


def _held(shop: Shop) -> tuple[str, ...] | None:
    return held(shop, (100, 100, 50, 115, 116))


def _tipped(shop: Shop) -> tuple[str, ...] | None:
    slip = shop.drawer.some(shop.chance, "sale")
    return (slip.stan, yuan(slip.amount_fen + slip.amount_fen // 10)) if slip else None


def _scanned(shop: Shop) -> tuple[str, ...]:
    code = payment_code(shop.chance)
    return yuan(shop.amount_fen()), code


def _held_more(shop: Shop) -> tuple[str, ...] | None:
    slip = shop.drawer.some(shop.chance, "preauth")
    return (*slip.about_hold(shop.chance.randint(1, 5_000)), PIN) if slip else None


def _sold_offline(shop: Shop) -> tuple[str, ...] | None:
    slip = shop.drawer.some(shop.chance, "offline_sale")
    return (slip.stan, yuan(shop.chance.randint(1, 20_000))) if slip else None


def _carded(shop: Shop) -> tuple[str, ...]:
    return shop.readable("debit"), PIN


def _fetched(shop: Shop) -> tuple[str, ...]:
    return (shop.chance.choice(("rates", "contactless", "no_pin_bins", "tms_parameters")),)


def _switched(shop: Shop) -> tuple[str, ...]:
    return (shop.chance.choice(("on", "off")),)


def _entered(shop: Shop) -> tuple[str, ...]:
    return ("",)


INTENTS: Final[Intents[Shop]] = MappingProxyType(
    {
        "sale": (120, _paying),
        "void": (18, _voided),
        "refund": (12, _refunded),
        "preauth": (8, _paying),
        "additional_preauth": (1, _held_more),
        "completion": (6, _held),
        "completion_advice": (2, _held),
        "preauth_void": (2, _held),
        "completion_void": (2, completed),
        "offline_sale": (8, _small),
        "offline_adjustment": (2, _sold_offline),
        "tip_adjustment": (4, _tipped),
        "qr_sale": (4, _scanned),
        "balance": (1, _carded),
        "settle": (10, nothing),
        "sign_in": (5, nothing),
        "sign_off": (1, nothing),
        "cashier_sign_in": (1, nothing),
        "reverse": (4, nothing),
        "reprint": (2, nothing),
        "echo": (1, nothing),
        "status": (1, nothing),
        "commands": (3, nothing),
        "notices": (1, nothing),
        "why": (1, nothing),
        "update": (3, nothing),
        "download": (1, _fetched),
        "acknowledge": (1, _entered),
        "pause": (1, nothing),
        "training": (1, _switched),
    }
)
"""Flow -> how often of about 230, and its words."""


class Shop:
    """One shop of a world. ``device`` is the one that it sells on, ``former`` those that it sold on before.

    What is due there: ``moving``, a swap; ``key_due``, another master key by "card" or over the "line"; ``broken``, why
    the device is of no use; ``exchange_due``, whether it is replaced once it is settled.
    """

    def __init__(self, world: SimWorld, name: str, settings: Settings, chance: Random) -> None:
        self.world = world
        self.name = name
        self.settings = settings
        self.chance = chance
        self.drawer = Drawer()
        self.rates: Mapping[str, float] = {}
        self.results: dict[str, int] = {}
        self.intents: list[str] = []
        self.doing = ""
        self.former: list[Device] = []
        self.moving: Moving | None = None
        self.key_due = ""
        self.broken = ""
        self.exchange_due = False
        self.is_closed = False
        self.device: Device
        self._supervisor = world.streams.of(f"supervisor.{name}")
        self._unsent_signature = False
        self._renewed = False

    @property
    def terminal_id(self) -> str:
        """Field 41."""
        return self.settings.terminal_id

    @property
    def model(self) -> Model:
        """That of its device."""
        return self.device.hardware.model

    def amount_fen(self) -> int:
        """An amount as shops have them, edges among them."""
        if self.chance.random() < 0.3:
            return self.chance.choice(AMOUNTS_FEN)
        return self.chance.randint(1, 30_000)

    def readable(self, card: str) -> str:
        """The same card, the way in which this model reads it; another one where it cannot."""
        model, (name, _, way) = self.model, card.partition(":")
        if name == "wearable" and not model.contactless:
            return "debit"
        return card if model.chip or not way else name

    def move_to(self, device: Device) -> None:
        """Sell on this device from here on: the examiner reads its journal, and keeps what it read in the other's."""
        self.device.is_watched = False
        self.former.append(self.device)
        self.use(device)

    def use(self, device: Device) -> None:
        """Sell on this device."""
        self.device = device
        device.is_watched = True
        journal = device.hardware.chips.journal
        self.world.examiner.watch(self.terminal_id, journal.read, journal.size_bytes)
        self.world.examiner.fit(self.terminal_id, device.serial_number)
        self.key_due = self.broken = ""

    def close(self) -> None:
        """Nobody sells here any more, and nobody switches the device on: the examiner reads its journal no more."""
        self.is_closed = True
        self.device.is_watched = False
        self.world.examiner.leave(self.terminal_id)

    async def work(self, intents: int) -> None:
        """A day: one intent after the other, what is due at the device in between."""
        for _ in range(intents):
            await asyncio.sleep(self.chance.expovariate(1 / THINK_S))
            if self.is_closed:
                return
            is_due = self.chance.random() < ERRAND
            flow = drawn_flow(INTENTS, self.chance)
            words = INTENTS[flow][1](self)
            name = self.world.ledger.intends(self.name)
            if not name:
                continue
            if is_due and self._has_duties:
                self.intents.append(name)
                self.device.suffer(self._strikes)
                await self.see_to_duties()
            elif words is not None:
                self.intents.append(name)
                self.device.suffer(self._strikes)
                await self.play(flow, *words)

    async def play(self, flow: str, *words: str) -> Outcome | None:
        """Let the cashier do something, and what the till says is to be done first; None where the power went."""
        outcome = await self._play(flow, *words)
        if outcome is not None and outcome.reason == PENDING and self._is_given_up():
            await self._play("clear_reversal")
        if outcome is not None and outcome.reason in REMEDIES and outcome.flow != REMEDIES[outcome.reason][0]:
            await self._play(*REMEDIES[outcome.reason])
        return outcome

    async def _play(self, flow: str, *words: str) -> Outcome | None:
        self.doing = flow
        try:
            outcome = await self.device.play(flow, *words)
        finally:
            self.doing = ""
        if outcome is None and flow == "settle":
            self.world.sometimes("cut_during_settlement")
        return outcome

    @property
    def _has_duties(self) -> bool:
        return bool(self.broken or self.key_due or self.moving or self.exchange_due)

    async def see_to_duties(self) -> None:
        """One step of what is due at the device, the most urgent first."""
        if self.broken:
            await self.world.office.replace_device(self, why=self.broken)
        elif self.key_due == "line":
            outcome = await self._play("download_master_key")
            if outcome is not None:
                self._renewed, self.key_due = outcome.is_good, "" if outcome.is_good else "card"
        elif self.key_due:
            await self.world.office.bring_card(self.device)
            self._renewed, self.key_due = True, ""
        elif self.moving is not None:
            self.doing = "swap"
            await self.moving.go_on()
            self.doing = ""
            if self.moving is not None and self.moving.is_done:
                self.moving = None
        elif self.exchange_due:
            outcome = await self.play("settle")
            if outcome is not None and outcome.is_good:
                self.exchange_due = False
                await self.world.office.replace_device(self, why="")

    async def finish(self, tries: int, pause_s: float) -> str:
        """See to all that is due, once everything is healed; what is left, "" for nothing."""
        for _ in range(tries):
            if not self._has_duties or self.is_closed:
                return ""
            await self.see_to_duties()
            await asyncio.sleep(pause_s)
        return f"{self.broken or self.key_due or (self.moving and self.moving.stage) or 'exchange'} is never done"

    def hear(self, device: Device, outcome: Outcome, words: tuple[str, ...]) -> None:
        """A device tells the cashier something; what one says on which the shop sells no more is only noted."""
        self.results[outcome.result] = self.results.get(outcome.result, 0) + 1
        told = f"{outcome.flow} {outcome.result} {outcome.reason or outcome.code} {outcome.stan}"
        self.world.note(self.name, "told", told)
        if device is not self.device:
            return
        if result := as_told(outcome.flow, outcome.result, outcome.stan):
            self.world.examiner.told(Told(self.terminal_id, outcome.flow, result, outcome.stan, outcome.amount_fen))
        self._notice(outcome)
        if outcome.result == "approved" and outcome.flow in INTENTS:
            self.drawer.keep(
                words,
                flow=outcome.flow,
                stan=outcome.stan,
                rrn=outcome.rrn,
                amount_fen=outcome.amount_fen,
                detail=outcome.detail,
            )

    def _notice(self, outcome: Outcome) -> None:
        """What this says about the device, and which markers it is worth."""
        sometimes, reason, flow = self.world.sometimes, outcome.reason, outcome.flow
        if reason in OUT_OF_ORDER and not (self.moving and flow in ("hand_over", "take_over")):
            self.broken = self.broken or OUT_OF_ORDER[reason]
        elif reason in KEYS_NEEDED and not self.key_due:
            self.key_due = "card"
        if reason in SEEN:
            sometimes(SEEN[reason])
        if reason.startswith("update."):
            sometimes("firmware_refused")
        if flow == "upload":
            if outcome.is_good and self._unsent_signature:
                sometimes("signature_resent")
            self._unsent_signature = not outcome.is_good
        if not outcome.is_good:
            return
        if flow == "commands" and outcome.detail.get("count", "0") != "0":
            sometimes("command_carried_out")
        elif flow == "download":
            sometimes("parameters_downloaded")
        elif flow == "settle":
            if self.world.host_state(self.device.serial_number) == "stopped":
                sometimes("stopped_terminal_drained")
        elif flow == "sign_in":
            if self._renewed:
                self._renewed = False
                sometimes("master_key_renewed")
            if self.device.runs_new_firmware:
                sometimes("firmware_installed")

    def _strikes(self, kind: str) -> bool:
        rate = self.rates.get(kind, 0.0)
        return bool(rate) and self.chance.random() < rate and self.world.ledger.happens(kind, self.name)

    def _is_given_up(self) -> bool:
        """Does a supervisor lose patience with a reversal that waits?"""
        rate = self.rates.get(CLEARS, 0.0)
        return bool(rate) and self._supervisor.random() < rate and self.world.ledger.happens(CLEARS, self.name)

    def heal(self) -> None:
        """Nothing fails at this shop any more."""
        self.rates = {}
        devices = [self.device, *([self.moving.new] if self.moving else [])]
        for device in devices:
            device.heal()
