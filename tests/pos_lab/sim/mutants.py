"""TABLE MUTANTS: the bugs that naive hosts and terminals have, put in for the length of a block.

Each is known from the field or from the design; an invariant that kills none of them may be dead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from firmware_sim.chip import Chip
from host import engine as _engine
from host import gates as _gates
from host.acquirer import Acquirer
from host.decision import Decision, Insert
from host.engine import HANDLERS
from host.errors import StoreError
from host.fees import BASIS, Rate
from host.gates import Gate
from host.handlers import purchase as _purchase
from host.handlers import undo as _undo
from host.keys import KeyDesk, MacCheck
from host.policy import Activation, Policy, Preauth
from host.store.books import Books
from host.store.groups import GroupCommit, Job
from protocol import exchange
from terminal.book import Book
from terminal.flows import resolve
from terminal.journal import Journal
from terminal.records import Opened, fold, spell
from terminal.records.money import Moved, with_row
from terminal.session import Session, Silence
from terminal.transaction import Event, Judgement, Mac, State


class Mutant(NamedTuple):
    """A row of MUTANTS: what is wrong, in which profile it shows, and which invariants say so."""

    english: str
    profile: str
    caught_by: str
    patches: Mapping[str, Any]
    first_seed: int = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The bug is there inside the block."""
        with ExitStack() as stack:
            for target, changed in self.patches.items():
                stack.enter_context(patch(target, changed))
            yield


# terminal


async def _nothing_pending(session: Session, flow: str) -> None:
    return None


_append = Journal.append


def _append_after_send(self: Any, record: Any) -> None:
    """A new row is in memory only until the next record comes."""
    late = getattr(self, "_late", None)
    self._late = None
    if late is not None:
        self._nvram.append(spell(late))
    if isinstance(record, Opened) and record.row.state is State.PENDING:
        self._book = fold([record], self._book)
        self._late = record
    else:
        _append(self, record)


def _opened_without_stan(self: Opened, book: Book) -> Book:
    return with_row(book, self.row)


def _moved_with_stan(self: Moved, book: Book) -> Book:
    """A STAN that was not answered is free again."""
    answered = self.event in (Event.APPROVE, Event.DECLINE)
    return dataclasses.replace(_moved(self, book), stan=self.stan if answered else book.stan)


_moved = Moved.applied


def _silence_is_no(session: Session, row: Any, answer: Any) -> Judgement:
    return Judgement(Event.DECLINE) if isinstance(answer, Silence) else _judged(session, row, answer)


def _judged(session: Session, row: Any, answer: Any) -> Judgement:
    from terminal.transaction import judge

    return judge(
        row.row,
        approved=answer.response.approved,
        leaves_doubt=answer.response.leaves_doubt,
        mac=answer.mac,
        decline_needs_mac=session.settings.decline_mac == "required",
    )


async def _reversed_unanswered(session: Session, row: Any) -> bool:
    await _reverse(session, row)
    if session.book.rows[row.key].state is State.MUST_REVERSE:
        session.journal.append(Moved(batch=row.batch, stan=row.stan, event=Event.REVERSE))
    return True


_reverse = resolve._reverse


async def _reversed_under_new_stan(session: Session, row: Any) -> bool:
    ask = session.ask

    async def renamed(kind: str, fields: Any = None, **names: Any) -> Any:
        if kind.endswith("_reversal"):
            names["stan"] = session.take_stan()
        return await ask(kind, fields, **names)

    with patch.object(session, "ask", renamed):
        return await _reverse(session, row)


async def _given_up(session: Session, row: Any) -> bool:
    if row.tries < 3:
        return await _reverse(session, row)
    session.journal.append(Moved(batch=row.batch, stan=row.stan, event=Event.CLEAR))
    return True


def _attempts(attempt: Callable[..., Any]) -> Mapping[State, Any]:
    return {**resolve._ATTEMPTS, State.MUST_REVERSE: (attempt, "terminal.reversal_pending")}


def _any_reply(self: Any, arrived: Any, now: float) -> exchange.Event:
    return exchange.Event.REPLY


def _mac_unchecked(self: Session, unsealed: Any) -> Mac:
    return Mac.GOOD


def _told_no_where_approved(session: Session, outcome: Any) -> None:
    if outcome.result == "approved" and outcome.stan.endswith("7"):
        session.tell(dataclasses.replace(outcome, result="refused"))


