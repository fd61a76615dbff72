"""A database in memory that outlives the stores opened on it, as a disk outlives processes: for simulations.

Rules owned here: a commit that changes something is passed on at two points, "before_commit" and "after_commit", and
what is raised there happens there; what a dead process had not committed never happens.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any, Final, cast

from sqlalchemy import Engine, NullPool, create_engine, event

from host.keys import Fresh
from host.master_key import MasterKey
from host.store.database import Store, prepare
from host.store.inline import InlineExecutor, InlineWriter
from host.store.sqlite import Sqlite
from host.store.witness import Witness

Schedule = Callable[[Callable[[], None]], object]
Passes = Callable[[str], None]
_PAGES_MAX: Final = 2**32 - 2


class DiskFailed(sqlite3.OperationalError):
    """What a simulation raises where the disk is to fail: the store takes it for the database's own error."""

    def __init__(self, message: str = "disk I/O error") -> None:
        super().__init__(message)
        self.sqlite_errorcode = sqlite3.SQLITE_IOERR


class DiskBusy(DiskFailed):
    """Another process holds the database."""

    def __init__(self) -> None:
        super().__init__("database is locked")
        self.sqlite_errorcode = sqlite3.SQLITE_BUSY


class MemoryDatabase:
    """One database, empty or from the ``image`` of an earlier one.

    ``fresh`` makes what its stores make; its master key, its data key and its signing key are always the same.
    """

    def __init__(self, fresh: Fresh, image: bytes = b"") -> None:
        self.driver = _Disk()
        self.driver.deserialize(image or _empty())
        self._fresh = fresh
        self._backend = _Memory(self.driver)
        self._witness = _Witness()
        self._store: Store | None = None

    @property
    def image(self) -> bytes:
        """Every byte of the file that it would be."""
        return self.driver.serialize()

    def open(self, schedule: Schedule, passes: Passes) -> Store:
        """A store on it, as ``InlineWriter`` takes ``schedule``; an earlier one must have been killed."""
        backend, engine = self._backend, self._backend.engine()
        self.driver.passes = _nothing
        with engine.begin() as connection:
            keys = prepare(connection, backend, _MASTER_KEY, self._fresh)
        self.driver.passes = passes
        self._store = Store(
            engine,
            backend,
            keys,
            _MASTER_KEY,
            self._witness,
            writer=partial(InlineWriter, schedule=schedule),
            readers=InlineExecutor(),
        )
        return self._store

    def kill(self) -> None:
        """The process that has the store open is gone: what it has not committed never happens."""
        if self._store is not None:
            self._store.close()

    def fill(self, *, full: bool) -> None:
        """Let the disk be full, or have room again."""
        pages = next(iter(self.driver.execute("PRAGMA page_count")))[0] if full else _PAGES_MAX
        self.driver.execute(f"PRAGMA max_page_count = {int(pages)}")

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """What a table holds, as it stands there: no code of the host's reads it."""
        found = self.driver.execute(f"SELECT * FROM {table}")  # noqa: S608
        names = [column[0] for column in found.description]
        for row in found:
            yield dict(zip(names, row, strict=True))

    def close(self) -> None:
        """Let the memory go."""
        self.kill()
        self.driver.free()


def _nothing(point: str) -> None:
    """Nothing happens at a commit."""


class _Disk(sqlite3.Connection):
    """A connection whose commits are passed on, and which stays open: the file of which it is the only sight."""

    passes: Passes

    def __init__(self) -> None:
        super().__init__(":memory:", isolation_level=None, cached_statements=512)
        self.passes = _nothing
        self._committed = 0

    def commit(self) -> None:
        changes = self.total_changes
        if changes == self._committed:
            super().commit()
            return
        self.passes("before_commit")
        super().commit()
        self._committed = changes
        self.passes("after_commit")

    def rollback(self) -> None:
        super().rollback()
        self._committed = self.total_changes

    def close(self) -> None:
        """Somebody lets go of it."""
        self.rollback()

    def free(self) -> None:
        """Nobody will come back."""
        super().close()


class _Memory(Sqlite):
    """SQLite without a file."""

    def __init__(self, disk: _Disk) -> None:
        super().__init__("memory")
        self._engine, self._reading = _engine(disk, "BEGIN IMMEDIATE"), _engine(disk, "BEGIN")

    def engine(self) -> Engine:
        """Every connection is the same one."""
        return self._engine

    def reading(self) -> Engine:
        """The same one again: nobody reads while somebody writes."""
        return self._reading

    def assure(self) -> None:
        """Memory stays where it is."""


def _engine(disk: _Disk, begin: str) -> Engine:
    """Connections to a disk; what was compiled for one is compiled for all."""
    known, creator = _known(), cast(Any, lambda: disk)
    engine = Engine(NullPool(creator, dialect=known.dialect), known.dialect, known.url)
    event.listen(engine, "begin", lambda connection: connection.connection.dbapi_connection.execute(begin))
    return engine.execution_options(compiled_cache=_compiled)


@cache
def _known() -> Engine:
    """An engine that has seen which SQLite it is."""
    engine = create_engine("sqlite://")
    engine.connect().close()
    engine.dispose()
    return engine


_compiled: Final[dict[Any, Any]] = {}


class _Witness(Witness):
    """It remembers as long as the database lasts."""

    def __init__(self) -> None:
        self._high = 0

    def note(self, number: int) -> None:
        """So many were taken."""
        self._high = max(self._high, number)

    def _read(self) -> int:
        return self._high


class _MasterKey(MasterKey):
    """The same for every simulation, and in no file."""

    __slots__ = ()

    @property
    def is_given(self) -> bool:
        """It is."""
        return True

    def read(self) -> bytes:
        """The key."""
        return b"a simulation protects nothing   "


_MASTER_KEY: Final = _MasterKey(Path("memory.key"))


@cache
def _empty() -> bytes:
    """The image of a database in which nothing ever happened: making its tables takes ten times as long."""
    disk = _Disk()
    backend = _Memory(disk)
    with backend.engine().begin() as connection:
        prepare(connection, backend, _MASTER_KEY, Random(0).randbytes)  # noqa: S311
    image = disk.serialize()
    disk.free()
    return image
