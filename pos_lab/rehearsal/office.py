"""The acquirer of a rehearsal: the real host on a database in memory, with a clock that is moved, and two officers.

Rules owned here: everything the host does, it does by its own acts, jobs and answers; what needs two people is proposed
by one officer and confirmed by the other; payouts happen by themselves, on the day of their term.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Final

from host.acquirer import Acquirer, Answer
from host.admin.acts import conduct, desk_at
from host.admin.desk import Desk, Result
from host.admin.rules import keep_policy
from host.jobs import ACTOR, JOBS, Job
from host.policy import Policy
from host.store.books import Books
from host.store.memory import MemoryDatabase
from host.written import CHINA_TIME
from pos_lab.host_service import enter_catalogue

OFFICERS: Final = ("officer-1", "officer-2")
"""Who proposes, and who confirms."""


class Office:
    """A host that serves nobody but this rehearsal. ``at`` is its time in epoch seconds."""

    def __init__(self, fresh: Callable[[int], bytes], policy: Policy, at: int) -> None:
        payouts = policy.payouts.model_copy(update={"automatic": True})
        self.policy = policy.model_copy(update={"payouts": payouts})
        self.at = at
        self.database = MemoryDatabase(fresh)
        self._flush: Callable[[], None] = _nothing
        self.store = self.database.open(self._schedule, lambda point: None)
        self.store.run(lambda books: keep_policy(books, self.policy, at))
        enter_catalogue(self.store)
        self._acquirer = Acquirer(self.store, self.policy, self.now)

    def now(self) -> datetime:
        """The time of the rehearsal."""
        return datetime.fromtimestamp(self.at, CHINA_TIME)

    def act(self, name: str, /, actor: str = OFFICERS[0], **arguments: Any) -> Result:
        """An administrative act. Raises AdminError."""
        return self.store.run(lambda books: conduct(self._desk(books, actor), name, arguments))

    def act_of_two(self, name: str, /, *before: tuple[str, dict[str, Any]], **arguments: Any) -> Result:
        """An act that one officer proposes and the other confirms, after acts of the first. Raises AdminError."""

        def unit(books: Books) -> Result:
            first, second = (self._desk(books, officer) for officer in OFFICERS)
            for act, given in before:
                conduct(first, act, given)
            proposed = conduct(first, "propose", {"act": name, "arguments": json.dumps(arguments)})
            confirmed = conduct(second, "confirm", {"number": proposed["number"]})
            return dict(confirmed["result"])  # type: ignore[call-overload, no-any-return]

        return self.store.run(unit)

    def run_jobs(self) -> None:
        """What fell due, as the host does it every minute."""

        def due_now(books: Books) -> list[Job]:
            desk = self._desk(books, ACTOR)
            return [job for job in JOBS if job.is_due(desk)]

        for job in self.store.read(due_now).result():
            while self.act(job.act, actor=ACTOR).get("more"):
                pass

    def answers(self, payloads: Sequence[bytes]) -> list[bytes]:
        """The answers to payloads that arrive at once, each durable."""
        futures: list[Future[Answer]] = [self._acquirer.submit(payload) for payload in payloads]
        self._flush()
        return [future.result().payload for future in futures]

    def ask(self, payload: bytes) -> bytes:
        """One of them."""
        return self.answers([payload])[0]

    def select(self, sql: str, *values: object) -> Iterable[tuple[Any, ...]]:
        """Rows as they lie in the database: no code of the host's reads them."""
        return self.database.driver.execute(sql, values)

    def close(self) -> None:
        """Let the memory go."""
        self.database.close()

    def _desk(self, books: Books, actor: str) -> Desk:
        return desk_at(books, self.store.keys, self.now(), policy=self.policy, actor=actor)

    def _schedule(self, flush: Callable[[], None]) -> None:
        self._flush = flush


def _nothing() -> None:
    """Nothing waits."""
