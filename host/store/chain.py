"""The audit as a chain: every row carries a digest over the row before it and itself.

Rules owned here: what a digest covers, and how the chain is verified. A row's ``detail`` goes in as a salted
commitment, so that it can be erased (with its salt) and the chain still holds; the salt makes the commitment of a short
text as good as random. Rows are linked in the order of their commits, under a lock on the row of ``chains``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.engine import Dialect

from host.keys import KeyDesk
from host.store.prepared import prepare
from host.store.schema import TABLES

AUDIT: Final = "audit"
ERASE: Final = "erase"
"""The act whose audit row names the places of the rows that it erased."""
SALT_BYTES: Final = 16
BREACHES_MAX: Final = 20
_COVERED: Final = ("place", "number", "at", "actor", "serial_number", "act")
_ROWS_AT_ONCE: Final = 1_000
_TELLING: Final = 2
"""Characters of a text that can be told from any other."""
_LINKED: Final = frozenset({"place", "salt", "commitment", "digest"})
_ENDED: Final = frozenset({"place", "digest"})
_rows = TABLES[AUDIT]
_chains = TABLES["chains"]
_LINKING: Final = update(_rows).where(_rows.c.number == bindparam("at_number"))
_OF_AUDIT: Final = update(_chains).where(_chains.c.name == AUDIT)
_LOCKING: Final = _OF_AUDIT.values(name=AUDIT)
_UNLINKED: Final = select(_rows).where(_rows.c.place.is_(None)).order_by(_rows.c.number)
_HEAD: Final = select(_chains.c.place, _chains.c.digest).where(_chains.c.name == AUDIT)


@dataclass(frozen=True, slots=True)
class Breach:
    """What is wrong at one audit row; ``number`` is 0 where it is about the chain as a whole."""

    number: int
    what: str

    def __str__(self) -> str:
        return f"audit row {self.number}: {self.what}" if self.number else f"audit: {self.what}"


def begin_chain(connection: Connection) -> None:
    """The head of a chain without rows."""
    connection.execute(_chains.insert().values(name=AUDIT, place=0, digest=b""))


def link(dialect: Dialect, driver: Any, keys: KeyDesk) -> None:
    """Give every row of the driver's transaction that has none its place, commitment and digest."""
    prepare(dialect, _LOCKING).execute(driver, {})  # until the commit
    head: dict[str, Any] = next(prepare(dialect, _HEAD).rows(driver, {}), {"place": 0, "digest": b""})
    place, digest = head["place"], bytes(head["digest"])
    linking = prepare(dialect, _LINKING, _LINKED)
    unlinked = list(prepare(dialect, _UNLINKED).rows(driver, {}))
    for found in unlinked:
        place += 1
        salt = keys.fresh(SALT_BYTES)
        commitment = _commitment(salt, found["detail"])
        digest = keys.link(digest, _covered({**found, "place": place, "commitment": commitment}))
        link_of = {"place": place, "salt": salt, "commitment": commitment, "digest": digest}
        linking.execute(driver, {"at_number": found["number"], **link_of})
    if unlinked:
        prepare(dialect, _OF_AUDIT, _ENDED).execute(driver, {"place": place, "digest": digest})


def forget(connection: Connection, texts: Collection[str]) -> list[int]:
    """Erase, with their salts, the details that hold one of some texts; returns the places of their rows."""
    names = as_words(texts)
    forgotten = [
        row["place"]
        for row in _in_order(connection, (_head(connection) or (0, b""))[0])
        if row["act"] != ERASE and any(name.search(row["detail"]) for name in names)
    ]
    for place in forgotten:
        connection.execute(update(_rows).where(_rows.c.place == place).values(detail="", salt=b""))
    return forgotten


def as_words(texts: Collection[str]) -> list[re.Pattern[str]]:
    """What finds texts where they stand for themselves; those that are too short to tell anything are left out."""
    return [_as_word(text) for text in texts if len(text) >= _TELLING]


def _as_word(text: str) -> re.Pattern[str]:
    """A text where it stands for itself: the contact "li" is not meant by "client", a telephone not by an amount."""
    before, after = ("(?<![0-9A-Za-z])" if text[0].isascii() and text[0].isalnum() else ""), ""
    if text[-1].isascii() and text[-1].isalnum():
        after = "(?![0-9A-Za-z])"
    return re.compile(f"{before}{re.escape(text)}{after}")


def verify(connection: Connection, keys: KeyDesk) -> tuple[Breach, ...]:
    """Every breach of the chain, the first BREACHES_MAX of them."""
    found: list[Breach] = []
    for breach in _breaches(connection, keys):
        found.append(breach)
        if len(found) == BREACHES_MAX:
            break
    return tuple(found)


def _breaches(connection: Connection, keys: KeyDesk) -> Iterator[Breach]:
    """Up to the head as it is at first: others may add rows meanwhile."""
    head = _head(connection)
    if head is None:
        yield Breach(0, "its head is missing")
        return
    place, digest, erased, told = 0, b"", dict[int, int](), set[int]()
    for row in _in_order(connection, head[0]):
        place += 1
        if row["place"] != place:
            yield Breach(row["number"], f"stands at place {row['place']}, place {place} is missing")
            place = row["place"]
        if not row["salt"]:
            erased[place] = row["number"]
        elif _commitment(row["salt"], row["detail"]) != row["commitment"]:
            yield Breach(row["number"], "its detail was altered")
        elif row["act"] == ERASE:
            told.update(json.loads(row["detail"])["places"])
        if keys.link(digest, _covered(row)) != row["digest"]:
            yield Breach(row["number"], "it was altered, or a row before it was taken away or put in")
        digest = row["digest"]
    for number in (number for at, number in erased.items() if at not in told):
        yield Breach(number, "its detail was erased without a certificate")
    if head != (place, digest):
        yield Breach(0, f"its head stands at {head[0]}, the last row at {place}")
    newest = select(_chains.c.place).where(_chains.c.name == AUDIT).scalar_subquery()
    beside = select(_rows.c.number).where(or_(_rows.c.place.is_(None), _rows.c.place > newest)).order_by(_rows.c.number)
    for number in connection.execute(beside.limit(BREACHES_MAX)).scalars():
        yield Breach(number, "it was put in beside the chain")


def _in_order(connection: Connection, last: int) -> Iterator[Mapping[str, Any]]:
    """Rows by place, some at a time, so that a long audit needs little memory."""
    after = 0
    while True:
        query = select(_rows).where(_rows.c.place > after, _rows.c.place <= last)
        rows = connection.execute(query.order_by(_rows.c.place, _rows.c.number).limit(_ROWS_AT_ONCE)).all()
        yield from (dict(row._mapping) for row in rows)
        if len(rows) < _ROWS_AT_ONCE:
            return
        after = rows[-1].place


def _head(connection: Connection) -> tuple[int, bytes] | None:
    found = connection.execute(_HEAD).first()
    return (found.place, bytes(found.digest)) if found else None


def _covered(row: Mapping[str, Any]) -> bytes:
    told = [row[column] for column in _COVERED]
    return json.dumps([*told, bytes(row["commitment"]).hex()], ensure_ascii=True).encode()


def _commitment(salt: bytes, detail: str) -> bytes:
    return hashlib.sha256(salt + detail.encode(errors="surrogatepass")).digest()
