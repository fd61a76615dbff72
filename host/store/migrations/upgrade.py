"""Brings a database to the newest revision; Alembic is loaded only for this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection

from host.store.revision import FOLDER, NEWEST, TABLE, revision_of

if TYPE_CHECKING:
    from alembic.config import Config


def upgrade(connection: Connection, revision: str = NEWEST) -> str:
    """Apply what is missing, in the transaction of ``connection``; returns the revision that it had before.

    Raises StoreError where the tables are another program's.
    """
    from alembic.command import upgrade as run
    from alembic.config import Config

    before = revision_of(connection)
    TABLE.create(connection, checkfirst=True)
    if connection.execute(TABLE.select()).first() is None:
        connection.execute(TABLE.insert().values(version_num=before))
    run(_config(Config(), connection), revision)
    return before


def make(connection: Connection, revision: str) -> None:
    """An empty database gets the tables of a revision, all by revisions."""
    from alembic.command import upgrade as run
    from alembic.config import Config

    run(_config(Config(), connection), revision)


def _config(config: Config, connection: Connection) -> Config:
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config
