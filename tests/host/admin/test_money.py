"""Payout and proof (invariants M3, M6, M7, S6, S9, S10)."""

from __future__ import annotations

import pytest

from host.decision import Update
from protocol.fields import F
from tests.host.wire import CREDIT, Sold, Wire

pytestmark = pytest.mark.feature("M")


def paid(wire: Wire) -> tuple[int, int]:
    """What a payout pays, and what it carries."""
    result = wire.lab.act("payout", merchant_id=wire.merchant_id)
    assert wire.lab.act("accounts")["sum_fen"] == 0
    return int(result["total_fen"]), int(result["carried_fen"])


def settled(wire: Wire, *amounts_fen: int) -> list[Sold]:
    """Sales by credit card in a settled batch."""
    sales = [wire.sell(amount_fen, CREDIT) for amount_fen in amounts_fen]
    assert wire.settle().text(F.RESPONSE_CODE) == "00"
    return sales


def bank_fen(wire: Wire) -> int:
    """What the bank has paid out."""
    return int(wire.lab.act("accounts")["accounts"].get("bank:settlement", 0))


def test_settled_money_is_paid_once_less_fees(active: Wire) -> None:
    """The merchant would be paid twice, or not at all."""
    settled(active, 10_000, 20_000)
    assert paid(active) == (10_000 - 50 + 30_000 - 180, 0)
    assert paid(active) == (0, 0)
    assert bank_fen(active) == 39_770
    assert active.lab.act("accounts")["accounts"][f"merchant:{active.merchant_id}:payable"] == 0


def test_an_open_batch_is_not_paid(active: Wire) -> None:
    """Money would leave before the books were compared."""
    paid(active)
    active.sell(10_000)
    assert paid(active) == (0, 0)


def test_a_debt_is_carried_and_kept_from_what_comes_next(active: Wire) -> None:
    """A day of refunds would be clipped to nothing, and the acquirer pay for the goods."""
    [sold] = settled(active, 50_000)
    assert paid(active)[0] > 0
    active.send(active.refund(sold, 40_000))
    active.settle()
    assert paid(active) == (0, -40_000)
    assert paid(active) == (0, -40_000)
    settled(active, 50_000)
    assert paid(active) == (50_000 - 300 - 40_000, 0)
    assert paid(active) == (0, 0)
    assert active.lab.act("accounts")["accounts"][f"merchant:{active.merchant_id}:payable"] == 0


def test_a_reversal_after_the_payout_is_kept_from_the_next_one(active: Wire) -> None:
    """A sale that was reversed overnight would stay paid."""
    [first, _] = settled(active, 50_000, 1_000)
    paid(active)
    assert active.code(active.reversal(50_000, first.stan, batch=first.batch, pan=CREDIT)) == "00"
    assert paid(active) == (0, 0)
    settled(active, 60_000)
    assert paid(active) == (60_000 - 360 - 50_000 + 300, 0)
    assert active.lab.violations() == []


@pytest.mark.feature("T7")
def test_a_stopped_terminal_is_still_paid(active: Wire) -> None:
    """A merchant whose terminal was stopped would lose the money of the last day (product T7)."""
    active.sell(10_000, CREDIT)
    active.lab.act("stop", serial_number=active.serial_number)
    active.settle()
    assert paid(active)[0] == 10_000 - 50 + 10_000 - 60


def test_another_merchant_is_not_paid(active: Wire) -> None:
    """The money of one shop would go to the next."""
    next_one = Wire(active.lab, "PXE90-0002", "10000002", "898100000000002").on_counter()
    assert active.lab.act("payout", merchant_id=next_one.merchant_id)["total_fen"] == 0
    assert bank_fen(active) == 0


def test_an_empty_batch_pays_nothing(active: Wire) -> None:
    """A payout of nothing would be sent to the bank every day."""
    paid(active)
    settled(active)
    assert paid(active) == (0, 0)


def test_verify_finds_an_edited_row(active: Wire) -> None:
    """A proof that never fails proves nothing."""
    sold = active.sell(10_000)
    key = {"terminal_id": active.terminal_id, "batch": sold.batch, "stan": sold.stan}
    for change, back in (({"state": "voided"}, {"state": "captured"}), ({"fee_fen": 49}, {"fee_fen": 50})):
        active.lab.store.run(lambda books, change=change: books.write(Update("transactions", key, change)))  # type: ignore[misc]
        assert len(active.lab.violations()) == 1
        active.lab.store.run(lambda books, back=back: books.write(Update("transactions", key, back)))  # type: ignore[misc]
    active.lab.store.run(lambda books: books.write(Update("postings", {"stan": sold.stan}, {"stan": "999999"})))
    assert len(active.lab.violations()) == 2
