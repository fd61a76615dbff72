"""What real hosts commit, in the order of writing: a table in their own database, filled by triggers.

Rules owned here: the triggers of either kind of database; that the hosts know nothing of them. A change is told once it
is committed, also where a transaction with a higher number was quicker; the changes of one terminal come in order, for
hosts take turns at it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from host.store.database import backend_of
from pos_lab.sim.checker.ledger import WATCHED, Changes, Key, Row

_SQLITE: Final = "CREATE TABLE watched_change (number INTEGER PRIMARY KEY AUTOINCREMENT, name, gone, changed)"
_POSTGRESQL: Final = "CREATE TABLE watched_change (number bigserial PRIMARY KEY, name text, gone boolean, changed text)"
_TAKE: Final = "DELETE FROM watched_change RETURNING number, name, gone, changed"
_LOOK: Final = "SELECT number, name, gone, changed FROM watched_change WHERE number > ?"


class ChangeTable(Changes):
    """The table of one database; the hosts on it may come and go. ``errors`` are what its driver raises.

    A file must have been made by a host before.
    """

    def __init__(self, url: str) -> None:
        self._backend = backend_of(url)
        self.errors = self._backend.errors
        self._engine = self._backend.engine()
        self._connection: Any = None
        self._last = 0

    def install(self) -> None:
        """Make the table and its triggers."""
        statements = _on_postgresql() if self._backend.is_shared else _on_sqlite()
        for statement in statements:
            self._driver.execute(statement)

    def take(self) -> list[tuple[str, bool, list[Any]]]:
        """What was committed since the last time. Raises one of ``errors`` where the database is not there."""
        try:
            if self._backend.is_shared:  # a lower number may come later, so what was told is taken away
                found = sorted(self._driver.execute(_TAKE).fetchall())
            else:
                found = self._driver.execute(_LOOK, [self._last]).fetchall()
        except self.errors:
            self.release()
            raise
        if found:
            self._last = found[-1][0]
        return [(name, bool(gone), json.loads(changed)) for _, name, gone, changed in found]

    def rows(self, table: str) -> Mapping[Key, Row]:
        """What stands in a watched table now, by key."""
        size, columns = WATCHED[table]
        found = self._driver.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()  # noqa: S608
        return {tuple(values[:size]): dict(zip(columns, values, strict=True)) for values in found}

    def image(self, name: tuple[str, str, str]) -> bytes:
        """The picture of the signature of a transaction, by terminal id, batch and STAN; empty where there is none."""
        found = self._driver.execute(_IMAGE[self._backend.is_shared], name).fetchone()
        return bytes(found[0]) if found else b""

    @contextmanager
    def locked(self) -> Iterator[Any]:
        """Have a file for ourselves inside the block, which gets the connection; what it does not commit is undone."""
        other = self._engine.raw_connection()
        driver: Any = other.driver_connection
        try:
            driver.execute("BEGIN IMMEDIATE")
            yield driver
        finally:
            driver.rollback()
            other.close()

    def sever(self) -> None:
        """End every other connection to a database of a server."""
        self._driver.execute(_SEVER)

    def texts(self) -> Iterator[str]:
        """Every row of every table as text, bytes in hex."""
        for (name,) in self._driver.execute(_TABLES[self._backend.is_shared]).fetchall():
            for values in self._driver.execute(f'SELECT * FROM "{name}"').fetchall():  # noqa: S608
                yield " ".join(value.hex() if isinstance(value, bytes) else str(value) for value in values)

    def is_empty(self) -> bool:
        """Is there no table of anybody's?"""
        return not self._driver.execute(_TABLES[self._backend.is_shared]).fetchall()

    def empty(self) -> None:
        """Take every table, sequence and function out of a database of a server that was empty before."""
        for kind, query in _LEFT.items():
            for (name,) in self._driver.execute(query).fetchall():
                self._driver.execute(f'DROP {kind} IF EXISTS "{name}" CASCADE')

    def release(self) -> None:
        """Let the database go for now."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Let the database go."""
        self.release()
        self._engine.dispose()

    @property
    def _driver(self) -> Any:
        if self._connection is None:
            pooled = self._engine.raw_connection()
            self._connection = pooled.driver_connection
            pooled.detach()
            if self._backend.is_shared:
                self._connection.autocommit = True
        return self._connection


_TABLES: Final = {
    False: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'",
    True: "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
}
"""By whether it is a server's: the names of all tables."""
_IMAGE: Final = {
    False: "SELECT image FROM signatures WHERE (terminal_id, batch, stan) = (?, ?, ?)",
    True: "SELECT image FROM signatures WHERE (terminal_id, batch, stan) = (%s, %s, %s)",
}
_SEVER: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_LEFT: Final = {
    "TABLE": _TABLES[True],
    "SEQUENCE": "SELECT sequencename FROM pg_sequences WHERE schemaname = current_schema()",
    "FUNCTION": "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace",
}


def _on_sqlite() -> Iterator[str]:
    yield _SQLITE
    for table, (_, columns) in WATCHED.items():
        for event, side in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            values = ", ".join(f"{side}.{column}" for column in columns)
            yield (
                f"CREATE TRIGGER watch_{table}_{event} AFTER {event} ON {table} BEGIN "  # noqa: S608
                f"INSERT INTO watched_change (name, gone, changed) "
                f"VALUES ('{table}', {int(event == 'DELETE')}, json_array({values})); END"
            )


def _on_postgresql() -> Iterator[str]:
    yield _POSTGRESQL
    for table, (_, columns) in WATCHED.items():
        values = ", ".join(f"changed.{column}" for column in columns)
        yield (
            f"CREATE FUNCTION watch_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ "  # noqa: S608
            f"DECLARE changed {table}%ROWTYPE; BEGIN "
            f"IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF; "
            f"INSERT INTO watched_change (name, gone, changed) "
            f"VALUES ('{table}', TG_OP = 'DELETE', json_build_array({values})::text); RETURN NULL; END $$"
        )
        yield (
            f"CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION watch_{table}()"
        )
