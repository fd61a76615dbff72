"""The book is the fold of its records: spelled, read, folded, compacted, recovered, for any life of a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from terminal.book import Accepted, Book, ClosedBatch, Form, Happening, Operator
from terminal.errors import JournalUnreadable, TransitionRefused
from terminal.records import (
    BatchClosed,
    ClockSet,
    CommandAccepted,
    CommandAcknowledged,
    CommandDone,
    FormKept,
    Happened,
    Moved,
    NoticeConfirmed,
    NoticeReadTold,
    NoticesRead,
    Opened,
    OperatorKept,
    OperatorRemoved,
    PauseSet,
    PauseTold,
    Record,
    ReversalTried,
    SettlementAnswered,
    SettlementAsked,
    SignedOff,
    SignedOn,
    StanTaken,
    UpdateStaged,
    compacted,
    fold,
    read,
    spell,
)
from terminal.recovery import recover
from terminal.transaction import Event, Key, State, Transaction

NOTICE = dict.fromkeys(("title_zh", "title_en", "text_zh", "text_en", "reason", "stop_at"), "文")
ADVICES = ("refund", "completion_advice", "tip_adjustment", "offline_adjustment")
OUTCOMES = dict.fromkeys(ADVICES, (Event.APPROVE, Event.DECLINE, Event.CLEAR))
UNDOES = {
    "sale_void": ("sale",),
    "completion_void": ("completion", "completion_advice"),
    "preauth_void": ("preauth",),
    "tip_adjustment": ("sale",),
    "offline_adjustment": ("offline_sale",),
}
COUNTS = {"sale": 1, "completion": 1, "completion_advice": 1, "offline_sale": 1, "refund": -1}
COUNTS |= {"tip_adjustment": 1, "offline_adjustment": 1}


class LifeOfATerminal(RuleBasedStateMachine):
    """Any order of things that a terminal does, written and read again."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []
        self.book = Book()

    def write(self, record: Record) -> None:
        self.records.append(record)
        self.book = fold([record], self.book)

    @rule(
        kind=st.sampled_from(["sale", "refund", "preauth", "completion", "completion_advice"]),
        amount_fen=st.integers(1, 10**10 - 1),
    )
    def open(self, kind: str, amount_fen: int) -> None:
        row = Transaction(
            kind=kind, batch=self.book.batch, stan=self.book.next_stan, amount_fen=amount_fen, entry_mode="071"
        )
        self.write(Opened(row=row))

    @precondition(lambda self: any(row.state is State.PENDING for row in self.book.rows.values()))
    @rule(data=st.data())
    def answered(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from([row for row in self.book.rows.values() if row.state is State.PENDING]))
        event = data.draw(st.sampled_from(OUTCOMES.get(row.kind, (Event.APPROVE, Event.DECLINE, Event.DOUBT))))
        if row.kind in UNDOES and event is Event.APPROVE:
            original = self.book.find(row.original_stan)
            if original is None or original.state is not State.CAPTURED:
                event = Event.DECLINE
        self.write(Moved(batch=row.batch, stan=row.stan, event=event, code="00", rrn="0" * 12, reason="98"))

    @precondition(lambda self: any(row.state is State.MUST_REVERSE for row in self.book.rows.values()))
    @rule(event=st.sampled_from([Event.REVERSE, Event.CLEAR]))
    def resolved(self, event: Event) -> None:
        row = next(row for row in self.book.rows.values() if row.state is State.MUST_REVERSE)
        self.write(ReversalTried(batch=row.batch, stan=row.stan))
        self.write(Moved(batch=row.batch, stan=row.stan, event=event))

    @rule(kind=st.sampled_from(sorted(UNDOES)))
    def undo(self, kind: str) -> None:
        rows = self.book.rows.values()
        original = next((row for row in rows if row.state is State.CAPTURED and row.kind in UNDOES[kind]), None)
        if original:
            row = Transaction(
                kind=kind, batch=self.book.batch, stan=self.book.next_stan, amount_fen=original.amount_fen + 1,
                entry_mode="002", original_batch=original.batch, original_stan=original.stan,
            )  # fmt: skip
            self.write(Opened(row=row))

    @rule(amount_fen=st.integers(1, 20_000))
    def sell_offline(self, amount_fen: int) -> None:
        row = Transaction(
            kind="offline_sale", batch=self.book.batch, stan=self.book.next_stan, amount_fen=amount_fen,
            entry_mode="052", state=State.OFFLINE, original_batch="000000", original_stan="000000",
        )  # fmt: skip
        self.write(Opened(row=row))

    @precondition(lambda self: any(row.state is State.OFFLINE for row in self.book.rows.values()))
    @rule(event=st.sampled_from([Event.APPROVE, Event.DECLINE, Event.CLEAR]))
    def uploaded(self, event: Event) -> None:
        row = next(row for row in self.book.rows.values() if row.state is State.OFFLINE)
        self.write(Moved(batch=row.batch, stan=row.stan, event=event, rrn="0" * 12))

    @precondition(lambda self: not self.book.unresolved)
    @rule(balanced=st.booleans())
    def settle(self, balanced: bool) -> None:
        self.write(SettlementAsked(stan=self.book.next_stan))
        self.write(SettlementAnswered(balanced=balanced))
        totals = self.book.totals.domestic
        self.write(
            BatchClosed(
                summary=ClosedBatch(
                    batch=self.book.batch,
                    debit_fen=totals.debit_fen,
                    debit_count=totals.debit_count,
                    credit_fen=totals.credit_fen,
                    credit_count=totals.credit_count,
                    digest=self.book.digest.hex(),
                    balanced=balanced,
                    at=0,
                )
            )
        )

    @rule(kind=st.sampled_from(["notice", "update_firmware"]))
    def command(self, kind: str) -> None:
        body = NOTICE if kind == "notice" else {"version": "2.2.0"}
        self.write(CommandAccepted(command=Accepted(counter=self.book.counter + 1, kind=kind, body=body)))

    @precondition(lambda self: bool(self.book.commands))
    @rule()
    def carried_out(self) -> None:
        counter = self.book.commands[0].counter
        self.write(CommandDone(counter=counter, result="done"))
        self.write(CommandAcknowledged(counter=counter))

    @rule(record=st.sampled_from([
        SignedOff(), UpdateStaged(version="2.2.0"), UpdateStaged(version=""), ClockSet(offset_s=-7),
        UpdateStaged(version="2.2.0", report=Key("000001", "000002")),
        NoticesRead(counter=1, at=1), NoticeConfirmed(counter=1, at=2),
        NoticeReadTold(counter=1), PauseSet(on=True), PauseSet(on=False), PauseTold(on=True),
        OperatorRemoved(number="01"),
        OperatorKept(operator=Operator(number="00", salt="00", digest="00")),
        OperatorKept(operator=Operator(number="01", salt="01", digest="01", must_change=True)),
        FormKept(form=Form(name="店", contact="王", telephone="1", address="路")), FormKept(form=None),
        Happened(event=Happening(at=1, what="命令", detail="replayed")),
    ]))  # fmt: skip
    def little_things(self, record: Record) -> None:
        self.write(record)

    @rule()
    def sign_on(self) -> None:
        self.write(StanTaken(stan=self.book.next_stan))
        self.write(SignedOn(batch=self.book.batch))

    @rule()
    def power_cut(self) -> None:
        for move in recover(self.book):
            self.write(move)
        assert recover(self.book) == []
        assert all(row.state is not State.PENDING or row.kind in ADVICES for row in self.book.rows.values())

    @rule()
    def compact(self) -> None:
        self.records = compacted(self.book)

    @invariant()
    def the_book_is_the_fold_of_what_is_written(self) -> None:
        assert fold(read(spell(record)) for record in self.records) == self.book

    @invariant()
    def totals_are_the_captured_rows(self) -> None:
        captured = [row for row in self.book.rows.values() if row.state is State.CAPTURED]
        net = sum(COUNTS.get(row.kind, 0) * row.amount_fen for row in captured)
        assert self.book.net_fen == net


