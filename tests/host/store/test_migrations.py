"""Revisions against the tables of today, and an old database that is brought up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, Integer, LargeBinary, MetaData, Table, insert, select, text

from host.errors import StoreError
from host.store.database import backend_of, open_store, upgrade_database
from host.store.migrations.upgrade import make
from host.store.revision import FIRST, NEWEST, REVISIONS, TABLE
from host.store.schema import METADATA
from tests.host.wire import fresh_bytes

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def empty(database: str) -> Engine:
    """Connections to a database without a table."""
    backend = backend_of(database)
    backend.look(create=True)
    return backend.engine()


@ON_BOTH
def test_the_revisions_make_the_tables_of_today(empty: Engine) -> None:
    """A database that was upgraded would lack a column that a new one has, and the host fail at the first sale."""
    with empty.begin() as connection:
        make(connection, NEWEST)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = [each for each in compare_metadata(context, METADATA) if not _is_version_table(each)]
    empty.dispose()
    assert found == []


def _is_version_table(difference: Any) -> bool:
    return difference[0] == "remove_table" and difference[1].name == TABLE.name


def _fill(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """One row in every table, whatever its columns."""
    metadata = MetaData()
    metadata.reflect(connection)
    for table in metadata.sorted_tables:
        if table.name != TABLE.name:
            connection.execute(insert(table).values({column.name: _value(column.type) for column in table.c}))
    return {name: _rows(connection, table) for name, table in metadata.tables.items() if name != TABLE.name}


def _value(kind: Any) -> Any:
    if isinstance(kind, LargeBinary):
        return b"\x01\x02"
    if kind.python_type is bool:
        return True
    return 7 if isinstance(kind, Integer) else "words"


def _rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(table))]


@ON_BOTH
def test_an_old_database_keeps_every_row(empty: Engine, database: str, tmp_path: Path) -> None:
    """A new program would lose the merchants' money or the keys of the terminals in the field."""
    with empty.begin() as connection:
        make(connection, FIRST)
        before = _fill(connection)
    key_file = tmp_path / "old.key"
    key_file.write_bytes(bytes(range(32)))
    with pytest.raises(StoreError, match=f"schema {FIRST}, this program reads {NEWEST}"):
        open_store(database, fresh_bytes(), key_file=key_file)
    assert upgrade_database(database, fresh_bytes(), key_file=key_file) == (FIRST, NEWEST)
    with empty.begin() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        for name in before.keys() & METADATA.tables.keys():
            rows = before[name]
            now = _rows(connection, metadata.tables[name])
            assert [{column: row[column] for column in rows[0]} for row in now if _is_old(row, rows[0])] == rows
    empty.dispose()
    store = open_store(database, fresh_bytes(), key_file=key_file)
    assert store.run(lambda books: books.rows("merchants"))[0]["merchant_id"] == "words"
    store.close()
    assert upgrade_database(database, fresh_bytes(), key_file=key_file) == (NEWEST, NEWEST)


def _is_old(row: dict[str, Any], old: dict[str, Any]) -> bool:
    return all(row[column] == value for column, value in old.items())


def test_a_database_from_before_revisions_is_known(tmp_path: Path) -> None:
    """Who used the first program could not upgrade."""
    path = tmp_path / "host.db"
    path.touch()
    engine = backend_of(str(path)).engine()
    with engine.begin() as connection:
        make(connection, FIRST)
        TABLE.drop(connection)
        connection.execute(text("INSERT INTO counters (name, value) VALUES ('schema', 1)"))
    engine.dispose()
    (tmp_path / "host.db.key").write_bytes(bytes(range(32)))
    assert upgrade_database(str(path), fresh_bytes()) == (FIRST, NEWEST)
    open_store(str(path), fresh_bytes()).close()


@ON_BOTH
@pytest.mark.parametrize(("version", "told"), [("9999", "a newer program made it"), ("0000", "a newer program")])
def test_a_newer_database_is_left_alone(database: str, tmp_path: Path, version: str, told: str) -> None:
    """An old program would write rows that the new one does not understand."""
    open_store(database, fresh_bytes(), key_file=tmp_path / "key").close()
    engine = backend_of(database).engine()
    with engine.begin() as connection:
        connection.execute(TABLE.update().values(version_num=version))
    engine.dispose()
    with pytest.raises(StoreError, match=told):
        open_store(database, fresh_bytes(), key_file=tmp_path / "key")


@ON_BOTH
def test_a_foreign_database_is_left_alone(empty: Engine, database: str, tmp_path: Path) -> None:
    """A host would write its tables into somebody's songs."""
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE songs (title VARCHAR)"))
    empty.dispose()
    for attempt in (open_store, upgrade_database):
        with pytest.raises(StoreError, match="another program's: songs"):
            attempt(database, fresh_bytes(), key_file=tmp_path / "key")
    assert not (tmp_path / "key").exists()


def test_revisions_are_numbered_without_a_gap() -> None:
    """Two that were written at once would have one number, and one of them never be applied."""
    assert [int(revision) for revision in REVISIONS] == list(range(1, len(REVISIONS) + 1))
