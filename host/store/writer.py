"""The writer thread: units that arrive while a commit is under way share the next one."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from host.errors import StoreError
from host.store.backend import Keys
from host.store.books import Books
from host.store.groups import GroupCommit, Job

T = TypeVar("T")


class Writer:
    """One thread for all writes of ``groups``."""

    def __init__(self, groups: GroupCommit) -> None:
        self._groups = groups
        self._jobs: deque[Job] = deque()
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._gathering = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._closed = False
        self._door = threading.Lock()
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
                self._jobs.append(Job(unit, keys, future))
                if not self._gathering:
                    self._calls.put(None)
        return future

    def run(self, unit: Callable[[Books], T]) -> T:
        """Run a unit and wait until it is durable."""
        return self.submit(unit).result()

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
            self._groups.run(group)
        self._groups.close()

    def _next_group(self) -> list[Job] | None:
        while not self._jobs:
            if self._closed:
                return None
            self._calls.get()
        return [self._jobs.popleft() for _ in range(min(len(self._jobs), self._groups.units_max))]
