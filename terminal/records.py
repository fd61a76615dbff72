"""TABLE RECORDS: what is written to the journal, and what each record does to the book.

Rules owned here: the book is the fold of its records and nothing else (``fold``); ``compacted`` gives the few records
that fold to the same book; a record is canonical JSON of one spelling.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import reduce
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from terminal.book import (
    CLOSED_KEPT,
    EVENTS_KEPT,
    NOTICES_KEPT,
    ROUTINE,
    Accepted,
    Book,
    ClosedBatch,
    Downloaded,
    Entry,
    Form,
    Happening,
    Notice,
    Operator,
    Settling,
    Signature,
    following,
)
from terminal.errors import JournalUnreadable, TransitionRefused
from terminal.transaction import MOVES_ORIGINAL, Event, Key, Signing, Transaction


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
    """Something happened to a transaction; an approval moves the original with the same write (MOVES_ORIGINAL)."""

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
    organisation: str = ""
    chip: str = ""
    script: str = ""
    order: str = ""
    settlement_date: str = ""

    def applied(self, book: Book) -> Book:
        known = self.model_dump(exclude={"record", "batch", "stan", "event"})
        row = _row(book, self.batch, self.stan).moved(self.event, **known)
        book = _with_row(book, row)
        if self.event is Event.APPROVE and row.kind in MOVES_ORIGINAL and row.original_key:
            original = _row(book, *row.original_key)
            book = _with_row(book, original.moved(MOVES_ORIGINAL[row.kind]))
        return book


class ReversalTried(Entry):
    """A reversal was not answered as it must be."""

    record: Literal["tried"] = "tried"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        row = _row(book, self.batch, self.stan)
        return _with_row(book, row.model_copy(update={"tries": row.tries + 1}))


class ScriptTold(Entry):
    """The host was sent how an issuer's script went, once, whatever it answered (CUP 7.22)."""

    record: Literal["script"] = "script"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        return _with_row(book, _row(book, self.batch, self.stan).model_copy(update={"script": ""}))


class SignatureTaken(Entry):
    """The cardholder has signed on the pad; from here on the signature waits for its upload."""

    record: Literal["signature"] = "signature"
    signature: Signature

    def applied(self, book: Book) -> Book:
        signed = _signed(book, self.signature.key, Signing.CAPTURED)
        return replace(signed, signatures=(*book.signatures, self.signature))


class SignatureTried(Entry):
    """An upload of a signature was not answered as it must be."""

    record: Literal["signature_tried"] = "signature_tried"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        key = Key(self.batch, self.stan)
        return replace(
            book,
            signatures=tuple(
                row.model_copy(update={"tries": row.tries + 1}) if row.key == key else row for row in book.signatures
            ),
        )


class SignatureSent(Entry):
    """The host has the signature."""

    record: Literal["signature_sent"] = "signature_sent"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        return _without_signature(book, Key(self.batch, self.stan), Signing.UPLOADED)


class SignatureGivenUp(Entry):
    """The signature is on paper, for ``reason``: none was given on the pad, or the host never took it (G3)."""

    record: Literal["signature_given_up"] = "signature_given_up"
    batch: str
    stan: str
    reason: str

    def applied(self, book: Book) -> Book:
        return _without_signature(book, Key(self.batch, self.stan), Signing.PAPER)


class SlipPrinted(Entry):
    """Both copies of a slip came out whole."""

    record: Literal["printed"] = "printed"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        return _with_row(book, _row(book, self.batch, self.stan).model_copy(update={"printed": True}))


class TrainingSet(Entry):
    """From here on the terminal only practises, or no longer."""

    record: Literal["training"] = "training"
    on: bool

    def applied(self, book: Book) -> Book:
        return replace(book, training=self.on)


class PauseSet(Entry):
    """From here on the terminal takes no new business, or does again; the host does not know it yet."""

    record: Literal["pause"] = "pause"
    on: bool

    def applied(self, book: Book) -> Book:
        return replace(book, paused=self.on, pause_told=False)


class PauseTold(Entry):
    """The host knows whether the terminal pauses, which was ``on`` when it was told."""

    record: Literal["pause_told"] = "pause_told"
    on: bool

    def applied(self, book: Book) -> Book:
        return replace(book, pause_told=book.paused is self.on)


class OperatorKept(Entry):
    """An operator is new, or has another password."""

    record: Literal["operator"] = "operator"
    operator: Operator

    def applied(self, book: Book) -> Book:
        return _with_operators(book, {**book.operators, self.operator.number: self.operator})


class OperatorRemoved(Entry):
    """An operator may not log on any more."""

    record: Literal["operator_removed"] = "operator_removed"
    number: str

    def applied(self, book: Book) -> Book:
        return _with_operators(book, {key: row for key, row in book.operators.items() if key != self.number})


