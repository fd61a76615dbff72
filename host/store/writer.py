"""The writer thread and its group commit.

A unit is a callable that reads and writes through ``Books`` inside one transaction. Units that arrive while a commit is
under way share the next one, each in a savepoint of its own, so that one that fails takes nobody with it. A unit's
future is fulfilled after the commit: whoever speaks on it speaks of what is durable.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from host.errors import StoreError
from host.store.books import Books

T = TypeVar("T")
UNITS_PER_COMMIT: Final = 256
DATABASE_ERRORS: Final = (SQLAlchemyError, sqlite3.Error)


@dataclass(slots=True)
class _Job:
    unit: Callable[[Books], Any]
    future: Future[Any]


class Writer:
    """One thread, one connection, all writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._closed = False
        self._door = threading.Lock()
        self._thread.start()

    def submit(self, unit: Callable[[Books], T]) -> Future[T]:
        """Run a unit in the next group. Its error, or StoreError where the database failed, comes out of the future."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # what was submitted happens: nobody can cancel it any more
        with self._door:
            if self._closed:
                future.set_exception(StoreError("the store is closed"))
            else:
                self._jobs.put(_Job(unit, future))
        return future

    def close(self) -> None:
        """Finish what was submitted, then stop."""
        with self._door:
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        with self._engine.connect() as connection:
            while (group := self._next_group()) is not None:
                self._commit(connection, group)

    def _next_group(self) -> list[_Job] | None:
        first = self._jobs.get()
        if first is None:
            return None
        group = [first]
        while len(group) < UNITS_PER_COMMIT and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)
                break
            group.append(job)
        return group

    def _commit(self, connection: Connection, group: list[_Job]) -> None:
        outcomes: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            with connection.begin():
                books = Books(connection)
                outcomes = [self._attempt(books, job) for job in group]
        except DATABASE_ERRORS as error:
            failure = store_error(error)
            outcomes = [(job, None, failure) for job in group]
        for job, result, failed in outcomes:
            if failed:
                job.future.set_exception(failed)
            else:
                job.future.set_result(result)

    def _attempt(self, books: Books, job: _Job) -> tuple[_Job, Any, BaseException | None]:
        try:
            with books.savepoint():
                return job, job.unit(books), None
        except DATABASE_ERRORS as error:
            if not books.in_transaction:
                raise  # the database gave up the whole group, as it does when the disk is full
            return job, None, store_error(error)
        except Exception as error:  # noqa: BLE001  # it is the caller's, who gets it out of the future
            return job, None, error


def store_error(error: BaseException) -> StoreError:
    """What the driver says first, without the statement and its parameters."""
    earlier = error.__context__
    while earlier:
        error = earlier if isinstance(earlier, DATABASE_ERRORS) else error
        earlier = earlier.__context__
    cause = getattr(error, "orig", None) or error
    return StoreError(f"the database failed: {str(cause).splitlines()[0]}")
