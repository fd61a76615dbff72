"""The journal: the book on NVRAM, one durable record after the other.

Rules owned here: a record is durable before the book has it, and the book is never ahead of NVRAM (J1, J2); room for
one more transaction is checked before the host is asked, and what ends a transaction may use the reserve (J8); when
room is short, or a batch is closed, the journal is compacted.
"""

from __future__ import annotations

from typing import Final

from firmware_sim.nvram import Nvram
from terminal.book import Book
from terminal.records import Opened, Record, compacted, fold, read, spell
from terminal.recovery import recover

TRANSACTION_BYTES: Final = 2048
"""Room for a transaction and all that can happen to it until it is settled."""


class Journal:
    """The records of one terminal; opening reads them all and recovers.

    Raises JournalUnreadable and TransitionRefused on records that no firmware of ours wrote.
    """

    def __init__(self, nvram: Nvram) -> None:
        self._nvram = nvram
        self._book = fold(map(read, nvram.records()))
        self.recover()

    @property
    def book(self) -> Book:
        """What the durable records say."""
        return self._book

    def recover(self) -> None:
        """Let every request that nobody waits for any more be reversed."""
        for move in recover(self._book):
            self.append(move)

    def has_room(self, limit: int) -> bool:
        """Whether one more transaction fits, of at most ``limit`` in a batch; compacts first where that helps."""
        if self._nvram.room_bytes < TRANSACTION_BYTES:
            self.compact()
        return len(self._book.rows) < limit and self._nvram.room_bytes >= TRANSACTION_BYTES

    def append(self, record: Record) -> None:
        """Make ``record`` durable, then let the book have it.

        Raises TransitionRefused and NvramFull before anything is written, PowerLost, ChipError.
        """
        book = fold([record], self._book)
        spelling = spell(record)
        if self._nvram.room_bytes < len(spelling):
            self.compact()
        self._nvram.append(spelling, reserved=not isinstance(record, Opened))
        self._book = book

    def compact(self) -> None:
        """Write the book anew in as few records as it takes; a power cut leaves the old ones or the new ones."""
        self._nvram.rewrite(spell(record) for record in compacted(self._book))
