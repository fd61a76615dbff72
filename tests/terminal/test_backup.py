"""What goes along in a swap, and what never does (product X2)."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from protocol.errors import DecodeError
from protocol.swap import BACKUP_PARTS, pack_backup
from terminal import backup
from terminal.backup import LEFT_BEHIND, Backup
from terminal.book import Book, ClosedBatch, Downloaded, Happening, Notice, Operator, Swap
from terminal.downloads import in_effect
from terminal.records import Restored, compacted, fold, read, spell
from terminal.settings import Settings

SETTINGS = Settings(
    terminal_id="10000001", merchant_id="898100000000001", merchant_name="街角便利店", management_phone="021"
)
SECRET_NAMES = (
    "key",
    "pin",
    "password",
    "salt",
    "card",
    "pan",
    "track",
    "image",
    "receipt",
    "chip",
    "sealed",
    "expiry",
)
TEXTS = dict.fromkeys(("title_zh", "title_en", "text_zh", "text_en"), "x")
FLAGS = ("pause_told", "paused", "training")
BOOK = Book(
    stan="000123",
    batch="000009",
    counter=77,
    closed=(ClosedBatch(batch="000008", debit_fen=1, debit_count=1, credit_fen=0, credit_count=0, digest="ab",
                        balanced=True, at=5),),
    events=(Happening(at=1, what="log on", detail="01", operator="01"),),
    notices=(
        Notice(counter=3, **TEXTS, read_at=9),
        Notice(counter=4, **TEXTS),
        Notice(counter=6, **TEXTS, must_confirm=True),
    ),
    operators={"00": Operator(number="00", salt="aa" * 16, digest="bb" * 32),
               "01": Operator(number="01", salt="cc" * 16, digest="dd" * 32, must_change=True)},
    downloads={"bin_blacklist": Downloaded(name="bin_blacklist", at=3, version="1", items={"62": ""})},
    training=True,
    paused=True,
    pause_told=False,
)  # fmt: skip


def fields_of(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Every field of a model and of the models inside, with the model's name."""
    for name, row in model.model_fields.items():
        yield model.__name__, name
        for inner in inner_models(row.annotation):
            yield from fields_of(inner)


def inner_models(annotation: object) -> Iterator[type[BaseModel]]:
    arguments = typing.get_args(annotation)
    if not arguments and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in arguments:
        yield from inner_models(argument)


def test_every_part_of_the_book_goes_along_or_stays() -> None:
    """A new part of the book would be forgotten in a swap, or travel with what nobody may see."""
    parts = {row.name for row in dataclasses.fields(Book)}
    assert parts == Backup.model_fields.keys() | LEFT_BEHIND.keys()
    assert not Backup.model_fields.keys() & LEFT_BEHIND.keys()
    assert Backup.model_fields.keys() == BACKUP_PARTS
    assert all(LEFT_BEHIND.values())


def test_no_part_that_goes_along_has_room_for_a_secret() -> None:
    """A password or a card would go over the line in a backup."""
    known = {("ClosedBatch", "digest")}  # over keys of rows: batch, STAN and amount
    found = [
        row
        for row in fields_of(Backup)
        if any(word in row[1] for word in (*SECRET_NAMES, "digest")) and row not in known
    ]
    assert found == []
    travelling = {model for model, _ in fields_of(Backup)}
    assert travelling == {"Backup", "ClosedBatch", "Downloaded", "Happening", "Notice"}


def test_nothing_secret_is_in_the_bytes() -> None:
    """The same, of a book that has everything."""
    spelt = json.dumps(backup.take(BOOK, SETTINGS).model_dump(mode="json"))
    for secret in ("aa" * 16, "bb" * 32, "cc" * 16, "dd" * 32, "000123", "77"):
        assert secret not in spelt


def test_what_was_taken_is_given_back() -> None:
    """The shop would not find its things again."""
    come = backup.unpack(backup.pack(backup.take(BOOK, SETTINGS)))
    swap = Swap(number=1, peer="OLD", stage="taken_over", sha256="ab")
    book = fold([Restored(swap=swap, backup=come)])
    assert (book.closed, book.events, book.training, book.paused, book.swap) == (
        BOOK.closed, BOOK.events, True, True, swap,
    )  # fmt: skip
    assert [(row.number, row.has_password) for row in book.operators.values()] == [("00", False), ("01", False)]
    assert [(row.counter, row.read_told, row.must_confirm) for row in book.notices] == [
        (-2, True, False), (-1, True, True),
    ]  # fmt: skip
    assert (book.stan, book.batch, book.counter, book.pause_told) == ("000000", "000001", 0, False)
    assert fold(map(read, map(spell, compacted(book)))) == book
    assert fold([read(spell(Restored(swap=swap, backup=come)))]) == book


def test_the_header_of_the_receipt_goes_along() -> None:
    """The slips of the new device would name nobody."""
    [_, table] = backup.take(BOOK, SETTINGS).downloads
    assert (table.name, table.items) == ("parameters", {"17": "021", "22": "街角便利店"})
    plain = SETTINGS.model_copy(update={"merchant_name": "", "management_phone": ""})
    assert [row.name for row in backup.take(BOOK, plain).downloads] == ["bin_blacklist"]
    restored = in_effect(plain, Book(downloads={"parameters": table}))
    assert (restored.merchant_name, restored.management_phone) == ("街角便利店", "021")


def test_a_downloaded_header_is_the_one_that_counts() -> None:
    """The new device would print a name that the shop gave up."""
    table = Downloaded(name="parameters", at=8, version="1", items={"22": "新店", "12": "30"})
    book = dataclasses.replace(BOOK, downloads={"parameters": table})
    [taken] = backup.take(book, in_effect(SETTINGS, book)).downloads
    assert taken.items == {"17": "021", "22": "新店", "12": "30"}


@pytest.mark.parametrize(
    "part", [{"operators": [1]}, {"closed": [{}]}, {"paused": "maybe"}, {"events": [{"at": 1, "what": "x"}]}], ids=str
)
def test_a_backup_of_another_make_is_refused(part: dict[str, object]) -> None:
    """A fault at the host would stop the new device for ever."""
    empty: dict[str, object] = {key: [] for key in BACKUP_PARTS} | dict.fromkeys(FLAGS, False)
    with pytest.raises(DecodeError) as refused:
        backup.unpack(pack_backup(empty | part))
    assert "maybe" not in str(refused.value)
