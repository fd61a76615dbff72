"""The host of a world: the real server and store over a database in memory, which dies and comes back.

Rules owned here: a host that dies takes its process with it, not its disk: what was committed is there, what was not
never was; its connections are reset, or silent where the whole machine went; it comes back after a while. No
``finally`` of the host runs when it dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from random import Random
from typing import Any, Final

from host.acquirer import Acquirer
from host.admin.acts import perform
from host.admin.clock import LAB_CLOCK
from host.admin.rules import keep_policy
from host.errors import AdminError, StoreError
from host.policy import Policy
from host.server import Server
from host.store.database import Store
from host.store.memory import DiskFailed, MemoryDatabase
from pos_lab.host_service import enter_catalogue
from pos_lab.sim.net import Network, SimTransport
from pos_lab.sim.uart import Uarts

ADDRESS: Final = ("host", 8583)
NAME: Final = "host"
COMMIT_S: Final = (0.0005, 0.010)
DOWN_S: Final = (0.5, 90.0)
CRASHES: Final[Mapping[str, str]] = {
    "before_commit": "host.crash_before_commit",
    "after_commit": "host.crash_after_commit",
}
FAILURES: Final[Mapping[str, str]] = {"before_commit": "disk.commit_fails", "after_commit": "disk.commit_unknown"}


class HostDied(BaseException):
    """The process is gone; not an Exception, for nobody may handle it and go on."""


class SimHost:
    """Built by a world. ``clock`` is the host's, ``rates`` how often which fault comes.

    ``committed`` is called after each commit; ``lines`` are the serial lines that it serves from its start on.
    """

    def __init__(
        self,
        network: Network,
        chance: Random,
        *,
        clock: Callable[[], datetime],
        policy: Policy,
        committed: Callable[[], None],
    ) -> None:
        self.rates: Mapping[str, float] = {}
        self.is_up = False
        self.deaths = 0
        self.lines: list[str] = []
        self._network = network
        self._uarts = Uarts(network)
        self._chance = chance
        self._clock = clock
        self._policy = policy
        self._committed = committed
        self.database = MemoryDatabase(chance.randbytes, _founded(policy))
        self._store: Store | None = None

    async def start(self) -> None:
        """Serve from the database as it stands."""
        self._store = store = self.database.open(self._schedule, self._passes)
        self.is_up = True
        server = Server(Acquirer(store, self._policy, self._clock))
        host, port = ADDRESS
        for url in (f"tcp://{host}:{port}", *self.lines):
            await server.listen(url)

    def act(self, act: str, **arguments: Any) -> dict[str, object]:
        """An administrative act; raises AdminError, and StoreError where the host is down or its disk fails."""
        if self._store is None or not self.is_up:
            raise StoreError("the host is down")
        try:
            return perform(self._store, act, self._clock(), policy=self._policy, **arguments)
        except HostDied:
            self.die()
            raise StoreError("the host died") from None

    def try_to(self, act: str, **arguments: Any) -> bool:
        """An act that the state of things may forbid; whether it was done."""
        try:
            self.act(act, **arguments)
        except (AdminError, StoreError):
            return False
        return True

    def die(self) -> None:
        """Kill it now, and bring it back after a while."""
        self.is_up = False
        self.deaths += 1
        self.database.kill()
        self._network.unlisten(*ADDRESS)
        self._uarts.unplug_host()
        self._network.sever(only=_is_hosts, reset=self._chance.random() < 0.7)
        down_s = self._chance.uniform(*DOWN_S)
        self._network.loop.call_later(down_s, self._come_back)

    def _come_back(self) -> None:
        if not self.is_up:
            starting = asyncio.ensure_future(self.start())
            starting.add_done_callback(_raise)

    def _schedule(self, flush: Callable[[], None]) -> None:
        delay_s = self._chance.uniform(*COMMIT_S)
        if self._strikes("disk.slow"):
            delay_s += self._chance.uniform(1.0, 60.0)
        self._network.loop.call_later(delay_s, partial(self._flush, flush))

    def _flush(self, flush: Callable[[], None]) -> None:
        try:
            flush()
        except HostDied:
            self.die()

    def _passes(self, point: str) -> None:
        if point == "after_commit":
            self._committed()
        if self._strikes(CRASHES[point]):
            raise HostDied
        if self._strikes(FAILURES[point]):
            raise DiskFailed

    def _strikes(self, kind: str) -> bool:
        rate = self.rates.get(kind, 0.0)
        return bool(rate) and self._chance.random() < rate and self._network.happens(kind, NAME)


@cache
def _founded(policy: Policy) -> bytes:
    """The database of a host that has its policy and its catalogue, and no terminal yet."""
    database = MemoryDatabase(Random(0).randbytes)  # noqa: S311
    store = database.open(lambda flush: flush(), lambda point: None)
    store.run(lambda books: keep_policy(books, policy))
    store.run(lambda books: books.add(LAB_CLOCK, 1))
    enter_catalogue(store)
    image = database.image
    database.close()
    return image


def _is_hosts(transport: SimTransport) -> bool:
    return not transport.is_client


def _raise(done: asyncio.Future[None]) -> None:
    done.result()
