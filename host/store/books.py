"""Reads and writes of one unit: rows in, rows out, nothing decided.

Finders return a row, an empty tuple or None; None means that there is no such row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, RowMapping, Table, and_, bindparam, case, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from host.decision import Update, Write
from host.lifecycle import ABSENT, State
from host.records import (
    Batch,
    BatchState,
    DeviceModel,
    FirmwareRelease,
    Hold,
    Merchant,
    PendingCommand,
    Plan,
    StoredReply,
    Terminal,
    Transaction,
    TransactionState,
)
from host.store.schema import TABLES
from host.transactions import SIGNS
from protocol.image import parse_version

R = TypeVar("R")
_T: Final = TABLES
_ENUMS: Final[Mapping[tuple[str, str], type]] = {
    ("terminals", "state"): State,
    ("transactions", "state"): TransactionState,
    ("batches", "state"): BatchState,
}
_MONEY_KINDS: Final = tuple(SIGNS)


def _by_key(table: Table) -> Any:
    """The precompiled look-up of a table by its primary key."""
    return select(table).where(*(column == bindparam(column.name) for column in table.primary_key))


_BY_KEY: Final = {name: _by_key(table) for name, table in _T.items()}


class Books:
    """The store inside one transaction of ``connection``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # writing

    def apply(self, writes: Iterable[Write]) -> None:
        """Carry out what a decision wants written."""
        for write in writes:
            table = _T[write.table]
            if isinstance(write, Update):
                matches = [table.c[name] == value for name, value in write.key.items()]
                self._connection.execute(update(table).where(*matches).values(dict(write.changes)))
            elif write.replace:
                statement = insert(table).values(dict(write.row))
                changes = {name: value for name, value in write.row.items() if not table.c[name].primary_key}
                self._connection.execute(
                    statement.on_conflict_do_update(index_elements=table.primary_key, set_=changes)
                )
            else:
                self._connection.execute(table.insert(), dict(write.row))

    def write(self, *writes: Write) -> None:
        """The same for a few writes."""
        self.apply(writes)

    def next_number(self) -> int:
        """A number that nobody had before."""
        return self.add("number", 1)

    def add(self, name: str, amount: int) -> int:
        """Add to a counter and return what it is then; a counter begins at zero."""
        table = _T["counters"]
        statement = insert(table).values(name=name, value=amount)
        changes = {"value": table.c.value + statement.excluded.value}
        upsert = statement.on_conflict_do_update(index_elements=["name"], set_=changes).returning(table.c.value)
        return int(self._connection.execute(upsert).scalar_one())

    def counter(self, name: str) -> int:
        """What a counter is."""
        return int(self._value(select(_T["counters"].c.value).where(_T["counters"].c.name == name)) or 0)

    # by key

    def secret(self, name: str) -> bytes:
        """A sealed secret, empty where there is none."""
        table = _T["secrets"]
        return bytes(self._value(select(table.c.sealed).where(table.c.name == name)) or b"")

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

    def plan(self, serial_number: str) -> Plan | None:
        """The dated end of a terminal."""
        return self._find(Plan, "plans", serial_number=serial_number)

    def image(self, model: str, version: str, offset: int, size: int) -> bytes:
        """A piece of a published image, empty past its end."""
        table = _T["firmware"]
        piece = func.substr(table.c.image, offset + 1, size)
        found = self._value(select(piece).where(table.c.model == model, table.c.version == version))
        return bytes(found or b"")

    # by rules

    def tenant(self, terminal_id: str) -> Terminal | None:
        """The device to which a terminal id belongs; where it belongs to none any more, the last that had it."""
        table = _T["terminals"]
        absent = case((table.c.state.in_(tuple(ABSENT)), 1), else_=0)
        query = select(table).where(table.c.terminal_id == terminal_id).order_by(absent, table.c.serial_number.desc())
        return self._first(Terminal, query.limit(1))

    def holds(self, serial_number: str) -> tuple[Hold, ...]:
        """Those not released."""
        table = _T["holds"]
        query = select(table).where(table.c.serial_number == serial_number, table.c.released_at.is_(None))
        return self._all(Hold, query.order_by(table.c.number))

    def sale_by_rrn(self, merchant_id: str, rrn: str) -> Transaction | None:
        """The captured or undone sale to which a refund refers."""
        table = _T["transactions"]
        query = select(table).where(table.c.rrn == rrn, table.c.merchant_id == merchant_id, table.c.kind == "sale")
        return self._first(Transaction, query.limit(1))

    def refunded_fen(self, original: Transaction) -> int:
        """What was given back of a sale."""
        table = _T["transactions"]
        query = select(func.coalesce(func.sum(table.c.amount_fen), 0)).where(
            table.c.terminal_id == original.terminal_id,
            table.c.original_batch == original.batch,
            table.c.original_stan == original.stan,
            table.c.kind == "refund",
            table.c.state == TransactionState.CAPTURED,
        )
        return int(self._value(query))

    def turnover_fen(self, serial_number: str) -> int:
        """Net captured turnover of a device: sales less voids and reversals (product decision 1)."""
        table = _T["transactions"]
        query = select(func.coalesce(func.sum(table.c.amount_fen), 0)).where(
            table.c.serial_number == serial_number,
            table.c.kind == "sale",
            table.c.state == TransactionState.CAPTURED,
        )
        return int(self._value(query))

    def money_rows(self, terminal_id: str, batch: str) -> tuple[Transaction, ...]:
        """The captured sales and refunds of a batch, by STAN."""
        table = _T["transactions"]
        query = select(table).where(
            table.c.terminal_id == terminal_id,
            table.c.batch == batch,
            table.c.kind.in_(_MONEY_KINDS),
            table.c.state == TransactionState.CAPTURED,
        )
        return self._all(Transaction, query.order_by(table.c.stan))

    def uploaded(self, terminal_id: str, batch: str) -> tuple[tuple[str, int], ...]:
        """STAN and amount in fen of the rows that a terminal uploaded."""
        table = _T["uploads"]
        query = select(table.c.stan, table.c.amount_fen).where(
            table.c.terminal_id == terminal_id, table.c.batch == batch
        )
        return tuple((row.stan, row.amount_fen) for row in self._connection.execute(query))

    def waiting_commands(self, serial_number: str, at: int) -> tuple[PendingCommand, ...]:
        """Those neither acknowledged nor expired, oldest first."""
        table = _T["commands"]
        query = select(table).where(
            table.c.serial_number == serial_number, table.c.state != "acknowledged", table.c.expires_at > at
        )
        return self._all(PendingCommand, query.order_by(table.c.counter))

    def newest_release(self, model: str) -> FirmwareRelease | None:
        """The published image of the highest version."""
        table = _T["firmware"]
        query = select(table.c.model, table.c.version, table.c.size, table.c.sha256).where(table.c.model == model)
        releases = self._all(FirmwareRelease, query)
        return max(releases, key=lambda release: parse_version(release.version), default=None)

    def due_plans(self, at: int, serial_number: str | None = None) -> tuple[Plan, ...]:
        """Plans whose stop date has come and that were not carried out."""
        table = _T["plans"]
        due = and_(table.c.done_at.is_(None), table.c.stop_at <= at)
        query = select(table).where(due if serial_number is None else and_(due, table.c.serial_number == serial_number))
        return self._all(Plan, query)

    def unpaid_batches(self, merchant_id: str) -> tuple[Batch, ...]:
        """Closed batches of a merchant that were not paid out."""
        table = _T["batches"]
        query = select(table).where(
            table.c.merchant_id == merchant_id, table.c.state == BatchState.CLOSED, table.c.paid_at.is_(None)
        )
        return self._all(Batch, query.order_by(table.c.terminal_id, table.c.batch))

    def balance_fen(self, account: str, *, terminal_id: str | None = None, batch: str | None = None) -> int:
        """Credits less debits of an account, of all or of one batch."""
        table = _T["postings"]
        signed = case((table.c.credit == account, table.c.amount_fen), else_=-table.c.amount_fen)
        query = select(func.coalesce(func.sum(signed), 0)).where(
            or_(table.c.credit == account, table.c.debit == account)
        )
        if batch is not None:
            query = query.where(table.c.terminal_id == terminal_id, table.c.batch == batch)
        return int(self._value(query))

    # lists for people

    def rows(self, name: str, **matches: object) -> list[dict[str, Any]]:
        """Rows of a table whose columns equal ``matches``, by key, as column values."""
        table = _T[name]
        query = select(table).where(*(table.c[column] == value for column, value in matches.items()))
        found = self._connection.execute(query.order_by(*table.primary_key))
        return [dict(row._mapping) for row in found]

    def accounts(self) -> dict[str, int]:
        """Every account with its balance in fen, credits less debits."""
        table = _T["postings"]
        names = select(table.c.debit.label("account")).union(select(table.c.credit)).subquery()
        found = self._connection.execute(select(names.c.account).order_by(names.c.account))
        return {row.account: self.balance_fen(row.account) for row in found}

    def _find(self, record: type[R], name: str, **key: str) -> R | None:
        row = self._connection.execute(_BY_KEY[name], key).first()
        return None if row is None else _record(record, name, row._mapping)

    def _first(self, record: type[R], query: Any) -> R | None:
        found = self._all(record, query)
        return found[0] if found else None

    def _all(self, record: type[R], query: Any) -> tuple[R, ...]:
        name = query.get_final_froms()[0].name
        return tuple(_record(record, name, row._mapping) for row in self._connection.execute(query))

    def _value(self, query: Any) -> Any:
        return self._connection.execute(query).scalar()


def _record(record: type[R], name: str, row: RowMapping) -> R:
    values = dict(row)
    for (table, column), enum in _ENUMS.items():
        if table == name and column in values:
            values[column] = enum(values[column])
    return record(**values)


def columns_of(rows: Sequence[Mapping[str, Any]], *hidden: str) -> list[dict[str, Any]]:
    """The same rows without some columns."""
    return [{name: value for name, value in row.items() if name not in hidden} for row in rows]
