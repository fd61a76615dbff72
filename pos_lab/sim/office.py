"""The acquirer's people: what they do with the terminals of a world while shops sell.

Rules owned here: TABLE ERRANDS, with how often; each seed draws which of them its office runs. An errand may be refused
by the state of things, as people may be; one that sets something off at a device leaves it to the shop to see to it.
What befell a device for good ends in ``replace_device``: its open batch is closed as it stands at the host, and what
only that device knew is known to be lost.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from firmware_sim.models import MODELS, Model
from host.downloads import CONTENTS
from pos_lab.sim.moving import Moving, Stage
from pos_lab.vendor import make_image
from protocol.image import parse_version

if TYPE_CHECKING:
    from pos_lab.sim.device import Device
    from pos_lab.sim.shop import Shop
    from pos_lab.sim.world import SimWorld

EVERY_S: Final = 100.0
"""How often, on average, somebody in the office does something."""
IN_OFFICE: Final = 0.4
"""The share of errands that the office of one seed runs."""
IMAGE_BYTES: Final = 700
PATIENCE_S: Final = 30.0
TRIES: Final = 400
REASONS: Final = ("arrears", "policy", "dispute", "fault", "security", "fraud")
PUBLISHED: Final = ("rates", "bin_blacklist", "no_pin_bins", "no_pin_blacklist", "contactless", "tms_parameters")
ASKED: Final = ("status", "sign_in", "configuration", "rates", "contactless", "parameters")
SUCCESSORS: Final = ("PX-S61", "PX-E62", "NX-N910", "LK-T62")
"""Models that no world retires, so that a swap can always be finished."""
REPLACED: Final = "replaced"
_DAY_S: Final = 86_400


class Errand(NamedTuple):
    """A row of ERRANDS: how often of a hundred, what it is in words, and what does it."""

    weight: int
    english: str
    run: Callable[[Office, Shop], None]


class Office:
    """The office of a world; ``done`` counts what it did."""

    def __init__(self, world: SimWorld) -> None:
        self.world = world
        self.chance = world.streams.of("office")
        self.done: Counter[str] = Counter()
        self.retired: set[str] = set()
        drawn = {name: self.chance.random() for name in ERRANDS}
        self.errands = tuple(name for name in ERRANDS if drawn[name] < IN_OFFICE)
        self._ordered = 0
        self._versions: Counter[str] = Counter()

    async def work(self) -> None:
        """One errand after the other, until cancelled."""
        weights = [ERRANDS[name].weight for name in self.errands]
        while self.errands:
            await asyncio.sleep(self.chance.expovariate(1 / EVERY_S))
            shop = self.chance.choice(self.world.shops)
            name = self.chance.choices(self.errands, weights)[0]
            if intended := self.world.ledger.intends("office"):
                self.world.intents.append(intended)
                self.world.note("office", "errand", f"{name} {shop.name}")
                ERRANDS[name].run(self, shop)

    def act(self, name: str, /, **arguments: object) -> bool:
        """An act that the state of things may forbid; whether it was done."""
        done = self.world.host.try_to(name, **arguments)
        self.done[name] += done
        return done

    async def insist(self, name: str, /, **arguments: object) -> bool:
        """The same, tried until the host does it or says why not."""
        for _ in range(TRIES):
            if self.act(name, **arguments):
                return True
            if self.world.host.has_said_no:
                return False
            await asyncio.sleep(PATIENCE_S)
        return False

    def deliver_device(self, model: str) -> str:
        """Order, ship and deliver another device for stock; its serial number, "" where the host is not there."""
        self._ordered += 1
        serial_number = f"SIM{900_000_000 + self._ordered:09d}"
        order = self.act("order", serial_number=serial_number, model=model)
        arrived = order and self.act("ship", serial_number=serial_number)
        self.world.model_of[serial_number] = model
        return serial_number if arrived and self.act("deliver", serial_number=serial_number) else ""

    async def replace_device(self, shop: Shop, *, why: str) -> None:
        """The device of a shop cannot go on: another one takes the till, without a backup."""
        world, old = self.world, shop.device
        self.world.note("office", "errand", f"replace {shop.name}: {why}")
        if why:
            await self.insist(why, serial_number=old.serial_number)
        come, ready = shop.moving, ""
        if come is not None and come.old is old:
            ready = come.new.serial_number
        if come is not None and come.stage is not Stage.WIPE:  # what is left of that is at the device before
            shop.moving = None
        while not ready:
            ready = self.deliver_device(self.chance.choice(SUCCESSORS))
            await asyncio.sleep(PATIENCE_S)
        is_handed = await self._hand_till(old.serial_number, ready)
        world.examiner.write_off(shop.terminal_id)
        world.sometimes("device_written_off")
        if not is_handed:
            shop.close()
            return
        is_come = come is not None and come.new.serial_number == ready
        device = come.new if come and is_come else world.device(shop, ready, world.model_of[ready])
        shop.move_to(device)
        await self.bring_card(device)

    async def _hand_till(self, serial_number: str, successor: str) -> bool:
        """A host that died behind its commit has done what it says no to the next time."""
        if self.world.host_state(serial_number) == REPLACED:
            return False
        is_said = await self.insist("replace", serial_number=serial_number, successor=successor)
        return is_said or self.world.host_state(serial_number) == REPLACED

    async def bring_card(self, device: Device) -> None:
        """The depot loads the key card of a device."""
        for _ in range(TRIES):
            if card := self.world.host.ask("key_card", serial_number=device.serial_number):
                await device.load_card(card)
                return
            await asyncio.sleep(PATIENCE_S)


def _announce(office: Office, shop: Shop) -> None:
    number = office.done["announce"] + 1
    texts = {"title_zh": "公告", "title_en": f"announcement {number}", "text_zh": "请阅读。", "text_en": "Read it."}
    if office.chance.random() < 0.3:
        office.act("announce", **texts, model=shop.model.id)
    else:
        office.act("announce", **texts, serial_number=shop.device.serial_number)


def _diagnose(office: Office, shop: Shop) -> None:
    office.act("diagnose", serial_number=shop.device.serial_number)


def _publish_parameters(office: Office, shop: Shop) -> None:
    name = office.chance.choice(PUBLISHED)
    content = CONTENTS[name]
    if name in ("bin_blacklist", "no_pin_blacklist"):
        content = [f"62{office.chance.randrange(10_000):04d}"]
    office.act("publish_parameters", name=name, content=json.dumps(content).encode())


def _ask_for(office: Office, shop: Shop) -> None:
    office.act("ask_for", serial_number=shop.device.serial_number, name=office.chance.choice(ASKED))


def _firmware(office: Office, shop: Shop) -> None:
    """Publish an image and recommend it: a good one, or one that no device may take."""
    chance, model = office.chance, shop.model
    office._versions[model.id] += 1
    major, minor, _ = parse_version(model.factory_firmware)
    version = f"{major}.{minor}.{100 + office._versions[model.id]}"
    if office.act("publish_firmware", model=model.id, version=version, image=_image(model, version, _flaw(office))):
        required = chance.choice((0, 0, 30))
        office.act("recommend_firmware", model=model.id, version=version, required_days=required, forced_days=60)


def _flaw(office: Office) -> str:
    return office.chance.choice(("", "", "", "", *FLAWS))


FLAWS: Final = ("signature", "other_model", "counter", "expired", "leap", "format")
"""What may be wrong with an image (A10)."""


@cache
def _image(model: Model, version: str, flaw: str) -> bytes:
    major, minor, patch = parse_version(version)
    if flaw == "signature":
        image = bytearray(_image(model, version, ""))
        image[-1] ^= 1
        return bytes(image)
    other = next(row for row in MODELS.values() if row.id != model.id and row.factory_profile == "current")
    values: dict[str, int] = {
        "counter": {"security_counter": max(0, major - 1)},
        "expired": {"expires_at": 1_000_000_000},
        "format": {"journal_format": 99},
    }.get(flaw, {})
    made_for = other if flaw == "other_model" else model
    stated = f"{min(255, major + 40)}.{minor}.{patch}" if flaw == "leap" else version
    return make_image(made_for, stated, payload_bytes=IMAGE_BYTES, **values)  # type: ignore[arg-type]


def _block_firmware(office: Office, shop: Shop) -> None:
    """The newest version of a model is withdrawn, or what it was shipped with is."""
    model, count = shop.model, office._versions[shop.model.id]
    major, minor, _ = parse_version(model.factory_firmware)
    if count:
        office.act("block_firmware", model=model.id, version=f"{major}.{minor}.{100 + count}")


def _renew_key(office: Office, shop: Shop) -> None:
    """Another master key: the depot comes with a card, or the device fetches it over the line."""
    if shop.moving is None and office.act("renew_tmk", serial_number=shop.device.serial_number):
        over_line = office.chance.random() < 0.3 and office.act(
            "allow_download", serial_number=shop.device.serial_number, hours=24
        )
        shop.key_due = "line" if over_line else "card"


def _hold(office: Office, shop: Shop) -> None:
    reason, serial_number = office.chance.choice(REASONS), shop.device.serial_number
    if office.act("hold", serial_number=serial_number, reason=reason):
        office.world.during(shop, sale="hold_during_sale", settle="hold_during_settlement")
        _later(office, 10, 200, lambda: _release(office, shop, reason))


def _release(office: Office, shop: Shop, reason: str) -> None:
    serial_number = shop.device.serial_number
    if reason == "fraud":
        office.act("file_evidence", serial_number=serial_number, reason=reason, reference="W-1")
    if reason == "security":
        return  # the firmware that mends it releases it, or nobody does
    if not office.act("release", serial_number=serial_number, reason=reason) and not office.world.host.has_said_no:
        _later(office, 30, 60, lambda: _release(office, shop, reason))


def _hold_scope(office: Office, shop: Shop) -> None:
    reason = office.chance.choice(("policy", "arrears"))
    merchant_id = shop.settings.merchant_id
    if office.act("hold_scope", reason=reason, merchant_id=merchant_id):
        _later(office, 10, 120, lambda: _release_scope(office, reason, merchant_id))


def _release_scope(office: Office, reason: str, merchant_id: str) -> None:
    done = office.act("release_scope", reason=reason, merchant_id=merchant_id)
    if not done and not office.world.host.has_said_no:
        _later(office, 30, 60, lambda: _release_scope(office, reason, merchant_id))


def _amend(office: Office, shop: Shop) -> None:
    card_type = office.chance.choice(("credit", "debit"))
    rate_bp = office.chance.choice((0, 38, 45, 55, 60, 65))
    days = office.chance.choice((0, 0, 1, 30))
    office.act(
        "amend_rate",
        merchant_id=shop.settings.merchant_id,
        card_type=card_type,
        rate_bp=rate_bp,
        signed_by="the merchant",
        in_days=days,
    )


def _publish_policy(office: Office, shop: Shop) -> None:
    chance = office.chance
    policy: dict[str, object] = {
        "limits": {"single": chance.choice((5_000_000, 100_000, 30_000))},
        "preauth": {"completion_percent": chance.choice((100, 110, 115))},
        "adjustments": {"tip_percent": chance.choice((0, 10, 15))},
        "payouts": {"automatic": chance.random() < 0.6},
        "downloads": {"required": chance.random() < 0.1},
    }
    if chance.random() < 0.3:
        policy["risk"] = {"rules": ["velocity", "declines"]}
    if office.act("publish_policy", content=json.dumps(policy).encode()):
        office.world.during(shop, sale="policy_changed_during_sale")


def _maintain(office: Office, shop: Shop) -> None:
    begins_at = int(office.world.host.now().timestamp()) + office.chance.randint(-30, 120)
    office.act("schedule_maintenance", begins_at=begins_at, minutes=office.chance.randint(1, 4))


def _retire(office: Office, shop: Shop) -> None:
    """A campaign that stops every terminal of a model, in days."""
    model = shop.model.id
    if model in SUCCESSORS:
        return
    stop_days = office.chance.choice((1, 7, 97))
    if office.act("retire_model", model=model, grace_days=office.chance.randint(0, stop_days), stop_days=stop_days):
        office.retired.add(model)


def _campaigns(office: Office, shop: Shop) -> None:
    """Somebody interferes with a campaign that runs."""
    number, why = office.chance.randint(1, 2), "asked by the merchant"
    what = office.chance.choice(("pause", "resume", "cancel", "exempt"))
    if what == "exempt":
        office.act("exempt", number=number, serial_number=shop.device.serial_number, why=why)
    elif what == "resume":
        office.act("resume_campaign", number=number)
    else:
        office.act(f"{what}_campaign", number=number, why=why)


def _pass_days(office: Office, shop: Shop) -> None:
    """The dates of everything come nearer: for the host at once, for devices when it tells them."""
    seconds = office.chance.choice((3_600, 8 * 3_600, _DAY_S, _DAY_S, 7 * _DAY_S, 31 * _DAY_S))
    office.act("clock_advance", seconds=seconds)


def _pass_years(office: Office, shop: Shop) -> None:
    office.act("clock_advance", seconds=office.chance.choice((400, 3_650)) * _DAY_S)


def _payout(office: Office, shop: Shop) -> None:
    office.act("payout", merchant_id=shop.settings.merchant_id)


def _swap(office: Office, shop: Shop) -> None:
    """Another device is delivered, and the shop is told to hand over."""
    if shop.moving is not None or shop.is_closed:
        return
    model = office.chance.choice(SUCCESSORS)
    serial_number = office.deliver_device(model)
    if not serial_number:
        return
    if office.act("begin_swap", serial_number=shop.device.serial_number, successor=serial_number):
        shop.moving = Moving(shop, office.world.device(shop, serial_number, model))


def _cancel_swap(office: Office, shop: Shop) -> None:
    if shop.moving is not None:
        office.act("cancel_swap", serial_number=shop.moving.old.serial_number)


def _stop(office: Office, shop: Shop) -> None:
    if office.act("stop", serial_number=shop.device.serial_number):
        office.world.during(shop, sale="stop_during_sale")


def _lose(office: Office, shop: Shop) -> None:
    """The merchant says that the device is gone; it turns up again, but not in business."""
    if shop.moving is None:
        shop.broken = "lose"


def _replace(office: Office, shop: Shop) -> None:
    """A damaged device that has settled is exchanged, without a backup."""
    if shop.moving is None:
        shop.exchange_due = True


def _later(office: Office, least_s: float, most_s: float, step: Callable[[], None]) -> None:
    office.world.loop.call_later(office.chance.uniform(least_s, most_s), step)


ERRANDS: Final[Mapping[str, Errand]] = MappingProxyType(
    {
        "announce": Errand(6, "announce something that must be read before the next sale", _announce),
        "diagnose": Errand(3, "order a device to test itself", _diagnose),
        "publish_parameters": Errand(5, "publish a newer table for all terminals", _publish_parameters),
        "ask_for": Errand(4, "ask a terminal for its state, a sign-on or a download", _ask_for),
        "firmware": Errand(8, "publish and recommend firmware, good or bad", _firmware),
        "block_firmware": Errand(1, "withdraw a version", _block_firmware),
        "renew_key": Errand(4, "make another master key, by card or over the line", _renew_key),
        "hold": Errand(8, "suspend a terminal for a while", _hold),
        "hold_scope": Errand(2, "suspend all terminals of a merchant for a while", _hold_scope),
        "amend": Errand(3, "change a merchant's rates, now or from a date on", _amend),
        "publish_policy": Errand(4, "change the rules", _publish_policy),
        "maintain": Errand(2, "put a window of maintenance on the calendar", _maintain),
        "retire": Errand(2, "retire a model by a campaign", _retire),
        "campaigns": Errand(2, "pause, resume, cancel a campaign, exempt a terminal", _campaigns),
        "pass_days": Errand(4, "let dates come nearer", _pass_days),
        "pass_years": Errand(1, "let years pass", _pass_years),
        "payout": Errand(10, "pay a merchant", _payout),
        "swap": Errand(6, "swap a device for another one, with a backup", _swap),
        "cancel_swap": Errand(1, "cancel a swap", _cancel_swap),
        "stop": Errand(1, "stop a terminal for good", _stop),
        "lose": Errand(1, "a device is reported lost, and replaced", _lose),
        "replace": Errand(2, "a device that has settled is replaced without a backup", _replace),
    }
)
"""What the office does; each seed draws which of them."""
