"""What the units of a group will ask for, read before they begin: one statement a table for all of them.

A request looks for its transaction and its stored reply first, and nearly always there is neither. Asked one by one,
these questions cost a sale more than its rows; over a network they are two round trips each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import cache
from operator import itemgetter
from typing import Any, Final, TypeVar

from sqlalchemy import select
from sqlalchemy.engine import Dialect

from host.campaign import Item, ItemState
from host.decision import Insert, Write
from host.lifecycle import State
from host.records import Batch, BatchState, StoredReply, Swap, Terminal, Transaction, TransactionState
from host.store.prepared import Prepared, prepare
from host.store.schema import TABLES
from protocol.swap import SwapState

R = TypeVar("R")
TransactionKey = tuple[str, str, str]
"""Terminal id, batch, STAN."""
FORESEEN: Final = ("transactions", "replies")
"""The tables."""
COLUMNS: Final = ("terminal_id", "batch", "stan")
_key_of: Final[Callable[[Mapping[str, Any]], TransactionKey]] = itemgetter(*COLUMNS)
SIZES: Final = (4, 16, 64, 256)
"""How many keys one statement asks for; the last one stands for those that are too few."""
_STATES: Final[Mapping[type, type[StrEnum]]] = {
    Terminal: State,
    Transaction: TransactionState,
    Batch: BatchState,
    Item: ItemState,
    Swap: SwapState,
}


def record_of(record: type[R], values: dict[str, Any]) -> R:
    """A row as its class."""
    if state := _STATES.get(record):
        values["state"] = state(values["state"])
    return record(**values)


class Found:
    """What there is under one key: the transaction, if any, and the stored replies by MTI."""

    __slots__ = ("replies", "transaction")

    def __init__(self) -> None:
        self.transaction: Transaction | None = None
        self.replies: dict[str, StoredReply] = {}


class Foreseen:
    """By key; what somebody writes is forgotten, and read anew where somebody asks for it."""

    def __init__(self) -> None:
        self._found: dict[TransactionKey, Found] = {}

    def get(self, key: TransactionKey) -> Found | None:
        """What there is under a key, None where that is not known."""
        return self._found.get(key)

    def look(self, dialect: Dialect, driver: Any, keys: list[TransactionKey]) -> None:
        """Read what there is under some keys; a few are left to who asks for them."""
        if len(keys) < SIZES[0]:
            return
        self._found = {key: Found() for key in keys}
        for begin in range(0, len(keys), SIZES[-1]):
            some = keys[begin : begin + SIZES[-1]]
            size = next(size for size in SIZES if size >= len(some))
            wanted = [value for key in some + some[-1:] * (size - len(some)) for value in key]
            for name in FORESEEN:
                asking = _asking(dialect, name, size)
                for values in asking.read(driver.execute(asking.sql, wanted)):
                    self._note(name, values)

    def forget(self, write: Write) -> None:
        """A write is about to change what there is."""
        if not self._found or write.table not in FORESEEN:
            return
        try:
            key = _key_of(write.row if isinstance(write, Insert) else write.key)
        except KeyError:
            self._found.clear()
        else:
            self._found.pop(key, None)

    def clear(self) -> None:
        """Know nothing."""
        self._found.clear()

    def _note(self, name: str, values: dict[str, Any]) -> None:
        found = self._found[_key_of(values)]
        if name == "replies":
            found.replies[values["mti"]] = record_of(StoredReply, values)
        else:
            found.transaction = record_of(Transaction, values)


@cache
def _asking(dialect: Dialect, name: str, size: int) -> Prepared:
    """The rows of a table under so many keys, each found by the primary key; the keys go in order, for SQLAlchemy has
    no names for them. Only names of ours are put together.
    """
    sign = "?" if dialect.paramstyle == "qmark" else "%s"
    keys = ", ".join(f"({', '.join(sign for _ in COLUMNS)})" for _ in range(size))
    wanted = f"WITH wanted ({', '.join(COLUMNS)}) AS (VALUES {keys})"
    rows = prepare(dialect, select(TABLES[name]))
    same = " AND ".join(f"{name}.{column} = wanted.{column}" for column in COLUMNS)
    sql = f"{wanted} SELECT {', '.join(f'{name}.{column}' for column in rows.columns)} FROM wanted CROSS JOIN {name}"  # noqa: S608
    return replace(rows, sql=f"{sql} WHERE {same}")
