"""Contracts after their signature: amendments, categories, terms; and the reports on them (product M, K)."""

from __future__ import annotations

import pytest

from host.errors import AdminError
from protocol.fields import F
from tests.host.wire import CREDIT, Wire, totals_of

pytestmark = pytest.mark.feature("M")


def fee_fen(wire: Wire, amount_fen: int = 10_000) -> int:
    """The fee of a sale by credit card."""
    sold = wire.sell(amount_fen, CREDIT)
    [row] = wire.lab.rows("transactions", stan=sold.stan, batch=sold.batch)
    return int(row["fee_fen"])


def amend(wire: Wire, **words: object) -> dict[str, object]:
    """An amendment of the credit rate."""
    arguments = {"card_type": "credit", "rate_bp": 58, "signed_by": "王小明"} | words
    return wire.lab.act("amend_rate", merchant_id=wire.merchant_id, **arguments)


def test_a_rate_changes_at_its_date_and_not_before(active: Wire) -> None:
    """A merchant would pay a rate that nobody signed (decision 8)."""
    assert not amend(active, in_days=10)["in_effect"]
    assert fee_fen(active) == 60
    active.lab.later(days=10, seconds=-1)
    assert fee_fen(active) == 60
    active.lab.later(seconds=1)
    assert fee_fen(active) == 58
    assert fee_fen(active) == 58
    assert active.lab.violations() == []


def test_amendments_of_several_dates_take_effect_in_their_order(active: Wire) -> None:
    """The newest signature would be overtaken by an older one."""
    amend(active, rate_bp=56, in_days=20)
    amend(active, rate_bp=58, in_days=10)
    active.lab.later(days=30)
    assert fee_fen(active) == 56
    assert all(row["applied_at"] for row in active.lab.act("amendments")["amendments"])


def test_a_rate_at_once_and_the_cap_of_debit_cards(active: Wire) -> None:
    """An amendment of the debit rate would lose the cap."""
    amend(active, card_type="debit", rate_bp=40)
    assert active.lab.rows("merchants")[0]["debit_cap_fen"] == 2500
    amend(active, card_type="debit", rate_bp=45, cap_fen=10)
    [merchant] = active.lab.rows("merchants")
    assert (merchant["debit_bp"], merchant["debit_cap_fen"]) == (45, 10)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"card_type": "gold"}, "no rate for"),
        ({"rate_bp": 1_001}, "basis points"),
        ({"rate_bp": -1}, "basis points"),
        ({"signed_by": " "}, "signed by somebody"),
        ({"cap_fen": 5}, "has no cap"),
        ({"in_days": -1}, "0 to 3650 days"),
    ],
)
def test_an_amendment_that_is_none_is_named(active: Wire, words: dict[str, object], said: str) -> None:
    """A slip of the pen would become a contract."""
    with pytest.raises(AdminError, match=said):
        amend(active, **words)
    assert active.lab.act("amendments")["amendments"] == []


def test_a_category_that_does_not_fit_the_rate_is_found(active: Wire) -> None:
    """A jeweller would pay what a school pays, and nobody see it (跳码)."""
    assert active.lab.act("inspect_contracts")["findings"] == []
    active.lab.act("set_category", merchant_id=active.merchant_id, category="5944", signed_by="王小明")
    assert amend(active, rate_bp=38)["warnings"]
    found = [row["finding"] for row in active.lab.act("inspect_contracts")["findings"]]
    assert any("jeweller" in finding for finding in found)
    assert any("outside 55 to 65" in finding for finding in found)


def test_the_term_decides_when_a_batch_is_paid(active: Wire) -> None:
    """A merchant of T+1 would be paid before the bank has the money, one of D+0 a day late."""
    active.lab.act("run_payouts")
    active.lab.later(days=3)
    active.lab.act("run_payouts")
    sold = active.sell(10_000, CREDIT)
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert active.lab.act("run_payouts") == {"paid": []}
    active.lab.later(days=1)
    [paid] = active.lab.act("run_payouts")["paid"]
    assert paid["total_fen"] == 10_000 - 60
    assert active.lab.act("run_payouts") == {"paid": []}
    active.lab.act("set_payout_term", merchant_id=active.merchant_id, term="D+0")
    active.sell(20_000, CREDIT)
    active.settle()
    assert active.lab.act("run_payouts")["paid"][0]["total_fen"] == 20_000 - 120
    assert sold.rrn
    with pytest.raises(AdminError, match="no term"):
        active.lab.act("set_payout_term", merchant_id=active.merchant_id, term="T+9")


def test_the_report_of_the_books_names_every_row_that_differs(active: Wire) -> None:
    """A difference would be known as a sum, and nobody find the sale."""
    sold = active.sell(10_000, CREDIT)
    assert active.lab.act("reconcile")["differing"] == 0
    assert active.code(active.settlement(totals_of([]))) != "00"
    assert active.code(active.upload([(sold.stan, 9_000), ("000777", 500)])) == "00"
    assert active.code(active.upload_end(2)) == "00"
    report = active.lab.act("reconcile", merchant_id=active.merchant_id)
    assert report["differing"] == 1
    row = next(each for each in report["batches"] if not each["agrees"])
    assert row["differences"] == [
        {"stan": sold.stan, "host_fen": 10_000, "terminal_fen": 9_000},
        {"stan": "000777", "host_fen": None, "terminal_fen": 500},
    ]
    assert row["left_fen"] == row["posted_fen"] == 10_000 - 60


def test_the_report_of_cost_adds_up(active: Wire) -> None:
    """A merchant would be told a rate that the fees do not make."""
    active.sell(10_000, CREDIT)
    active.sell(30_000, CREDIT)
    report = active.lab.act("cost", merchant_id=active.merchant_id)
    by_type = {row["card_type"]: row for row in report["by_card_type"]}
    assert by_type["credit"] == {"card_type": "credit", "count": 2, "amount_fen": 40_000, "fee_fen": 240, "bp": 60}
    assert report["fee_fen"] == sum(row["fee_fen"] for row in by_type.values())
    assert report["payable_fen"] == report["amount_fen"] - report["fee_fen"]
