"""What a journal says of commands and notices."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from terminal.book import NOTICES_KEPT, Accepted, Book, Entry, Notice


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


def _read(book: Book, at: int, counters: set[int]) -> Book:
    """The notices of these counters are read; what was read before keeps its time."""
    return replace(
        book,
        notices=tuple(
            row.model_copy(update={"read_at": at}) if row.counter in counters and not row.read else row
            for row in book.notices
        ),
    )
