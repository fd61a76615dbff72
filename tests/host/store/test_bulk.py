"""A ledger made for measurements."""

from __future__ import annotations

import pytest

from host.store import bulk
from tests.host.wire import Lab, Wire


def test_so_many_rows_are_made_and_a_till_sells_beside_them(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's rate over a grown ledger would be measured on an empty one, or on one that no host can have."""
    monkeypatch.setattr(bulk, "SALES_AT_ONCE", 400)
    told: list[int] = []
    bulk.fill(lab.store, 4_000, told.append)
    counts = [len(lab.rows(table)) for table in ("transactions", "postings", "replies")]
    assert (told, counts) == ([1_600, 3_200, 4_000], [1_000, 2_000, 1_000])
    active = Wire(lab).activated()
    assert active.sell(1_234).amount_fen == 1_234
    assert lab.violations() == []
