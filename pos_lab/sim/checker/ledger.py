"""The host's database, read as it stands: every change of a row that was committed, in the order of writing.

Rules owned here: TABLE WATCHED, which columns the examiner looks at; changes are written down by triggers inside the
transaction that makes them, so that one that is rolled back leaves none: by triggers of the connection where that is
the only one, else by whoever brings ``Changes``.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

WATCHED: Final[Mapping[str, tuple[int, tuple[str, ...]]]] = MappingProxyType(
    {
        "transactions": (
            3,
            (
                "terminal_id", "batch", "stan", "serial_number", "merchant_id", "kind", "state", "amount_fen",
                "fee_fen", "code", "card_type", "rrn", "auth_id", "original_terminal_id", "original_batch",
                "original_stan", "at",
            ),
        ),
        "postings": (1, ("number", "terminal_id", "batch", "stan", "reason", "debit", "credit", "amount_fen")),
        "terminals": (
            1,
            (
                "serial_number", "terminal_id", "merchant_id", "state", "batch", "activated_at", "model", "firmware",
                "replaced_by", "command_counter",
            ),
        ),
        "batches": (2, ("terminal_id", "batch", "merchant_id", "state", "balanced", "settled_at", "paid_at")),
        "signatures": (3, ("terminal_id", "batch", "stan", "serial_number", "sha256")),
        "holds": (1, ("number", "serial_number", "reason", "released_at", "since", "until", "kinds")),
        "plans": (1, ("serial_number", "reason", "stop_at", "done_at")),
        "models": (1, ("model", "retired_at", "min_firmware", "blocked_firmware")),
        "swaps": (1, ("number", "serial_number", "successor", "state")),
        "commands": (2, ("serial_number", "counter", "kind", "state", "result", "expires_at")),
        "campaigns": (1, ("number", "state", "scope")),
        "campaign_items": (2, ("campaign", "serial_number", "state")),
        "notices": (1, ("number", "campaign", "serial_number", "step", "stop_at")),
        "audit": (1, ("number", "actor", "serial_number", "act", "detail")),
        "replies": (4, ("terminal_id", "batch", "stan", "mti")),
        "uploads": (3, ("terminal_id", "batch", "stan", "amount_fen")),
        "differences": (3, ("terminal_id", "batch", "stan", "host_fen", "terminal_fen")),
        "policies": (1, ("version", "content")),
        "merchants": (1, ("merchant_id", "credit_bp", "debit_bp", "debit_cap_fen", "scan_bp", "unionpay_qr_bp")),
    }
)  # fmt: skip
"""Table -> how many of its columns are its key, and the columns."""


class Driver(Protocol):
    """A connection to an SQLite database."""

    def execute(self, sql: str, /) -> Iterable[tuple[Any, ...]]: ...


@dataclass(frozen=True, slots=True)
class Change:
    """A row that was written: ``before`` is empty for a new one, ``after`` for one that is gone."""

    table: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(slots=True)
class Ledger:
    """Every watched table by key, as of the last commit that was looked at."""

    tables: dict[str, dict[Key, Row]] = field(default_factory=lambda: {name: {} for name in WATCHED})

    def apply(self, table: str, values: list[Any], *, gone: bool) -> Change:
        """Take over one row."""
        size, columns = WATCHED[table]
        row = dict(zip(columns, values, strict=True))
        key, rows = tuple(values[:size]), self.tables[table]
        before = rows.pop(key, {})
        if gone:
            return Change(table, before, {})
        rows[key] = row
        return Change(table, before, row)


class Changes(ABC):
    """Where the changes of a database come from."""

    @abstractmethod
    def take(self) -> Iterable[tuple[str, bool, list[Any]]]:
        """What was committed since the last time, in the order of writing: table, is the row gone, its columns."""


class LedgerReader:
    """Watches one connection, or whatever tells the ``Changes``; ``look`` is to be called after a commit."""

    def __init__(self, source: Driver | Changes) -> None:
        self.ledger = Ledger()
        self._changes = source if isinstance(source, Changes) else _Triggers(source)

    def look(self) -> Iterator[Change]:
        """What was committed since the last time; the ledger is as it was after each change as it is handed out."""
        for name, gone, values in self._changes.take():
            yield self.ledger.apply(name, values, gone=gone)


class _Triggers(Changes):
    """Triggers of one connection, which see what is written through it alone."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._last = 0
        driver.execute("BEGIN")
        driver.execute("CREATE TEMP TABLE watched_change (number INTEGER PRIMARY KEY, name, gone, row)")
        for table, (_, columns) in WATCHED.items():
            for event, side in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
                values = ", ".join(f"{side}.{column}" for column in columns)
                driver.execute(
                    f"CREATE TEMP TRIGGER watch_{table}_{event} AFTER {event} ON main.{table} BEGIN "  # noqa: S608
                    f"INSERT INTO watched_change (name, gone, row) "
                    f"VALUES ('{table}', {int(event == 'DELETE')}, json_array({values})); END"
                )
        driver.execute("COMMIT")

    def take(self) -> list[tuple[str, bool, list[Any]]]:
        query = f"SELECT number, name, gone, row FROM watched_change WHERE number > {self._last} ORDER BY number"  # noqa: S608
        found = list(self._driver.execute(query))
        if found:
            self._last = found[-1][0]
        return [(name, bool(gone), json.loads(row)) for _, name, gone, row in found]
