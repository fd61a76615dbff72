"""Reads and writes of one unit: rows in, rows out, nothing decided.

Finders return a row, an empty tuple or None; None means that there is no such row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Connection, select

from host.decision import Delete, Update, Write
from host.lifecycle import State
from host.records import (
    Batch,
    BatchState,
    DeviceModel,
    Fetch,
    FirmwareRelease,
    Hold,
    Merchant,
    Owed,
    PendingCommand,
    Plan,
    Published,
    StoredReply,
    Swap,
    Terminal,
    Transaction,
    TransactionState,
)
from host.refusals import Refused
from host.store import statements
from host.store.prepared import Prepared, defaults, prepare
from host.store.schema import TABLES
from protocol.image import parse_version
from protocol.swap import SwapState

R = TypeVar("R")
_STATES: Final[Mapping[type, type[StrEnum]]] = {
    Terminal: State,
    Transaction: TransactionState,
    Batch: BatchState,
    Swap: SwapState,
}


class Books:
    """The store inside one transaction of ``connection``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver = cast(sqlite3.Connection, connection.connection.dbapi_connection)

    @property
    def in_transaction(self) -> bool:
        """Is there still a transaction? Some failures end it as a whole."""
        return self._driver.in_transaction

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What fails inside leaves nothing behind, and takes nothing else with it."""
        self._driver.execute("SAVEPOINT unit")
        try:
            yield
        except BaseException:
            if self.in_transaction:
                self._driver.execute("ROLLBACK TO unit")
                self._driver.execute("RELEASE unit")
            raise
        self._driver.execute("RELEASE unit")

    # writing

    def apply(self, writes: Iterable[Write]) -> None:
        """Carry out what a decision wants written."""
        for write in writes:
            if isinstance(write, Update):
                statement = statements.updating(write.table, frozenset(write.key))
                self._run(prepare(statement, frozenset(write.changes)), _at(write.key) | dict(write.changes))
            elif isinstance(write, Delete):
                self._run(prepare(statements.deleting(write.table, frozenset(write.key))), _at(write.key))
            else:
                table = statements.REPLACE if write.replace else statements.INSERT
                row = {**defaults(TABLES[write.table]), **write.row}
                self._run(prepare(table[write.table], frozenset(row)), row)

    def write(self, *writes: Write) -> None:
        """The same for a few writes."""
        self.apply(writes)

    def next_number(self) -> int:
        """A number that nobody had before."""
        return self.add("number", 1)

    def add(self, name: str, amount: int) -> int:
        """Add to a counter and return what it is then; a counter begins at zero."""
        return int(self._value(statements.ADD, name=name, value=amount))

    def counter(self, name: str) -> int:
        """What a counter is."""
        return int(self._value(statements.COUNTER, name=name) or 0)

    # by key

    def secret(self, name: str) -> bytes:
        """A sealed secret, empty where there is none."""
        return bytes(self._value(statements.SECRET, name=name) or b"")

    def merchant(self, merchant_id: str) -> Merchant | None:
        """By field 42."""
        return self._find(Merchant, "merchants", merchant_id=merchant_id)

    def model(self, model: str) -> DeviceModel | None:
        """By name."""
        return self._find(DeviceModel, "models", model=model)

    def terminal(self, serial_number: str) -> Terminal | None:
        """By serial number."""
        return self._find(Terminal, "terminals", serial_number=serial_number)

    def transaction(self, terminal_id: str, batch: str, stan: str) -> Transaction | None:
        """By terminal id, batch and STAN."""
        return self._find(Transaction, "transactions", terminal_id=terminal_id, batch=batch, stan=stan)

    def stored_reply(self, terminal_id: str, batch: str, stan: str, mti: str) -> StoredReply | None:
        """By the key of the request and its MTI."""
        return self._find(StoredReply, "replies", terminal_id=terminal_id, batch=batch, stan=stan, mti=mti)

    def batch(self, terminal_id: str, batch: str) -> Batch | None:
        """A batch that was settled or waits for its upload."""
        return self._find(Batch, "batches", terminal_id=terminal_id, batch=batch)

    def wrong_pins(self, card_token: str) -> int:
        """How many wrong PINs stand against a card."""
        found = self._run(prepare(statements.BY_KEY["cards"]), {"card_token": card_token}).fetchall()
        return int(found[0][1]) if found else 0

    def plan(self, serial_number: str) -> Plan | None:
        """The dated end of a terminal."""
        return self._find(Plan, "plans", serial_number=serial_number)

    def image(self, model: str, version: str, offset: int, size: int) -> bytes:
        """A piece of a published image, empty past its end."""
        return bytes(self._value(statements.IMAGE, model=model, version=version, start=offset + 1, size=size) or b"")

    def published(self, name: str) -> tuple[Published, ...]:
        """Every published version of a download, oldest first."""
        return tuple(Published(**row) for row in self.rows("downloads", name=name))

    def fetch(self, serial_number: str, name: str) -> Fetch | None:
        """How far a terminal has come with a download."""
        return self._find(Fetch, "fetches", serial_number=serial_number, name=name)

    def last_refusal(self, serial_number: str) -> Refused | None:
        """What a terminal was last refused for, under a good MAC."""
        rows = self.rows("refusals", serial_number=serial_number)
        return Refused(rows[0]["reason"], json.loads(rows[0]["words"])) if rows else None

    # by rules

    def tenants(self, terminal_id: str) -> tuple[Terminal, ...]:
        """The devices that have or had a terminal id, the one that it belongs to first."""
        return self._all(Terminal, statements.TENANTS, terminal_id=terminal_id)

    def holds(self, serial_number: str) -> tuple[Hold, ...]:
        """Those not released."""
        return self._all(Hold, statements.HOLDS, serial_number=serial_number)

    def sale_by_rrn(self, merchant_id: str, rrn: str) -> Transaction | None:
        """The captured or undone debit to which a refund refers."""
        return self._one(Transaction, statements.SALE_BY_RRN, merchant_id=merchant_id, rrn=rrn)

    def hold(self, merchant_id: str, auth_id: str, card_token: str) -> Transaction | None:
        """The newest pre-authorisation of this authorisation id, one of this card before all others."""
        return self._one(Transaction, statements.HOLD, merchant_id=merchant_id, auth_id=auth_id, card_token=card_token)

    def followers(self, original: Transaction) -> tuple[Transaction, ...]:
        """The rows that are about another one: refunds, voids, completions, additions, adjustments."""
        return self._all(
            Transaction,
            statements.FOLLOWERS,
            original_terminal_id=original.terminal_id,
            original_batch=original.batch,
            original_stan=original.stan,
        )

    def code_used(self, card_token: str) -> bool:
        """Has a customer's code paid before, whatever became of it?"""
        return self._value(statements.CODE_USED, card_token=card_token) is not None

    def turnover_fen(self, serial_number: str) -> int:
        """Net captured turnover of a device: debits less voids and reversals (product decision 1)."""
        return int(self._value(statements.TURNOVER_FEN, serial_number=serial_number))

    def money_rows(self, terminal_id: str, batch: str) -> tuple[Transaction, ...]:
        """The captured rows of a batch that count, by STAN."""
        return self._all(Transaction, statements.MONEY_ROWS, terminal_id=terminal_id, batch=batch)

    def uploaded(self, terminal_id: str, batch: str) -> tuple[tuple[str, int], ...]:
        """STAN and amount in fen of the rows that a terminal uploaded."""
        found = self._connection.execute(statements.UPLOADED, {"terminal_id": terminal_id, "batch": batch})
        return tuple((row.stan, row.amount_fen) for row in found)

    def waiting_commands(self, serial_number: str, at: int) -> tuple[PendingCommand, ...]:
        """Those neither acknowledged nor expired, oldest first."""
        return self._all(PendingCommand, statements.COMMANDS, serial_number=serial_number, at=at)

    def newest_release(self, model: str) -> FirmwareRelease | None:
        """The published image of the highest version."""
        releases = self._all(FirmwareRelease, statements.RELEASES, model=model)
        return max(releases, key=lambda release: parse_version(release.version), default=None)

    def swap(self, serial_number: str) -> Swap | None:
        """The latest swap in which a device is the old or the new one."""
        return self._one(Swap, statements.SWAP, serial_number=serial_number)

    def due_plans(self, at: int) -> tuple[Plan, ...]:
        """Plans whose stop date has come and that were not carried out."""
        return self._all(Plan, statements.DUE_PLANS, at=at)

    def owed(self, merchant_id: str, account: str) -> tuple[Owed, ...]:
        """What stands on a merchant's account for closed batches: those not paid, and those undone in part since."""
        return self._all(Owed, statements.OWED, merchant_id=merchant_id, account=account)

    def balance_fen(self, account: str) -> int:
        """Credits less debits of an account."""
        return int(self._value(statements.BALANCE_FEN, account=account))

    # lists for people

    def rows(self, name: str, /, **matches: object) -> list[dict[str, Any]]:
        """Rows of a table whose columns equal ``matches``, by key, as column values."""
        table = TABLES[name]
        query = select(table).where(*(table.c[column] == value for column, value in matches.items()))
        found = self._connection.execute(query.order_by(*table.primary_key))
        return [dict(row._mapping) for row in found]

    def accounts(self) -> dict[str, int]:
        """Every account with its balance in fen, credits less debits."""
        postings = TABLES["postings"].c
        names = select(postings.debit.label("account")).union(select(postings.credit)).subquery()
        found = self._connection.execute(select(names.c.account).order_by(names.c.account))
        return {row.account: self.balance_fen(row.account) for row in found}

    def _find(self, record: type[R], name: str, /, **key: str) -> R | None:
        return self._one(record, statements.BY_KEY[name], **key)

    def _one(self, record: type[R], statement: Any, **parameters: object) -> R | None:
        return next(self._records(record, statement, parameters), None)

    def _all(self, record: type[R], statement: Any, **parameters: object) -> tuple[R, ...]:
        return tuple(self._records(record, statement, parameters))

    def _records(self, record: type[R], statement: Any, parameters: Mapping[str, object]) -> Iterator[R]:
        state = _STATES.get(record)
        for values in prepare(statement).rows(self._driver, parameters):
            if state:
                values["state"] = state(values["state"])
            yield record(**values)

    def _value(self, statement: Any, **parameters: object) -> Any:
        found = self._run(prepare(statement), parameters).fetchall()
        return found[0][0] if found else None

    def _run(self, prepared: Prepared, parameters: Mapping[str, object]) -> sqlite3.Cursor:
        return prepared.execute(self._driver, parameters)


def _at(key: Mapping[str, object]) -> dict[str, object]:
    return {f"at_{column}": value for column, value in key.items()}


def columns_of(rows: Sequence[Mapping[str, Any]], *hidden: str) -> list[dict[str, Any]]:
    """The same rows without some columns."""
    return [{name: value for name, value in row.items() if name not in hidden} for row in rows]
