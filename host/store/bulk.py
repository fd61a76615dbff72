"""A ledger that looks as if years had gone by: many rows, made by the database itself, for measurements."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sqlalchemy import BigInteger, String, cast, func, literal, select

from host.store.books import Books
from host.store.database import Store

ROWS_A_SALE: Final = 4
"""The sale, its two postings, its stored reply."""
SALES_A_BATCH: Final = 200
SALES_A_TERMINAL: Final = 20_000
SALES_AT_ONCE: Final = 100_000
_FIRST_TERMINAL: Final = 90_000_000
_DIGITS: Final = 12
_REPLY: Final = bytes(180)


def fill(store: Store, rows: int, told: Callable[[int], None]) -> None:
    """Put that many rows into the ledger, of terminals that nobody has; ``told`` is called with how many there are.

    Raises StoreError.
    """
    sales = rows // ROWS_A_SALE
    for begin in range(0, sales, SALES_AT_ONCE):
        end = min(begin + SALES_AT_ONCE, sales)
        store.run(partial(_fill, begin=begin, end=end))
        told(end * ROWS_A_SALE)


def _fill(books: Books, begin: int, end: int) -> None:
    series = select(literal(begin, BigInteger).label("n")).cte("series", recursive=True)
    series = series.union_all(select(series.c.n + 1).where(series.c.n < end - 1))
    n = series.c.n
    key = {
        "terminal_id": cast(_FIRST_TERMINAL + n // SALES_A_TERMINAL, String),
        "batch": _padded(n // SALES_A_BATCH % (SALES_A_TERMINAL // SALES_A_BATCH), 6),
        "stan": _padded(n % SALES_A_BATCH, 6),
    }
    when = 1_700_000_000 + n
    sale = {
        **key, "serial_number": "BULK" + cast(n // SALES_A_TERMINAL, String), "merchant_id": literal("899000000000001"),
        "kind": literal("sale"), "state": literal("captured"), "amount_fen": 100 + n % 100_000, "fee_fen": literal(1),
        "code": literal("00"), "card": literal("620000******0004"), "card_token": _padded(n * 7_919 % 10**9, _DIGITS),
        "card_type": literal("debit"), "foreign_card": literal(False), "rrn": "9" + _padded(n, _DIGITS - 1),
        "auth_id": _padded(n % 10**6, 6), "at": when,
    }  # fmt: skip
    books.insert_selected("transactions", sale, series)
    posted = {**key, "reason": literal("capture"), "at": when}
    merchant = literal("merchant:899000000000001:payable")
    into = {"debit": literal("scheme:receivable"), "credit": merchant, "amount_fen": 100 + n % 100_000}
    fee = {"debit": merchant, "credit": literal("acquirer:fees"), "amount_fen": literal(1)}
    books.insert_selected("postings", {**posted, **into}, series)
    books.insert_selected("postings", {**posted, **fee}, series)
    reply = {"mti": literal("0200"), "fingerprint": literal(bytes(32)), "reply": literal(_REPLY)}
    books.insert_selected("replies", {**key, **reply}, series)


def _padded(number: Any, digits: int) -> Any:
    return func.substr(cast(10**digits + number, String), 2)
