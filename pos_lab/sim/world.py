"""One world of one seed: a host, shops, a network, faults, an examiner; lived, healed, settled, examined.

Rules owned here: the order of a life: set up in peace, work under faults, heal, let everything late arrive, resolve,
settle, examine; the clock of everybody is the loop's; the run ends at the first violation.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from itertools import count
from typing import Final

from firmware_sim.board import Hardware
from firmware_sim.cards import TEST_CARDS
from firmware_sim.line import Direction
from firmware_sim.models import MODELS
from host.policy import Payouts, Policy
from host.written import CHINA_TIME
from pos_lab.sim import uart
from pos_lab.sim.acquirer import ADDRESS, SimHost
from pos_lab.sim.attack import COMMAND, ON_PATH, remember
from pos_lab.sim.chance import Streams
from pos_lab.sim.checker.device import DeviceReader, Maker, Memory
from pos_lab.sim.checker.evidence import Loaded
from pos_lab.sim.checker.examiner import Examiner, Violation
from pos_lab.sim.checker.ledger import Change
from pos_lab.sim.device import Device
from pos_lab.sim.faults import FaultLedger
from pos_lab.sim.log import Event, EventLog
from pos_lab.sim.loop import SimLoop
from pos_lab.sim.markers import Sightings
from pos_lab.sim.net import Network, Writing
from pos_lab.sim.office import Office
from pos_lab.sim.plots import PLOTS
from pos_lab.sim.profiles import drawn_profile, drawn_rates
from pos_lab.sim.shop import CARDS, Shop
from pos_lab.sim.weather import CONNECTING
from pos_lab.vendor import VENDOR_PUBLIC_KEY, make_image
from terminal.settings import Settings

AUTOMATIC: Final = Policy(payouts=Payouts(automatic=True))
"""Rules under which the host pays by itself."""
SHOP_MODELS: Final = ("PX-S80", "NX-G10", "PX-S60", "PX-A920", "PX-E90")
BEGINNINGS: Final = (
    datetime(2026, 3, 14, 9, 30, tzinfo=CHINA_TIME),
    datetime(2026, 12, 31, 23, 50, tzinfo=CHINA_TIME),
    datetime(2028, 2, 28, 23, 55, tzinfo=CHINA_TIME),
    datetime(2028, 2, 29, 23, 45, tzinfo=CHINA_TIME),
    datetime(2026, 4, 30, 23, 58, tzinfo=CHINA_TIME),
)
"""When worlds begin: by day, and at the edges of day, month and year."""
REPLY_TIMEOUT_S: Final = 30.0
LATE_S: Final = 1_000.0
"""How long after healing a message may still be under way."""
SETTLING_S: Final = 100.0
"""How long what healed devices do by themselves may take."""
CARD_NAMES: Final = tuple(card.partition(":")[0] for card in CARDS)
SERIAL: Final = 0.2
"""The share of shops whose device is on a serial line."""
OVERHEARD: Final = 60
"""How many requests strangers remember."""
WEIGHED_EVERY: Final = 4
"""How many plots there are to one look at what piles up."""
TRIES: Final = 40
RETRY_S: Final = 30.0
SIGNED_ABOVE_FEN: Final = 200_000
"""Signatures cost more time than everything else together: they are asked for rarely."""


_MTI: Final = slice(11, 13)
"""Where the type of a message stands, behind TPDU and header."""
BROKEN: Final = {
    "D3": "nothing stays unresolved",
    "F1": "a device always starts",
    "J5": "a device always starts",
}
"""What a world says by itself, by invariant."""
_REVERSAL: Final = b"\x04\x00"
_APPROVALS: Final = frozenset({b"\x02\x10", b"\x01\x10"})


def _offline(change: Change) -> bool:
    row = change.after
    return change.table == "transactions" and row.get("kind") == "offline_sale" and row["state"] == "captured"


def _early_reversal(change: Change) -> bool:
    return change.table == "transactions" and not change.before and change.after.get("state") == "tombstone"


def _difference(change: Change) -> bool:
    return change.table == "differences" and not change.before


def _plan_stops(change: Change) -> bool:
    return (
        change.table == "terminals"
        and change.before.get("state") == "retiring"
        and change.after.get("state") == "stopped"
    )


SEEN_IN_LEDGER: Final[Mapping[str, Callable[[Change], bool]]] = {
    "offline_uploaded": _offline,
    "reversal_before_original": _early_reversal,
    "campaign_stopped_terminal": _plan_stops,
    "books_differed": _difference,
}
"""Marker -> whether a row that the host wrote shows it."""


class Violated(Exception):
    """The examiner has found something: the run is over."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a world is."""

    shops_max: int = 2
    intents: int = 14


