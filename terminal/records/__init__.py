"""TABLE RECORDS: what is written to the journal, and what each record does to the book.

Rules owned here: the book is the fold of its records and nothing else (``fold``); ``compacted`` gives the few records
that fold to the same book; a record is canonical JSON of one spelling. The records themselves stand by noun in the
modules of this package.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import reduce
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from terminal.book import Book
from terminal.errors import JournalUnreadable
from terminal.records.batch import BatchClosed, SettlementAnswered, SettlementAsked, SignedOff, SignedOn
from terminal.records.compaction import BROUGHT, Brought, Kept
from terminal.records.device import ClockSet, Happened, TableDownloaded, UpdateStaged
from terminal.records.money import Moved, Opened, ReversalTried, ScriptTold, SlipPrinted, StanTaken
from terminal.records.orders import (
    CommandAccepted,
    CommandAcknowledged,
    CommandDone,
    NoticeConfirmed,
    NoticeReadTold,
    NoticesRead,
)
from terminal.records.shop import FormKept, OperatorKept, OperatorRemoved, PauseSet, PauseTold, TrainingSet
from terminal.records.signing import SignatureGivenUp, SignatureSent, SignatureTaken, SignatureTried
from terminal.records.swap import Restored, SwapKept

__all__ = [
    "RECORDS",
    "BatchClosed",
    "Brought",
    "ClockSet",
    "CommandAccepted",
    "CommandAcknowledged",
    "CommandDone",
    "FormKept",
    "Happened",
    "Kept",
    "Moved",
    "NoticeConfirmed",
    "NoticeReadTold",
    "NoticesRead",
    "Opened",
    "OperatorKept",
    "OperatorRemoved",
    "PauseSet",
    "PauseTold",
    "Record",
    "Restored",
    "ReversalTried",
    "ScriptTold",
    "SettlementAnswered",
    "SettlementAsked",
    "SignatureGivenUp",
    "SignatureSent",
    "SignatureTaken",
    "SignatureTried",
    "SignedOff",
    "SignedOn",
    "SlipPrinted",
    "StanTaken",
    "SwapKept",
    "TableDownloaded",
    "TrainingSet",
    "UpdateStaged",
    "compacted",
    "fold",
    "read",
    "spell",
]

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
    | SwapKept
    | Restored
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
    return [*rows, *tables, *lists, Brought(**{name: getattr(book, name) for name in BROUGHT})]
