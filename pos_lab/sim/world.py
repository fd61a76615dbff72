"""One world of one seed: a host, shops, a network, faults, an examiner; lived, healed, settled, examined.

Rules owned here: the order of a life: set up in peace, work under faults, heal, let everything late arrive, resolve,
settle, examine; the clock of everybody is the loop's; the run ends at the first violation.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from firmware_sim.board import Hardware
from firmware_sim.cards import TEST_CARDS
from firmware_sim.line import Direction
from firmware_sim.models import MODELS
from host.policy import Policy
from host.written import CHINA_TIME
from pos_lab.sim import uart
from pos_lab.sim.acquirer import ADDRESS, SimHost
from pos_lab.sim.attack import ON_PATH
from pos_lab.sim.chance import Streams
from pos_lab.sim.checker.examiner import Examiner, Violation
from pos_lab.sim.faults import FaultLedger
from pos_lab.sim.log import Event, EventLog
from pos_lab.sim.loop import SimLoop
from pos_lab.sim.net import Network, Writing
from pos_lab.sim.plots import PLOTS
from pos_lab.sim.profiles import drawn_profile, drawn_rates
from pos_lab.sim.shop import CARDS, Shop
from pos_lab.sim.weather import CONNECTING
from pos_lab.vendor import VENDOR_PUBLIC_KEY, make_image
from terminal.settings import Settings

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
CARD_NAMES: Final = tuple(card.partition(":")[0] for card in CARDS)
SERIAL: Final = 0.2
"""The share of shops whose device is on a serial line."""
PAYOUT: Final = 0.1
"""How often of the acquirer's looks at a shop it pays what it owes."""
OVERHEARD: Final = 60
"""How many requests strangers remember."""
TRIES: Final = 40
RETRY_S: Final = 30.0
SIGNED_ABOVE_FEN: Final = 200_000
"""Signatures cost more time than everything else together: they are asked for rarely."""


class Violated(Exception):
    """The examiner has found something: the run is over."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a world is."""

    shops_max: int = 2
    intents: int = 20


