"""Reads and writes of one unit: rows in, rows out, nothing decided.

Finders return a row, an empty tuple or None; None means that there is no such row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection, FromClause, LargeBinary, func, literal, or_, select

from host.amendments import Amendment
from host.campaign import Item, ItemState, Notice
from host.decision import Delete, Insert, Update, Write
from host.errors import StoreError
from host.keys import KeyDesk
from host.policy import Policy
from host.postings import FEE_INCOME, UNDO
from host.records import (
    Alert,
    Batch,
    DeviceModel,
    Fetch,
    FirmwareRelease,
    Hold,
    Merchant,
    Owed,
    PendingCommand,
    Plan,
    Progress,
    Published,
    StoredReply,
    Swap,
    Terminal,
    Transaction,
)
from host.refusals import Refused
from host.store import chain, statements
from host.store.backend import Backend
from host.store.chain import AUDIT
from host.store.foreseen import FORESEEN, Foreseen, TransactionKey, record_of
from host.store.gathered import Gathered
from host.store.prepared import defaults, prepare
from host.store.schema import TABLES
from host.store.shelves import OWNERS, Shelves
from protocol.image import parse_version

R = TypeVar("R")


class Numbers:
    """The numbers that the writer took from the database and has not given out; ``taken`` is where it stood then."""

    def __init__(self) -> None:
        self.left = iter(range(0))
        self.taken = 0

    def clear(self) -> None:
        """The transaction that took them may be undone."""
        self.left = iter(range(0))


@lru_cache(maxsize=16)
def _read_policy(content: str) -> Policy:
    """A version never changes: what was read once need not be read again."""
    return Policy.model_validate_json(content)


class Books:
    """The store inside one transaction of ``connection``. ``writes`` counts what was written in it,
    ``audits`` the audit rows among it.

    What is kept on ``shelves`` is read from there, unless a unit turned ``keeps`` off for itself.
    """

    def __init__(
        self, connection: Connection, backend: Backend, shelves: Shelves | None = None, numbers: Numbers | None = None
    ) -> None:
        self._sql_connection = connection
        self._backend = backend
        self._dialect = backend.dialect
        self._driver: Any = connection.connection.dbapi_connection
        self._shelves = shelves or Shelves()
        self._numbers = numbers or Numbers()
        self._gathered = Gathered(backend.dialect)
        self._foreseen = Foreseen()
        self._begun_at = 0
        self._has_written = False
        self.writes = self.audits = 0
        self.keeps = True

    @property
    def _connection(self) -> Connection:
        """What is asked through it sees every row."""
        self.write_out()
        return self._sql_connection

    @property
    def in_transaction(self) -> bool:
        """Is there still a transaction? Some failures end it as a whole."""
        return self._backend.in_transaction(self._driver)

    # a unit

    def foresee(self, keys: list[TransactionKey]) -> None:
        """Read at once what units to come will ask for: the transactions of some keys, and their stored replies."""
        self._foreseen.look(self._dialect, self._driver, keys)

    def begin(self) -> None:
        """Another unit begins."""
        self._begun_at = len(self._gathered)
        self._has_written = False
        self.keeps = True

    def undo(self) -> bool:
        """The unit has failed: take back what it wrote. False where that is in the database already."""
        self._gathered.take_back(self._begun_at)
        return not self._has_written

    def write_out(self) -> None:
        """Let the database have the rows that were gathered. Raises the database's errors."""
        if self._gathered:
            self._has_written |= len(self._gathered) > self._begun_at
            self._begun_at = 0
            self._gathered.write(self._driver)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What fails inside leaves nothing behind, and takes nothing else with it."""
        self.write_out()
        self._driver.execute("SAVEPOINT unit")
        try:
            yield
            self.write_out()
        except BaseException:
            self._gathered.take_back(0)
            self._foreseen.clear()
            self._shelves.clear()
            self._numbers.clear()
            if self.in_transaction:
                self._driver.execute("ROLLBACK TO unit")
                self._driver.execute("RELEASE unit")
            raise
        self._driver.execute("RELEASE unit")

    # writing

    def apply(self, writes: Iterable[Write]) -> None:
        """Carry out what a decision wants written."""
        for write in writes:
            self.writes += 1
            table = write.table
            if table in OWNERS:
                self._shelves.forget(write)
            if table in FORESEEN:
                self._foreseen.forget(write)
            if isinstance(write, Insert) and not write.replace:
                self.audits += table == AUDIT
                self._gathered.add(table, write.row)
            else:
                self._change(write)

    def write(self, *writes: Write) -> None:
        """The same for a few writes."""
        self.apply(writes)

    def _change(self, write: Write) -> None:
        """Carry out what may be about rows that are there, after all that was written before."""
        self.write_out()
        self._has_written = True
        if isinstance(write, Update):
            statement = statements.updating(write.table, frozenset(write.key))
            given, columns = {**_at(write.key), **write.changes}, frozenset(write.changes)
        elif isinstance(write, Delete):
            statement, given, columns = statements.deleting(write.table, frozenset(write.key)), _at(write.key), None
        else:
            given = {**defaults(TABLES[write.table]), **write.row}
            statement, columns = statements.REPLACE[write.table], frozenset(given)
        prepare(self._dialect, statement, columns).execute(self._driver, given)

    def insert_selected(self, name: str, values: Mapping[str, Any], source: FromClause) -> None:
        """New rows of a table that the database makes by itself from the rows of ``source``; the rest stays empty."""
        self.writes += 1
        self._has_written = True
        table = TABLES[name]
        given = {column: literal(value) for column, value in defaults(table).items() if value is not None}
        columns = {**given, **values}
        selected = select(*(value.label(column) for column, value in columns.items())).select_from(source)
        self._connection.execute(table.insert().from_select(list(columns), selected))

    def numbers_taken(self) -> int:
        """How far the database is with its numbers."""
        return self._backend.numbers_taken(self._driver)

    def look_through(self, faults_max: int) -> list[str]:
        """What SQLite says of its pages and indexes, "ok" where they are whole."""
        return [str(row[0]) for row in self._driver.execute(f"PRAGMA integrity_check({faults_max})").fetchall()]

    def next_number(self) -> int:
        """A number that nobody had before and nobody gets after: some are left out, at a restart for example."""
        while (number := next(self._numbers.left, None)) is None:
            self._numbers.left = iter(self._backend.take_numbers(self._driver))
            self._numbers.taken = self._backend.numbers_taken(self._driver)
        return number

    def add(self, name: str, amount: int) -> int:
        """Add to a counter and return what it is then; a counter begins at zero."""
        self.writes += 1
        self._has_written = True
        row = {"name": name, "value": amount}
        self._shelves.forget(Insert("counters", row))
        return int(self._value(statements.ADD, **row))

    def counter(self, name: str) -> int:
        """What a counter is."""
        return self._kept("counters", name, lambda: int(self._value(statements.COUNTER, name=name) or 0))

    def link_audit(self, keys: KeyDesk) -> None:
        """Chain the audit rows of this transaction: the last thing before its commit, for it waits for other hosts."""
        if self.audits:
            self.write_out()
            chain.link(self._dialect, self._driver, keys)

    def breaches(self, keys: KeyDesk) -> tuple[chain.Breach, ...]:
        """What is wrong with the chain of the audit."""
        return chain.verify(self._connection, keys)

    def forget_details(self, texts: Collection[str]) -> list[int]:
        """Erase the audit details that hold one of some texts; returns the places of their rows."""
        return chain.forget(self._connection, texts)

    # by key

    def secret(self, name: str) -> bytes:
        """A sealed secret, empty where there is none."""
        return self._kept("secrets", name, lambda: bytes(self._value(statements.SECRET, name=name) or b""))

    def merchant(self, merchant_id: str) -> Merchant | None:
        """By field 42."""
        return self._kept("merchants", merchant_id, lambda: self._find(Merchant, "merchants", merchant_id=merchant_id))

    def model(self, model: str) -> DeviceModel | None:
        """By name."""
        return self._kept("models", model, lambda: self._find(DeviceModel, "models", model=model))

    def terminal(self, serial_number: str) -> Terminal | None:
        """By serial number."""
        return self._find(Terminal, "terminals", serial_number=serial_number)

    def transaction(self, terminal_id: str, batch: str, stan: str) -> Transaction | None:
        """By terminal id, batch and STAN."""
        found = self._foreseen.get((terminal_id, batch, stan))
        if found is None:
            return self._find(Transaction, "transactions", terminal_id=terminal_id, batch=batch, stan=stan)
        return found.transaction

    def stored_reply(self, terminal_id: str, batch: str, stan: str, mti: str) -> StoredReply | None:
        """By the key of the request and its MTI."""
        found = self._foreseen.get((terminal_id, batch, stan))
        if found is None:
            return self._find(StoredReply, "replies", terminal_id=terminal_id, batch=batch, stan=stan, mti=mti)
        return found.replies.get(mti)

    def batch(self, terminal_id: str, batch: str) -> Batch | None:
        """A batch that was settled or waits for its upload."""
        return self._find(Batch, "batches", terminal_id=terminal_id, batch=batch)

    def open_batches(self) -> tuple[Batch, ...]:
        """Those of fallback codes that wait for the end of their day, by terminal id and batch."""
        return tuple(sorted(self._all(Batch, statements.OPEN_BATCHES), key=attrgetter("terminal_id", "batch")))

    def wrong_pins(self, card_token: str) -> int:
        """How many wrong PINs stand against a card."""
        found = self._run(statements.BY_KEY["cards"], {"card_token": card_token}).fetchall()
        return int(found[0][1]) if found else 0

    def plan(self, serial_number: str) -> Plan | None:
        """The dated end of a terminal."""
        return self._kept("plans", serial_number, lambda: self._find(Plan, "plans", serial_number=serial_number))

    def image(self, model: str, version: str, offset: int, size: int) -> bytes:
        """A piece of a published image, empty past its end."""
        return bytes(self._value(statements.IMAGE, model=model, version=version, start=offset + 1, size=size) or b"")

    def published(self, name: str) -> tuple[Published, ...]:
        """Every published version of a download, oldest first."""
        return tuple(Published(**row) for row in self.rows("downloads", name=name))

    def fetch(self, serial_number: str, name: str) -> Fetch | None:
        """How far a terminal has come with a download."""
        return self._find(Fetch, "fetches", serial_number=serial_number, name=name)

    def policy(self, version: int) -> Policy:
        """A published version of the rules; the product's where there is none. Raises StoreError for a broken row."""
        rows = self.rows("policies", version=version)
        try:
            return _read_policy(rows[0]["content"]) if rows else Policy()
        except ValidationError as error:
            raise StoreError(f"policy version {version} in the database cannot be read") from error

    def last_refusal(self, serial_number: str) -> Refused | None:
        """What a terminal was last refused for, under a good MAC."""
        rows = self.rows("refusals", serial_number=serial_number)
        return Refused(rows[0]["reason"], json.loads(rows[0]["words"])) if rows else None

    # by rules

    def tenants(self, terminal_id: str) -> tuple[Terminal, ...]:
        """The devices that have or had a terminal id, the one that it belongs to first."""
        read = partial(self._all, Terminal, statements.TENANTS, terminal_id=terminal_id)
        return self._kept("terminals", terminal_id, read)

    def holds(self, serial_number: str) -> tuple[Hold, ...]:
        """Those not released."""
        read = partial(self._all, Hold, statements.HOLDS, serial_number=serial_number)
        return self._kept("holds", serial_number, read)

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

    def returned_fee_fen(self, row: Transaction) -> int:
        """The fee that a transaction had when it was undone, as its postings tell: the row costs nothing since."""
        key = {"terminal_id": row.terminal_id, "batch": row.batch, "stan": row.stan}
        undone = self.rows("postings", **key, reason=UNDO, debit=FEE_INCOME)
        return int(undone[-1]["amount_fen"]) if undone else 0

    def partner(self, name: str) -> str:
        """How a partner is taken to be, "" where nobody has ever switched it."""
        return self._kept(
            "partners", name, lambda: next((row["state"] for row in self.rows("partners", name=name)), "")
        )

    def spent_fen(self, account: str) -> int:
        """What a card has paid and holds, less what it got back."""
        return int(self._value(statements.SPENT_FEN, account=account))

    def recent(self, serial_number: str, since: int) -> tuple[Transaction, ...]:
        """The newest rows of a terminal since an instant, RECENT_MAX at most."""
        return self._all(Transaction, statements.RECENT, serial_number=serial_number, since=since)

    def alerts(self, serial_number: str, since: int) -> tuple[Alert, ...]:
        """What rules of risk found at a terminal since an instant."""
        return self._all(Alert, statements.ALERTS, serial_number=serial_number, since=since)

    def amendments(self, merchant_id: str) -> tuple[Amendment, ...]:
        """Every amendment of a merchant's contract."""
        return tuple(Amendment(**row) for row in self.rows("amendments", merchant_id=merchant_id))

    def contested_fen(self, row: Transaction) -> int:
        """How much of a transaction disputes contest, or took back."""
        return int(self._value(statements.CONTESTED_FEN, terminal_id=row.terminal_id, batch=row.batch, stan=row.stan))

    def code_used(self, card_token: str) -> bool:
        """Has a customer's code paid before, whatever became of it?"""
        return self._value(statements.CODE_USED, card_token=card_token) is not None

    def turnover_fen(self, terminal: Terminal, reading: str = "net") -> int:
        """The turnover of a device in this life as a row of READINGS counts it (product decision 1)."""
        of = {"serial_number": terminal.serial_number, "since": terminal.refurbished_at}
        return int(self._value(statements.TURNOVER_FEN[reading], **of))

    def sold_since(self, serial_number: str, at: int) -> tuple[int, int]:
        """Fen and number of what a device sold since an instant and was not undone."""
        found = self._run(statements.SOLD_SINCE, {"serial_number": serial_number, "at": at}).fetchone()
        return int(found[0]), int(found[1])

    def progress(self, serial_number: str) -> Progress | None:
        """How far a device has come with its last update."""
        return self._find(Progress, "updates", serial_number=serial_number)

    def money_rows(self, terminal_id: str, batch: str) -> tuple[Transaction, ...]:
        """The captured rows of a batch that count, by STAN."""
        return self._all(Transaction, statements.MONEY_ROWS, terminal_id=terminal_id, batch=batch)

    def uploaded(self, terminal_id: str, batch: str) -> tuple[tuple[str, int], ...]:
        """STAN and amount in fen of the rows that a terminal uploaded."""
        found = self._connection.execute(statements.UPLOADED, {"terminal_id": terminal_id, "batch": batch})
        return tuple((row.stan, row.amount_fen) for row in found)

    def waiting_commands(self, serial_number: str, at: int) -> tuple[PendingCommand, ...]:
        """Those neither acknowledged nor expired, oldest first."""
        read = partial(self._all, PendingCommand, statements.COMMANDS, serial_number=serial_number)
        waiting = self._kept("commands", serial_number, read)
        return tuple(command for command in waiting if command.expires_at > at) if waiting else ()

    def newest_release(self, model: str, blocked: str = "") -> FirmwareRelease | None:
        """The published image of the highest version that is not among the words of ``blocked``."""
        read = partial(self._all, FirmwareRelease, statements.RELEASES, model=model)
        releases = self._kept("firmware", model, read)
        allowed = (release for release in releases if release.version not in blocked.split())
        return max(allowed, key=lambda release: parse_version(release.version), default=None)

    def due_items(self, at: int, count: int) -> tuple[Item, ...]:
        """Terminals of campaigns for which something falls due, the longest overdue first, so many at most."""
        return self._all(Item, statements.DUE_ITEMS, at=at, count=count)

    def items(self, campaign: int) -> tuple[Item, ...]:
        """Every terminal of a campaign."""
        rows = self.rows("campaign_items", campaign=campaign)
        return tuple(Item(**{**row, "state": ItemState(row["state"])}) for row in rows)

    def item(self, campaign: int, serial_number: str) -> Item | None:
        """A terminal of a campaign."""
        return self._one(Item, statements.BY_KEY["campaign_items"], campaign=campaign, serial_number=serial_number)

    def notice(self, number: int) -> Notice | None:
        """A notice by its number."""
        return self._one(Notice, statements.BY_KEY["notices"], number=number)

    def ended_holds(self, at: int) -> tuple[Hold, ...]:
        """Those not released whose time is up, by number."""
        return tuple(sorted(self._all(Hold, statements.ENDED_HOLDS, at=at), key=lambda hold: hold.number))

    def stale_merchants(self, at: int, renewed: int) -> tuple[Merchant, ...]:
        """Those not warned yet of whom a paper has run out, or that were renewed by an instant; 0 for no such."""
        by_date = self._all(Merchant, statements.STALE_BY_DATE, renewed=renewed)
        by_papers = self._all(Merchant, statements.STALE_BY_PAPERS, at=at)
        found = {merchant.merchant_id: merchant for merchant in (*by_date, *by_papers)}
        return tuple(found[merchant_id] for merchant_id in sorted(found))

    def overdue_disputes(self, at: int) -> tuple[int, ...]:
        """The numbers of the disputes that wait for an answer beyond their day."""
        return tuple(sorted(int(row[0]) for row in self._run(statements.OVERDUE_DISPUTES, {"at": at}).fetchall()))

    def has_unpaid(self, term: str, before: int) -> bool:
        """Is a batch not paid that a merchant of this term settled before an instant?"""
        return self._value(statements.UNPAID_BATCH, payout_term=term, before=before) is not None

    def due_inbox(self, at: int, after: int, count: int) -> list[dict[str, Any]]:
        """What waits to be delivered and may go, by number, so many at most."""
        given = {"at": at, "after": after, "count": count}
        self.write_out()
        return list(prepare(self._dialect, statements.DUE_INBOX).rows(self._driver, given))

    def sent_since(self, serial_number: str, since: int) -> list[tuple[str, int]]:
        """Channel and instant of the notices about a terminal that went or go out after an instant."""
        found = self._run(statements.SENT_SINCE, {"serial_number": serial_number, "since": since}).fetchall()
        return [(str(row[0]), int(row[1])) for row in found]

    def item_states(self, campaign: int) -> dict[str, int]:
        """How many terminals of a campaign are in which state."""
        found = self._run(statements.ITEM_STATES, {"campaign": campaign}).fetchall()
        return {str(row[0]): int(row[1]) for row in found}

    def swap(self, serial_number: str) -> Swap | None:
        """The latest swap in which a device is the old or the new one."""
        return self._one(Swap, statements.SWAP, serial_number=serial_number)

    def appointments(self, since: int, until: int) -> dict[str, int]:
        """When which devices are to be swapped within a time: by order, else by a campaign."""
        found: dict[str, int] = {}
        for statement in (statements.CAMPAIGN_APPOINTMENTS, statements.SWAP_APPOINTMENTS):
            rows = self._run(statement, {"since": since, "until": until}).fetchall()
            found |= {str(row[0]): int(row[1]) for row in rows}
        return found

    def owed(self, merchant_id: str) -> tuple[Owed, ...]:
        """What stands on a merchant's account for closed batches: those not paid, and those undone in part since."""
        return self._all(Owed, statements.OWED, merchant_id=merchant_id)

    def all_owed(self) -> tuple[Owed, ...]:
        """The same for every merchant, by merchant."""
        return self._all(Owed, statements.ALL_OWED)

    def balance_fen(self, account: str) -> int:
        """Credits less debits of an account."""
        return int(self._value(statements.BALANCE_FEN, account=account))

    # lists for people

    def rows(self, name: str, /, **matches: object) -> list[dict[str, Any]]:
        """Rows of a table whose columns equal ``matches``, by key, as column values."""
        given = {column: value for column, value in matches.items() if value is not None}
        query = statements.matching(name, frozenset(given), frozenset(matches) - frozenset(given))
        self.write_out()
        return list(prepare(self._dialect, query).rows(self._driver, _at(given)))

    def count(self, name: str) -> int:
        """How many rows a table has."""
        return int(self._connection.execute(select(func.count()).select_from(TABLES[name])).scalar_one())

    def page(
        self, name: str, search: Mapping[str, str], order: Sequence[tuple[str, bool]], limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """Some rows of a table, without what is binary: those of which a column holds its text of ``search``.

        ``order`` names columns, each with whether it descends. Names come from tables of ours, texts from anybody.
        """
        columns = TABLES[name].c
        query = select(*(column for column in columns if not isinstance(column.type, LargeBinary)))
        if search:
            query = query.where(or_(*(columns[at].contains(text, autoescape=True) for at, text in search.items())))
        query = query.order_by(*(columns[column].desc() if down else columns[column] for column, down in order))
        return [dict(row._mapping) for row in self._connection.execute(query.limit(limit).offset(offset))]

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
        self.write_out()
        for values in prepare(self._dialect, statement).rows(self._driver, parameters):
            yield record_of(record, values)

    def _value(self, statement: Any, **parameters: object) -> Any:
        found = self._run(statement, parameters).fetchall()
        return found[0][0] if found else None

    def _run(self, statement: Any, parameters: Mapping[str, object]) -> Any:
        self.write_out()
        return prepare(self._dialect, statement).execute(self._driver, parameters)

    def standing(self, terminal_id: str, about: Hashable, make: Callable[[], R]) -> R:
        """What ``make`` makes for a terminal id out of rows on the shelves alone, as long as none of them changes."""
        return self._shelves.standing(terminal_id, about, make, lambda: self.keeps) if self.keeps else make()

    def _kept(self, table: str, key: str, read: Callable[[], R]) -> R:
        return self._shelves.get(table, key, read) if self.keeps else read()


def _at(key: Mapping[str, object]) -> dict[str, object]:
    return {f"at_{column}": value for column, value in key.items()}


def columns_of(rows: Sequence[Mapping[str, Any]], *hidden: str) -> list[dict[str, Any]]:
    """The same rows without some columns."""
    return [{name: value for name, value in row.items() if name not in hidden} for row in rows]
