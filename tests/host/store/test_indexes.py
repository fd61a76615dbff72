"""What is looked up for a sale is found by an index."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from host.store.prepared import prepare
from host.store.statements import CODE_USED, HOLD, RECENT, SPENT_FEN
from tests.host.wire import Lab


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (CODE_USED, "payments_by_code"),
        (HOLD, "holds_by_authorisation"),
        (SPENT_FEN, "transactions_by_account"),
        (RECENT, "transactions_by_device"),
    ],
    ids=["code", "hold", "account", "recent"],
)
def test_the_store_looks_it_up_by_an_index(tmp_path: Path, statement: Any, index: str) -> None:
    """After a year every scan and every checkout would read the whole ledger."""
    lab = Lab(tmp_path / "host.db")
    prepared = prepare(lab.store.backend.dialect, statement)
    names = ("auth_id", "merchant_id", "card_token", "account", "serial_number", "since")
    with closing(sqlite3.connect(lab.path)) as database:
        given = {**dict.fromkeys(names, ""), **prepared.given}
        values = [given[name] for name in prepared.names]
        plan = database.execute(f"EXPLAIN QUERY PLAN {prepared.sql}", values).fetchall()
    lab.store.close()
    assert any(index in str(row) for row in plan), plan
