"""Opening a database: SQLite in WAL mode with full synchronisation, so that what is committed survives a kill.

A database belongs to the host whose master key sealed its secrets; the key lies beside the file, readable by its owner
alone.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect

from host.decision import Insert
from host.errors import StoreError
from host.keys import Fresh, KeyDesk
from host.store.books import Books
from host.store.schema import METADATA, SCHEMA_VERSION
from host.store.writer import DATABASE_ERRORS, Writer, store_error
from protocol.crypto.vault import KEY_BYTES
from protocol.errors import KeyLoadError

T = TypeVar("T")
BUSY_TIMEOUT_MS: Final = 10_000
_PREFIX: Final = "sqlite:///"
_MAGIC: Final = b"SQLite format 3\0"


def database_path(url: str) -> Path:
    """The file of a ``sqlite:///`` URL or of a plain path. Raises StoreError for another kind of database."""
    if "://" in url and not url.startswith(_PREFIX):
        raise StoreError(f"{url!r} is no SQLite file", hint="give a path or sqlite:///path")
    return Path(url.removeprefix(_PREFIX))


@contextmanager
def only_host(url: str) -> Iterator[None]:
    """Be the one host on a database; administrators may work on it meanwhile. Raises StoreError where there is one."""
    path = database_path(url)
    with open(path.with_name(path.name + ".host"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"another host runs on the database {path}", hint="one host to a database") from None
        yield


class Store:
    """An open database. ``run`` and ``submit`` take units; ``keys`` uses the secrets that it holds."""

    def __init__(self, engine: Engine, keys: KeyDesk) -> None:
        self._engine = engine
        self._writer = Writer(engine)
        self.keys = keys

    def submit(self, unit: Callable[[Books], T]) -> Future[T]:
        """Run a unit in the next group commit."""
        return self._writer.submit(unit)

    def run(self, unit: Callable[[Books], T]) -> T:
        """Run a unit and wait until it is durable."""
        return self._writer.submit(unit).result()

    def close(self) -> None:
        """Finish what was submitted and let the file go."""
        self._writer.close()
        self._engine.dispose()


def open_store(url: str, fresh: Fresh, *, create: bool = True) -> Store:
    """Open a database, making it where it is not there. Raises StoreError that names the file."""
    path = database_path(url)
    if not create and not path.exists():
        raise StoreError(f"there is no database {path}", hint="start poslab host with this --db first")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _look_at(path)
        keys = KeyDesk(_master_key(path, fresh), fresh)
    except OSError as error:
        raise StoreError(f"the database {path} cannot be used: {error.strerror}") from None
    engine = create_engine(f"{_PREFIX}{path}", connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            _prepare(Books(connection), keys, connection)
    except (*DATABASE_ERRORS, StoreError, KeyLoadError) as error:
        engine.dispose()
        told = store_error(error) if isinstance(error, DATABASE_ERRORS) else error
        raise StoreError(f"the database {path} cannot be used: {told.message}", hint=told.hint) from None
    return Store(engine, keys)


def _prepare(books: Books, keys: KeyDesk, connection: Connection) -> None:
    if not inspect(connection).get_table_names():
        METADATA.create_all(connection)
        books.add("schema", SCHEMA_VERSION)
        books.write(Insert("secrets", {"name": "signing", "sealed": keys.new_signing_key()}))
    elif (version := books.counter("schema")) != SCHEMA_VERSION:
        raise StoreError(f"it has schema {version}, this program reads {SCHEMA_VERSION}")
    keys.signing_key(books.secret("signing"))


def _look_at(path: Path) -> None:
    """Refuse what was never a database before a key is looked for, or made, beside it."""
    if path.is_dir():
        raise StoreError(f"the database {path} cannot be used: it is a directory")
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
        if head not in (b"", _MAGIC):
            raise StoreError(f"the database {path} cannot be used: it is no SQLite file")


def _master_key(path: Path, fresh: Fresh) -> bytes:
    key_path = path.with_name(path.name + ".key")
    if not key_path.exists():
        if path.exists() and path.stat().st_size:
            raise StoreError(f"the key file {key_path} is missing", hint="without it the keys in the database are lost")
        descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(fresh(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
    key = key_path.read_bytes()
    if len(key) != KEY_BYTES:
        raise StoreError(f"the key file {key_path} holds {len(key)} bytes, not {KEY_BYTES}")
    return key


def _configure(connection: sqlite3.Connection, record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
