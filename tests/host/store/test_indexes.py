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
    OVERDUE_DISPUTES,
    RECENT,
    SPENT_FEN,
    STALE_BY_DATE,
    STALE_BY_PAPERS,
    UNPAID_BATCH,
)
from tests.host.wire import Lab


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
