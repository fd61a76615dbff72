"""The journal: the book on NVRAM, one durable record after the other.

Rules owned here: a record is durable before the book has it, and the book is never ahead of NVRAM (J1, J2); room for
one more transaction is checked before the host is asked, and what ends a transaction may use the reserve (J8); when
room is short, or a batch is closed, the journal is compacted; worn memory opens no transaction any more, and ends those
that are open in the room that is left. Where that is none, as behind a torn record, the journal can only be read.
"""

from __future__ import annotations

import logging
from typing import Final

from firmware_sim.errors import NotRecorded, NvramWorn
from firmware_sim.nvram import Nvram
from terminal.book import Book
from terminal.records import Opened, Record, SignatureTaken, TableDownloaded, compacted, fold, read, spell
from terminal.recovery import recover

log = logging.getLogger("poslab.terminal")
TRANSACTION_BYTES: Final = 2048
"""Room for a transaction and all that can happen to it until it is settled."""
SIGNATURE_BYTES: Final = 2048
"""Room for a signature until the host has it: 999 bytes of image, 255 of slip, as base64."""
_ORDINARY: Final = (Opened, SignatureTaken, TableDownloaded)
"""Records that leave the reserve to reversals."""


class Journal:
    """The records of one terminal; opening reads them all and recovers. ``signs`` tells that it has a signature pad.

    Raises JournalUnreadable and TransitionRefused on records that no firmware of ours wrote.
    """

    def __init__(self, nvram: Nvram, *, signs: bool = False) -> None:
        self._nvram = nvram
        self._transaction_bytes = TRANSACTION_BYTES + (SIGNATURE_BYTES if signs else 0)
        self._book = read_book(nvram)
        self.recover()

    @property
    def book(self) -> Book:
        """What the durable records say."""
        return self._book

    def recover(self) -> bool:
        """Let every request that nobody waits for any more be reversed; False where that cannot be written down."""
        try:
            for move in recover(self._book):
                self.append(move)
        except NotRecorded as error:
            log.warning("what is in doubt is left as it is: %s", error)
            return False
        return True

    def has_room(self, limit: int) -> bool:
        """Whether one more transaction fits, of at most ``limit`` in a batch; compacts first where that helps."""
        if self._nvram.room_bytes < self._transaction_bytes:
            self.compact()
        has_room = len(self._book.rows) < limit and self._nvram.room_bytes >= self._transaction_bytes
        return has_room and not self._nvram.is_worn

    @property
    def no_room(self) -> str:
        """Why ``has_room`` says no, a row of LOCAL."""
        return "terminal.memory_worn" if self._nvram.is_worn else "terminal.journal_full"

    def append(self, record: Record) -> None:
        """Make ``record`` durable, then let the book have it.

        Raises TransitionRefused and NvramFull before anything is written, NvramWorn where the memory does not take it,
        PowerLost, ChipError.
        """
        book = fold([record], self._book)
        spelling = spell(record)
        if self._nvram.room_bytes < len(spelling):
            self.compact()
        self._nvram.append(spelling, reserved=not isinstance(record, _ORDINARY))
        self._book = book

    def forget(self, record: Record) -> None:
        """Erase everything there ever was, and begin again with ``record``; a power cut leaves all or this one.

        Raises NvramWorn where the memory cannot be erased.
        """
        self._nvram.rewrite([spell(record)])
        self._book = fold([record])

    def compact(self) -> None:
        """Write the book anew in as few records as it takes; a power cut leaves the old ones or the new ones.

        Worn memory keeps the old ones.
        """
        if self._nvram.is_worn:
            return
        try:
            self._nvram.rewrite(spell(record) for record in compacted(self._book))
        except NvramWorn as error:
            log.warning("the journal cannot be compacted: %s", error)


def read_book(nvram: Nvram) -> Book:
    """What the records say, with nothing recovered and nothing written. Raises as ``Journal``."""
    return fold(map(read, nvram.records()))
