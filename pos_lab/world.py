"""A host and its terminals, joined: the one place that wires both ends.

A world runs its host in this process over memory pipes, TCP or TLS, or as a process of its own, and acts on it only as
an administrator could. Its terminals are whole devices: hardware that outlives power cuts, and an application rebuilt
from NVRAM at every power-on. Everything that passes on a line is recorded as it passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar
from urllib.parse import quote

from firmware_sim.board import Hardware
from firmware_sim.chip_card import ChipMemory
from firmware_sim.line import Direction
from firmware_sim.models import MODELS
from firmware_sim.power import PowerLost
from host.admin.acts import perform
from host.policy import Policy
from host.store.books import Books
from host.store.database import Store, open_store
from pos_lab.certificates import make_certificates
from pos_lab.host_process import HostProcess
from pos_lab.host_service import running_host
from pos_lab.policy_file import as_yaml
from pos_lab.scenario.model import CastMember, Step
from pos_lab.vendor import VENDOR_PUBLIC_KEY, make_image
from pos_lab.wall_clock import wall_clock
from terminal.app import Terminal
from terminal.settings import Settings

REPLY_TIMEOUT_S: Final = 2.0
ENTRY_TIMEOUT_S: Final = 1.0
"""In a scenario people have keyed, presented and signed before they are asked: who has not, does not."""
ACTOR: Final = "scenario"
BOOTS_MAX: Final = 20
"""How often a device is switched on again whose power goes in the boot."""
_names = count()
Fresh = Callable[[int], bytes]
T = TypeVar("T")


class Over(Enum):
    """How terminals reach the host."""

    MEMORY = "memory"
    TCP = "tcp"
    TLS = "tls"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class RunningElsewhere:
    """A host that somebody else started: its endpoint, and the database by which it is administered."""

    url: str
    database: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A payload that passed on a line, ``at_s`` after the world began."""

    at_s: float
    terminal: str
    direction: Direction
    payload: bytes = field(repr=False)


class Device:
    """One terminal of the cast: its hardware, and its application while the power is on.

    ``on_dark`` is called when its power is known to be gone, ``on_boot`` once an application runs.
    """

    def __init__(self, name: str, member: CastMember, hardware: Hardware, settings: Settings) -> None:
        self.name = name
        self.member = member
        self.hardware = hardware
        self.on_dark: Callable[[], None] = _unwatched
        self.on_boot: Callable[[], None] = _unwatched
        self._settings = settings
        self._terminal: Terminal | None = None

    @property
    def terminal(self) -> Terminal:
        """The application; the device is switched on where it was not yet."""
        return self._terminal or self._boot()

    @property
    def is_used(self) -> bool:
        """Was it ever switched on?"""
        return self._terminal is not None

    @property
    def is_dark(self) -> bool:
        """Was it switched on, and has no power now?"""
        return self._terminal is not None and not self.hardware.power.is_on

    @property
    def has_supply(self) -> bool:
        """Can it be switched on?"""
        return self.hardware.power.is_plugged or bool(self.hardware.power.battery_percent)

    def refurbish(self) -> None:
        """The depot makes it a new device, which nobody has switched on yet."""
        self.hardware.refurbish()
        self._terminal = None

    def power_cycle(self) -> None:
        """The plug is pulled and put back: a new application recovers from NVRAM alone."""
        self.hardware.cut_power()
        self.on_dark()
        self._boot()

    def _boot(self) -> Terminal:
        """Switch it on, again and again where the power goes in the boot. Raises PowerLost where it always does."""
        for left in reversed(range(BOOTS_MAX)):
            try:
                self._terminal = Terminal(self.hardware, self._settings)
                break
            except PowerLost:
                self.on_dark()
                if not left:
                    raise
        assert self._terminal is not None
        self.on_boot()
        return self._terminal


def _unwatched() -> None:
    """Nobody looks."""


