"""Reading beside the writer: a thread, connections that cannot write, one consistent view for each unit.

What people ask for may take long; the writer, and so the money, does not wait for it. A unit may see a state that is
one commit old.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar

from sqlalchemy import Engine

from host.errors import StoreError
from host.store.backend import Backend
from host.store.books import Books
from host.store.groups import told

T = TypeVar("T")


class Reader:
    """Runs units that only read, one after the other, on an ``executor`` that it closes."""

    def __init__(self, engine: Engine, backend: Backend, executor: Executor) -> None:
        self._engine = engine
        self._backend = backend
        self._executor = executor
        self._closed = False

    def submit(self, unit: Callable[[Books], T]) -> Future[T]:
        """Run a unit. Its error, or StoreError where the database failed or the unit wrote, comes out of the future."""
        if self._closed:
            future: Future[T] = Future()
            future.set_exception(StoreError("the store is closed"))
            return future
        return self._executor.submit(self._read, unit)

    def close(self) -> None:
        """Finish what was submitted, then stop."""
        self._closed = True
        self._executor.shutdown()
        self._engine.dispose()

    def _read(self, unit: Callable[[Books], T]) -> T:
        try:
            with self._engine.connect() as connection, connection.begin():
                books = Books(connection, self._backend)
                found = unit(books)
                books.write_out()  # which fails: it must not look as if it had been written
                return found
        except self._backend.errors as error:
            raise told(error, self._backend.errors) from error
