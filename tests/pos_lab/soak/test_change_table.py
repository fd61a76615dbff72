"""The table of changes: every committed row, in the order of writing, once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from host.store.database import backend_of, open_store
from pos_lab.soak.change_table import ChangeTable
from tests.postgresql import Server

INSERT = (
    "INSERT INTO postings (number, terminal_id, batch, stan, reason, debit, credit, amount_fen, at) "
    "VALUES ({}, '30000001', '000001', '000001', 'capture', 'a', 'b', {}, 0)"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that a host has made."""
    server: Server | None = None
    found = str(tmp_path / "host.db")
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        found = server.database()
    open_store(found, Random(1).randbytes, key_file=tmp_path / "key").close()
    yield found
    if server is not None:
        server.drop(found)


@pytest.fixture
def table(url: str) -> Iterator[ChangeTable]:
    """Its table of changes."""
    table = ChangeTable(url)
    table.install()
    yield table
    table.close()


def connection(url: str) -> Any:
    """What a host writes by, at the beginning of a transaction."""
    pooled = backend_of(url).engine().raw_connection()
    found: Any = pooled.driver_connection
    pooled.detach()
    begin(found)
    return found


def begin(host: Any) -> None:
    """The next transaction; PostgreSQL's driver begins it by itself."""
    if isinstance(host, sqlite3.Connection):
        host.execute("BEGIN IMMEDIATE")


def told(table: ChangeTable) -> list[tuple[Any, bool]]:
    """Numbers of the postings that were told, and whether they are gone."""
    return [(values[0], gone) for name, gone, values in table.take() if name == "postings"]


def test_what_is_committed_is_told_once_in_its_order(url: str, table: ChangeTable) -> None:
    """The examiner would hear of money that never moved, or of none of it."""
    host = connection(url)
    for number in (3, 1, 2):
        host.execute(INSERT.format(number, number * 100))
    assert told(table) == []
    host.commit()
    assert told(table) == [(3, False), (1, False), (2, False)]
    assert told(table) == []
    begin(host)
    host.execute("DELETE FROM postings WHERE number = 1")
    host.commit()
    begin(host)
    host.execute(INSERT.format(4, 1))
    host.rollback()
    assert told(table) == [(1, True)]
    assert set(table.rows("postings")) == {(2,), (3,)}
    assert table.rows("postings")[2,]["amount_fen"] == 200
    host.close()


def test_what_is_committed_late_is_not_lost(postgresql: Server, tmp_path: Path) -> None:
    """Of two hosts the slower one's sales would never be examined."""
    url = postgresql.database()
    open_store(url, Random(1).randbytes, key_file=tmp_path / "key").close()
    table = ChangeTable(url)
    table.install()
    slow, quick = connection(url), connection(url)
    slow.execute(INSERT.format(1, 1))
    quick.execute(INSERT.format(2, 1))
    quick.commit()
    assert told(table) == [(2, False)]
    slow.commit()
    assert told(table) == [(1, False)]
    for each in (slow, quick):
        each.close()
    table.close()
    postgresql.drop(url)
