"""Bugs that break invariants of durability."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from firmware_sim.chip import Chip
from firmware_sim.chips import SIZES
from host.errors import StoreError
from host.store import chain as _chain
from host.store.books import Books
from host.store.groups import GroupCommit, Job
from terminal.book import Book, Happening
from terminal.journal import Journal
from terminal.records import Happened, Opened, fold, spell
from terminal.records.money import Moved, with_row
from terminal.recovery import recover
from terminal.transaction import Event, State
from tests.pos_lab.sim.mutants.mutant import Mutant

_append = Journal.append
_recover = Journal.recover


def _append_after_send(self: Any, record: Any) -> None:
    """A new row is in memory only until the next record comes."""
    late = getattr(self, "_late", None)
    self._late = None
    if late is not None:
        self._nvram.append(spell(late))
    if isinstance(record, Opened) and record.row.state is State.PENDING:
        self._book = fold([record], self._book)
        self._late = record
    else:
        _append(self, record)


def opened_without_stan(self: Opened, book: Book) -> Book:
    return with_row(book, self.row)


def moved_with_stan(self: Moved, book: Book) -> Book:
    """A STAN that was not answered is free again."""
    answered = self.event in (Event.APPROVE, Event.DECLINE)
    return dataclasses.replace(_moved(self, book), stan=self.stan if answered else book.stan)


_moved = Moved.applied


def _forgetful_barrier(self: Chip) -> None:
    """The controller says that it is done, and keeps it in its own memory."""
    self._erasing.clear()


def _speak_first(self: GroupCommit, group: list[Job]) -> None:
    _run(self, [Job(partial(_speaking, job), job.keys, _says_nothing) for job in group])
    for job in group:
        if not job.is_done:
            job.end(None, StoreError("it never spoke"))


def _speaking(job: Job, books: Books) -> None:
    result = job.unit(books)
    if not job.is_done:
        job.end(result, None)


def _says_nothing(job: Job) -> None:
    """It has spoken."""


_run = GroupCommit.run


def _applied_in_pieces(self: Books, writes: Any) -> None:
    """Every row is committed for itself: what fails behind it finds it there."""
    for write in writes:
        _apply(self, [write])
        self.write_out()
        self._driver.commit()
        self._driver.execute("BEGIN IMMEDIATE")
        self._driver.execute("SAVEPOINT unit")


def _audit_edited(dialect: Any, driver: Any, keys: Any) -> None:
    """Whoever has the database writes the audit as it pleases."""
    _link(dialect, driver, keys)
    driver.execute("UPDATE audit SET actor = 'nobody' WHERE number = ?", [_NUMBER_OF_NOBODY])


def _room_enough(self: Journal, limit: int) -> bool:
    return True


def _recovered_again(book: Any) -> list[Moved]:
    """Every boot drops what the boot before has found to be reversed."""
    moves = recover(book)
    waiting = [row for row in book.unresolved if row.state is State.MUST_REVERSE]
    return [*moves, *(Moved(batch=row.batch, stan=row.stan, event=Event.CLEAR) for row in waiting)]


def _noted_again(self: Journal) -> None:
    """Every boot writes that it was one, whether or not there was anything to recover."""
    _recover(self)
    self.append(Happened(event=Happening(at=0, what="recovered", detail="", operator="")))


class _Unknown(StoreError):
    """A commit of which nobody knows counts as one that failed."""


_SMALL: Final = {**SIZES, "journal": lambda model: 2 * 8 * 1024}
_NUMBER_OF_NOBODY: Final = 3
_link = _chain.link
_apply = Books.apply


DURABILITY: Final[Mapping[str, Mutant]] = {
    "journal_after_send": Mutant(
        "the journal is written once the request has left", "calm", "J1",
        {"terminal.journal.Journal.append": _append_after_send},
    ),
    "stan_after_send": Mutant(
        "a STAN is used up once its request is answered", "network", "J2",
        {
            "terminal.records.money.Opened.applied": opened_without_stan,
            "terminal.records.money.Moved.applied": moved_with_stan,
        },
    ),
    "no_barrier": Mutant(
        "the memory says that it has what it has not", "power", "J5 J4",
        {"firmware_sim.chip.Chip.barrier": _forgetful_barrier},
        seed=2,
    ),
    "torn_tail": Mutant(
        "a torn record is taken for damage", "power", "J5", {"firmware_sim.nvram._is_torn": lambda tail, room: False},
        seed=6,
    ),
    "speaks_first": Mutant(
        "the host replies before it commits", "storage", "J3",
        {"host.store.groups.GroupCommit.run": _speak_first},
        seed=5,
    ),
    "in_pieces": Mutant(
        "every row is committed for itself", "storage", "M7 S8",
        {"host.store.books.Books.apply": _applied_in_pieces},
        seed=1,
    ),
    "audit_edited": Mutant(
        "an earlier row of the audit is changed", "calm", "J7", {"host.store.chain.link": _audit_edited}
    ),
    "unknown_is_failed": Mutant(
        "a commit of which nobody knows counts as failed", "storage", "J6",
        {"host.store.groups.CommitUnknown": _Unknown},
    ),
    "no_room_asked": Mutant(
        "business goes on in a journal without room", "calm", "J8",
        {
            "firmware_sim.chips.SIZES": _SMALL,
            "terminal.journal.Journal.has_room": _room_enough,
            "terminal.journal._ORDINARY": (),
        },
    ),
    "dropped_at_boot": Mutant(
        "a boot drops what the boot before has found to be reversed", "power", "M12",
        {"terminal.journal.recover": _recovered_again},
        seed=5,
    ),
    "recovered_again": Mutant(
        "every boot writes, also behind one that has recovered", "power", "J9",
        {"terminal.journal.Journal.recover": _noted_again},
        seed=10,
    ),
}  # fmt: skip
