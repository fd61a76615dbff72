"""Copies of a database: one file, an SQLite database whichever kind it was taken from, and back into either kind.

Rules owned here: a copy is of one instant, taken while hosts go on; nothing is overwritten unasked; a file that is not
whole never has the name that was asked for; a database that was restored says so to its hosts, which sell nothing until
somebody has compared it with the terminals (RECONCILE, invariants J4 and S2), and gives out no number again.
The master key is not in it: without its file a copy opens nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, create_engine, func, select, text

from host.errors import StoreError
from host.store.backend import Backend
from host.store.database import backend_of, telling
from host.store.reconcile import RECONCILE
from host.store.revision import TABLE, require_newest, revision_of, stamp
from host.store.schema import METADATA, TABLES, create_tables
from host.store.sqlite import Sqlite

Progress = Callable[[int, int], None]
"""Is told how much is done of how much, in pages or rows."""
NUMBERS_SKIPPED: Final = 10_000_000
"""More than a host gives out between a backup and the loss of what came after it."""
PAGES_AT_ONCE: Final = 2_000
ROWS_AT_ONCE: Final = 2_000


def backup(url: str, file: Path, progress: Progress, *, force: bool = False) -> None:
    """Copy a database into ``file`` while its hosts go on. Raises StoreError and OSError."""
    backend = backend_of(url)
    with telling(backend), _whole_file(file, force=force) as part:
        backend.look(create=False)
        if isinstance(backend, Sqlite):
            with closing(backend.connect()) as source, closing(sqlite3.connect(part)) as target:
                source.execute("BEGIN")
                source.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on it is of one instant
                source.backup(target, pages=PAGES_AT_ONCE, progress=_pages(progress))
        else:
            _export(backend, part, progress)


def restore(url: str, file: Path, progress: Progress, *, force: bool = False) -> None:
    """Make a database what ``file`` holds; a database that holds something only with ``force``.

    Raises StoreError where a host runs on it, or where the file is no backup of this program's schema.
    """
    if not file.is_file():
        raise StoreError(f"there is no file {file}")
    backend = backend_of(url)
    with telling(Sqlite(str(file))), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as source:
        if (found := source.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise StoreError(f"the backup {file} is damaged: {found}")
    copy = _reader(file)
    try:
        with copy.connect() as source:
            revision_of(source)
            with telling(backend):
                if isinstance(backend, Sqlite):
                    _replace_file(backend, file, progress, force=force)
                else:
                    require_newest(source)
                    _import(backend, source, progress, force=force)
    finally:
        copy.dispose()


def _replace_file(backend: Sqlite, file: Path, progress: Progress, *, force: bool) -> None:
    backend.path.parent.mkdir(parents=True, exist_ok=True)
    with backend.only_host(), _whole_file(backend.path, force=force) as part:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target, pages=PAGES_AT_ONCE, progress=_pages(progress))
            for statement, values in _marks():
                target.execute(statement, values)
            target.commit()
        for beside in ("-wal", "-shm"):  # those of the file that was there would be taken for this one's
            backend.path.with_name(backend.path.name + beside).unlink(missing_ok=True)


def _pages(progress: Progress) -> Callable[[int, int, int], None]:
    return lambda status, left, total: progress(total - left, total)


def _export(backend: Backend, part: Path, progress: Progress) -> None:
    source_engine, target_engine = backend.engine(), create_engine(f"sqlite:///{part}")
    try:
        with source_engine.connect().execution_options(isolation_level="REPEATABLE READ") as source:
            require_newest(source)
            with target_engine.begin() as target:
                create_tables(target)
                stamp(target)
                _copy(source, target, progress)
                number = source.execute(text("SELECT last_value FROM numbers")).scalar_one()
                target.execute(text("DELETE FROM counters WHERE name = 'number'"))
                target.execute(text("INSERT INTO counters (name, value) VALUES ('number', :n)"), {"n": number})
    finally:
        source_engine.dispose()
        target_engine.dispose()


def _import(backend: Backend, source: Connection, progress: Progress, *, force: bool) -> None:
    engine = backend.engine()
    try:
        with engine.begin() as target:
            backend.preparing(target)
            if not backend.is_new(target):
                require_newest(target)
                if not force:
                    raise StoreError("it holds a host's data", hint="--force replaces them")
                METADATA.drop_all(target)
                TABLE.drop(target)
            create_tables(target)
            stamp(target)
            _copy(source, target, progress)
            for statement, values in _marks():
                target.exec_driver_sql(statement.replace("?", "%s"), values)
            taken = select(func.coalesce(func.max(TABLES["counters"].c.value), 0)).where(
                TABLES["counters"].c.name == "number"
            )
            number = target.execute(taken).scalar_one()
            target.execute(text("SELECT setval('numbers', :n)"), {"n": number})
            _go_on_counting(target)
    finally:
        engine.dispose()


def _copy(source: Connection, target: Connection, progress: Progress) -> None:
    counts = {table: source.execute(select(func.count()).select_from(table)).scalar_one() for table in _tables()}
    done, total = 0, sum(counts.values())
    for table in _tables():
        rows = source.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
        for some in rows.mappings().partitions():
            target.execute(table.insert(), [dict(row) for row in some])
            done += len(some)
            progress(done, total)


def _tables() -> list[Table]:
    return METADATA.sorted_tables


def _marks() -> list[tuple[str, tuple[Any, ...]]]:
    """What a database that was restored says of itself."""
    upsert = "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = "
    return [
        (f"{upsert} 1", (RECONCILE, 1)),
        (f"{upsert} counters.value + {NUMBERS_SKIPPED}", ("number", NUMBERS_SKIPPED)),
    ]


def _go_on_counting(target: Connection) -> None:
    """The next row's number comes after those that were copied."""
    for table in _tables():
        key = list(table.primary_key)
        if len(key) == 1 and key[0] is table.autoincrement_column:
            last = target.execute(select(func.max(key[0]))).scalar()
            if last is not None:
                sequence = func.pg_get_serial_sequence(table.name, key[0].name)
                target.execute(select(func.setval(sequence, last)))


def _reader(file: Path) -> Engine:
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(f"file:{file}?mode=ro", uri=True))


@contextmanager
def _whole_file(file: Path, *, force: bool) -> Iterator[Path]:
    """A name beside the one asked for, which it gets once it is whole and on the disk."""
    if file.exists() and not force:
        raise StoreError(f"{file} exists", hint="--force replaces it", code="exists")
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
