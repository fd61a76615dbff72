"""The host of a world: the real server and store over a database in memory, which dies and comes back.

Rules owned here: a host that dies takes its process with it, not its disk: what was committed is there, what was not
never was; its connections are reset, or silent where the whole machine went; it comes back after a while. No
``finally`` of the host runs when it dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from random import Random
from typing import Any, Final, cast

from host.acquirer import CLOCK_OFFSET
from host.admin.acts import perform
from host.admin.clock import LAB_CLOCK
from host.admin.rules import keep_policy
from host.errors import AdminError, StoreError
from host.jobs import keep_running
from host.keys import KeyDesk
from host.policy import Policy
from host.server import Server
from host.store.books import Books
from host.store.database import Store
from host.store.memory import DiskBusy, DiskFailed, MemoryDatabase
from pos_lab.host_service import enter_catalogue
from pos_lab.sim.checker.examiner import Examiner
from pos_lab.sim.net import Network, SimTransport
from pos_lab.sim.overheard import Overheard
from pos_lab.sim.uart import Uarts

ADDRESS: Final = ("host", 8583)
BACKUP_ADDRESS: Final = ("backup", 8583)
"""The same host by another way."""
NAME: Final = "host"
COMMIT_S: Final = (0.0005, 0.010)
DOWN_S: Final = (0.5, 90.0)
CRASHES: Final[Mapping[str, str]] = {
    "before_commit": "host.crash_before_commit",
    "after_commit": "host.crash_after_commit",
}
CRASH_IN_JOB: Final = "host.crash_in_job"
JOBS_EVERY_S: Final = 600.0
PAGE_BYTES: Final = 4096
"""How the database is laid out."""
BUSY: Final = "disk.busy"
FAILURES: Final[Mapping[str, str]] = {"before_commit": "disk.commit_fails", "after_commit": "disk.commit_unknown"}


class HostDied(BaseException):
    """The process is gone; not an Exception, for nobody may handle it and go on."""


class Defect(Exception):
    """A defect of the host's own code, in the middle of a request."""


DEFECTS: Final[Mapping[str, type[Exception]]] = {"host.exception": Defect, "host.out_of_memory": MemoryError}
"""Kind of fault -> what the host's code runs into where it asks for the time."""


class _JobsStore:
    """The store as the host's jobs see it, who are noticed when they write."""

    def __init__(self, store: Store, noticed: Callable[[], None]) -> None:
        self._store = store
        self._noticed = noticed
        self.keys: KeyDesk = store.keys
        self.read = store.read

    def submit(self, unit: Callable[[Books], Any]) -> Any:
        """Run a unit in the next group commit."""

        def noticed(books: Books) -> Any:
            self._noticed()
            return unit(books)

        return self._store.submit(noticed)


class SimHost:
    """Built by a world. ``clock`` is the host's, ``rates`` how often which fault comes, ``sometimes`` notes markers.

    ``committed`` is called after each commit; ``examiner`` has to be there before it starts; ``lines`` are the serial
    lines that it serves from its start on.
    """

    examiner: Examiner

    def __init__(
        self,
        network: Network,
        chance: Random,
        *,
        clock: Callable[[], datetime],
        policy: Policy,
        committed: Callable[[], None],
        sometimes: Callable[[str], None],
    ) -> None:
        self.rates: Mapping[str, float] = {}
        self.is_up = False
        self.deaths = 0
        self.has_said_no = False
        self.lines: list[str] = []
        self._network = network
        self._uarts = Uarts(network)
        self._chance = chance
        self._clock = clock
        self._policy = policy
        self._committed = committed
        self._sometimes = sometimes
        self._in_job = False
        self._jobs: asyncio.Task[None] | None = None
        self.database = MemoryDatabase(chance.randbytes, _founded(policy))
        self._store: Store | None = None

    async def start(self) -> None:
        """Serve from the database as it stands."""
        self._store = store = self.database.open(self._schedule, self._passes)
        self.is_up = True
        self.examiner.forget_questions()
        self._acquirer = Overheard(store, self._policy, self._time_of_requests, self.examiner.asked)
        server = Server(self._acquirer)
        for url in (*(f"tcp://{host}:{port}" for host, port in (ADDRESS, BACKUP_ADDRESS)), *self.lines):
            await server.listen(url)
        jobs = cast("Store", _JobsStore(store, self._job_writes))
        self._jobs = asyncio.ensure_future(keep_running(jobs, self._clock, JOBS_EVERY_S))

    def now(self) -> datetime:
        """The time of the host, which an administrator may have moved on."""
        offset = next(iter(self.database.driver.execute(_OFFSET)), (0,))[0]
        return self._clock() + timedelta(seconds=offset)

    @property
    def written(self) -> bytes:
        """The pages of the database that are not as they were when it was founded."""
        image, founded = self.database.image, _founded(self._policy)
        begins = range(0, len(image), PAGE_BYTES)
        pages = ((image[at : at + PAGE_BYTES], founded[at : at + PAGE_BYTES]) for at in begins)
        return b"".join(page for page, before in pages if page != before)

    def act(self, act: str, /, **arguments: Any) -> dict[str, object]:
        """An administrative act; raises AdminError, and StoreError where the host is down or its disk fails."""
        if self._store is None or not self.is_up:
            raise StoreError("the host is down")
        try:
            return perform(self._store, act, self._clock(), **arguments)
        except HostDied:
            self.die()
            raise StoreError("the host died") from None

    def try_to(self, act: str, /, **arguments: Any) -> bool:
        """An act that the state of things may forbid; whether it was done. ``has_said_no`` says that they did."""
        return self.ask(act, **arguments) is not None

    def ask(self, act: str, /, **arguments: Any) -> dict[str, object] | None:
        """The same, with what it tells; None where it was not done."""
        self.has_said_no = False
        try:
            return self.act(act, **arguments)
        except AdminError:
            self.has_said_no = True
        except StoreError:
            self.has_said_no = False
        return None

    def die(self) -> None:
        """Kill it now, and bring it back after a while."""
        self.is_up = False
        self.deaths += 1
        self.database.kill()
        if self._jobs is not None:
            self._jobs.cancel()
        for address in (ADDRESS, BACKUP_ADDRESS):
            self._network.unlisten(*address)
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

    def _time_of_requests(self) -> datetime:
        """What the code that decides a request sees of the clock: a defect there may come out instead."""
        if self.database.driver.in_transaction:
            for kind, defect in DEFECTS.items():
                if self._strikes(kind):
                    raise defect
        return self._clock()

    def _job_writes(self) -> None:
        self._in_job = True
        self._sometimes("job_ran")

    def _passes(self, point: str) -> None:
        in_job = self._in_job
        if point == "after_commit":
            self._in_job = False
            self._committed()
        if in_job and self._strikes(CRASH_IN_JOB):
            self._sometimes("host_died_in_job")
            raise HostDied
        if self._strikes(CRASHES[point]):
            raise HostDied
        if point == "before_commit" and self._strikes(BUSY):
            self._acquirer.commit_failed(is_known=True)
            raise DiskBusy
        if self._strikes(FAILURES[point]):
            self._acquirer.commit_failed(is_known=False)
            raise DiskFailed

    def _strikes(self, kind: str) -> bool:
        rate = self.rates.get(kind, 0.0)
        return bool(rate) and self._chance.random() < rate and self._network.happens(kind, NAME)


_OFFSET: Final = f"SELECT value FROM counters WHERE name = '{CLOCK_OFFSET}'"  # noqa: S608


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
