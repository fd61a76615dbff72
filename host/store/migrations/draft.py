"""``python -m host.store.migrations.draft WHAT``: writes the next revision, from the newest one to the tables of today.

New tables, columns and indexes are spelled out, and tables that are gone; what else differs is for its author to write.
"""

from __future__ import annotations

import re
import sys

from sqlalchemy import Boolean, Column, Connection, Index, LargeBinary, String, Table, create_engine, inspect

from host.store.migrations.upgrade import make
from host.store.revision import FOLDER, NEWEST, TABLE
from host.store.schema import METADATA

_HEAD = '''"""{what}."""

from __future__ import annotations

from typing import Final

from alembic import op

from host.store.migrations.columns import {names}

revision: Final = "{number}"
down_revision: Final = "{before}"


def upgrade() -> None:
    """From the revision before."""
{lines}
'''


def draft(what: str) -> None:
    """Write the file of the next revision."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        make(connection, NEWEST)
        lines = _difference(connection)
    number = f"{int(NEWEST) + 1:04d}"
    body = "\n".join(lines)
    names = ", ".join(name for name in ("flag", "number", "octets", "where", "words") if f"{name}(" in body)
    slug = re.sub(r"[^a-z]+", "_", what.lower())
    text = _HEAD.format(what=what, names=names, number=number, before=NEWEST, lines=body)
    (FOLDER / "versions" / f"{number}_{slug}.py").write_text(text)


def _difference(connection: Connection) -> list[str]:
    there = inspect(connection)
    tables = set(there.get_table_names())
    lines = [f'    op.drop_table("{name}")' for name in sorted(tables - METADATA.tables.keys() - {TABLE.name})]
    for table in METADATA.sorted_tables:
        if table.name not in tables:
            lines += _new_table(table)
            continue
        columns = {column["name"] for column in there.get_columns(table.name)}
        indexes = {index["name"]: index["column_names"] for index in there.get_indexes(table.name)}
        for column in table.c:
            if column.name not in columns:
                lines.append(f'    op.add_column("{table.name}", {_spelt(column, filled=True)})')
        changed = [
            index for index in _sorted(table) if [each.name for each in index.columns] != indexes.get(index.name)
        ]
        lines += [f'    op.drop_index("{each.name}", "{table.name}")' for each in changed if each.name in indexes]
        lines += [_index(table, each) for each in changed]
    return lines


def _new_table(table: Table) -> list[str]:
    columns = [f"        {_spelt(column)}," for column in table.c]
    return [
        "    op.create_table(",
        f'        "{table.name}",',
        *columns,
        "    )",
        *(_index(table, index) for index in _sorted(table)),
    ]


def _sorted(table: Table) -> list[Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))


def _spelt(column: Column[object], *, filled: bool = False) -> str:
    kinds = {Boolean: "flag", LargeBinary: "octets", String: "words"}
    kind = next((name for type_, name in kinds.items() if isinstance(column.type, type_)), "number")
    more = ", key=True" if column.primary_key else ""
    more += ", may_lack=True" if column.nullable else ", filled=True" if filled else ""
    return f'{kind}("{column.name}"{more})'


def _index(table: Table, index: Index) -> str:
    columns = ", ".join(f'"{column.name}"' for column in index.columns)
    condition = index.dialect_options["sqlite"]["where"]
    more = f', **where("{condition}")' if condition is not None else ""
    return f'    op.create_index("{index.name}", "{table.name}", [{columns}]{more})'


if __name__ == "__main__":
    draft(" ".join(sys.argv[1:]))
