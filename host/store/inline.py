"""The store without threads: the same group commit on a schedule that is passed in, and readers that read at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from host.errors import StoreError
from host.store.books import Books
from host.store.groups import GroupCommit, Job

T = TypeVar("T")


class InlineWriter:
    """All writes of ``groups``. ``schedule`` is given a callback, and calls it once when the next commit is due."""

    def __init__(self, groups: GroupCommit, schedule: Callable[[Callable[[], None]], object]) -> None:
        self._groups = groups
        self._schedule = schedule
        self._jobs: deque[Job] = deque()
        self._closed = False

    def post(self, job: Job) -> None:
        """Run a job in the next group; its error is a StoreError where the database failed."""
        if self._closed:
            job.end(None, StoreError("the store is closed"))
            return
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._schedule(self.flush)

    def run(self, unit: Callable[[Books], T]) -> T:
        """Run a unit here and now, with all that wait."""
        job, future = Job.promising(unit)
        self.post(job)
        self.flush()
        return future.result()

    def gathering(self) -> AbstractContextManager[None]:
        """What is submitted before the next commit shares it anyway."""
        return nullcontext()

    @property
    def waiting(self) -> int:
        """How many units wait for the next group."""
        return len(self._jobs)

    def flush(self) -> None:
        """Commit what waits; nothing happens where nothing does, or once the store is closed."""
        while self._jobs and not self._closed:
            self._groups.run([self._jobs.popleft() for _ in range(min(len(self._jobs), self._groups.units_max))])

    def close(self) -> None:
        """Let nothing happen any more, as when the process is killed."""
        self._closed = True
        self._groups.close()


class InlineExecutor(Executor):
    """Runs what is submitted before ``submit`` returns."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """A future that is fulfilled."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # it is the caller's, who gets it out of the future
            future.set_exception(error)
        return future
