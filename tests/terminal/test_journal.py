"""The journal on a small memory: it makes room for itself, and says so when there is none."""

from __future__ import annotations

import pytest

from firmware_sim.chip import SECTOR_BYTES, Chip
from firmware_sim.errors import NvramFull
from firmware_sim.nvram import Nvram
from firmware_sim.power import Power
from terminal.book import Happening
from terminal.journal import Journal
from terminal.records import Happened, Opened, StanTaken
from terminal.transaction import Transaction

RESERVE_BYTES = 1024


class Memory:
    """One chip with two banks of a sector, and its journal."""

    def __init__(self) -> None:
        self.chip = Chip(2 * SECTOR_BYTES, name="journal")
        self.power = Power()
        self.start()

    def start(self) -> Journal:
        """The power goes, if it is on, and comes back."""
        if self.power.is_on:
            self.power.cut()
        self.power.switch_on()
        self.nvram = Nvram(self.chip, self.power, reserve_bytes=RESERVE_BYTES)
        self.journal = Journal(self.nvram)
        return self.journal


def test_a_record_that_does_not_fit_any_more_makes_room() -> None:
    """A terminal that only echoes for a year would be full of numbers that nobody needs."""
    memory = Memory()
    for number in range(1, 500):
        memory.journal.append(StanTaken(stan=f"{number:06d}"))
    assert sum(memory.chip.wear) > 2
    assert len(memory.nvram.records()) < 100
    assert memory.journal.book.stan == memory.start().book.stan == "000499"


def test_a_record_that_nothing_makes_room_for_changes_nothing() -> None:
    """A sale would be in the book of this power epoch, and gone with it."""
    memory = Memory()
    long = Happening(at=1, what="x" * 2000, detail="")
    memory.journal.append(Happened(event=long))
    row = Transaction(
        kind="sale", batch="000001", stan="000001", amount_fen=1, entry_mode="051", card_sealed="00" * 600
    )
    book = memory.journal.book
    with pytest.raises(NvramFull, match="settle"):
        memory.journal.append(Opened(row=row))
    assert memory.journal.book == memory.start().book == book
    assert not memory.journal.has_room(100)
    assert memory.journal.no_room == "terminal.journal_full"
    memory.journal.append(Happened(event=Happening(at=2, what="alarm", detail="")))
    assert memory.start().book.events[-1].what == "alarm"
