"""Rows that units have written and the database has not: those of a whole group go in together, a statement a table.

Rules owned here: rows go in before anything else is read or changed, and before the commit (``host.store.books`` sees
to it); a unit that fails takes its own back as long as they are here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Boolean
from sqlalchemy.engine import Dialect

from host.store import statements
from host.store.prepared import defaults, prepare
from host.store.schema import TABLES

ValuesOf = Callable[[Mapping[str, Any]], Sequence[Any]]


class Form(NamedTuple):
    """How rows of a table are inserted: the statement, and its parameters out of whole rows."""

    sql: str
    values_of: ValuesOf


class Gathered:
    """The rows by table, in order; its length is their number."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._rows: dict[tuple[str, int], list[Sequence[Any]]] = {}
        self._order: list[list[Sequence[Any]]] = []

    def __len__(self) -> int:
        return len(self._order)

    def add(self, name: str, row: Mapping[str, Any]) -> None:
        """One more row; what it leaves out is the table's own, and a number that the database gives."""
        own = defaults(TABLES[name])
        whole = row if row.keys() >= own.keys() else {**own, **row}
        place = name, len(whole)
        rows = self._rows.get(place)
        if rows is None:
            rows = self._rows[place] = []
        rows.append(form_of(self._dialect, *place).values_of(whole))
        self._order.append(rows)

    def take_back(self, count: int) -> None:
        """Keep the first ``count`` rows and no others."""
        while len(self._order) > count:
            self._order.pop().pop()

    def write(self, driver: Any) -> None:
        """Let all go in, in the driver's transaction. Raises the driver's errors."""
        rows_of = self._rows
        self._rows, self._order = {}, []
        for place, rows in rows_of.items():
            sql = form_of(self._dialect, *place).sql
            if len(rows) == 1:
                driver.execute(sql, rows[0])
            elif rows:
                driver.cursor().executemany(sql, rows)


@cache
def form_of(dialect: Dialect, name: str, width: int) -> Form:
    """The form of whole rows of a table, or of rows that lack just the number that the database gives."""
    table = TABLES[name]
    columns = [column.name for column in table.c if width == len(table.c) or column is not table.autoincrement_column]
    if width != len(columns):
        raise LookupError(f"a row of {name} has {len(columns)} columns, not {width}")
    prepared = prepare(dialect, statements.INSERT[name], frozenset(columns))
    values_of = itemgetter(*prepared.names)
    flags = [at for at, column in enumerate(prepared.names) if isinstance(table.c[column].type, Boolean)]
    return Form(
        prepared.sql, _numbered(values_of, flags) if flags and not dialect.supports_native_boolean else values_of
    )


def _numbered(values_of: ValuesOf, flags: list[int]) -> ValuesOf:
    """The same values with numbers for flags: a driver that knows no flags takes three times as long for one."""

    def numbered(row: Mapping[str, Any]) -> list[Any]:
        values = [*values_of(row)]
        for at in flags:
            values[at] = int(values[at])
        return values

    return numbered
