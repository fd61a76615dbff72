"""PostgreSQL: several hosts on one database, each with one connection that writes.

Rules owned here: the order in which locks are taken, so that hosts never wait for each other in a circle (first the
whole database, shared or alone, then the keys by number); that a commit is synchronous; how hosts learn that rows were
written which they may have kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from host.errors import StoreError
from host.store.backend import Backend, Keys
from host.store.schema import NUMBERS_AT_ONCE

SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")
CONNECT_TIMEOUT_S: Final = 5
LOCK_TIMEOUT_MS: Final = 10_000
IDLE_TIMEOUT_MS: Final = 60_000
_DATABASE: Final = 0x706F736C6162
"""The key of the database as a whole, beside the hashes of the others."""
_PASSING: Final = frozenset({"40001", "40P01"})
_ALONE: Final = "SELECT pg_advisory_xact_lock(%s)"
_SHARED: Final = "SELECT pg_advisory_xact_lock_shared(%s)"
_EACH: Final = "SELECT count(pg_advisory_xact_lock(key)) FROM unnest(%s::bigint[]) AS key"
_IDLE: Final = 0


class Postgresql(Backend):
    """A database of a server, by its URL."""

    dialect = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]
    units_per_commit = 128
    is_shared = True

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError:
            hint = "pip install 'pos-lab[postgresql]'"
            raise StoreError("PostgreSQL is spoken by psycopg, which is not installed", hint=hint) from None
        try:
            parsed = make_url(url).set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError):
            raise StoreError("it is no URL of a database", hint="postgresql://user@host/database") from None
        self.errors = (SQLAlchemyError, psycopg.Error)
        self.name = parsed.set(drivername="postgresql").render_as_string(hide_password=True)
        self.key_file = Path(f"{parsed.database or 'poslab'}.key")
        self._url = parsed
        self._broken = (psycopg.OperationalError, psycopg.InterfaceError)

    def look(self, *, create: bool) -> None:
        """The server says whether it is there, when it is asked."""

    def is_new(self, connection: Connection) -> bool:
        """No table of anybody's, in the schema that is used."""
        return not inspect(connection).get_table_names()

    def engine(self) -> Engine:
        """Connections that commit synchronously, and whose locks nobody waits for without end."""
        return self._engine({})

    def reading(self) -> Engine:
        """One view a transaction, and no writing."""
        only = {"default_transaction_read_only": "on", "default_transaction_isolation": r"repeatable\ read"}
        return self._engine(only)

    def _engine(self, more: Mapping[str, str]) -> Engine:
        settings = {
            **more,
            "synchronous_commit": "on",
            "lock_timeout": LOCK_TIMEOUT_MS,
            "idle_in_transaction_session_timeout": IDLE_TIMEOUT_MS,
            "client_min_messages": "error",
        }
        told = {
            "application_name": "poslab",
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        }
        engine = create_engine(self._url, connect_args=told, pool_size=1)
        event.listen(engine, "connect", _prepare_often)
        return engine

    def preparing(self, connection: Connection) -> None:
        """Alone: two hosts that start at once must not both make the tables."""
        connection.exec_driver_sql(_ALONE, (_DATABASE,))
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        if encoding != "UTF8":
            raise StoreError(f"its encoding is {encoding}", hint="make it with: createdb --encoding UTF8 NAME")

    def lock(self, driver: Any, keys: Iterable[Keys | None]) -> None:
        """Until the commit. What waits for one of them reads afterwards what was committed."""
        named, everything = set[str](), False
        for some in keys:
            if some is None:
                everything = True
            else:
                named |= some
        if everything:
            driver.execute(_ALONE, [_DATABASE])
            return
        driver.execute(_SHARED, [_DATABASE])
        if named:
            driver.execute(_EACH, [sorted(_number(key) for key in named)])

    def generation(self, driver: Any) -> int:
        """How often hosts have told each other; no transaction holds that back."""
        return int(driver.execute("SELECT last_value FROM changes").fetchone()[0])

    def bump(self, driver: Any) -> int | None:
        """Who reads rows under keys that we have locked waits for our commit first, and sees it then."""
        return int(driver.execute("SELECT nextval('changes')").fetchone()[0])

    def take_numbers(self, driver: Any) -> range:
        """From the sequence ``numbers``, which no transaction holds back and none gives back."""
        begin = int(driver.execute("SELECT nextval('numbers')").fetchone()[0])
        return range(begin, begin + NUMBERS_AT_ONCE)

    def numbers_taken(self, driver: Any) -> int:
        """Where the sequence ``numbers`` stands."""
        return int(driver.execute("SELECT last_value FROM numbers").fetchone()[0])

    def in_transaction(self, driver: Any) -> bool:
        """A failed statement fails the transaction, but a savepoint saves it."""
        return not driver.closed and int(driver.info.transaction_status) != _IDLE

    def passes(self, error: BaseException) -> bool:
        """A deadlock, should there ever be one."""
        return _state(error) in _PASSING

    def is_lost(self, error: BaseException) -> bool:
        """The server went away, or hung up."""
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return True
        state = _state(error)
        cause = getattr(error, "orig", None) or error
        return isinstance(cause, self._broken) and (not state or state.startswith(("08", "57P", "25P03", "58")))

    def is_undone(self, error: BaseException) -> bool:
        """Whatever the server itself says is about a transaction that it has undone."""
        return bool(_state(error)) and not self.is_lost(error)

    def assure(self) -> None:
        """The server knows where it keeps its files."""

    def only_host(self) -> AbstractContextManager[None]:
        """Any number of them."""
        return nullcontext()


def _prepare_often(connection: Any, record: object) -> None:
    connection.prepare_threshold = 2
    connection.prepared_max = 500


def _state(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return getattr(cause, "sqlstate", None) or ""


def _number(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest(), "big", signed=True)
