"""SQLite: WAL with full synchronisation, so that what is committed survives a kill; one host to a file.

Rules owned here: what a file must be to be opened; that it must still be that file when something is committed to it;
which errors of SQLite lose a transaction, a connection or the whole file.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from host.errors import StoreError
from host.store import statements
from host.store.backend import Backend, Keys
from host.store.prepared import prepare
from host.store.schema import NUMBERS_AT_ONCE

BUSY_TIMEOUT_MS: Final = 10_000
PRAGMAS: Final = (
    "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=FAST", "wal_autocheckpoint=10000",
)  # fmt: skip
"""Every commit is synchronous. The log is carried over at 40 MB: a page that many sales touch is then written once."""
PREFIX: Final = "sqlite:///"
MAGIC: Final = b"SQLite format 3\0"
RESTORE: Final = "stop the host, look with poslab db check, bring a backup back with poslab db restore"
_PRIMARY: Final = 0xFF
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOST: Final = _DAMAGED | {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
_UNDONE: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY})
_Place = tuple[int, int]


class Sqlite(Backend):
    """A database file; its directory is made where it is missing."""

    dialect = sqlite.dialect(paramstyle="qmark")
    units_per_commit = 256
    is_shared = False

    def __init__(self, url: str) -> None:
        self.errors = (SQLAlchemyError, sqlite3.Error)
        self.path = Path(url.removeprefix(PREFIX))
        if not self.path.name:
            raise StoreError(f"{url!r} names no file", hint="give a path such as lab.db")
        self.name = str(self.path)
        self.key_file = self.path.with_name(self.path.name + ".key")
        self._wal = self.path.with_name(self.path.name + "-wal")
        self._opened: _Place | None = None
        self._opened_wal: _Place | None = None
        self._damaged: _Place | None = None

    def look(self, *, create: bool) -> None:
        """Refuse what was never a database before a key is looked for, or made, beside it."""
        if not create and not self.path.exists():
            raise StoreError(f"there is no database {self.path}", hint="start poslab host with this --db first")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_dir():
            raise StoreError("it is a directory")
        if self.path.is_file():
            with self.path.open("rb") as file:
                head = file.read(len(MAGIC))
            if head not in (b"", MAGIC):
                raise StoreError("it is no SQLite file")
        else:
            self.path.touch()

    def is_new(self, connection: Connection) -> bool:
        """No table of anybody's."""
        return not inspect(connection).get_table_names()

    def engine(self) -> Engine:
        """Connections that never make the file: it would be an empty host."""
        engine = create_engine("sqlite://", creator=self.connect)
        event.listen(engine, "begin", _begin)
        return engine

    def reading(self) -> Engine:
        """A connection for every transaction: the file may have been put back from a backup meanwhile."""
        engine = create_engine("sqlite://", creator=self._connect_to_read, poolclass=NullPool)
        event.listen(engine, "begin", _begin_to_read)
        return engine

    def preparing(self, connection: Connection) -> None:
        """Every transaction is immediate."""

    def lock(self, driver: Any, keys: Iterable[Keys | None]) -> None:
        """Every transaction has the whole file."""

    def generation(self, driver: Any) -> int:
        """SQLite counts the commits of others."""
        return int(driver.execute("PRAGMA data_version").fetchone()[0])

    def bump(self, driver: Any) -> int | None:
        """SQLite has told them."""

    def take_numbers(self, driver: Any) -> range:
        """From the counter ``number``, in the writer's transaction: where that is undone they were never taken."""
        adding = prepare(self.dialect, statements.ADD)
        end = int(adding.execute(driver, {"name": "number", "value": NUMBERS_AT_ONCE}).fetchone()[0])
        return range(end - NUMBERS_AT_ONCE + 1, end + 1)

    def numbers_taken(self, driver: Any) -> int:
        """The counter ``number``."""
        found = prepare(self.dialect, statements.COUNTER).execute(driver, {"name": "number"}).fetchone()
        return int(found[0]) if found else 0

    def in_transaction(self, driver: Any) -> bool:
        """Some failures end it as a whole, a full disk among them."""
        return bool(driver.in_transaction)

    def passes(self, error: BaseException) -> bool:
        """SQLite has waited already."""
        return False

    def is_lost(self, error: BaseException) -> bool:
        """The file could not be read or written; where it is damaged it is not opened again."""
        code = _code(error)
        if code in _DAMAGED:
            self._damaged = _place(self.path)
        return code in _LOST

    def is_undone(self, error: BaseException) -> bool:
        """A disk that is full; after a failed synchronisation nobody knows."""
        return _code(error) in _UNDONE

    def assure(self) -> None:
        """The file that was opened still lies there, and so does its log."""
        place = _place(self.path)
        if place is None:
            raise StoreError(f"the database file {self.path} is gone", hint="put it back, or restore a backup")
        if place == self._damaged:
            raise StoreError(f"the database file {self.path} is damaged", hint=RESTORE)
        if self._opened is None:
            self._opened, self._opened_wal = place, None
        wal = _place(self._wal)
        if self._opened_wal is None:
            self._opened_wal = wal
        if (place, wal) != (self._opened, self._opened_wal):
            self._opened = None
            raise StoreError(f"the database file {self.path} was replaced while it was open")

    @contextmanager
    def only_host(self) -> Iterator[None]:
        """The one host on a file; administrators may work on it meanwhile."""
        with open(self.path.with_name(self.path.name + ".host"), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(
                    f"another host runs on the database {self.path}", hint="one host to a database"
                ) from None
            yield

    def _connect_to_read(self) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None
        )

    def connect(self) -> sqlite3.Connection:
        """A connection of the driver, with what makes a commit durable."""
        self._opened = None
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_to_read(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _code(error: BaseException) -> int:
    cause = getattr(error, "orig", None) or error
    return getattr(cause, "sqlite_errorcode", 0) & _PRIMARY


def _place(path: Path) -> _Place | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