def _unsent_is_no(kind: Any, judgement: Judgement) -> Judgement:
    return judgement if kind.reversal else Judgement(Event.DECLINE)


def _forgetful_barrier(self: Chip) -> None:
    """The controller says that it is done, and keeps it in its own memory."""
    self._erasing.clear()


# host


def _speak_first(self: GroupCommit, group: list[Job]) -> None:
    _run(self, [Job(partial(_speaking, job), job.keys, Future()) for job in group])
    for job in group:
        if not job.future.done():
            job.future.set_exception(StoreError("it never spoke"))


def _speaking(job: Job, books: Books) -> None:
    result = job.unit(books)
    if not job.future.done():
        job.future.set_result(result)


_run = GroupCommit.run


def _applied_in_pieces(self: Books, writes: Any) -> None:
    """Every row is committed for itself: what fails behind it finds it there."""
    for write in writes:
        _apply(self, [write])
        self._driver.execute("COMMIT")
        self._driver.execute("BEGIN IMMEDIATE")
        self._driver.execute("SAVEPOINT unit")


_apply = Books.apply


def _handling(name: str, handler: Callable[[Any], Decision]) -> Mapping[str, Any]:
    return {**HANDLERS, name: handler}


def _handlers(suffix: str, handler: Callable[[Any], Decision]) -> Mapping[str, Any]:
    return {name: handler if name.endswith(suffix) else usual for name, usual in HANDLERS.items()}


def _agreed(case: Any) -> Decision:
    return Decision()


def _nothing_moved(row: Any, at: int) -> tuple[()]:
    return ()


def _keeps_fee(row: Any, state: Any, *, fee_fen: int = 0) -> Any:
    return _move(row, state, fee_fen=row.fee_fen)


def _bankers(self: Rate, amount_fen: int) -> int:
    fee_fen = round(amount_fen * self.rate_bp / BASIS)
    return fee_fen if self.cap_fen is None else min(fee_fen, self.cap_fen)


def _without_cap(self: Rate, amount_fen: int) -> int:
    return (amount_fen * self.rate_bp * 2 + BASIS) // (BASIS * 2)


def _floored(self: Rate, amount_fen: int) -> int:
    fee_fen = amount_fen * self.rate_bp // BASIS
    return fee_fen if self.cap_fen is None else min(fee_fen, self.cap_fen)


def _one_fen_more(*arguments: Any, **names: Any) -> Any:
    row = _record(*arguments, **names)
    return dataclasses.replace(row, amount_fen=row.amount_fen + 1)


def _over_what_was(table: str, row: Any) -> Insert:
    return Insert(table, row, replace=True)


def _another_signature(case: Any) -> Decision:
    decision = HANDLERS["signature_upload"](case)
    return dataclasses.replace(
        decision, writes=tuple(Insert(write.table, {**write.row, "sha256": "0" * 64}) for write in decision.writes)
    )


