"""The acquirer of a world, at whose door the examiner listens: what comes in, and which of it a failed commit took."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from host.acquirer import Acquirer
from host.guard import Line
from host.policy import Policy
from host.store.database import Store
from host.store.groups import Job
from pos_lab.sim.checker.evidence import Question

Asked = Callable[[str, bytes], Question | None]
"""(line, payload) -> the question that it is."""


class Overheard(Acquirer):
    """``asked`` hears of every payload before it is answered."""

    def __init__(self, store: Store, policy: Policy, clock: Callable[[], datetime], asked: Asked) -> None:
        super().__init__(store, policy, clock)
        self._asked = asked
        self._deciding: list[tuple[Question, Job]] = []

    def ask(self, payload: bytes, line: Line | None, told: Callable[[Job], None]) -> Job:
        question = self._asked(line.address if line else "", payload)
        job = super().ask(payload, line, told)
        self._deciding = [waiting for waiting in self._deciding if not waiting[1].is_done]
        if question:
            self._deciding.append((question, job))
        return job

    def commit_failed(self) -> None:
        """The disk has failed under what is being decided: nobody knows what it kept (J6)."""
        for question, job in self._deciding:
            question.is_doubtful |= not job.is_done
