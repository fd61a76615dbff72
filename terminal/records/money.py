"""What a journal says of transactions."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from terminal.book import Book, Entry
from terminal.errors import TransitionRefused
from terminal.transaction import MOVES_ORIGINAL, Event, Key, Transaction


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
        return replace(with_row(book, self.row), stan=self.row.stan)


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
        row = row_of(book, self.batch, self.stan).moved(self.event, **known)
        book = with_row(book, row)
        if self.event is Event.APPROVE and row.kind in MOVES_ORIGINAL and row.original_key:
            original = row_of(book, *row.original_key)
            book = with_row(book, original.moved(MOVES_ORIGINAL[row.kind]))
        return book


class ReversalTried(Entry):
    """A reversal was not answered as it must be."""

    record: Literal["tried"] = "tried"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        row = row_of(book, self.batch, self.stan)
        return with_row(book, row.model_copy(update={"tries": row.tries + 1}))


class ScriptTold(Entry):
    """The host was sent how an issuer's script went, once, whatever it answered (CUP 7.22)."""

    record: Literal["script"] = "script"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        return with_row(book, row_of(book, self.batch, self.stan).model_copy(update={"script": ""}))


class SlipPrinted(Entry):
    """Both copies of a slip came out whole."""

    record: Literal["printed"] = "printed"
    batch: str
    stan: str

    def applied(self, book: Book) -> Book:
        return with_row(book, row_of(book, self.batch, self.stan).model_copy(update={"printed": True}))


def row_of(book: Book, batch: str, stan: str) -> Transaction:
    """The row; raises TransitionRefused where there is none."""
    row = book.rows.get(Key(batch, stan))
    if row is None:
        raise TransitionRefused(f"no transaction {batch}/{stan}")
    return row


def with_row(book: Book, row: Transaction) -> Book:
    """The book with this state of the row."""
    return replace(book, rows=MappingProxyType({**book.rows, row.key: row}))
