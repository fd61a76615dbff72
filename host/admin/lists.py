"""TABLE LISTS: what can be listed page by page, by which columns it is found and sorted, and the same as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from host.admin.desk import Desk, Result
from host.errors import AdminError
from protocol.masking import one_line

LIMIT_MAX: Final = 1_000
OFFSET_MAX: Final = 10_000_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet takes for a formula."""


@dataclass(frozen=True, slots=True)
class List:
    """A row of LISTS: its table, the columns that a search looks into, those that it may be sorted by, its own order.

    ``about`` says what it lists.
    """

    name: str
    about: str
    key: tuple[str, ...]
    searched: tuple[str, ...]
    sorts: tuple[str, ...]
    newest_first: bool = False


_TRANSACTION: Final = ("terminal_id", "batch", "stan")
_ROWS: Final = (
    List("terminals", "Every terminal with its state.", ("serial_number",),
         ("serial_number", "terminal_id", "merchant_id", "model"), ("serial_number", "terminal_id", "model", "state")),
    List("merchants", "Every merchant with its rates.", ("merchant_id",), ("merchant_id", "name"),
         ("merchant_id", "name")),
    List("models", "The catalogue of device models.", ("model",), ("model", "brand"), ("model", "brand", "retired_at")),
    List("transactions", "The ledger; cards are masked.", _TRANSACTION,
         ("terminal_id", "serial_number", "rrn", "card"), ("terminal_id", "at", "amount_fen")),
    List("batches", "Every batch, settled or settling.", ("terminal_id", "batch"), ("terminal_id", "merchant_id"),
         ("terminal_id", "settled_at")),
    List("holds", "Every hold, lifted or not.", ("number",), ("serial_number", "reason"), ("number", "since")),
    List("plans", "The dated end of every terminal that has one.", ("serial_number",), ("serial_number", "reason"),
         ("serial_number", "stop_at")),
    List("audit", "Every administrative act and change of state.", ("number",),
         ("serial_number", "actor", "act", "detail"), ("number", "at"), newest_first=True),
)  # fmt: skip
LISTS: Final[Mapping[str, List]] = MappingProxyType({row.name: row for row in _ROWS})


def page(
    desk: Desk, name: str, search: str = "", sort: str = "", descending: bool = False, limit: int = 50, offset: int = 0
) -> Result:
    """One page of a list; ``next_offset`` is where the next one begins, nothing on the last."""
    if name not in LISTS:
        raise AdminError(f"no list {name!r}", hint=f"one of {', '.join(LISTS)}", code="unknown_list")
    row = LISTS[name]
    if sort and sort not in row.sorts:
        raise AdminError(f"{name} is not sorted by {sort!r}", hint=f"by {', '.join(row.sorts)}", code="sort")
    if not (0 < limit <= LIMIT_MAX and 0 <= offset <= OFFSET_MAX):
        raise AdminError(f"a page has 1 to {LIMIT_MAX} rows", code="limit")
    order = [(sort, descending)] if sort else []
    order += [(column, descending if sort else row.newest_first) for column in row.key if column != sort]
    looked_for = dict.fromkeys(row.searched, search) if search else {}
    rows = desk.books.page(name, looked_for, order, limit + 1, offset)
    return {"items": rows[:limit], "next_offset": offset + limit if len(rows) > limit else None}


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header; a cell is one line, and never a formula."""
    written = io.StringIO()
    if rows:
        out = csv.writer(written)
        out.writerow(rows[0])
        out.writerows([_cell(value) for value in row.values()] for row in rows)
    return written.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if value.startswith(_FORMULA) or text.startswith(_FORMULA) else text
