"""The acquirer of a world, at whose door the examiner listens: what comes in, and which of it a failed commit took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from host.acquirer import Acquirer, Answer, Once
from host.guard import Line
from host.policy import Policy
from host.store.books import Books
from host.store.database import Store
from host.store.groups import Job
from pos_lab.sim.checker.evidence import Question

Asked = Callable[[str, bytes], Question | None]
"""(line, payload) -> the question that it is."""


@dataclass(slots=True)
class _Waiting:
    """A question that may not be answered yet; ``is_decided`` in the transaction that is under way."""

    question: Question
    payload: bytes
    job: Job
    is_decided: bool = False


class Overheard(Acquirer):
    """``asked`` hears of every payload before it is answered."""

    def __init__(self, store: Store, policy: Policy, clock: Callable[[], datetime], asked: Asked) -> None:
        super().__init__(store, policy, clock)
        self._asked = asked
        self._waiting: list[_Waiting] = []

    def ask(self, payload: bytes, line: Line | None, told: Callable[[Job], None]) -> Job:
        question = self._asked(line.address if line else "", payload)
        job = super().ask(payload, line, told)
        self._waiting = [each for each in self._waiting if not each.job.is_done]
        if question:
            self._waiting.append(_Waiting(question, payload, job))
        return job

    def _answer(self, books: Books, opened: Any, line: Line | None, once: Once) -> Answer:
        for each in self._waiting:
            each.is_decided |= each.payload is opened.payload
        return super()._answer(books, opened, line, once)

    def commit_failed(self, *, is_known: bool) -> None:
        """The disk has failed under what was decided: unless that ``is_known``, nobody can say what it kept (J6).

        What waits behind a commit of the store's own was not decided yet.
        """
        for each in self._waiting:
            each.question.is_doubtful |= each.is_decided and not each.job.is_done and not is_known
            each.is_decided = False
