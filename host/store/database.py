"""Opening a database: by its URL on SQLite or on PostgreSQL, made where it is not there.

A database belongs to the hosts whose master key opens its data key; where nothing else is said the key file lies beside
the file, or for PostgreSQL in the current directory, readable by its owner alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine

from host.decision import Insert
from host.errors import StoreError
from host.keys import Fresh, KeyDesk
from host.master_key import MasterKey, seal_data_key
from host.store import postgresql, sqlite
from host.store.backend import Backend, Keys
from host.store.books import Books
from host.store.chain import begin_chain
from host.store.groups import GroupCommit, Job, told
from host.store.inline import InlineWriter
from host.store.reader import Reader
from host.store.reconcile import RECONCILE
from host.store.revision import NEWEST, require_newest, stamp
from host.store.schema import create_tables
from host.store.witness import Witness
from host.store.writer import Writer
from protocol.crypto.vault import KEY_BYTES
from protocol.errors import KeyLoadError, ToldError

T = TypeVar("T")
DATA_KEY: Final = "data key"


def backend_of(url: str) -> Backend:
    """The database that a URL or a plain path names. Raises StoreError for another kind of database."""
    scheme, colon, _ = url.partition("://")
    if colon and scheme in postgresql.SCHEMES:
        return postgresql.Postgresql(url)
    if colon and not url.startswith(sqlite.PREFIX):
        raise StoreError(f"{url!r} is no database of ours", hint="give a path, sqlite:///path or postgresql://…")
    return sqlite.Sqlite(url)


@contextmanager
def only_host(url: str) -> Iterator[None]:
    """Be the one host on a database of which there can be one only. Raises StoreError where there is one."""
    with backend_of(url).only_host():
        yield


class Store:
    """An open database. ``run`` and ``submit`` take units; ``keys`` uses the secrets that it holds.

    ``writer`` says when groups of units are committed, ``readers`` where units that only read are run: in threads of
    their own, unless time is a simulation's.
    """

    def __init__(
        self,
        engine: Engine,
        backend: Backend,
        keys: KeyDesk,
        master_key: MasterKey,
        witness: Witness,
        *,
        writer: Callable[[GroupCommit], Writer | InlineWriter] = Writer,
        readers: Executor | None = None,
    ) -> None:
        self._engine = engine
        self._master_key = master_key
        self._witness = witness
        self._groups = GroupCommit(engine, backend, witness, self._look_over, lambda books: books.link_audit(keys))
        self._writer = writer(self._groups)
        self._reader = Reader(backend.reading(), backend, readers or ThreadPoolExecutor(1, "store-reader"))
        self.backend = backend
        self.keys = keys

    @property
    def is_shared(self) -> bool:
        """May several hosts stand on it at once?"""
        return self.backend.is_shared

    def submit(self, unit: Callable[[Books], T], keys: Keys | None = None) -> Future[T]:
        """Run a unit in the next group commit; ``keys`` are those of what it may touch (``host.store.backend``), None
        where that may be any row. Its error, or StoreError where the database failed, comes out of the future.
        """
        job, future = Job.promising(unit, keys)
        self._writer.post(job)
        return future

    def post(self, job: Job) -> None:
        """The same for who waits for no future."""
        self._writer.post(job)

    def gathering(self) -> AbstractContextManager[None]:
        """What is submitted inside shares a group commit."""
        return self._writer.gathering()

    def run(self, unit: Callable[[Books], T]) -> T:
        """Run a unit and wait until it is durable."""
        return self._writer.run(unit)

    def read(self, unit: Callable[[Books], T]) -> Future[T]:
        """Run a unit that only reads, beside the writer: what people look up holds up no sale."""
        return self._reader.submit(unit)

    @property
    def load(self) -> tuple[int, int, int]:
        """How many commits there were, of how many units, and how many units wait."""
        return self._groups.commits, self._groups.units, self._writer.waiting

    def rotate_master_key(self, new: bytes, noting: Insert) -> None:
        """Seal the data key under a new master key, which then stands in the key file; ``noting`` is for the audit.

        What is sealed under the data key stays as it is, so hosts that run go on. Raises StoreError and KeyLoadError.
        Where the environment gives the key, whoever set it must set the new one.
        """
        sealed = seal_data_key(new, self.keys.data_key, self.keys.fresh)
        row = Insert("secrets", {"name": DATA_KEY, "sealed": sealed}, replace=True)
        if self._master_key.is_given:
            self.run(lambda books: books.write(row, noting))
            return
        self._master_key.stage(new)
        self.run(lambda books: books.write(row, noting))
        self._master_key.promote()

    def close(self) -> None:
        """Finish what was submitted and let the database go."""
        self._reader.close()
        self._writer.close()
        self._engine.dispose()

    def _look_over(self, connection: Connection) -> None:
        """A new connection may lead to another database than the last: one that was put in its place."""
        require_newest(connection)
        sealed = Books(connection, self.backend).secret(DATA_KEY)
        try:
            data_key = self._master_key.open(sealed)
        except KeyLoadError as error:
            raise StoreError(f"{self.backend.name} is another database now: {error.message}") from None
        if data_key != self.keys.data_key:
            raise StoreError(f"{self.backend.name} is another database now", hint="start the host again")
        books = Books(connection, self.backend)
        if self._witness.saw_more_than(books.numbers_taken()) and not books.counter(RECONCILE):
            books.add(RECONCILE, 1)


def open_store(url: str, fresh: Fresh, *, create: bool = True, key_file: Path | None = None) -> Store:
    """Open a database, making it where it is not there. Raises StoreError that names it.

    The master key comes from the environment, from ``key_file``, or from the file where it is looked for else.
    """
    backend = backend_of(url)
    master_key = MasterKey(key_file or backend.key_file)
    with telling(backend):
        backend.look(create=create)
        engine = backend.engine()
        try:
            with engine.begin() as connection:
                backend.preparing(connection)
                keys = prepare(connection, backend, master_key, fresh, create=create)
        except BaseException:
            engine.dispose()
            raise
    return Store(engine, backend, keys, master_key, Witness(master_key.file))


def upgrade_database(url: str, fresh: Fresh, *, key_file: Path | None = None) -> tuple[str, str]:
    """Bring a database to the newest schema; returns the revisions before and after. Raises StoreError.

    Before the second revision the master key sealed everything itself: it stays the data key.
    """
    from host.store.migrations.upgrade import upgrade

    backend = backend_of(url)
    master_key = MasterKey(key_file or backend.key_file)
    with telling(backend):
        backend.look(create=False)
        engine = backend.engine()
        try:
            with backend.only_host(), engine.begin() as connection:
                backend.preparing(connection)
                before = upgrade(connection)
                books = Books(connection, backend)
                if not books.secret(DATA_KEY):
                    key = master_key.read()
                    books.write(Insert("secrets", {"name": DATA_KEY, "sealed": seal_data_key(key, key, fresh)}))
                    books.write_out()
                    begin_chain(connection)
        finally:
            engine.dispose()
    return before, NEWEST


@contextmanager
def telling(backend: Backend) -> Iterator[None]:
    """What goes wrong with a database comes out as a StoreError that names it."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"the database {backend.name} cannot be used: {error.strerror}") from None
    except (StoreError, KeyLoadError) as error:
        raise _named(backend, error) from None
    except backend.errors as error:
        raise _named(backend, told(error, backend.errors)) from None


def _named(backend: Backend, error: ToldError) -> ToldError:
    if backend.name in error.message:
        return error
    message = f"the database {backend.name} cannot be used: {error.message}"
    return StoreError(message, hint=error.hint, code=error.code)


def prepare(
    connection: Connection, backend: Backend, master_key: MasterKey, fresh: Fresh, *, create: bool = True
) -> KeyDesk:
    """The keys of a database, which is made where it is new. Raises StoreError and KeyLoadError."""
    books = Books(connection, backend)
    if not backend.is_new(connection):
        require_newest(connection)
        master_key.read()
        return KeyDesk(master_key.open(books.secret(DATA_KEY)), fresh)
    if not create:
        raise StoreError("there is no database of ours in it", hint="start poslab host with this --db first")
    master_key.make(fresh)
    create_tables(connection)
    stamp(connection)
    data_key = fresh(KEY_BYTES)
    keys = KeyDesk(data_key, fresh)
    books.write(
        Insert("secrets", {"name": DATA_KEY, "sealed": seal_data_key(master_key.read(), data_key, fresh)}),
        Insert("secrets", {"name": "signing", "sealed": keys.new_signing_key()}),
    )
    books.write_out()
    begin_chain(connection)
    return keys
