"""What a shop finds again on its new device: TABLE Backup, the parts that go along, and TABLE LEFT_BEHIND, what stays.

Rules owned here: every part of the book is in one of the two; what goes along holds no key, no PIN, no card, no
password and no money (product X2): operators come without passwords, batches as their sums, and the receipt's header
as the parameters that print it. Numbers of messages and commands belong to one device and stay there (invariant W3).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from protocol.errors import DecodeError
from protocol.swap import pack_backup, unpack_backup
from terminal.book import Book, ClosedBatch, Downloaded, Entry, Happening, Notice
from terminal.downloads import made, told
from terminal.settings import Settings

PARAMETERS: Final = "parameters"
HEADER: Final = ("17", "22")
"""The parameters that print a receipt's header: whom to call, and the merchant's name (CUP 3.7)."""

LEFT_BEHIND: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stan": "the new device counts in a batch of its own",
        "batch": "the host gives the new device the next one",
        "signed_on": "keys are never inherited",
        "clock_offset_s": "every clock is its own",
        "counter": "commands are signed for one device",
        "staged": "firmware is a device's own",
        "report": "firmware is a device's own",
        "settling": "the batch is closed before",
        "commands": "commands are signed for one device",
        "signatures": "they are with the host, or on paper, before",
        "form": "the terminal is registered, and its form forgotten",
        "swap": "each of the two knows its own part",
        "rows": "money and cards: the batch is closed before",
    }
)
"""Part of the book -> why it does not go along."""


class Backup(Entry):
    """The parts; ``operators`` are numbers, ``notices`` those that nobody has read."""

    closed: tuple[ClosedBatch, ...] = ()
    downloads: tuple[Downloaded, ...] = ()
    events: tuple[Happening, ...] = ()
    notices: tuple[Notice, ...] = ()
    operators: tuple[str, ...] = ()
    training: bool = False
    paused: bool = False
    pause_told: bool = True


def take(book: Book, settings: Settings) -> Backup:
    """The backup of a book; ``settings`` are those in force."""
    return Backup(
        closed=book.closed,
        downloads=tuple(_downloads(book, settings)),
        events=book.events,
        notices=tuple(notice for notice in book.notices if not notice.read),
        operators=tuple(sorted(book.operators)),
        training=book.training,
        paused=book.paused,
        pause_told=book.pause_told,
    )


def pack(backup: Backup) -> bytes:
    """Its bytes before they are sealed. Raises EncodeError where they are too many."""
    return pack_backup(backup.model_dump(mode="json"))


def unpack(packed: bytes) -> Backup:
    """The inverse. Raises DecodeError, which quotes nothing."""
    parts: dict[str, Any] = unpack_backup(packed)
    try:
        return Backup.model_validate(parts)
    except ValidationError as error:
        raise DecodeError(f"a backup with {error.error_count()} faults", code="backup") from None


def _downloads(book: Book, settings: Settings) -> list[Downloaded]:
    """The tables, with the receipt's header among the parameters, also where it was set up by hand."""
    tables = dict(book.downloads)
    header = {code: text for code, text in told(settings).items() if code in HEADER}
    if header:
        known = tables.get(PARAMETERS)
        items = {**header, **(known.items if known else {})}
        tables[PARAMETERS] = made(PARAMETERS, known.at if known else 0, items)
    return [tables[name] for name in sorted(tables)]
