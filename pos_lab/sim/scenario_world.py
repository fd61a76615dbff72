"""The world of a scenario in virtual time: its host, its cast and its network, all on one seed.

Rules owned here: a scenario begins at BEGINS, by day, whatever the day is; the administrator waits for a host that is
down, and what he does himself is never at risk; what happens by itself is decided by the ``Fates`` that the world is
given.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final, Protocol, TypeVar, cast

from firmware_sim.board import Hardware
from firmware_sim.display import Shown
from firmware_sim.line import Direction
from firmware_sim.power import Cut
from host.errors import StoreError
from host.policy import Policy
from host.store.database import Store
from pos_lab.scenario.model import CastMember, Step
from pos_lab.sim.acquirer import ADDRESS, SimHost
from pos_lab.sim.attack import ON_PATH
from pos_lab.sim.chance import Streams
from pos_lab.sim.checker.examiner import Examiner
from pos_lab.sim.device import DEVICE_FAULTS
from pos_lab.sim.log import Event, EventLog
from pos_lab.sim.loop import SimLoop
from pos_lab.sim.net import Network, Writing
from pos_lab.sim.occasions import AT_HOST, AT_ONCE, AT_ONCE_WITHIN_S, AT_STEP, HOST
from pos_lab.sim.plots import PLOTS
from pos_lab.sim.weather import CONNECTING
from pos_lab.sim.world import BEGINNINGS, OVERHEARD
from pos_lab.world import REPLY_TIMEOUT_S, Device, World
from terminal.outcome import Outcome

T = TypeVar("T")
BEGINS: Final = BEGINNINGS[0]
SHORTEST_BYTES: Final = 13
"""What is shorter is no message: strangers do not remember it."""
RECEIVED: Final = "line.receive"
SHOWN: Final = "display.show"
REPLIED: Final = "host.reply"
"""Points that the world notices besides those of ``Power``."""
ALWAYS: Final = 1.0
"""A rate by which every occasion is asked about; the fates decide."""


class Fates(Protocol):
    """Who decides what happens. A device's name, or ``host``, says where."""

    def happens(self, kind: str, where: str) -> bool:
        """Is this occasion of a kind of fault one at which it happens?"""

    def cut(self, name: str, point: str) -> Cut | None:
        """Does the power of a device go at this point of ``Power``?"""

    def noticed(self, where: str, point: str) -> bool:
        """Does a device, or the host, die behind RECEIVED, SHOWN or REPLIED?"""


class Calm:
    """Nothing happens."""

    def happens(self, kind: str, where: str) -> bool:
        """It does not."""
        return False

    def cut(self, name: str, point: str) -> Cut | None:
        """It does not."""
        return None

    def noticed(self, where: str, point: str) -> bool:
        """It does not."""
        return False


