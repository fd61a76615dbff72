"""The statements of ``host.store.books``, each built once; parameters go by the names of their columns.

Building a statement costs more than running it, so nothing here is built for a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Column, Table, and_, bindparam, case, func, literal, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from host.activation import READINGS, Reading
from host.campaign import OPEN as OPEN_ITEMS
from host.disputes import STANDING, DisputeState
from host.lifecycle import ABSENT
from host.limits import LIMITED
from host.postings import payable
from host.records import BatchState, TransactionState
from host.store.schema import TABLES
from host.transactions import COMPLETIONS, LATE_RESTORATION, LATE_REVERSAL, PAYMENTS, SETTLED, SIGNS
from protocol.swap import SwapState

_counters, _secrets, _firmware = TABLES["counters"].c, TABLES["secrets"].c, TABLES["firmware"].c
_terminals, _transactions, _holds = TABLES["terminals"].c, TABLES["transactions"].c, TABLES["holds"].c
_commands, _batches, _merchants = TABLES["commands"].c, TABLES["batches"].c, TABLES["merchants"].c
_items, _inbox = TABLES["campaign_items"].c, TABLES["inbox"].c
_disputes, _alerts = TABLES["disputes"].c, TABLES["alerts"].c
_uploads, _postings, _swaps = TABLES["uploads"].c, TABLES["postings"].c, TABLES["swaps"].c


def _is(*columns: Column[Any]) -> tuple[Any, ...]:
    return tuple(column == bindparam(column.name) for column in columns)


def _one_of(column: Column[str], values: Iterable[str]) -> Any:
    return or_(*(column == value for value in sorted(values)))


def _replacing(table: Table) -> Any:
    statement = insert(table)
    changes = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=table.primary_key, set_=changes)


def _adding() -> Any:
    statement = insert(TABLES["counters"])
    changes = {"value": _counters.value + statement.excluded.value}
    return statement.on_conflict_do_update(index_elements=["name"], set_=changes).returning(_counters.value)


@cache
def updating(name: str, key: frozenset[str]) -> Any:
    """The update of the rows of a table that some columns name; in its parameters these begin with ``at_``."""
    table = TABLES[name]
    return update(table).where(*(table.c[column] == bindparam(f"at_{column}") for column in key))


@cache
def deleting(name: str, key: frozenset[str]) -> Any:
    """The removal of the rows of a table that some columns name, by ``at_`` and the column."""
    table = TABLES[name]
    return table.delete().where(*(table.c[column] == bindparam(f"at_{column}") for column in key))


@cache
def matching(name: str, given: frozenset[str], empty: frozenset[str]) -> Any:
    """The rows of a table, by key: some columns hold what is ``given`` by ``at_`` and the column, others nothing."""
    table = TABLES[name]
    wanted = [table.c[column] == bindparam(f"at_{column}") for column in sorted(given)]
    wanted += [table.c[column].is_(None) for column in sorted(empty)]
    return select(table).where(*wanted).order_by(*table.primary_key)


INSERT: Final[Mapping[str, Any]] = MappingProxyType({name: table.insert() for name, table in TABLES.items()})
REPLACE: Final[Mapping[str, Any]] = MappingProxyType({name: _replacing(table) for name, table in TABLES.items()})
BY_KEY: Final[Mapping[str, Any]] = MappingProxyType(
    {name: select(table).where(*_is(*table.primary_key)) for name, table in TABLES.items()}
)
ADD: Final = _adding()
COUNTER: Final = select(_counters.value).where(*_is(_counters.name))
SECRET: Final = select(_secrets.sealed).where(*_is(_secrets.name))

TENANTS: Final = (
    select(TABLES["terminals"])
    .where(*_is(_terminals.terminal_id))
    .order_by(
        case((or_(*(_terminals.state == state for state in sorted(ABSENT))), 1), else_=0),
        _terminals.serial_number.desc(),
    )
)
HOLDS: Final = (
    select(TABLES["holds"]).where(*_is(_holds.serial_number), _holds.released_at.is_(None)).order_by(_holds.number)
)
COMMANDS: Final = (
    select(TABLES["commands"])
    .where(*_is(_commands.serial_number), _commands.state != "acknowledged")
    .order_by(_commands.counter)
)
DUE_ITEMS: Final = (
    select(TABLES["campaign_items"])
    .where(_items.next_at <= bindparam("at"))
    .order_by(_items.next_at, _items.serial_number)
    .limit(bindparam("count"))
)
_NUMBER: Final = _inbox.number + literal_column("0")
"""Not the key itself: what is due is looked up by its date, and not by walking along the key."""
DUE_INBOX: Final = (
    select(TABLES["inbox"])
    .where(_inbox.sent_at.is_(None), _inbox.send_at <= bindparam("at"), bindparam("after") < _NUMBER)
    .order_by(_NUMBER)
    .limit(bindparam("count"))
)
ENDED_HOLDS: Final = select(TABLES["holds"]).where(_holds.released_at.is_(None), _holds.until <= bindparam("at"))
STALE_BY_DATE: Final = select(TABLES["merchants"]).where(
    _merchants.warned_at.is_(None), _merchants.renewed_at > 0, _merchants.renewed_at <= bindparam("renewed")
)
STALE_BY_PAPERS: Final = select(TABLES["merchants"]).where(
    _merchants.warned_at.is_(None), _merchants.papers_until <= bindparam("at")
)
OVERDUE_DISPUTES: Final = select(_disputes.number).where(
    _disputes.state == literal_column("'open'"), _disputes.due_at < bindparam("at")
)
OPEN_BATCHES: Final = select(TABLES["batches"]).where(_batches.state == literal_column("'open'"))
UNPAID_BATCH: Final = (
    select(_batches.batch)
    .join(TABLES["merchants"], _merchants.merchant_id == _batches.merchant_id)
    .where(
        _batches.state == literal_column("'closed'"),
        _batches.paid_at.is_(None),
        _batches.settled_at < bindparam("before"),
        *_is(_merchants.payout_term),
    )
    .limit(1)
)
SENT_SINCE: Final = select(_inbox.channel, _inbox.send_at).where(
    *_is(_inbox.serial_number), _inbox.send_at > bindparam("since"), _inbox.notice != 0
)
ITEM_STATES: Final = select(_items.state, func.count()).where(*_is(_items.campaign)).group_by(_items.state)
SWAP: Final = (
    select(TABLES["swaps"])
    .where(or_(*(column == bindparam("serial_number") for column in (_swaps.serial_number, _swaps.successor))))
    .order_by(_swaps.number.desc())
    .limit(1)
)
CAMPAIGN_APPOINTMENTS: Final = select(_items.serial_number, _items.swap_at).where(
    _items.swap_at >= bindparam("since"), _items.swap_at < bindparam("until"), _one_of(_items.state, OPEN_ITEMS)
)
SWAP_APPOINTMENTS: Final = select(_swaps.serial_number, _swaps.appointment_at).where(
    _swaps.appointment_at >= bindparam("since"),
    _swaps.appointment_at < bindparam("until"),
    _swaps.state != SwapState.CANCELLED,
)

SALE_BY_RRN: Final = (
    select(TABLES["transactions"])
    .where(*_is(_transactions.rrn, _transactions.merchant_id), _one_of(_transactions.kind, PAYMENTS))
    .limit(1)
)
HOLD: Final = (
    select(TABLES["transactions"])
    .where(*_is(_transactions.auth_id, _transactions.merchant_id), _transactions.kind == literal_column("'preauth'"))
    .order_by((_transactions.card_token == bindparam("card_token")).desc(), _transactions.at.desc())
    .limit(1)
)
FOLLOWERS: Final = select(TABLES["transactions"]).where(
    *_is(_transactions.original_terminal_id, _transactions.original_batch, _transactions.original_stan)
)
_HELD: Final = ("preauth", "additional_preauth")
_completions: Final = TABLES["transactions"].alias("completions").c
_reversals: Final = TABLES["transactions"].alias("reversals").c
_IS_TAKEN_BACK: Final = (
    select(_reversals.stan)
    .where(
        _reversals.kind == LATE_REVERSAL,
        _reversals.original_terminal_id == _completions.terminal_id,
        _reversals.original_batch == _completions.batch,
        _reversals.original_stan == _completions.stan,
    )
    .exists()
)
"""Was a completion taken back after its batch was closed, so that its hold holds again?"""
_originals: Final = TABLES["transactions"].alias("originals").c
_IS_COMPLETED: Final = (
    select(_completions.stan)
    .where(
        _one_of(_completions.kind, COMPLETIONS),
        _one_of(_completions.state, (TransactionState.CAPTURED, TransactionState.VOIDED)),
        _completions.original_terminal_id == _transactions.terminal_id,
        _completions.auth_id == _transactions.auth_id,
        _completions.account == _transactions.account,
        ~_IS_TAKEN_BACK,
    )
    .exists()
)
"""Is a hold used up? The void of a completion does not give it back (M9), the reversal of one does."""
_SPENT: Final = case(
    (_one_of(_transactions.kind, [kind for kind, sign in SIGNS.items() if sign == -1]), -_transactions.amount_fen),
    else_=_transactions.amount_fen,
)
SPENT_FEN: Final = (
    select(func.coalesce(func.sum(_SPENT), 0))
    .where(*_is(_transactions.account), _transactions.account != literal_column("''"))
    .where(
        _transactions.state == TransactionState.CAPTURED,
        or_(_one_of(_transactions.kind, SIGNS), and_(_one_of(_transactions.kind, _HELD), ~_IS_COMPLETED)),
    )
)
RECENT_MAX: Final = 100
RECENT: Final = (
    select(TABLES["transactions"])
    .where(*_is(_transactions.serial_number), _transactions.at >= bindparam("since"))
    .order_by(_transactions.at.desc())
    .limit(RECENT_MAX)
)
ALERTS: Final = select(TABLES["alerts"]).where(*_is(_alerts.serial_number), _alerts.at >= bindparam("since"))
CONTESTED_FEN: Final = select(func.coalesce(func.sum(_disputes.amount_fen), 0)).where(
    *_is(_disputes.terminal_id, _disputes.batch, _disputes.stan),
    _one_of(_disputes.state, {*STANDING, DisputeState.LOST}),
)
CODE_USED: Final = (
    select(_transactions.stan)
    .where(*_is(_transactions.card_token), _transactions.kind == literal_column("'qr_sale'"))
    .where(_transactions.state != TransactionState.DECLINED)
    .limit(1)
)
MONEY_ROWS: Final = (
    select(TABLES["transactions"])
    .where(
        *_is(_transactions.terminal_id, _transactions.batch),
        _one_of(_transactions.kind, SETTLED),
        _transactions.state == TransactionState.CAPTURED,
    )
    .order_by(_transactions.stan)
)


def _turnover(reading: Reading) -> Any:
    subtracts = _one_of(_transactions.kind, reading.subtracts) if reading.subtracts else literal_column("0 = 1")
    signed = case((subtracts, -_transactions.amount_fen), else_=_transactions.amount_fen)
    turnover = select(func.coalesce(func.sum(signed), 0)).where(
        _one_of(_transactions.state, reading.states),
        _one_of(_transactions.kind, (reading.adds | reading.subtracts) - reading.leaves_out),
        *_is(_transactions.serial_number),
        _transactions.at >= bindparam("since"),
    )
    return turnover.where(~_is_late_about(reading.leaves_out)) if reading.leaves_out else turnover


def _is_late_about(kinds: Iterable[str]) -> Any:
    """Does a row undo one of these kinds in a batch that was closed, or give it back?"""
    about = (
        select(_originals.stan)
        .where(
            _originals.terminal_id == _transactions.original_terminal_id,
            _originals.batch == _transactions.original_batch,
            _originals.stan == _transactions.original_stan,
            _one_of(_originals.kind, kinds),
        )
        .exists()
    )
    return and_(_one_of(_transactions.kind, (LATE_REVERSAL, LATE_RESTORATION)), about)


TURNOVER_FEN: Final = MappingProxyType({name: _turnover(reading) for name, reading in READINGS.items()})
SOLD_SINCE: Final = select(func.coalesce(func.sum(_transactions.amount_fen), 0), func.count()).where(
    *_is(_transactions.serial_number),
    _transactions.at >= bindparam("at"),
    _one_of(_transactions.kind, LIMITED),
    _transactions.state == TransactionState.CAPTURED,
)
UPLOADED: Final = select(_uploads.stan, _uploads.amount_fen).where(*_is(_uploads.terminal_id, _uploads.batch))

RELEASES: Final = select(_firmware.model, _firmware.version, _firmware.size, _firmware.sha256).where(
    *_is(_firmware.model)
)
IMAGE: Final = select(func.substr(_firmware.image, bindparam("start"), bindparam("size"))).where(
    *_is(_firmware.model, _firmware.version)
)


def _signed_fen(account: Any) -> Any:
    return func.coalesce(
        func.sum(case((_postings.credit == account, _postings.amount_fen), else_=-_postings.amount_fen)), 0
    )


def _touched(account: Any) -> Any:
    return or_(_postings.credit == account, _postings.debit == account)


_OF_ACCOUNT, _AFTER_ID = payable("\0").split("\0")
_PAYABLE: Final = literal(_OF_ACCOUNT) + _batches.merchant_id + literal(_AFTER_ID)
BALANCE_FEN: Final = select(_signed_fen(bindparam("account"))).where(_touched(bindparam("account")))
_NET_FEN: Final = (
    select(_signed_fen(_PAYABLE))
    .where(_touched(_PAYABLE), _postings.terminal_id == _batches.terminal_id, _postings.batch == _batches.batch)
    .correlate(TABLES["batches"])
    .scalar_subquery()
)
ALL_OWED: Final = (
    select(_batches.merchant_id, _batches.terminal_id, _batches.batch, _batches.settled_at, _NET_FEN.label("net_fen"))
    .where(_batches.state == BatchState.CLOSED)
    .where(or_(_batches.paid_at.is_(None), _NET_FEN != 0))
    .order_by(_batches.merchant_id, _batches.terminal_id, _batches.batch)
)
OWED: Final = ALL_OWED.where(*_is(_batches.merchant_id))
