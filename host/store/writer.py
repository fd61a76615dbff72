"""The writer thread and its group commit.

A unit is a callable that reads and writes through ``Books`` inside one transaction, and has no effect but through them
that a second run would not have: where a group fails its units are run again, each in a savepoint of its own, so that
one that fails takes nobody with it. Units that arrive while a commit is under way share the next one. A unit's future
is fulfilled after the commit: whoever speaks on it speaks of what is durable.

After an error at the commit itself nobody knows whether it happened (invariant J6): the future says so with
``CommitUnknown``, and the connection is made anew.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from host.errors import CommitUnknown, StoreError
from host.store.backend import Backend, Keys
from host.store.books import Books, Numbers
from host.store.shelves import Shelves
from host.store.witness import Witness

T = TypeVar("T")
RUNS: Final = 5
"""How often a group is run that others got in the way of."""


@dataclass(slots=True)
class _Job:
    unit: Callable[[Books], Any]
    keys: Keys | None
    future: Future[Any]


_Outcome = tuple[Any, BaseException | None]


class _Spoilt(Exception):
    """A unit failed after it had written, and has no savepoint."""


class Writer:
    """One thread, one connection, all writes. ``look_over`` sees every new connection before anything else does."""

    def __init__(
        self,
        engine: Engine,
        backend: Backend,
        witness: Witness,
        look_over: Callable[[Connection], None],
        before_commit: Callable[[Books], None],
    ) -> None:
        self._engine = engine
        self._backend = backend
        self._witness = witness
        self._look_over = look_over
        self._before_commit = before_commit
        self._connection: Connection | None = None
        self._shelves = Shelves()
        self._numbers = Numbers()
        self._jobs: deque[_Job] = deque()
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._gathering = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._closed = False
        self._door = threading.Lock()
        self.commits = self.units = 0
        self._thread.start()

    def submit(self, unit: Callable[[Books], T], keys: Keys | None = None) -> Future[T]:
        """Run a unit in the next group. Its error, or StoreError where the database failed, comes out of the future.

        ``keys`` are those of the rows that it may touch (``host.store.backend``), None where that may be any row.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # what was submitted happens: nobody can cancel it any more
        with self._door:
            if self._closed:
                future.set_exception(StoreError("the store is closed"))
            else:
                self._jobs.append(_Job(unit, keys, future))
                if not self._gathering:
                    self._calls.put(None)
        return future

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Wake the thread once for all that is submitted inside: threads that run by turns are in each other's way."""
        self._gathering = True
        try:
            yield
        finally:
            self._gathering = False
            self._calls.put(None)

    @property
    def waiting(self) -> int:
        """How many units wait for the next group."""
        return len(self._jobs)

    def close(self) -> None:
        """Finish what was submitted, then stop."""
        with self._door:
            self._closed = True
        self._calls.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            for job, (result, failed) in zip(group, self._commit(group), strict=True):
                if failed:
                    job.future.set_exception(failed)
                else:
                    job.future.set_result(result)
        if self._connection:
            self._connection.close()

    def _next_group(self) -> list[_Job] | None:
        while not self._jobs:
            if self._closed:
                return None
            self._calls.get()
        return [self._jobs.popleft() for _ in range(min(len(self._jobs), self._backend.units_per_commit))]

    def _commit(self, group: list[_Job]) -> list[_Outcome]:
        """Run a group until it is durable or has failed as a whole."""
        isolated = False
        for runs_left in reversed(range(RUNS)):
            try:
                return self._transact(group, isolated=isolated)
            except _Spoilt:
                isolated = True
            except StoreError as error:
                return [(None, error)] * len(group)
            except self._backend.errors as error:
                failure = told(error, self._backend.errors)
                if self._backend.is_lost(error):
                    self._drop()
                    if runs_left == RUNS - 1:
                        continue  # the server may have been started again since the last group
                elif self._backend.passes(error) and runs_left:
                    continue
                elif not isolated and self._connection:
                    isolated = True
                    continue
                return [(None, failure)] * len(group)
            except Exception as error:  # noqa: BLE001  # a defect of ours must not take the writer
                return [(None, error)] * len(group)
        raise AssertionError("the last run returns")

    def _transact(self, group: list[_Job], *, isolated: bool) -> list[_Outcome]:
        try:
            self._backend.assure()
        except StoreError:
            self._drop()
            raise
        connection = self._open()
        try:
            transaction = connection.begin()
        except self._backend.errors as error:  # another process has held it for as long as anybody waits
            if self._backend.is_lost(error):
                self._drop()
            raise told(error, self._backend.errors) from error
        try:
            books = Books(connection, self._backend, self._shelves, self._numbers)
            driver = connection.connection.dbapi_connection
            self._backend.lock(driver, (job.keys for job in group))
            self._shelves.heed(self._backend.generation(driver))
            attempt = self._attempt_apart if isolated else self._attempt
            outcomes = [attempt(books, job) for job in group]
            self._before_commit(books)
            changed, self._shelves.changed = self._shelves.changed, False
            if changed:
                self._shelves.bumped(self._backend.bump(driver))
        except BaseException:
            self._forget()
            try:
                transaction.rollback()
            except self._backend.errors:
                self._drop()
            raise
        try:
            transaction.commit()
        except self._backend.errors as error:
            failure = told(error, self._backend.errors)
            undone = self._backend.is_undone(error)
            self._drop()
            raise failure if undone else CommitUnknown(f"{failure.message}, and nobody knows what it kept") from error
        self.commits += 1
        self.units += len(group)
        if self._numbers.taken:
            self._witness.note(self._numbers.taken)
        if changed and self._backend.is_shared:
            self._tell(connection)
        try:
            self._backend.assure()
        except StoreError as error:
            self._drop()
            raise CommitUnknown(f"{error.message}, and so may be what was written last", hint=error.hint) from error
        return outcomes

    def _tell(self, connection: Connection) -> None:
        """Other processes may have kept what they read meanwhile, under keys that are not those of these rows."""
        try:
            with connection.begin():
                self._shelves.bumped(self._backend.bump(connection.connection.dbapi_connection))
        except self._backend.errors:
            self._drop()  # whoever was to be told is served by the same database

    def _attempt(self, books: Books, job: _Job) -> _Outcome:
        before = books.writes
        books.keeps = True
        try:
            return job.unit(books), None
        except self._backend.errors:
            raise
        except Exception as error:  # it is the caller's, who gets it out of the future
            if books.writes != before:
                raise _Spoilt from error
            return None, error

    def _attempt_apart(self, books: Books, job: _Job) -> _Outcome:
        books.keeps = True
        try:
            with books.savepoint():
                return job.unit(books), None
        except self._backend.errors as error:
            if not books.in_transaction or self._backend.passes(error) or self._backend.is_lost(error):
                raise  # the database gave up the whole group, as it does when the disk is full
            return None, told(error, self._backend.errors)
        except Exception as error:  # noqa: BLE001  # it is the caller's, who gets it out of the future
            return None, error

    def _open(self) -> Connection:
        if self._connection is None:
            self._forget()
            connection = self._engine.connect()
            try:
                with connection.begin():
                    self._look_over(connection)
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        """Let go of a connection that cannot be trusted any more."""
        self._forget()
        if self._connection:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _forget(self) -> None:
        self._shelves.clear()
        self._shelves.changed = False
        self._numbers.clear()


def told(error: BaseException, errors: tuple[type[Exception], ...]) -> StoreError:
    """An error of the database as people are told it: the first of its kind, one line, without what was asked."""
    earlier = error.__context__
    while earlier:
        error = earlier if isinstance(earlier, errors) else error
        earlier = earlier.__context__
    cause = getattr(error, "orig", None) or error
    lines = str(cause).splitlines() or [type(cause).__name__]
    return StoreError(f"the database failed: {lines[0]}")