class SimWorld:
    """Made on a loop for one seed; ``live`` plays it until an invariant of each id of ``until`` has failed."""

    def __init__(
        self,
        loop: SimLoop,
        seed: int,
        profile: str,
        suppressed: frozenset[str],
        scale: Scale,
        *,
        until: frozenset[str] = frozenset(),
    ) -> None:
        self.loop = loop
        self.streams = Streams(seed)
        self.chance = self.streams.of("world")
        self.profile = profile or drawn_profile(self.streams.of("profile"))
        self.scale = scale
        self.log = EventLog()
        self._found: asyncio.Future[None] = loop.create_future()
        self.parts: Counter[str] = Counter()
        self.sightings = Sightings()
        self.sometimes = self.sightings.sometimes
        self.intents: list[str] = []
        self.ledger = FaultLedger(self.note, suppressed)
        self.began = self.chance.choice(BEGINNINGS)
        self.network = Network(
            loop,
            self.streams.of,
            reply_timeout_s=REPLY_TIMEOUT_S,
            happens=self.ledger.happens,
            tap=self._tap,
            faults=ON_PATH,
        )
        self.overheard: deque[bytes] = deque(maxlen=OVERHEARD)
        self.host = SimHost(
            self.network,
            self.streams.of("host"),
            clock=self.now,
            policy=AUTOMATIC if self.chance.random() < 0.5 else Policy(),
            committed=self._committed,
            sometimes=self.sometimes,
        )
        self.examiner = Examiner(self.host.database.driver, until=until, now_s=lambda: int(self.host.now().timestamp()))
        self.host.examiner = self.examiner
        self.shops: list[Shop] = []
        self.devices: list[Device] = []
        self.model_of: dict[str, str] = {}
        self.office = Office(self)
        self.guests: set[asyncio.Task[None]] = set()
        self.secrets = {f"the number of card {name}": TEST_CARDS[name].pan.encode() for name in CARD_NAMES}

    def now(self) -> datetime:
        """The time of this world."""
        return self.began + timedelta(seconds=self.loop.time())

    def note(self, who: str, what: str, words: str = "", payload: bytes = b"") -> None:
        """Write a line of the log; the run ends with it if the examiner has found something."""
        self.log.write(Event(self.loop.time(), who, what, words, payload))
        if self.examiner.has_seen_enough and not self._found.done():
            self._found.set_result(None)

    def count(self, name: str) -> None:
        """A fault of a part is armed."""
        self.parts[name] += 1

    def broken(self, who: str, finding: str) -> None:
        """Something that no examiner has to look for. Raises Violated."""
        self.note(who, "broken", finding)
        invariant, _, words = finding.partition(": ")
        self.examiner.violations.append(Violation(invariant, BROKEN[invariant], words))
        raise Violated

    async def live(self) -> None:
        """From the first boot to the examiner's last question. Raises Violated."""
        await self._set_up()
        self._unleash()
        working = [asyncio.ensure_future(shop.work(self.scale.intents)) for shop in self.shops]
        outside = [asyncio.ensure_future(self._plot()), asyncio.ensure_future(self.office.work())]
        await self._until_done(working, outside)
        for task in outside:
            task.cancel()
        self._heal()
        await asyncio.sleep(LATE_S)
        for step, late_s in ((self._resolve, 0.0), (self._finish, SETTLING_S), (self._settle, 0.0)):
            await self._until_done([asyncio.ensure_future(step(shop)) for shop in self.shops])
            await asyncio.sleep(late_s)
        await self._until_done([asyncio.ensure_future(self._ask_why(shop)) for shop in self.shops])
        for guest in self.guests:
            if guest.done():
                guest.result()
        for shop in self.shops:
            self.host.try_to("payout", merchant_id=shop.settings.merchant_id)
        self._weigh(is_quiet=True)
        self.examiner.quiet(self._open_lines())
        self.examiner.search(self._places(), self.secrets)
        self._judge()

    def _open_lines(self) -> frozenset[str]:
        """The lines on which the host speaks to somebody."""
        ends = (end for end in self.network.connections if not end.is_client)
        serial = (url.partition("?")[0].rpartition("/")[2] for url in self.host.lines)
        return frozenset((*(str(end.get_extra_info("peername")) for end in ends), *serial))

    def _places(self) -> dict[str, bytes]:
        """Everything that is left of this world, but for what passed on the wire."""
        places = {
            "the database": self.host.written,
            "the event log": self.log.text.encode(),
        }
        for device in self.devices:
            hardware, name = device.hardware, device.serial_number
            for chip in ("journal", "keys", "slot_record"):
                places[f"the {chip} of {name}"] = getattr(hardware.chips, chip).image
            printed = [*hardware.paper, *(text for shown in hardware.shown for text in (shown.zh, shown.en))]
            places[f"paper and screen of {name}"] = "\n".join(printed).encode()
        return places

    async def _until_done(self, working: list[asyncio.Task[None]], beside: Sequence[asyncio.Task[None]] = ()) -> None:
        """Wait for all, or for the first violation, which ends the others. Raises Violated, and what a task raises."""
        left, under_way = list(working), [*working, *beside]
        while left and not self._found.done():
            await asyncio.wait([*under_way, self._found], return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in under_way if task.done()]:
                task.result()
            left, under_way = ([task for task in tasks if not task.done()] for tasks in (left, under_way))
        for task in left:
            task.cancel()
        self._judge()

    def _judge(self) -> None:
        if self.examiner.has_seen_enough:
            raise Violated

    async def _set_up(self) -> None:
        shops = range(1, self.chance.randint(1, self.scale.shops_max) + 1)
        serial = {number for number in shops if self.chance.random() < SERIAL}
        self.host.lines = [_serial_url(f"t{number}") for number in shops if number in serial]
        await self.host.start()
        for number in shops:
            await self._open(number, over_serial=number in serial)

    async def _open(self, number: int, *, over_serial: bool) -> None:
        name = f"t{number}"
        chance = self.streams.of(name)
        model = chance.choice(SHOP_MODELS)
        serial_number, terminal_id = f"SIM{number:09d}", f"{20_000_000 + number}"
        merchant_id = f"898{chance.choice((1, number)):012d}"
        settings = Settings(
            terminal_id=terminal_id,
            merchant_id=merchant_id,
            reply_timeout_s=REPLY_TIMEOUT_S,
            signature_above_fen=SIGNED_ABOVE_FEN,
        )
        shop = Shop(self, name, settings, chance)
        url = _serial_url(name) if over_serial else ""
        if over_serial:
            self.examiner.lay_cable(name)
        shop.use(self.device(shop, serial_number, model, url))
        self.host.act(
            "register", terminal_id=terminal_id, merchant_id=merchant_id, serial_number=serial_number, model=model
        )
        self.shops.append(shop)
        await self.office.bring_card(shop.device)

    def device(self, shop: Shop, serial_number: str, model: str, url: str = "") -> Device:
        """A new device for a shop, as the factory ships it; over TCP unless told."""
        name = shop.name
        hardware = Hardware.make(
            MODELS[model],
            serial_number,
            factory_image=_image(model),
            vendor_public_key=VENDOR_PUBLIC_KEY,
            url=url or f"tcp://{name}.{ADDRESS[0]}:{ADDRESS[1]}",
            now=self.now,
            fresh=self.streams.of(f"fresh.{serial_number}").randbytes,
        )
        self.examiner.know(_reader(hardware))
        device = Device(self, name, hardware, shop.settings, shop.chance, shop.hear)
        hardware.on_traffic = partial(self._traffic, device)
        self.devices.append(device)
        return device

    def keep_secret(self, name: str, secret: bytes) -> None:
        """Nobody may leave this anywhere."""
        self.secrets[f"{name} ({len(self.secrets)})"] = secret

    def during(self, shop: Shop, **markers: str) -> None:
        """Count the marker of what the shop does at this instant, if it does one of these flows."""
        if marker := markers.get(shop.doing):
            self.sometimes(marker)

    def host_state(self, serial_number: str) -> str:
        """Where a terminal stands at the host."""
        return str(self.examiner.evidence.ledger.tables["terminals"].get((serial_number,), {}).get("state", ""))

    def _unleash(self) -> None:
        """From here on things fail, as this seed has it."""
        rates = drawn_rates(self.profile, self.streams.of("swarm"))
        on_line = {*self.network.faults, *CONNECTING, *uart.FAULTS, uart.STUCK}
        self.network.rates = {kind: rate for kind, rate in rates.items() if kind in on_line}
        self.host.rates = self.rates = rates
        for shop in self.shops:
            shop.rates = rates

    async def _plot(self) -> None:
        """What comes from outside of shops: partitions, host deaths, the acquirer's acts."""
        chance = self.streams.of("plot")
        for number in count():
            await asyncio.sleep(chance.expovariate(1 / 15.0))
            if number % WEIGHED_EVERY == 0:
                self._weigh()
            shop = chance.choice(self.shops)
            draws = {kind: chance.random() for kind in PLOTS}
            for kind, plot in PLOTS.items():
                if draws[kind] < self.rates.get(kind, 0.0) and self.ledger.happens(kind, shop.name):
                    plot.happen(self, shop)

    def _weigh(self, *, is_quiet: bool = False) -> None:
        """Tell the examiner of what could pile up."""
        lines = [transport.is_dead for transport in self.network.connections if not transport.is_client]
        guests = sum(not guest.done() for guest in self.guests)
        tasks = len(asyncio.all_tasks(self.loop))
        dead = sum(lines)
        self.examiner.loaded(Loaded(len(self.shops), guests, len(lines) - dead, tasks, is_quiet, dead))

    def _heal(self) -> None:
        self.note("world", "heal")
        self.ledger.heal()
        self.network.rates = {}
        self.network.cut_off.clear()
        self.network.reap()
        self.host.database.fill(full=False)
        self.host.rates = self.rates = {}
        for shop in self.shops:
            shop.heal()

    async def _resolve(self, shop: Shop) -> None:
        await self._insist(shop, "reverse")

    async def _finish(self, shop: Shop) -> None:
        if left := await shop.finish(TRIES, RETRY_S):
            self.broken(shop.name, f"D3: {left}")

    async def _settle(self, shop: Shop) -> None:
        await self._insist(shop, "settle")

    async def _ask_why(self, shop: Shop) -> None:
        """The last question of a cashier: may this till sell?"""
        self.examiner.healed()
        if not shop.is_closed:
            await shop.play("why")

    async def _insist(self, shop: Shop, flow: str) -> None:
        """Try until it is done, or the device is of no use and replaced: everything is healed, so it must be."""
        outcome = None
        for _ in range(TRIES):
            if shop.is_closed:
                return
            if shop.broken or shop.key_due:
                await shop.see_to_duties()
                continue
            outcome = await shop.play(flow)
            if outcome is not None and (outcome.is_good or outcome.reason == "swap.under_way"):
                return
            await asyncio.sleep(RETRY_S)
        self.broken(shop.name, f"D3: {flow} is never done: {outcome and (outcome.reason or outcome.code)}")

    def _traffic(self, device: Device, direction: Direction, payload: bytes) -> None:
        self.note(device.shop, direction.value, "", payload)
        if not device.is_watched:
            self.examiner.aside(device.serial_number, payload, is_sent=direction is Direction.SENT)
            return
        terminal_id, mti = device.settings.terminal_id, payload[_MTI]
        if direction is Direction.SENT:
            self.examiner.sent(terminal_id, payload)
            if mti == _REVERSAL and device.last_sent == mti:
                self.sometimes("reversal_repeated")
            device.last_sent = mti
        else:
            self.examiner.received(terminal_id, payload)
            if mti in _APPROVALS and device.last_sent == _REVERSAL:
                self.sometimes("late_response_crossed_reversal")

    def _tap(self, writer: Writing, data: bytes) -> None:
        if writer.is_client:
            if len(data) > _MTI.stop:
                self.overheard.append(data)
        else:
            self.note("host", "replied", writer.route, data)
            if COMMAND in data:
                remember(self.network, data)
            self.examiner.replied(data, str(writer.get_extra_info("peername")))

    def _committed(self) -> None:
        changes = self.examiner.look_at_ledger()
        for change in changes:
            for name, test in SEEN_IN_LEDGER.items():
                if test(change):
                    self.sometimes(name)
        if changes:
            words = ", ".join(
                f"{change.after.get('kind', '')} {change.after.get('state', '')} {change.after.get('stan', '')}".strip()
                for change in changes
                if change.table == "transactions"
            )
            self.note("host", "commit", f"{len(changes)} rows {words}".rstrip())


def _reader(hardware: Hardware) -> DeviceReader:
    """What the examiner looks at of a device besides its journal."""
    chips = {name: getattr(hardware.chips, name) for name in ("journal", "keys", "slot_record", "slots")}
    memories = {name: Memory(chip.read, chip.size_bytes) for name, chip in chips.items()}
    fuse, maker = hardware.chips.fuse, Maker(hardware.model.id, VENDOR_PUBLIC_KEY)
    return DeviceReader(hardware.serial_number, lambda: fuse.image, memories, maker)


def _serial_url(name: str) -> str:
    return f"serial:///dev/{name}?baud=9600"


@cache
def _image(model: str) -> bytes:
    return make_image(MODELS[model], MODELS[model].factory_firmware)