class ScenarioHost(SimHost):
    """The host of a scenario, whose administrators are never interrupted."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._back = asyncio.Event()

    async def start(self) -> None:
        """Serve from the database as it stands."""
        await super().start()
        self._back.set()

    def die(self) -> None:
        """Kill it now, and bring it back after a while."""
        self._back.clear()
        super().die()

    async def up(self) -> None:
        """Wait until it is up."""
        await self._back.wait()

    @property
    def store(self) -> Store:
        """The store; StoreError where the host is down."""
        if self._store is None or not self.is_up:
            raise StoreError("the host is down")
        return self._store

    @contextmanager
    def at_peace(self) -> Iterator[Store]:
        """The store, while nothing happens to it."""
        rates, self.rates = self.rates, {}
        try:
            yield self.store
        finally:
            self.rates = rates


class ScenarioWorld(World):
    """Made on a loop, for ``opened``. ``log`` is what happened, ``fates`` who decides what shall."""

    def __init__(self, loop: SimLoop, seed: int, policy: Policy, fates: Fates) -> None:
        self.loop = loop
        self.streams = Streams(seed)
        self.chance = self.streams.of("world")
        self.log = EventLog()
        self.fates = fates
        self.overheard: deque[bytes] = deque(maxlen=OVERHEARD)
        self.guests: set[asyncio.Task[None]] = set()
        self.network = Network(
            loop,
            self.streams.of,
            reply_timeout_s=REPLY_TIMEOUT_S,
            happens=lambda kind, where: self.fates.happens(kind, where),
            tap=self._tap,
            faults=ON_PATH,
        )
        self.host = ScenarioHost(
            self.network,
            self.streams.of("host"),
            clock=self.clock,
            policy=policy,
            committed=self.committed,
            sometimes=_uncounted,
        )
        self.examiner = self.host.examiner = Examiner(
            self.host.database.driver,
            now_s=lambda: int(self.now().timestamp()),
            completion_percent=policy.preauth.completion_percent,
        )
        self._heard: dict[str, tuple[list[Outcome], int]] = {}
        super().__init__(lambda: self.host.store, "", self.streams.of("fresh").randbytes)

    def clock(self) -> datetime:
        """The time without what was ``advance``d."""
        return BEGINS + timedelta(seconds=self.loop.time())

    def endpoint(self, name: str) -> str:
        """Where a device of this name reaches the host."""
        host, port = ADDRESS
        return f"tcp://{name}.{host}:{port}"

    def place_of(self, step: Step) -> str:
        """The device at which a step is played; the first one where it is the acquirer's; "" without a cast."""
        name = getattr(step.arguments, "terminal", "")
        return name if name in self.devices else next(iter(self.devices), "")

    def expose(self, kinds: Collection[str]) -> None:
        """From here on ask the fates about these kinds of fault, at each of their occasions."""
        on_line = {*self.network.faults, *CONNECTING}
        self.network.rates = dict.fromkeys(sorted(on_line & set(kinds)), ALWAYS)
        self.host.rates = dict.fromkeys(sorted(AT_HOST.keys() & set(kinds)), ALWAYS)

    def begin_step(self, name: str) -> None:
        """Bring about what happens at the beginning of a step at a device, or of one without a device."""
        for kind in sorted(AT_STEP):
            where = HOST if AT_STEP[kind].target == HOST else name
            if where and self.fates.happens(kind, where):
                self._bring_about(kind, name)

    def _bring_about(self, kind: str, name: str) -> None:
        if kind in PLOTS:
            PLOTS[kind].happen(cast(Any, self), cast(Any, _Shop(name)))
        elif kind in DEVICE_FAULTS and kind != AT_ONCE:
            DEVICE_FAULTS[kind].strike(cast(Any, _Machine(self.devices[name].hardware, self.chance)))
        else:
            self.loop.call_later(self.chance.uniform(0, AT_ONCE_WITHIN_S), self._pull, name)

    def _pull(self, name: str) -> None:
        if self.devices[name].hardware.power.is_on:
            self.devices[name].hardware.power.cut()

    def heal(self) -> None:
        """From here on nothing happens by itself."""
        self.note("world", "heal")
        self.expose(())
        self.network.cut_off.clear()
        self.host.database.fill(full=False)
        for device in self.devices.values():
            device.hardware.power.spare()
            device.hardware.power.plug()
            for point in device.hardware.faults.armed:
                device.hardware.faults.disarm(point)
            device.hardware.faults.expose({}, self.chance)

    async def administer(self, work: Callable[[Store], T]) -> T:
        """Do something with the host's store, once the host is up. Raises what it raises."""
        await self.host.up()
        with self.host.at_peace() as store:
            return work(store)

    def add(self, name: str, member: CastMember) -> Device:
        """A device as its factory ships it, watched."""
        device = super().add(name, member)
        hardware = device.hardware
        hardware.power.fate = partial(self._fate, name)
        hardware.shown = _Screen(partial(self._notice, name, SHOWN))
        device.on_dark = partial(self.went_dark, device)
        device.on_boot = partial(self.booted, device)
        return device

    def note(self, who: str, what: str, words: str = "", payload: bytes = b"") -> None:
        """Write a line of the log."""
        self.log.write(Event(self.loop.time(), who, what, words, payload))

    def record(self, name: str, direction: Direction, payload: bytes) -> None:
        """A payload passes on the line of a device."""
        super().record(name, direction, payload)
        self.note(name, direction.value, "", payload)
        if direction is Direction.RECEIVED:
            self._notice(name, RECEIVED)

    def went_dark(self, device: Device) -> None:
        """The power of a device is gone."""
        self.hear()
        self.note(device.name, "dark")

    def booted(self, device: Device) -> None:
        """A device runs."""
        self.hear()
        self._heard[device.name] = (device.terminal.told, 0)
        self.note(device.name, "boot", f"epoch {device.hardware.power.epoch}")

    def hear(self) -> None:
        """Listen to what cashiers were told since the last time."""
        for name, (told, seen) in list(self._heard.items()):
            self._heard[name] = (told, len(told))
            for outcome in told[seen:]:
                self.told(name, outcome)

    def told(self, name: str, outcome: Outcome) -> None:
        """A cashier was told something."""
        self.note(name, "told", f"{outcome.flow} {outcome.result} {outcome.reason or outcome.code} {outcome.stan}")

    def replied(self, route: str, data: bytes, line: str) -> None:
        """The host lets bytes go on a connection."""
        self.note(HOST, "replied", route, data)

    def committed(self) -> None:
        """The host has committed something."""
        self.note(HOST, "commit")

    def _fate(self, name: str, point: str) -> Cut | None:
        return self.fates.cut(name, point)

    def _notice(self, name: str, point: str) -> None:
        power = self.devices[name].hardware.power
        if power.is_on and self.fates.noticed(name, point):
            power.cut()

    def _tap(self, writer: Writing, data: bytes) -> None:
        if writer.is_client:
            if len(data) > SHORTEST_BYTES:
                self.overheard.append(data)
            return
        self.replied(writer.route, data, str(writer.get_extra_info("peername")))
        if self.fates.noticed(HOST, REPLIED):
            self.loop.call_soon(self._kill_host)

    def _kill_host(self) -> None:
        if self.host.is_up:
            self.host.die()


@dataclass(frozen=True, slots=True)
class _Shop:
    """What a plot on lines or on the host has to know of a shop."""

    name: str


@dataclass(frozen=True, slots=True)
class _Machine:
    """What befalls a clock has to know of a device."""

    hardware: Hardware
    chance: Random


class _Screen(list[Shown]):
    """What a device showed; ``notice`` is called behind each screen."""

    def __init__(self, notice: Callable[[], None]) -> None:
        super().__init__()
        self._notice = notice

    def append(self, shown: Shown) -> None:
        """Keep a screen."""
        super().append(shown)
        self._notice()


def _uncounted(marker: str) -> None:
    """Markers say how rich drawn worlds are: a scenario is what it is."""


W = TypeVar("W", bound=ScenarioWorld)


@asynccontextmanager
async def opened(built: W, cast: Mapping[str, CastMember]) -> AsyncIterator[W]:
    """The host serves, and the cast stands in front of it."""
    await built.host.start()
    try:
        for name, member in cast.items():
            built.add(name, member)
        yield built
    finally:
        built.close()
