"""Which schema a database has: the newest revision that was applied to it, in the table that Alembic keeps.

Revisions are the files of ``host.store.migrations.versions``, whose names begin with their number; a new database gets
the tables of ``host.store.schema`` at once, which tests hold against the revisions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from host.errors import StoreError

FOLDER: Final = Path(__file__).parent / "migrations"
REVISIONS: Final = tuple(sorted(file.name.partition("_")[0] for file in (FOLDER / "versions").glob("[0-9]*.py")))
NEWEST: Final = REVISIONS[-1]
FIRST: Final = REVISIONS[0]
TABLE: Final = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
OURS: Final = "counters"
"""A table that every database of ours has had."""


def revision_of(connection: Connection) -> str:
    """The revision of a database. Raises StoreError where its tables are another program's."""
    tables = inspect(connection).get_table_names()
    if TABLE.name in tables and OURS in tables:
        found = connection.execute(select(TABLE.c.version_num)).scalars().all()
        if len(found) == 1:
            return str(found[0])
    if TABLE.name not in tables and OURS in tables:
        return FIRST  # made before revisions were written down
    raise StoreError(f"its tables are another program's: {', '.join(sorted(tables)[:3])}", code="foreign")


def stamp(connection: Connection) -> None:
    """A database that was made just now has the newest revision."""
    TABLE.create(connection)
    connection.execute(TABLE.insert().values(version_num=NEWEST))


def require_newest(connection: Connection) -> None:
    """Refuse what this program does not read. Raises StoreError."""
    revision = revision_of(connection)
    if revision in REVISIONS[:-1]:
        message = f"it has schema {revision}, this program reads {NEWEST}"
        raise StoreError(message, hint="stop the host, then: poslab db upgrade", code="old_schema")
    if revision != NEWEST:
        raise StoreError(f"a newer program made it: it has schema {revision}, this one reads {NEWEST}", code="newer")
