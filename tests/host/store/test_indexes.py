"""What is looked up for a sale, and what is due by its date, is found by an index."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from host.store.prepared import prepare
from host.store.statements import (
    CODE_USED,
    DUE_INBOX,
    DUE_ITEMS,
    ENDED_HOLDS,
    HOLD,
    OPEN_BATCHES,
    OVERDUE_DISPUTES,
    RECENT,
    SPENT_FEN,
    STALE_BY_DATE,
    STALE_BY_PAPERS,
    UNPAID_BATCH,
)
from tests.host.wire import Lab, Wire


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (CODE_USED, "payments_by_code"),
        (HOLD, "holds_by_authorisation"),
        (SPENT_FEN, "transactions_by_account"),
        (RECENT, "transactions_by_device"),
        (DUE_ITEMS, "campaign_items_by_date"),
        (DUE_INBOX, "inbox_waiting"),
        (ENDED_HOLDS, "holds_by_end"),
        (STALE_BY_DATE, "merchants_by_renewal"),
        (STALE_BY_PAPERS, "merchants_by_papers"),
        (OVERDUE_DISPUTES, "disputes_open"),
        (UNPAID_BATCH, "batches_unpaid"),
        (OPEN_BATCHES, "batches_open"),
    ],
    ids=[
        "code",
        "hold",
        "account",
        "recent",
        "items",
        "inbox",
        "ended holds",
        "stale",
        "papers",
        "overdue",
        "unpaid",
        "open",
    ],
)
def test_the_store_looks_it_up_by_an_index(tmp_path: Path, statement: Any, index: str) -> None:
    """After a year every sale would read the whole ledger, and every minute of the host whole tables."""
    lab = Lab(tmp_path / "host.db")
    prepared = prepare(lab.store.backend.dialect, statement)
    texts = ("auth_id", "merchant_id", "card_token", "account", "serial_number", "since", "payout_term")
    names = (*texts, "at", "count", "after", "renewed", "before")
    with closing(sqlite3.connect(lab.path)) as database:
        given = {**dict.fromkeys(names, ""), **prepared.given}
        values = [given[name] for name in prepared.names]
        plan = database.execute(f"EXPLAIN QUERY PLAN {prepared.sql}", values).fetchall()
    lab.store.close()
    assert any(index in str(row) for row in plan), plan


LARGE = ("transactions", "postings", "replies", "cards", "terminals", "holds", "commands", "merchants", "batches")


def test_no_request_reads_a_table_from_end_to_end(tmp_path: Path) -> None:
    """Every sale would be slower than the one before it, until no terminal waits long enough."""
    lab = Lab(tmp_path / "host.db")
    asked: set[str] = set()
    lab.store.run(lambda books: books._driver.set_trace_callback(asked.add))
    wire = Wire(lab).activated()
    sold = [wire.sell(1_000 + number) for number in range(3)]
    together = [wire.sale(500) for _ in range(5)]
    with lab.store.gathering():
        futures = [lab.acquirer.submit(payload) for payload in (*together, together[0])]
    codes = [future.result(20).code for future in futures]
    codes += [
        wire.code(wire.void(sold[0])),
        wire.code(wire.refund(sold[1], 300)),
        wire.code(wire.sale(700, pin="1234")),
    ]
    codes += [wire.code(wire.reversal(1_002, sold[2].stan)), wire.code(wire.sale(100, "6200000300000003"))]
    lab.store.run(lambda books: books._driver.set_trace_callback(None))
    lab.store.close()
    assert codes[:8] == ["00"] * 5 + [""] + ["00"] * 2
    with closing(sqlite3.connect(lab.path)) as database:
        plans = {sql: database.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in asked if _is_about_rows(sql)}
    scans = {sql: str(row) for sql, rows in plans.items() for row in rows if _is_scan(str(row[-1]))}
    assert scans == {}
    assert sum("transactions" in sql for sql in plans) > 3


def _is_about_rows(sql: str) -> bool:
    return sql.startswith(("SELECT", "UPDATE", "DELETE", "WITH"))


def _is_scan(step: str) -> bool:
    return any(step.startswith(f"SCAN {name}") for name in LARGE)