class SimWorld:
    """Made on a loop for one seed; ``live`` plays it."""

    def __init__(self, loop: SimLoop, seed: int, profile: str, suppressed: frozenset[str], scale: Scale) -> None:
        self.loop = loop
        self.streams = Streams(seed)
        self.chance = self.streams.of("world")
        self.profile = profile or drawn_profile(self.streams.of("profile"))
        self.scale = scale
        self.log = EventLog()
        self._found: asyncio.Future[None] = loop.create_future()
        self.parts: Counter[str] = Counter()
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
            self.network, self.streams.of("host"), clock=self.now, policy=Policy(), committed=self._committed
        )
        self.examiner = Examiner(self.host.database.driver)
        self.shops: list[Shop] = []
        self.guests: set[asyncio.Task[None]] = set()
        self.secrets = {f"the number of card {name}": TEST_CARDS[name].pan.encode() for name in CARD_NAMES}

    def now(self) -> datetime:
        """The time of this world."""
        return self.began + timedelta(seconds=self.loop.time())

    def note(self, who: str, what: str, words: str = "", payload: bytes = b"") -> None:
        """Write a line of the log; the run ends with it if the examiner has found something."""
        self.log.write(Event(self.loop.time(), who, what, words, payload))
        if self.examiner.violations and not self._found.done():
            self._found.set_result(None)

    def count(self, name: str) -> None:
        """A fault of a part is armed."""
        self.parts[name] += 1

    def broken(self, who: str, finding: str) -> None:
        """Something that no examiner has to look for. Raises Violated."""
        self.note(who, "broken", finding)
        invariant, _, words = finding.partition(": ")
        self.examiner.violations.append(Violation(invariant, "a device always starts", words))
        raise Violated

    async def live(self) -> None:
        """From the first boot to the examiner's last question. Raises Violated."""
        await self._set_up()
        self._unleash()
        working = [asyncio.ensure_future(shop.work(self.scale.intents)) for shop in self.shops]
        plotting = asyncio.ensure_future(self._plot())
        await self._until_done(working)
        plotting.cancel()
        self._heal()
        await asyncio.sleep(LATE_S)
        await self._until_done([asyncio.ensure_future(self._resolve(shop)) for shop in self.shops])
        await asyncio.sleep(LATE_S)
        await self._until_done([asyncio.ensure_future(self._settle(shop)) for shop in self.shops])
        for shop in self.shops:
            self.host.try_to("payout", merchant_id=shop.settings.merchant_id)
        self.examiner.quiet()
        self.examiner.search(self._places(), self.secrets)
        self._judge()

    def _places(self) -> dict[str, bytes]:
        """Everything that is left of this world, but for what passed on the wire."""
        places = {
            "the database": self.host.database.image,
            "the event log": "".join(event.line() for event in self.log.events).encode(),
        }
        for shop in self.shops:
            hardware = shop.hardware
            for name in ("journal", "keys", "slot_record"):
                places[f"the {name} of {shop.name}"] = getattr(hardware.chips, name).image
            printed = [*hardware.paper, *(text for shown in hardware.shown for text in (shown.zh, shown.en))]
            places[f"paper and screen of {shop.name}"] = "\n".join(printed).encode()
        return places

    async def _until_done(self, working: list[asyncio.Task[None]]) -> None:
        """Wait for all, or for the first violation, which ends the others. Raises Violated, and what a task raises."""
        left = list(working)
        while left and not self._found.done():
            await asyncio.wait([*left, self._found], return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in left if task.done()]:
                left.remove(task)
                task.result()
        for task in left:
            task.cancel()
        self._judge()

    def _judge(self) -> None:
        if self.examiner.violations:
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
        model = MODELS[chance.choice(SHOP_MODELS)]
        url = _serial_url(name) if over_serial else f"tcp://{name}.{ADDRESS[0]}:{ADDRESS[1]}"
        serial_number, terminal_id = f"SIM{number:09d}", f"{20_000_000 + number}"
        merchant_id = f"898{chance.choice((1, number)):012d}"
        hardware = Hardware.make(
            model,
            serial_number,
            factory_image=_image(model.id),
            vendor_public_key=VENDOR_PUBLIC_KEY,
            url=url,
            now=self.now,
            fresh=self.streams.of(f"fresh.{name}").randbytes,
        )
        settings = Settings(
            terminal_id=terminal_id,
            merchant_id=merchant_id,
            reply_timeout_s=REPLY_TIMEOUT_S,
            signature_above_fen=SIGNED_ABOVE_FEN,
        )
        hardware.on_traffic = lambda direction, payload: self._traffic(name, terminal_id, direction, payload)
        shop = Shop(self, name, hardware, settings, chance)
        self.examiner.watch(terminal_id, hardware.chips.journal.read, hardware.chips.journal.size_bytes)
        self.host.act(
            "register",
            terminal_id=terminal_id,
            merchant_id=merchant_id,
            serial_number=serial_number,
            model=model.id,
        )
        card = self.host.act("key_card", serial_number=serial_number)
        terminal = await shop.terminal()
        self.secrets[f"the master key of {name}"] = bytes.fromhex(str(card["tmk"]))
        module = terminal.board.secure_module
        module.inject_tmk(bytes.fromhex(str(card["tmk"])), bytes.fromhex(str(card["host_public_key"])))
        self.shops.append(shop)

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
        while True:
            await asyncio.sleep(chance.expovariate(1 / 15.0))
            shop = chance.choice(self.shops)
            if chance.random() < PAYOUT:
                self.host.try_to("payout", merchant_id=shop.settings.merchant_id)
            draws = {kind: chance.random() for kind in PLOTS}
            for kind, plot in PLOTS.items():
                if draws[kind] < self.rates.get(kind, 0.0) and self.ledger.happens(kind, shop.name):
                    plot(self, shop)

    def _heal(self) -> None:
        self.note("world", "heal")
        self.ledger.heal()
        self.network.rates = {}
        self.network.cut_off.clear()
        self.host.database.fill(full=False)
        self.host.rates = self.rates = {}
        for shop in self.shops:
            shop.heal()

    async def _resolve(self, shop: Shop) -> None:
        await self._insist(shop, "reverse")

    async def _settle(self, shop: Shop) -> None:
        await self._insist(shop, "settle")

    async def _insist(self, shop: Shop, flow: str) -> None:
        """Try until it is done: everything is healed, so it must be."""
        for _ in range(TRIES):
            outcome = await shop.play(flow)
            if outcome is not None and outcome.is_good:
                return
            await asyncio.sleep(RETRY_S)
        self.broken(shop.name, f"D3: {flow} is never done: {outcome and outcome.reason}")

    def _traffic(self, name: str, terminal_id: str, direction: Direction, payload: bytes) -> None:
        self.note(name, direction.value, "", payload)
        if direction is Direction.SENT:
            self.examiner.sent(terminal_id, payload)
        else:
            self.examiner.received(terminal_id, payload)

    def _tap(self, writer: Writing, data: bytes) -> None:
        if writer.is_client:
            self.overheard.append(data)
        else:
            self.note("host", "replied", writer.route, data)
            self.examiner.replied(data)

    def _committed(self) -> None:
        changes = self.examiner.look_at_ledger()
        if changes:
            words = ", ".join(
                f"{change.after.get('kind', '')} {change.after.get('state', '')} {change.after.get('stan', '')}".strip()
                for change in changes
                if change.table == "transactions"
            )
            self.note("host", "commit", f"{len(changes)} rows {words}".rstrip())


def _serial_url(name: str) -> str:
    return f"serial:///dev/{name}?baud=9600"


@cache
def _image(model: str) -> bytes:
    return make_image(MODELS[model], MODELS[model].factory_firmware)
