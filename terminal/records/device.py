"""What a journal says of the device: its clock, its software, its tables and its audit trail."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from terminal.book import EVENTS_KEPT, ROUTINE, Book, Downloaded, Entry, Happening
from terminal.transaction import Key


class ClockSet(Entry):
    """How many seconds the board is ahead of its own clock."""

    record: Literal["clock"] = "clock"
    offset_s: int

    def applied(self, book: Book) -> Book:
        return replace(book, clock_offset_s=self.offset_s)


class UpdateStaged(Entry):
    """The next boot tries ``version``; "" once the host was told how that went.

    ``report`` is the batch and STAN under which it is told, None before it was tried.
    """

    record: Literal["staged"] = "staged"
    version: str
    report: Key | None = None

    def applied(self, book: Book) -> Book:
        return replace(book, staged=self.version, report=self.report)


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