class World:
    """Built by ``world``. ``act`` is the administrator, ``devices`` the cast, ``passed`` what went over the lines."""

    def __init__(self, store: Callable[[], Store], url: str, fresh: Fresh) -> None:
        self.url = url
        self.passed: list[Passed] = []
        self.devices: dict[str, Device] = {}
        self.advanced_s = 0
        self.reply_timeout_s = REPLY_TIMEOUT_S
        self._chips: dict[str, ChipMemory] = {}
        self._store = store
        self._fresh = fresh
        self._began = asyncio.get_running_loop().time()

    async def act(self, act: str, **arguments: Any) -> dict[str, object]:
        """An administrative act, durable when it returns. Raises AdminError."""
        return await self.administer(lambda store: perform(store, act, self.clock(), actor=ACTOR, **arguments))

    async def read(self, look: Callable[[Books], Any]) -> Any:
        """What the host's books say."""
        return await self.administer(lambda store: store.run(look))

    async def administer(self, work: Callable[[Store], T]) -> T:
        """Do something with the host's store, durably. Raises what it raises."""
        return await asyncio.to_thread(work, self._store())

    async def advance(self, seconds: int) -> dict[str, object]:
        """Time passes for the host and for every device."""
        result = await self.act("clock_advance", seconds=seconds)
        self.advanced_s += seconds
        return result

    def clock(self) -> datetime:
        """The time without what was ``advance``d."""
        return wall_clock()

    def now(self) -> datetime:
        """The time of this world."""
        return self.clock() + timedelta(seconds=self.advanced_s)

    def endpoint(self, name: str) -> str:
        """Where a device of this name reaches the host."""
        return self.url

    def settings(self, member: CastMember) -> Settings:
        """What a device of the cast is set up with."""
        return Settings(
            terminal_id=member.terminal_id,
            merchant_id=member.merchant_id,
            reply_timeout_s=self.reply_timeout_s,
            entry_timeout_s=ENTRY_TIMEOUT_S,
            manual_entry=member.manual_entry,
        )

    def elapsed_s(self) -> float:
        """Seconds since the world began."""
        return asyncio.get_running_loop().time() - self._began

    def add(self, name: str, member: CastMember) -> Device:
        """A device as its factory ships it: no keys, its own firmware."""
        model = MODELS[member.model]
        hardware = Hardware.make(
            model,
            member.serial_number,
            factory_image=make_image(model, member.firmware),
            vendor_public_key=VENDOR_PUBLIC_KEY,
            url=self.endpoint(name),
            now=self.now,
            fresh=self._fresh,
        )
        hardware.on_traffic = partial(self.record, name)
        hardware.chip_memories = self._chips
        self.devices[name] = Device(name, member, hardware, self.settings(member))
        return self.devices[name]

    async def load_keys(self, name: str) -> None:
        """The depot loads the key card of a device into its secure module."""
        device = self.devices[name]
        card = await self.act("key_card", serial_number=device.member.serial_number)
        tmk, host_key = bytes.fromhex(str(card["tmk"])), bytes.fromhex(str(card["host_public_key"]))
        device.terminal.board.secure_module.inject_tmk(tmk, host_key)

    @contextmanager
    def during(self, step: Step) -> Iterator[list[str]]:
        """Around a step that is played: the names of the faults that happen by themselves meanwhile."""
        yield []

    def close(self) -> None:
        """Every device goes dark."""
        for device in self.devices.values():
            device.hardware.close()

    def record(self, name: str, direction: Direction, payload: bytes) -> None:
        """A payload passes on the line of a device."""
        self.passed.append(Passed(self.elapsed_s(), name, direction, payload))


@asynccontextmanager
async def world(
    cast: Mapping[str, CastMember],
    policy: Policy,
    over: Over | RunningElsewhere,
    directory: Path,
    seed: int,
) -> AsyncIterator[World]:
    """A host in ``directory`` and the cast in front of it; their keys come from ``seed``: they protect nothing.

    Raises StoreError and TransportError.
    """
    fresh = Random(seed).randbytes  # noqa: S311
    async with AsyncExitStack() as stack:
        if isinstance(over, RunningElsewhere):
            store, url = _open_running(stack, over, fresh), over.url
        else:
            store, url = await _OPEN[over](stack, policy, directory / "host.db", fresh)
        built = World(lambda: store, url, fresh)
        stack.callback(built.close)
        for name, member in cast.items():
            built.add(name, member)
        yield built


async def _in_process(
    listen: str, stack: AsyncExitStack, policy: Policy, database: Path, fresh: Fresh
) -> tuple[Store, str]:
    host = running_host(str(database), [listen], policy, lab_clock=True, fresh=fresh)
    running = await stack.enter_async_context(host)
    return running.store, running.urls[0]


async def _in_memory(stack: AsyncExitStack, policy: Policy, database: Path, fresh: Fresh) -> tuple[Store, str]:
    return await _in_process(f"memory:world-{next(_names)}", stack, policy, database, fresh)


async def _over_tcp(stack: AsyncExitStack, policy: Policy, database: Path, fresh: Fresh) -> tuple[Store, str]:
    return await _in_process("tcp://127.0.0.1:0", stack, policy, database, fresh)


async def _over_tls(stack: AsyncExitStack, policy: Policy, database: Path, fresh: Fresh) -> tuple[Store, str]:
    """Both sides show certificates that are made for this world."""
    folder = database.parent
    for name, content in make_certificates(["127.0.0.1"], now=wall_clock(), days=1, fresh=fresh).items():
        (folder / name).write_bytes(content)
    shown = f"ca={quote(str(folder))}/ca.pem&cert={quote(str(folder))}"
    listen = f"tls://127.0.0.1:0?{shown}/host.pem&key={quote(str(folder))}/host.key&client_certificate=yes"
    store, url = await _in_process(listen, stack, policy, database, fresh)
    return store, f"{url}?{shown}/terminal.pem&key={quote(str(folder))}/terminal.key"


async def _as_process(stack: AsyncExitStack, policy: Policy, database: Path, fresh: Fresh) -> tuple[Store, str]:
    written = database.with_suffix(".policy.yaml")
    written.write_text(as_yaml(policy), encoding="utf-8")
    host = await HostProcess.start(database, policy=written)
    stack.push_async_callback(host.stop)
    running = RunningElsewhere(host.url, str(database))
    return _open_running(stack, running, fresh), host.url


def _open_running(stack: AsyncExitStack, running: RunningElsewhere, fresh: Fresh) -> Store:
    store = open_store(running.database, fresh, create=False)
    stack.callback(store.close)
    return store


_OPEN: Final[Mapping[Over, Callable[[AsyncExitStack, Policy, Path, Fresh], Awaitable[tuple[Store, str]]]]] = {
    Over.MEMORY: _in_memory,
    Over.TCP: _over_tcp,
    Over.TLS: _over_tls,
    Over.PROCESS: _as_process,
}
