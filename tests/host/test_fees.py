"""TABLE FEES: golden figures of product table M, rounding half up, the cap, and the rate of the contract."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.fees import FEES, Rate
from tests.host.wire import CREDIT, DEBIT, FORM, Lab, Wire

pytestmark = pytest.mark.feature("M")

GOLDEN = [
    ("credit", 1_000_000, 6_000),
    ("credit", 1, 0),
    ("credit", 83, 0),
    ("credit", 84, 1),
    ("credit", 250, 2),
    ("debit", 499_999, 2_500),
    ("debit", 500_000, 2_500),
    ("debit", 499_899, 2_499),
    ("debit", 1_000_000, 2_500),
    ("debit", 100, 1),
    ("debit", 99, 0),
    ("scan", 1_000_000, 3_800),
    ("unionpay_qr", 1_000_000, 6_000),
]


@pytest.mark.parametrize(("card_type", "amount_fen", "fee_fen"), GOLDEN)
def test_golden_figures(card_type: str, amount_fen: int, fee_fen: int) -> None:
    """The merchant would pay another fee than the one agreed."""
    assert FEES[card_type].fee_fen(amount_fen) == fee_fen


@given(
    amount_fen=st.integers(0, 10**12 - 1),
    rate_bp=st.integers(0, 10_000),
    cap_fen=st.none() | st.integers(0, 10**9),
)
def test_a_fee_is_the_exact_product_half_up_under_its_cap(amount_fen: int, rate_bp: int, cap_fen: int | None) -> None:
    """A fen would be lost or made by floating point on some amount."""
    exact = (Decimal(amount_fen) * rate_bp / 10_000).quantize(Decimal(1), ROUND_HALF_UP)
    expected = int(exact) if cap_fen is None else min(int(exact), cap_fen)
    fee_fen = Rate(rate_bp, cap_fen).fee_fen(amount_fen)
    assert fee_fen == expected
    assert isinstance(fee_fen, int)
    assert fee_fen >= 0


@pytest.mark.parametrize(("pan", "fee_fen"), [(CREDIT, 6_000), (DEBIT, 2_500)])
def test_the_ledger_takes_the_fee_of_the_card(active: Wire, pan: str, fee_fen: int) -> None:
    """A debit card would be charged like a credit card."""
    sold = active.sell(1_000_000, pan)
    [row] = active.lab.rows("transactions", stan=sold.stan)
    assert row["fee_fen"] == fee_fen
    assert active.lab.act("accounts")["accounts"]["acquirer:fees"] == fee_fen + 50


@pytest.mark.parametrize("undo", ["void", "reversal"])
def test_the_fee_goes_with_the_money(active: Wire, undo: str) -> None:
    """The merchant would pay a fee for a sale that never was."""
    before = active.lab.act("accounts")["accounts"]
    sold = active.sell(1_000_000, CREDIT)
    payload = active.void(sold) if undo == "void" else active.reversal(1_000_000, sold.stan, pan=CREDIT)
    assert active.code(payload) == "00"
    assert active.lab.act("accounts")["accounts"] == before
    assert active.lab.violations() == []


def test_a_refund_costs_no_fee_and_gives_none_back(active: Wire) -> None:
    """The acquirer would earn or lose on goods that came back."""
    sold = active.sell(1_000_000, CREDIT)
    fees_fen = active.lab.act("accounts")["accounts"]["acquirer:fees"]
    assert active.code(active.refund(sold, 1_000_000)) == "00"
    assert active.lab.act("accounts")["accounts"]["acquirer:fees"] == fees_fen


def test_the_signed_rates_are_the_ones_that_count(lab: Lab) -> None:
    """The contract would say 0.55 % and the ledger 0.60 %."""
    wire = Wire(lab).order()
    signed: dict[str, Any] = {"credit_bp": 55, "debit_bp": 40, "debit_cap_fen": 1_800}
    assert lab.act("submit", serial_number=wire.serial_number, **FORM, **signed)["warnings"] == []
    lab.act("review", serial_number=wire.serial_number)
    wire.sign_on()
    for pan, amount_fen, fee_fen in ((CREDIT, 10_000, 55), (DEBIT, 10_000, 40), (DEBIT, 1_000_000, 1_800)):
        sold = wire.sell(amount_fen, pan)
        assert lab.rows("transactions", stan=sold.stan)[0]["fee_fen"] == fee_fen


@pytest.mark.parametrize(("credit_bp", "warned"), [(54, True), (55, False), (65, False), (66, True)])
def test_a_rate_outside_the_band_draws_a_warning(lab: Lab, credit_bp: int, warned: bool) -> None:
    """A typing error in a rate would be noticed on the first statement."""
    wire = Wire(lab).order()
    result = lab.act("submit", serial_number=wire.serial_number, **FORM, credit_bp=credit_bp)
    assert bool(result["warnings"]) is warned
