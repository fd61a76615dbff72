"""What a journal says of a swap: this device's own part in it, and what it was given by the one before."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from terminal.backup import Backup
from terminal.book import Book, Entry, Operator, Swap
from terminal.records.shop import with_operators


class SwapKept(Entry):
    """How far this device's part has come; None where the swap was cancelled."""

    record: Literal["swap"] = "swap"
    swap: Swap | None

    def applied(self, book: Book) -> Book:
        return replace(book, swap=self.swap)


class Restored(Entry):
    """Everything that came from the device before, but for the tables, with one write.

    Its notices get numbers below those of any command to this device, and the host is not told of them again. Its
    operators have no password until somebody chooses one here.
    """

    record: Literal["restored"] = "restored"
    swap: Swap
    backup: Backup

    def applied(self, book: Book) -> Book:
        come, count = self.backup, len(self.backup.notices)
        operators = {number: Operator(number=number, salt="", digest="", must_change=True) for number in come.operators}
        return replace(
            with_operators(book, operators),
            swap=self.swap,
            closed=come.closed,
            events=come.events,
            notices=tuple(
                notice.model_copy(update={"counter": number - count, "read_told": True})
                for number, notice in enumerate(come.notices)
            ),
            training=come.training,
            paused=come.paused,
            pause_told=come.pause_told,
        )
