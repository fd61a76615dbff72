"""Bugs that break invariants of idempotency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from host.acquirer import Acquirer
from host.decision import Update
from host.engine import repeats
from host.server import Rounds
from host.store.books import Books
from protocol import exchange
from protocol.codec import unseal
from protocol.fields import F
from tests.pos_lab.sim.mutants.durability import moved_with_stan, opened_without_stan
from tests.pos_lab.sim.mutants.mutant import Mutant
from tests.pos_lab.sim.mutants.parts import GatesWithout


def _any_reply(self: Any, arrived: Any, now: float) -> exchange.Event:
    return exchange.Event.REPLY


def _unrepeated(case: Any) -> bytes:
    return b""


def _declines_forgotten(case: Any) -> bytes:
    """Only what was approved is answered as it was."""
    stored = _repeats(case)
    return stored if stored and unseal(stored).message.text(F.RESPONSE_CODE) == "00" else b""


def _retold(self: Any, books: Books, opened: Any, line: Any, once: Any) -> Any:
    """The answer to the request before, whoever asked."""
    answer = _answer(self, books, opened, line, once)
    last, self._last = getattr(self, "_last", answer), answer
    return last


def _not_remembered(request: Any, payload: bytes, *, again: bool) -> Any:
    return Update("counters", {"name": ""}, {"value": 0})


def _lost_now_and_then(self: Rounds, connection: Any) -> None:
    """A wake-up is lost, and with it an answer."""
    self._missed = getattr(self, "_missed", 0) + 1  # type: ignore[attr-defined]
    if self._missed % 9:  # type: ignore[attr-defined]
        _answered(self, connection)


_repeats = repeats
_answered = Rounds.answered
_answer = Acquirer._answer
_ANY_BODY = property(lambda self: self.snapshot.stored is not None)


IDEMPOTENCY: Final[Mapping[str, Mutant]] = {
    "no_dedup": Mutant(
        "a repeated request is refused as a duplicate", "network", "M1 M4", {"host.acquirer.repeats": _unrepeated},
        seed=22,
    ),
    "declines_not_repeated": Mutant(
        "a request that was declined is answered otherwise when it comes again", "network", "I1",
        {"host.acquirer.repeats": _declines_forgotten},
        seed=5,
    ),
    "any_reply": Mutant(
        "whatever comes is the reply", "network", "I4",
        {"terminal.session.Session._event_of": _any_reply},
        seed=2,
    ),
    "always_previous": Mutant(
        "the host answers with the reply before", "calm", "D3",
        {"host.acquirer.Acquirer._answer": _retold},
    ),
    "any_body": Mutant(
        "the same key is the same question, whatever it asks", "network", "I2",
        {
            "terminal.records.money.Opened.applied": opened_without_stan,
            "terminal.records.money.Moved.applied": moved_with_stan,
            "host.case.Case.is_repeated": _ANY_BODY,
        },
    ),
    "answers_forgotten": Mutant(
        "an answer is not kept", "calm", "I3", {"host.acquirer._remembered": _not_remembered}
    ),
    "lines_not_fenced": Mutant(
        "two lines speak for one terminal", "network", "I6",
        {"host.gates._asked": GatesWithout("superseded line")},
        seed=31,
    ),
    "wake_up_lost": Mutant(
        "an answer is decided, and nobody is woken to send it", "calm", "I7",
        {"host.server.Rounds.answered": _lost_now_and_then},
    ),
}  # fmt: skip
