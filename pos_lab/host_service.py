"""A host in this process: store, acquirer and server, wired and taken down again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from firmware_sim.models import MODELS
from host.acquirer import Acquirer
from host.admin.acts import keep_policy
from host.admin.clock import LAB_CLOCK
from host.decision import Insert
from host.policy import Policy
from host.records import DeviceModel, columns
from host.server import Server
from host.store.books import Books
from host.store.database import Store, only_host, open_store
from pos_lab.wall_clock import fresh_bytes, wall_clock


@dataclass(frozen=True, slots=True)
class RunningHost:
    """A host that listens; ``urls`` are its real endpoints, in the order asked for."""

    store: Store
    urls: tuple[str, ...]
    policy: Policy


@asynccontextmanager
async def running_host(
    database: str,
    listen: Sequence[str],
    policy: Policy,
    *,
    lab_clock: bool,
    fresh: Callable[[int], bytes] = fresh_bytes,
) -> AsyncIterator[RunningHost]:
    """Serve until the context ends. Raises StoreError and TransportError before anything listens."""
    store = open_store(database, fresh)
    server = Server(Acquirer(store, policy, wall_clock))
    try:
        with only_host(database):
            store.run(lambda books: keep_policy(books, policy))
            enter_catalogue(store)
            store.run(lambda books: books.add(LAB_CLOCK, int(lab_clock) - books.counter(LAB_CLOCK)))
            urls = tuple([await server.listen(url) for url in listen])
            yield RunningHost(store, urls, policy)
    finally:
        await server.close()
        store.close()


def enter_catalogue(store: Store) -> None:
    """Enter every model of the emulated devices in the host's catalogue, all in one unit; one that is there stays."""

    def unit(books: Books) -> None:
        known = {row["model"] for row in books.rows("models")}
        for model in MODELS.values():
            if model.id not in known:
                row = DeviceModel(model.id, model.brand, model.family.value)
                books.write(Insert("models", columns(row)))

    store.run(unit)
