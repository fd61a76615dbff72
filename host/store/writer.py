"""The writer thread: units that arrive while a commit is under way share the next one."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from host.errors import StoreError
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

    def post(self, job: Job) -> None:
        """Run a job in the next group; its error is a StoreError where the database failed."""
        with self._door:
            if not self._closed:
                self._jobs.append(job)
                if not self._gathering:
                    self._calls.put(None)
                return
        job.end(None, StoreError("the store is closed"))

    def run(self, unit: Callable[[Books], T]) -> T:
        """Run a unit and wait until it is durable."""
        job, future = Job.promising(unit)
        self.post(job)
        return future.result()

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
