"""Statements run on the driver's own cursor: built and compiled by SQLAlchemy once, executed without it.

Building and compiling costs more than running, and so does SQLAlchemy's execution of a compiled statement: five times
as much, and a sale runs half a dozen. Schema, migrations and the questions of administrators stay with SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Boolean, Table
from sqlalchemy.engine import Dialect


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """SQL with positional parameters, taken from values by ``names``; ``given`` are what the statement itself gives.

    ``columns`` are those of its rows, ``flags`` the boolean ones.
    """

    sql: str
    names: tuple[str, ...]
    given: Mapping[str, Any]
    columns: tuple[str, ...]
    flags: tuple[str, ...]

    def execute(self, driver: Any, parameters: Mapping[str, Any]) -> Any:
        """Run it in the driver's transaction, return its cursor. Raises the driver's errors."""
        if self.given:
            parameters = {**self.given, **parameters}
        return driver.execute(self.sql, [parameters[name] for name in self.names])

    def rows(self, driver: Any, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Its rows as column values."""
        return self.read(self.execute(driver, parameters))

    def read(self, cursor: Any) -> Iterator[dict[str, Any]]:
        """The rows that a cursor has, as column values."""
        for row in cursor.fetchall():
            values = dict(zip(self.columns, row, strict=True))
            for flag in self.flags:
                values[flag] = bool(values[flag])
            yield values


@cache
def prepare(dialect: Dialect, statement: Any, columns: frozenset[str] | None = None) -> Prepared:
    """Compile a statement, once a dialect; ``columns`` are those that an insert or update is given values for."""
    compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
    own = {name: bind.value for name, bind in compiled.binds.items() if not bind.required and bind.value is not None}
    returned = statement.exported_columns if statement.is_select else getattr(statement, "_returning", ())
    return Prepared(
        sql=str(compiled),
        names=tuple(compiled.positiontup),
        given=own,
        columns=tuple(column.key for column in returned),
        flags=tuple(column.key for column in returned if isinstance(column.type, Boolean)),
    )


@cache
def defaults(table: Table) -> Mapping[str, Any]:
    """What a column holds that an insert gives no value for; a number that the database gives is not among them."""
    own = table.autoincrement_column
    return {column.name: column.default.arg if column.default else None for column in table.c if column is not own}  # type: ignore[attr-defined]