TestLifeOfATerminal = LifeOfATerminal.TestCase
TestLifeOfATerminal.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_record(junk: bytes) -> None:
    """A damaged journal would be read as a different story."""
    with pytest.raises(JournalUnreadable):
        read(junk)


@pytest.mark.parametrize(
    "spelling",
    [b"{}", b'{"record":"stan"}', b'{"record":"money","stan":"1"}', b'{"record":"stan","stan":"1","more":1}', b"[]"],
)
def test_records_of_another_firmware(spelling: bytes) -> None:
    """Downgraded firmware would ignore what it does not know, and lose money."""
    with pytest.raises(JournalUnreadable):
        read(spelling)


def test_a_record_has_one_spelling() -> None:
    """Two firmwares would write the same thing in two ways."""
    record = Moved(batch="000001", stan="000002", event=Event.DOUBT, reason="98")
    assert spell(record) == b'{"batch":"000001","event":"doubt","reason":"98","record":"moved","stan":"000002"}'


def records_without_their_beginning() -> list[Any]:
    return [
        Moved(batch="000001", stan="000009", event=Event.APPROVE),
        ReversalTried(batch="000001", stan="000009"),
        SettlementAnswered(balanced=True),
    ]


@pytest.mark.parametrize("record", records_without_their_beginning(), ids=lambda record: record.record)
def test_records_that_contradict_the_book(record: Record) -> None:
    """A journal with a hole would be taken for whole."""
    with pytest.raises(TransitionRefused):
        fold([record])
