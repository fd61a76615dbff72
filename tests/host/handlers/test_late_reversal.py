"""What is undone after its batch was closed: an adjustment in the open batch, and an untouched closed one (S6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.fields import F
from tests.host.wire import CREDIT, DEBIT, Sold, Wire


def settled(wire: Wire, amount_fen: int, pan: str = CREDIT) -> Sold:
    """A sale in a batch that is closed and paid."""
    sold = wire.sell(amount_fen, pan)
    assert wire.settle().text(F.RESPONSE_CODE) == "00"
    wire.lab.act("payout", merchant_id=wire.merchant_id)
    return sold


def payable_fen(wire: Wire) -> int:
    """What the acquirer owes the merchant; less than nothing where the merchant owes."""
    balances: dict[str, int] = wire.lab.act("accounts")["accounts"]
    return balances[f"merchant:{wire.merchant_id}:payable"]


def turnover_fen(wire: Wire) -> int:
    """What counts towards activation."""
    return int(wire.lab.act("show", serial_number=wire.serial_number)["turnover_fen"])


def test_a_closed_batch_stays_as_it_was_settled_and_paid(active: Wire) -> None:
    """The statement of a day that is over would not be that which the merchant was sent."""
    sold = settled(active, 50_000)
    batch = {"terminal_id": active.terminal_id, "batch": sold.batch}
    before = [active.lab.rows(table, **batch) for table in ("transactions", "postings", "batches")]
    assert active.code(active.reversal(50_000, sold.stan, batch=sold.batch, pan=CREDIT)) == "00"
    assert [active.lab.rows(table, **batch) for table in ("transactions", "postings", "batches")] == before
    [row] = active.lab.rows("transactions", kind="late_reversal")
    assert (row["batch"], row["state"], row["amount_fen"], row["fee_fen"]) == (active.batch, "captured", 50_000, -300)
    assert (row["original_batch"], row["original_stan"]) == (sold.batch, sold.stan)
    assert payable_fen(active) == -(50_000 - 300)
    assert active.lab.violations() == []


def test_the_terminal_settles_without_it(active: Wire) -> None:
    """A batch would never balance, since the terminal knows nothing of the host's adjustments."""
    sold = settled(active, 50_000)
    assert active.code(active.reversal(50_000, sold.stan, batch=sold.batch, pan=CREDIT)) == "00"
    active.sell(60_000, CREDIT)
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert active.lab.act("payout", merchant_id=active.merchant_id)["total_fen"] == 60_000 - 360 - 50_000 + 300
    assert payable_fen(active) == 0


def test_it_is_taken_back_once(active: Wire) -> None:
    """A reversal that is repeated until it is answered would cost the merchant the sale twice."""
    sold = settled(active, 50_000)
    payload = active.reversal(50_000, sold.stan, batch=sold.batch, pan=CREDIT)
    without_card = active.reversal(50_000, sold.stan, batch=sold.batch, pan="")
    assert [active.code(each) for each in (payload, payload, without_card)][:2] == ["00", "00"]
    assert len(active.lab.rows("transactions", kind="late_reversal")) == 1
    assert payable_fen(active) == -(50_000 - 300)


def test_nothing_of_it_is_left_to_refund_or_to_contest(active: Wire) -> None:
    """The guest would get the money back by the reversal, by a refund and by a dispute."""
    sold = settled(active, 50_000)
    assert active.code(active.reversal(50_000, sold.stan, batch=sold.batch, pan=CREDIT)) == "00"
    assert active.reason(active.refund(sold, 1, pan=CREDIT)) == "refund.above_rest"
    with pytest.raises(Exception, match="nothing of the sale is left"):
        active.lab.act("open_dispute", merchant_id=active.merchant_id, rrn=sold.rrn, reason="goods")


def test_it_is_turnover_no_more(active: Wire) -> None:
    """A terminal would be paid a reward for a turnover that was taken back."""
    sold = settled(active, 50_000, DEBIT)
    before = turnover_fen(active)
    assert active.code(active.reversal(50_000, sold.stan, batch=sold.batch)) == "00"
    assert turnover_fen(active) == before - 50_000
    assert active.lab.act("cost", merchant_id=active.merchant_id)["amount_fen"] == before - 50_000


def test_what_was_given_back_late_can_be_refunded_by_the_receipt_that_the_shop_has(active: Wire) -> None:
    """The till believes that the sale stands: its guest would never see the money again."""
    sold, stan = active.sell(50_000, CREDIT), active.stan()
    assert active.code(active.void(sold, stan=stan)) == "00"
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert active.reason(active.refund(sold, 1, pan=CREDIT)) == "original.undone"
    undone = active.reversal(50_000, stan, kind="sale_void_reversal", batch=sold.batch, pan=CREDIT)
    assert active.code(undone) == "00"
    [row] = active.lab.rows("transactions", kind="late_restoration")
    assert active.reason(active.refund(replace(sold, rrn=row["rrn"]), 1, pan=CREDIT)) == "original.not_found"
    reasons = [active.reason(active.refund(sold, 30_000, pan=CREDIT)) for _ in range(2)]
    assert reasons == ["", "refund.above_rest"]
    about = {"merchant_id": active.merchant_id, "rrn": sold.rrn, "reason": "goods"}
    assert active.lab.act("open_dispute", **about)["amount_fen"] == 20_000
    assert active.lab.violations() == []