class _GatesWithout:
    """The gates of every request, without some."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def of(self, *about: Any) -> tuple[Gate, ...]:
        return tuple(gate for gate in _asked.of(*about) if gate.name not in self._names)


_asked = _gates._ASKED


def _believed(self: KeyDesk, terminal: Any, unsealed: Any) -> MacCheck:
    return MacCheck.CURRENT if terminal.working_keys else MacCheck.ABSENT


def _activate_early(case: Any, decision: Decision) -> Any:
    policy = case.policy.model_copy(update={"activation": Activation(turnover_fen=5_000)})
    return _activate(dataclasses.replace(case, policy=policy), decision)


def _activate_never(case: Any, decision: Decision) -> list[Any]:
    return []


def _unrepeated(case: Any) -> bytes:
    return b""


def _retold(self: Acquirer, books: Books, opened: Any, line: Any) -> Any:
    """The answer to the request before, whoever asked."""
    answer = _answer(self, books, opened, line)
    last, self._last = getattr(self, "_last", answer), answer
    return last


_answer = Acquirer._answer
_record = _purchase.record
_move = _undo.move
_activate = _engine._activate
_NO_REFUND = property(lambda self: 0)
_BAD_IS_NO = {
    (True, Mac.GOOD): Judgement(Event.APPROVE),
    (True, Mac.BAD): Judgement(Event.DECLINE),
    (True, Mac.ABSENT): Judgement(Event.DECLINE),
    (False, Mac.GOOD): Judgement(Event.DECLINE),
    (False, Mac.BAD): Judgement(Event.DECLINE),
    (False, Mac.ABSENT): Judgement(Event.DECLINE),
}


MUTANTS: Final[Mapping[str, Mutant]] = {
    # the terminal
    "no_boot_reversal": Mutant(
        "recovery leaves what was pending", "power", "D3 M1 M4 J1", {"terminal.journal.recover": lambda book: []},
        first_seed=4,
    ),
    "journal_after_send": Mutant(
        "the journal is written once the request has left", "calm", "J1",
        {"terminal.journal.Journal.append": _append_after_send},
    ),
    "stan_after_send": Mutant(
        "a STAN is used up once its request is answered", "network", "J2 J1",
        {
            "terminal.records.money.Opened.applied": _opened_without_stan,
            "terminal.records.money.Moved.applied": _moved_with_stan,
        },
    ),
    "silence_is_no": Mutant(
        "no answer counts as a refusal", "network", "M1 M4", {"terminal.money._judged": _silence_is_no}
    ),
    "bad_mac_is_no": Mutant(
        "an answer with a bad MAC counts as a refusal", "adversary", "M1 M4",
        {"terminal.transaction.JUDGEMENTS": _BAD_IS_NO},
    ),
    "reversed_unanswered": Mutant(
        "a reversal is sent once and counts as done", "network", "M12 M1",
        {"terminal.flows.resolve._ATTEMPTS": _attempts(_reversed_unanswered)},
    ),
    "reversal_new_stan": Mutant(
        "a reversal goes out under a STAN of its own", "network", "M12 M1 M4 J3",
        {"terminal.flows.resolve._ATTEMPTS": _attempts(_reversed_under_new_stan)},
    ),
    "given_up_after_three": Mutant(
        "a reversal is given up after three tries", "everything", "M1 M4",
        {"terminal.flows.resolve._ATTEMPTS": _attempts(_given_up)},
        first_seed=38,
    ),
    "reversal_any_answer": Mutant(
        "any answer ends a reversal", "everything", "M1 M4 M12",
        {"terminal.flows.resolve._is_done": lambda session, reply: True},
    ),
    "sells_while_pending": Mutant(
        "new business goes out before a reversal is done", "network", "M13",
        {"terminal.flows.transact.resolve": _nothing_pending},
    ),
    "settles_while_pending": Mutant(
        "a batch is settled with a reversal pending", "network", "M1 S1 S4 M4 M12 D3 J5",
        {"terminal.flows.settle.resolve": _nothing_pending},
        first_seed=20,
    ),
    "any_reply": Mutant(
        "whatever comes is the reply", "network", "I4 M1 M4 M12",
        {"terminal.session.Session._event_of": _any_reply},
    ),
    "no_mac_at_terminal": Mutant(
        "the terminal checks no MAC", "adversary", "M1 M4 J3",
        {"terminal.session.Session._mac_of": _mac_unchecked},
        first_seed=6,
    ),
    "void_forgets_original": Mutant(
        "a void leaves the sale as it was", "calm", "M1 S1", {"terminal.records.money.MOVES_ORIGINAL": {}}
    ),
    "no_barrier": Mutant(
        "the memory says that it has what it has not", "power", "J1 J2 J4 J5 M1 M4 M12",
        {"firmware_sim.chip.Chip.barrier": _forgetful_barrier},
    ),
    "torn_tail": Mutant(
        "a torn record is taken for damage", "power", "J5", {"firmware_sim.nvram._is_torn": lambda tail, room: False}
    ),
    "told_both_ways": Mutant(
        "the cashier is told that an approved sale is refused", "calm", "M5",
        {"terminal.app.hand_out": _told_no_where_approved},
    ),
    "refund_not_sent_again": Mutant(
        "a refund without an answer counts as refused", "network", "M1 M4", {"terminal.money.in_doubt": _unsent_is_no},
        first_seed=10,
    ),
    "number_in_journal": Mutant(
        "the journal keeps a card's number", "calm", "P1", {"terminal.flows.purchase.mask_pan": lambda pan: pan}
    ),
    # the host
    "number_in_ledger": Mutant(
        "the ledger keeps a card's number", "calm", "P1", {"host.handlers.purchase.mask_pan": lambda pan: pan}
    ),
    "amount_off": Mutant(
        "the host captures a fen more", "calm", "J3 M2", {"host.handlers.purchase.record": _one_fen_more}
    ),
    "resurrected": Mutant(
        "a late original takes the place of its tombstone", "network", "M10 J3",
        {
            "host.gates._ASKED": _GatesWithout("STAN used"),
            "host.handlers.purchase.Insert": _over_what_was,
        },
    ),
    "other_signature": Mutant(
        "the host keeps another signature", "calm", "G1",
        {"host.engine.HANDLERS": _handling("signature_upload", _another_signature)},
    ),
    "completed_too_high": Mutant(
        "a hold is completed with twice of it", "calm", "M9",
        {"pos_lab.sim.world.Policy": lambda: Policy(preauth=Preauth(completion_percent=200))},
        first_seed=24,
    ),
    "fee_floored": Mutant("a fee is rounded down", "calm", "S7", {"host.fees.Rate.fee_fen": _floored}),
    "speaks_first": Mutant(
        "the host replies before it commits", "storage", "J3",
        {"host.store.groups.GroupCommit.run": _speak_first},
        first_seed=5,
    ),
    "no_tombstone": Mutant(
        "a reversal of an unknown original leaves nothing", "everything", "J3 M1 M4",
        {"host.handlers.undo._tombstone": _agreed},
    ),
    "reversal_undone": Mutant(
        "a reversal is approved and nothing happens", "network", "J3 M1 M4",
        {"host.engine.HANDLERS": _handlers("_reversal", _agreed)},
    ),
    "no_dedup": Mutant(
        "a repeated request is refused as a duplicate", "network", "M1 M4 D3", {"host.acquirer.repeats": _unrepeated},
        first_seed=5,
    ),
    "money_stays": Mutant(
        "an undone sale leaves its postings", "calm", "M6 S9", {"host.postings.undo": _nothing_moved}
    ),
    "money_comes_not": Mutant(
        "a sale makes no postings", "calm", "M6", {"host.handlers.purchase.capture": _nothing_moved}
    ),
    "fee_stays": Mutant("an undone sale keeps its fee", "calm", "S7", {"host.handlers.undo.move": _keeps_fee}),
    "fee_bankers": Mutant("a fee is rounded to even", "calm", "S7", {"host.fees.Rate.fee_fen": _bankers}),
    "fee_uncapped": Mutant("a fee has no cap", "calm", "S7", {"host.fees.Rate.fee_fen": _without_cap}),
    "hold_ignored": Mutant(
        "a suspended terminal sells", "adversary", "L4", {"host.gates._ASKED": _GatesWithout("held")}
    ),
    "stop_ignored": Mutant(
        "a stopped terminal sells", "adversary", "L4",
        {"host.gates._ASKED": _GatesWithout("stopped", "not activated")},
    ),
    "batch_stays": Mutant(
        "both ends forget that a batch is closed", "calm", "S4",
        {
            "terminal.records.batch.following": lambda batch: batch,
            "host.gates._ASKED": _GatesWithout("wrong batch"),
        },
    ),
    "no_mac_at_host": Mutant(
        "the host checks no MAC", "adversary", "M1 M4 J3 I1 S4 D3", {"host.keys.KeyDesk.check": _believed},
        first_seed=72,
    ),
    "activated_early": Mutant(
        "a terminal is activated by half", "calm", "L2", {"host.engine._activate": _activate_early}
    ),
    "activated_never": Mutant(
        "a terminal is never activated", "calm", "L3", {"host.engine._activate": _activate_never}
    ),
    "refund_unbounded": Mutant(
        "a sale is refunded as often as one likes", "calm", "M8", {"host.case.Snapshot.refunded_fen": _NO_REFUND},
        first_seed=55,
    ),
    "always_previous": Mutant(
        "the host answers with the reply before", "calm", "I4 J3 M12 M1 M4 D3 I1",
        {"host.acquirer.Acquirer._answer": _retold},
    ),
    "in_pieces": Mutant(
        "every row is committed for itself", "storage", "M6 J3 M1 M4 I1 S7 S4 D3",
        {"host.store.books.Books.apply": _applied_in_pieces},
        first_seed=83,
    ),
}  # fmt: skip
