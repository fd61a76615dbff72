"""The group commit: units that are run in one transaction, and told what became of them.

A unit is a callable that reads and writes through ``Books`` inside one transaction, and has no effect but through them
that a second run would not have: where a group fails its units are run again, each in a savepoint of its own, so that
one that fails takes nobody with it. A job ends after the commit: whoever speaks on it speaks of what is durable.

After an error at the commit itself nobody knows whether it happened (invariant J6): the job's error is
``CommitUnknown`` then, and the connection is made anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from host.errors import CommitUnknown, StoreError
from host.store.backend import Backend, Keys
from host.store.books import Books, Numbers
from host.store.foreseen import TransactionKey
from host.store.shelves import Shelves
from host.store.witness import Witness

T = TypeVar("T")
log = logging.getLogger("poslab.host")
RUNS: Final = 5
"""How often a group is run that others got in the way of."""


class Job:
    """A unit, the keys of what it may touch, and what becomes of it; much less to make than a future.

    ``about`` names the transaction that it will look for first. Once ``is_done`` there is a ``result`` or an ``error``;
    ``told`` is called then, in the writer's thread.
    """

    __slots__ = ("about", "error", "is_done", "keys", "result", "told", "unit")

    def __init__(
        self,
        unit: Callable[[Books], Any],
        keys: Keys | None,
        told: Callable[[Job], None],
        about: TransactionKey | None = None,
    ) -> None:
        self.unit = unit
        self.keys = keys
        self.told = told
        self.about = about
        self.is_done = False
        self.result: Any = None
        self.error: BaseException | None = None

    def end(self, result: Any, error: BaseException | None) -> None:
        """It is durable, or has failed."""
        self.result, self.error = result, error
        self.is_done = True
        self.told(self)

    @classmethod
    def promising(cls, unit: Callable[[Books], T], keys: Keys | None = None) -> tuple[Job, Future[T]]:
        """A job and the future that it fulfils; nobody can cancel it, for what was submitted happens."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        return cls(unit, keys, partial(fulfil, future)), future


def fulfil(future: Future[T], job: Job) -> None:
    """Tell a future what became of a job."""
    if job.error:
        future.set_exception(job.error)
    else:
        future.set_result(job.result)


_Outcome = tuple[Any, BaseException | None]


class _Spoilt(Exception):
    """A unit failed after it had written, and has no savepoint."""


class GroupCommit:
    """All writes, over one connection. ``look_over`` sees every new connection before anything else does.

    ``commits`` and ``units`` count what was committed.
    """

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
        self.commits = self.units = 0

    @property
    def units_max(self) -> int:
        """How many units may share a commit."""
        return self._backend.units_per_commit

    def run(self, group: list[Job]) -> None:
        """Run a group until it is durable or has failed as a whole, and end its jobs."""
        for job, (result, failed) in zip(group, self._commit(group), strict=True):
            try:
                job.end(result, failed)
            except Exception:  # whoever cannot be told must not take the writer, nor those who wait behind
                log.exception("the end of a unit could not be told")

    def close(self) -> None:
        """Let the connection go."""
        if self._connection:
            self._connection.close()

    def _commit(self, group: list[Job]) -> list[_Outcome]:
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

    def _transact(self, group: list[Job], *, isolated: bool) -> list[_Outcome]:
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
            if isolated:
                outcomes = [self._attempt_apart(books, job) for job in group]
            else:
                books.foresee([job.about for job in group if job.about])
                outcomes = [self._attempt(books, job) for job in group]
            self._before_commit(books)
            books.write_out()
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

    def _attempt(self, books: Books, job: Job) -> _Outcome:
        books.begin()
        try:
            return job.unit(books), None
        except self._backend.errors:
            raise
        except Exception as error:  # it is the caller's, who is told
            if not books.undo():
                raise _Spoilt from error
            return None, error

    def _attempt_apart(self, books: Books, job: Job) -> _Outcome:
        books.begin()
        try:
            with books.savepoint():
                return job.unit(books), None
        except self._backend.errors as error:
            if not books.in_transaction or self._backend.passes(error) or self._backend.is_lost(error):
                raise  # the database gave up the whole group, as it does when the disk is full
            return None, told(error, self._backend.errors)
        except Exception as error:  # noqa: BLE001  # it is the caller's, who is told
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
