"""What a compacted journal says: the parts of a book that are no transactions."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from terminal.book import (
    Accepted,
    Book,
    ClosedBatch,
    Entry,
    Form,
    Happening,
    Notice,
    Operator,
    Settling,
    Signature,
    Swap,
)
from terminal.records.shop import with_operators
from terminal.transaction import Key


class Brought(Entry):
    """A part of a book that was compacted: what is not a transaction, list by list."""

    record: Literal["brought"] = "brought"
    stan: str
    batch: str
    signed_on: bool
    clock_offset_s: int
    counter: int
    staged: str
    report: Key | None = None
    settling: Settling | None
    training: bool = False
    paused: bool = False
    pause_told: bool = True
    form: Form | None = None
    swap: Swap | None = None

    def applied(self, book: Book) -> Book:
        return replace(book, **{name: getattr(self, name) for name in BROUGHT})


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
        book = with_operators(book, {**book.operators, **{row.number: row for row in self.operators}})
        return replace(
            book,
            commands=(*book.commands, *self.commands),
            notices=(*book.notices, *self.notices),
            closed=(*book.closed, *self.closed),
            events=(*book.events, *self.events),
            signatures=(*book.signatures, *self.signatures),
        )


BROUGHT: Final = tuple(name for name in Brought.model_fields if name != "record")
"""The names of what Brought brings."""
