"""Statements run on the driver's own cursor: built and compiled by SQLAlchemy once, executed without it.

Building and compiling costs more than running, and so does SQLAlchemy's execution of a compiled statement: five times
as much, and a sale runs a dozen. Schema, migrations and the questions of administrators stay with SQLAlchemy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Boolean, Table
from sqlalchemy.dialects import sqlite

_DIALECT: Final = sqlite.dialect(paramstyle="named")


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """SQL with named parameters; ``constants`` are those that the statement itself gives, ``flags`` boolean columns."""

    sql: str
    constants: Mapping[str, Any]
    columns: tuple[str, ...]
    flags: tuple[str, ...]

    def execute(self, driver: sqlite3.Connection, parameters: Mapping[str, Any]) -> sqlite3.Cursor:
        """Run it in the driver's transaction. Raises sqlite3.Error."""
        return driver.execute(self.sql, {**self.constants, **parameters})

    def rows(self, driver: sqlite3.Connection, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Its rows as column values."""
        for row in self.execute(driver, parameters).fetchall():
            values = dict(zip(self.columns, row, strict=True))
            for flag in self.flags:
                values[flag] = bool(values[flag])
            yield values


@cache
def prepare(statement: Any, columns: frozenset[str] | None = None) -> Prepared:
    """Compile a statement, once; ``columns`` are those that an insert or update is given values for."""
    compiled = statement.compile(dialect=_DIALECT, column_keys=columns)
    own = {name: bind.value for name, bind in compiled.binds.items() if name.isidentifier() and not bind.required}
    returned = statement.exported_columns if statement.is_select else getattr(statement, "_returning", ())
    return Prepared(
        sql=str(compiled),
        constants=own,
        columns=tuple(column.key for column in returned),
        flags=tuple(column.key for column in returned if isinstance(column.type, Boolean)),
    )


@cache
def defaults(table: Table) -> Mapping[str, Any]:
    """What a column holds that an insert gives no value for."""
    return {column.name: column.default.arg for column in table.c if column.default is not None}  # type: ignore[attr-defined]
