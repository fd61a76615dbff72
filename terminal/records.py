"""TABLE RECORDS: what is written to the journal, and what each record does to the book.

Rules owned here: the book is the fold of its records and nothing else (``fold``); ``compacted`` gives the few records
that fold to the same book; a record is canonical JSON of one spelling.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from terminal.book import (
    CLOSED_KEPT,
    EVENTS_KEPT,
    NOTICES_KEPT,
    Accepted,
    Book,
    ClosedBatch,
    Entry,
    Happening,
    Notice,
    Settling,
    following,
)
from terminal.errors import JournalUnreadable, TransitionRefused
from terminal.transaction import Event, Key, Transaction


class StanTaken(Entry):
    """A STAN is used up, before the request that carries it leaves (invariant J2)."""

    record: Literal["stan"] = "stan"
    stan: str

    def applied(self, book: Book) -> Book:
        return replace(book, stan=self.stan)


class Opened(Entry):
    """A money request is about to leave; it takes its STAN with the same write."""

    record: Literal["opened"] = "opened"
    row: Transaction

    def applied(self, book: Book) -> Book:
        return replace(_with_row(book, self.row), stan=self.row.stan)


class Moved(Entry):
    """Something happened to a transaction; a void that is approved moves its original with the same write."""

    record: Literal["moved"] = "moved"
    batch: str
    stan: str
    event: Event
    reason: str = ""
    code: str = ""
    rrn: str = ""
    auth_id: str = ""
    date: str = ""
    time: str = ""

    def applied(self, book: Book) -> Book:
        known = self.model_dump(include={"reason", "code", "rrn", "auth_id", "date", "time"})
        row = _row(book, self.batch, self.stan).moved(self.event, **known)
        book = _with_row(book, row)
        if row.kind == "sale_void" and self.event is Event.APPROVE:
            original = _row(book, row.original_batch, row.original_stan)
            book = _with_row(book, original.moved(Event.VOID))
        return book


class ReversalTried(Entry):
    """A reversal was not answered as it must be."""

    record: Literal["tried"] = "tried"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        row = _row(book, self.batch, self.stan)
        return _with_row(book, row.model_copy(update={"tries": row.tries + 1}))


class SignedOn(Entry):
    """The host gave working keys; ``batch`` is the one to use (CUP 7.10)."""

    record: Literal["signed_on"] = "signed_on"
    batch: str

    def applied(self, book: Book) -> Book:
        return replace(book, signed_on=True, batch=self.batch)


class SignedOff(Entry):
    """The session with the host has ended."""

    record: Literal["signed_off"] = "signed_off"

    def applied(self, book: Book) -> Book:
        return replace(book, signed_on=False)


class SettlementAsked(Entry):
    """Totals are about to be compared; from here on the batch takes no row."""

    record: Literal["settling"] = "settling"
    stan: str

    def applied(self, book: Book) -> Book:
        return replace(book, stan=self.stan, settling=Settling(stan=self.stan))


class SettlementAnswered(Entry):
    """The host has compared."""

    record: Literal["compared"] = "compared"
    balanced: bool

    def applied(self, book: Book) -> Book:
        if book.settling is None:
            raise TransitionRefused("no settlement is under way")
        return replace(book, settling=Settling(stan=book.settling.stan, balanced=self.balanced))


class BatchClosed(Entry):
    """Both books closed the batch; the next one begins empty."""

    record: Literal["closed"] = "closed"
    summary: ClosedBatch

    def applied(self, book: Book) -> Book:
        return replace(
            book,
            batch=following(self.summary.batch),
            settling=None,
            closed=(*book.closed, self.summary)[-CLOSED_KEPT:],
            rows=MappingProxyType({}),
        )


class CommandAccepted(Entry):
    """A verified command; its counter is used up and, if it is a notice, the notice stored, with one write (C2)."""

    record: Literal["command"] = "command"
    command: Accepted

    def applied(self, book: Book) -> Book:
        notices = book.notices
        if self.command.kind == "notice":
            stored = Notice(counter=self.command.counter, **self.command.body)
            notices = (*notices, stored)[-NOTICES_KEPT:]
        return replace(book, counter=self.command.counter, notices=notices, commands=(*book.commands, self.command))


class CommandDone(Entry):
    """A command was carried out, or could not be."""

    record: Literal["done"] = "done"
    counter: int
    result: str

    def applied(self, book: Book) -> Book:
        done = {"result": self.result}
        return replace(
            book,
            commands=tuple(
                row.model_copy(update=done) if row.counter == self.counter else row for row in book.commands
            ),
        )


class CommandAcknowledged(Entry):
    """The host knows how a command went."""

    record: Literal["acknowledged"] = "acknowledged"
    counter: int

    def applied(self, book: Book) -> Book:
        return replace(book, commands=tuple(row for row in book.commands if row.counter != self.counter))


class NoticesRead(Entry):
    """Everything up to ``counter`` was shown on request."""

    record: Literal["read"] = "read"
    counter: int

    def applied(self, book: Book) -> Book:
        return replace(
            book,
            notices=tuple(
                notice.model_copy(update={"read": True}) if notice.counter <= self.counter else notice
                for notice in book.notices
            ),
        )


class ClockSet(Entry):
    """How many seconds the board is ahead of its own clock."""

    record: Literal["clock"] = "clock"
    offset_s: int

    def applied(self, book: Book) -> Book:
        return replace(book, clock_offset_s=self.offset_s)


class UpdateStaged(Entry):
    """The next boot tries ``version``; "" once the host was told how that went."""

    record: Literal["staged"] = "staged"
    version: str

    def applied(self, book: Book) -> Book:
        return replace(book, staged=self.version)


class Happened(Entry):
    """A line of the audit trail."""

    record: Literal["event"] = "event"
    event: Happening

    def applied(self, book: Book) -> Book:
        return replace(book, events=(*book.events, self.event)[-EVENTS_KEPT:])


class Brought(Entry):
    """A part of a book that was compacted: what is not a transaction, list by list."""

    record: Literal["brought"] = "brought"
    stan: str
    batch: str
    signed_on: bool
    clock_offset_s: int
    counter: int
    staged: str
    settling: Settling | None

    def applied(self, book: Book) -> Book:
        return replace(book, **{name: getattr(self, name) for name in _BROUGHT})


class Kept(Entry):
    """One list of a book that was compacted."""

    record: Literal["kept"] = "kept"
    commands: tuple[Accepted, ...] = ()
    notices: tuple[Notice, ...] = ()
    closed: tuple[ClosedBatch, ...] = ()
    events: tuple[Happening, ...] = ()

    def applied(self, book: Book) -> Book:
        return replace(
            book,
            commands=(*book.commands, *self.commands),
            notices=(*book.notices, *self.notices),
            closed=(*book.closed, *self.closed),
            events=(*book.events, *self.events),
        )


_BROUGHT: Final = tuple(name for name in Brought.model_fields if name != "record")

Record = (
    StanTaken
    | Opened
    | Moved
    | ReversalTried
    | SignedOn
    | SignedOff
    | SettlementAsked
    | SettlementAnswered
    | BatchClosed
    | CommandAccepted
    | CommandDone
    | CommandAcknowledged
    | NoticesRead
    | ClockSet
    | UpdateStaged
    | Happened
    | Brought
    | Kept
)
RECORDS: Final[TypeAdapter[Record]] = TypeAdapter(Annotated[Record, Field(discriminator="record")])


def spell(record: Record) -> bytes:
    """The one spelling of a record; what has its default is left out."""
    stated = {"record": record.record, **record.model_dump(mode="json", exclude_defaults=True)}
    return json.dumps(stated, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def read(spelling: bytes) -> Record:
    """The record; raises JournalUnreadable, which quotes nothing, where it is none."""
    try:
        return RECORDS.validate_json(spelling)
    except ValidationError as error:
        raise JournalUnreadable(f"a record of the journal has {error.error_count()} faults") from None


def fold(records: Iterable[Record], book: Book | None = None) -> Book:
    """The book after ``records``; raises TransitionRefused where they contradict each other."""
    return reduce(lambda so_far, record: record.applied(so_far), records, book or Book())


def compacted(book: Book) -> list[Record]:
    """The shortest records that fold to ``book``."""
    rows = [Opened(row=row) for row in book.rows.values()]
    lists = [
        *(Kept(commands=(row,)) for row in book.commands),
        *(Kept(notices=(row,)) for row in book.notices),
        *(Kept(closed=(row,)) for row in book.closed),
        *(Kept(events=(row,)) for row in book.events),
    ]
    return [*rows, *lists, Brought(**{name: getattr(book, name) for name in _BROUGHT})]


def _row(book: Book, batch: str, stan: str) -> Transaction:
    row = book.rows.get(Key(batch, stan))
    if row is None:
        raise TransitionRefused(f"no transaction {batch}/{stan}")
    return row


def _with_row(book: Book, row: Transaction) -> Book:
    return replace(book, rows=MappingProxyType({**book.rows, row.key: row}))
