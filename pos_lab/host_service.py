"""A host in this process: store, acquirer and server, wired and taken down again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.models import MODELS, Model
from host.acquirer import Acquirer
from host.admin.clock import LAB_CLOCK
from host.admin.office import Office
from host.admin.rules import host_policy, keep_policy
from host.decision import Insert
from host.errors import StoreError
from host.jobs import keep_running
from host.policy import DAY_S, Policy
from host.records import DeviceModel, columns
from host.server import Server
from host.store.books import Books
from host.store.database import Store, only_host, open_store
from host.written import moment_at
from pos_lab.wall_clock import fresh_bytes, wall_clock


@dataclass(frozen=True, slots=True)
class RunningHost:
    """A host that listens; ``urls`` are its real endpoints, in the order asked for, ``api_url`` that of its API."""

    store: Store
    urls: tuple[str, ...]
    api_url: str = ""


@dataclass(frozen=True, slots=True)
class ApiSetting:
    """Where the API listens, ``host:port``, and whether other machines may reach it."""

    address: str
    public: bool = False


@asynccontextmanager
async def running_host(
    database: str,
    listen: Sequence[str],
    policy: Policy | None,
    *,
    lab_clock: bool,
    fresh: Callable[[int], bytes] = fresh_bytes,
    key_file: Path | None = None,
    api: ApiSetting | None = None,
) -> AsyncIterator[RunningHost]:
    """Serve until the context ends, under the rules given, else under those that were in force last.

    Raises StoreError, AdminError and TransportError before anything listens.
    """
    store = open_store(database, fresh, key_file=key_file)
    acquirer = Acquirer(store, policy or Policy(), wall_clock)
    server = Server(acquirer)
    try:
        with only_host(database):
            _verify_audit(store)
            publish(store, policy or store.run(host_policy))
            enter_catalogue(store)
            store.run(lambda books: books.add(LAB_CLOCK, int(lab_clock) - books.counter(LAB_CLOCK)))
            urls = tuple([await server.listen(url) for url in listen])
            async with _jobs(store), _api(Office(store, wall_clock, acquirer.tally), api) as api_url:
                yield RunningHost(store, urls, api_url)
    finally:
        await server.close()
        store.close()


@asynccontextmanager
async def _jobs(store: Store) -> AsyncIterator[None]:
    """What falls due is done as long as the context lasts."""
    running = asyncio.create_task(keep_running(store, wall_clock))
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@asynccontextmanager
async def _api(office: Office, api: ApiSetting | None) -> AsyncIterator[str]:
    if api is None:
        yield ""
        return
    from host.web.serving import serving_api  # which takes a third of a second to import

    async with serving_api(office, api.address, public=api.public) as url:
        yield url


def _verify_audit(store: Store) -> None:
    """Refuse to serve from a database whose audit somebody has worked on (faults H08, O13)."""
    breaches = store.read(lambda books: books.breaches(store.keys)).result()
    if breaches:
        raise StoreError(
            f"the audit is broken: {breaches[0]}", hint="poslab admin audit verify lists all; restore a backup"
        )


def publish(store: Store, policy: Policy) -> int:
    """Put rules in force, unless they are; the version then in force. A host takes them over between two requests."""
    return store.run(lambda books: keep_policy(books, policy, int(wall_clock().timestamp())))


def described(model: Model) -> DeviceModel:
    """A model of the catalogue as the host knows it, with what its hardware can do and its certificate."""
    able = {name: getattr(model, name) for name in ("magnetic", "chip", "contactless", "printer", "signature_pad")}
    able |= {"sm4": model.sm4, "update_in_place": model.update_in_place}
    return DeviceModel(
        model.id,
        model.brand,
        model.family.value,
        security_level=model.security_level,
        capabilities=" ".join(name for name, has in able.items() if has),
        certificate=model.certificate,
        certificate_until=moment_at(model.certificate_expires.isoformat()) + DAY_S,
    )


def enter_catalogue(store: Store) -> None:
    """Enter every model of the emulated devices in the host's catalogue, all in one unit; one that is there stays."""

    def unit(books: Books) -> None:
        known = {row["model"] for row in books.rows("models")}
        for model in MODELS.values():
            if model.id not in known:
                books.write(Insert("models", columns(described(model))))

    store.run(unit)