class FormKept(Entry):
    """The merchant's form as it stands; None once the terminal is registered and needs it no more."""

    record: Literal["form"] = "form"
    form: Form | None

    def applied(self, book: Book) -> Book:
        return replace(book, form=self.form)


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
        if self.command.kind in ("notice", "announcement"):
            must_confirm = self.command.kind == "announcement"
            stored = Notice.model_validate(
                {**self.command.body, "counter": self.command.counter, "must_confirm": must_confirm}
            )
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
    """The notices up to ``counter`` that need no confirmation were shown on request."""

    record: Literal["read"] = "read"
    counter: int
    at: int

    def applied(self, book: Book) -> Book:
        return _read(
            book,
            self.at,
            {row.counter for row in book.notices if row.counter <= self.counter and not row.must_confirm},
        )


class NoticeConfirmed(Entry):
    """Somebody has pressed enter on an announcement."""

    record: Literal["confirmed"] = "confirmed"
    counter: int
    at: int

    def applied(self, book: Book) -> Book:
        return _read(book, self.at, {self.counter})


class NoticeReadTold(Entry):
    """The host knows that a notice was read, and when."""

    record: Literal["read_told"] = "read_told"
    counter: int

    def applied(self, book: Book) -> Book:
        told = {"read_told": True}
        return replace(
            book,
            notices=tuple(row.model_copy(update=told) if row.counter == self.counter else row for row in book.notices),
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


class TableDownloaded(Entry):
    """A download is complete and checked; it takes the place of the one before with one write."""

    record: Literal["downloaded"] = "downloaded"
    table: Downloaded

    def applied(self, book: Book) -> Book:
        return replace(book, downloads=MappingProxyType({**book.downloads, self.table.name: self.table}))


class Happened(Entry):
    """A line of the audit trail."""

    record: Literal["event"] = "event"
    event: Happening

    def applied(self, book: Book) -> Book:
        events = [*book.events, self.event]
        if len(events) > EVENTS_KEPT:
            del events[next((at for at, event in enumerate(events) if event.what in ROUTINE), 0)]
        return replace(book, events=tuple(events))


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
    training: bool = False
    paused: bool = False
    pause_told: bool = True
    form: Form | None = None

    def applied(self, book: Book) -> Book:
        return replace(book, **{name: getattr(self, name) for name in _BROUGHT})


class Kept(Entry):
    """One list of a book that was compacted."""

    record: Literal["kept"] = "kept"
    commands: tuple[Accepted, ...] = ()
    notices: tuple[Notice, ...] = ()
    closed: tuple[ClosedBatch, ...] = ()
    events: tuple[Happening, ...] = ()
    signatures: tuple[Signature, ...] = ()
    operators: tuple[Operator, ...] = ()

    def applied(self, book: Book) -> Book:
        book = _with_operators(book, {**book.operators, **{row.number: row for row in self.operators}})
        return replace(
            book,
            commands=(*book.commands, *self.commands),
            notices=(*book.notices, *self.notices),
            closed=(*book.closed, *self.closed),
            events=(*book.events, *self.events),
            signatures=(*book.signatures, *self.signatures),
        )


_BROUGHT: Final = tuple(name for name in Brought.model_fields if name != "record")

Record = (
    StanTaken
    | Opened
    | Moved
    | ReversalTried
    | ScriptTold
    | SignatureTaken
    | SignatureTried
    | SignatureSent
    | SignatureGivenUp
    | SlipPrinted
    | TrainingSet
    | PauseSet
    | PauseTold
    | OperatorKept
    | OperatorRemoved
    | FormKept
    | SignedOn
    | SignedOff
    | SettlementAsked
    | SettlementAnswered
    | BatchClosed
    | CommandAccepted
    | CommandDone
    | CommandAcknowledged
    | NoticesRead
    | NoticeConfirmed
    | NoticeReadTold
    | ClockSet
    | UpdateStaged
    | TableDownloaded
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
        *(Kept(signatures=(row,)) for row in book.signatures),
        *(Kept(operators=(row,)) for row in book.operators.values()),
    ]
    tables = [TableDownloaded(table=row) for row in book.downloads.values()]
    return [*rows, *tables, *lists, Brought(**{name: getattr(book, name) for name in _BROUGHT})]


def _row(book: Book, batch: str, stan: str) -> Transaction:
    row = book.rows.get(Key(batch, stan))
    if row is None:
        raise TransitionRefused(f"no transaction {batch}/{stan}")
    return row


def _with_row(book: Book, row: Transaction) -> Book:
    return replace(book, rows=MappingProxyType({**book.rows, row.key: row}))


def _with_operators(book: Book, operators: Mapping[str, Operator]) -> Book:
    return replace(book, operators=MappingProxyType(dict(operators)))


def _read(book: Book, at: int, counters: set[int]) -> Book:
    """The notices of these counters are read; what was read before keeps its time."""
    return replace(
        book,
        notices=tuple(
            row.model_copy(update={"read_at": at}) if row.counter in counters and not row.read else row
            for row in book.notices
        ),
    )


def _signed(book: Book, key: Key, signing: Signing) -> Book:
    """The row of ``key`` as it is signed now; its batch may be closed long since."""
    row = book.rows.get(key)
    return book if row is None else _with_row(book, row.model_copy(update={"signature": signing}))


def _without_signature(book: Book, key: Key, signing: Signing) -> Book:
    waiting = tuple(row for row in book.signatures if row.key != key)
    return replace(_signed(book, key, signing), signatures=waiting)
