"""Offline sales and adjustments (CUP 3.1, 2.6; invariants M3, M8)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.policy import Adjustments, Policy
from protocol.elements import Value
from protocol.fields import F
from protocol.private import Original
from tests.host.wire import CREDIT, DEBIT, STOLEN, Lab, Sold, Wire, refusal


@pytest.fixture(autouse=True)
def books_agree(lab: Lab) -> Iterator[None]:
    """Whatever a test does, the ledger holds together afterwards."""
    yield
    assert lab.violations() == []


def upload(wire: Wire, amount_fen: int, pan: str = CREDIT, *, stan: str = "") -> bytes:
    """An offline sale, as a terminal uploads it."""
    return wire.build("offline_sale", wire.money(amount_fen, pan, stan or wire.stan()))


def sell_offline(wire: Wire, amount_fen: int, pan: str = CREDIT) -> Sold:
    """One that must be approved."""
    stan = wire.stan()
    reply = wire.send(upload(wire, amount_fen, pan, stan=stan))
    assert reply.text(F.RESPONSE_CODE) == "00", refusal(reply)
    return Sold(wire.batch, stan, amount_fen, pan, reply.text(F.RRN))


def adjust(wire: Wire, kind: str, sold: Sold, amount_fen: int, *, pan: str = "", stan: str = "") -> bytes:
    """Another amount for something sold."""
    fields: dict[int, Value] = {F.RRN: sold.rrn, F.ORIGINAL: str(Original(sold.batch, sold.stan, "0301", "02"))}
    return wire.build(kind, wire.money(amount_fen, pan or sold.pan, stan or wire.stan()) | fields)


def test_an_offline_sale_is_booked_with_its_fee(active: Wire) -> None:
    """What was sold while the line was down would never be paid."""
    sell_offline(active, 10_000)
    row = active.lab.rows("transactions", kind="offline_sale")[0]
    assert (row["state"], row["fee_fen"], row["amount_fen"]) == ("captured", 60, 10_000)
    assert active.settle().text(F.RESPONSE_CODE) == "00"


def test_an_upload_that_comes_twice_is_booked_once(active: Wire) -> None:
    """A lost reply would charge the customer again (M3)."""
    payload = upload(active, 10_000)
    assert active.lab.answer(payload).payload == active.lab.answer(payload).payload
    assert len(active.lab.rows("transactions", kind="offline_sale")) == 1


def test_the_issuer_may_still_decline(active: Wire) -> None:
    """A stolen card would be good wherever the line is down."""
    assert active.code(upload(active, 10_000, STOLEN)) == "43"
    assert active.lab.rows("transactions", kind="offline_sale")[0]["state"] == "declined"


@pytest.mark.feature("T7")
def test_nothing_sold_offline_is_booked_after_the_stop(active: Wire) -> None:
    """A stopped terminal would go on selling in the dark (invariant L5)."""
    active.lab.act("stop", serial_number=active.serial_number)
    assert active.reason(upload(active, 10_000)) == "terminal.stopped"


def test_offline_sales_count_towards_the_activation(wire: Wire) -> None:
    """A shop with a bad line would never be activated."""
    sell_offline(wire, 10_000)
    assert wire.lab.terminal(wire.serial_number)["state"] == "activated"


@pytest.mark.parametrize(
    ("amount_fen", "reason"),
    [(1, ""), (10_000, ""), (11_500, ""), (11_501, "adjustment.out_of_bounds"), (0, "adjustment.out_of_bounds")],
)
def test_an_adjustment_takes_the_place_of_the_sale(active: Wire, amount_fen: int, reason: str) -> None:
    """Both amounts would be paid, or neither."""
    sold = sell_offline(active, 10_000)
    assert active.reason(adjust(active, "offline_adjustment", sold, amount_fen)) == reason
    rows = active.lab.rows("transactions", batch=active.batch, state="captured")
    assert [row["amount_fen"] for row in rows] == [10_000 if reason else amount_fen]
    turnover_fen = active.lab.act("show", serial_number=active.serial_number)["turnover_fen"]
    assert turnover_fen == active.lab.policy.activation.turnover_fen + rows[0]["amount_fen"]
    assert active.settle().text(F.RESPONSE_CODE) == "00"


@pytest.mark.parametrize(
    ("amount_fen", "reason"),
    [(10_000, ""), (11_500, ""), (9_999, "adjustment.out_of_bounds"), (11_501, "adjustment.out_of_bounds")],
)
def test_a_tip_only_adds(active: Wire, amount_fen: int, reason: str) -> None:
    """A waiter would take back money without a refund, or double the bill."""
    sold = active.sell(10_000, CREDIT)
    assert active.reason(adjust(active, "tip_adjustment", sold, amount_fen)) == reason
    row = active.lab.rows("transactions", batch=active.batch, state="captured")[0]
    assert row["fee_fen"] == (row["amount_fen"] * 60 + 5_000) // 10_000


def test_the_policy_says_how_much_a_tip_adds(tmp_path: Path) -> None:
    """A tester could not play a country without tips."""
    lab = Lab(tmp_path / "plain.db", Policy(adjustments=Adjustments(tip_percent=0)))
    wire = Wire(lab).activated()
    sold = wire.sell(10_000)
    assert wire.reason(adjust(wire, "tip_adjustment", sold, 10_001)) == "adjustment.out_of_bounds"
    lab.store.close()


@pytest.mark.parametrize(
    ("kind", "sold_as", "change", "reason"),
    [
        ("tip_adjustment", "offline", {}, "original.not_found"),
        ("offline_adjustment", "sale", {}, "original.not_found"),
        ("tip_adjustment", "sale", {"pan": DEBIT}, "original.other_card"),
        ("tip_adjustment", "voided", {}, "original.undone"),
        ("tip_adjustment", "refunded", {}, "original.undone"),
        ("tip_adjustment", "adjusted", {}, "original.undone"),
        ("tip_adjustment", "settled", {}, "original.not_found"),
    ],
)
def test_what_cannot_be_adjusted(active: Wire, kind: str, sold_as: str, change: dict[str, str], reason: str) -> None:
    """A bill that is closed would be opened again."""
    sold = sell_offline(active, 10_000) if sold_as == "offline" else active.sell(10_000, CREDIT)
    if sold_as == "voided":
        assert active.code(active.void(sold)) == "00"
    elif sold_as == "refunded":
        assert active.code(active.refund(sold, 1)) == "00"
    elif sold_as == "adjusted":
        assert active.code(adjust(active, kind, sold, 11_000)) == "00"
    elif sold_as == "settled":
        assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert active.reason(adjust(active, kind, sold, 10_000, **change)) == reason


def test_an_adjusted_sale_is_undone_by_its_adjustment_only(active: Wire) -> None:
    """A void of the first amount would leave the second one standing, and say that all is undone."""
    sold, stan = active.sell(10_000), active.stan()
    reply = active.send(adjust(active, "tip_adjustment", sold, 11_000, stan=stan))
    adjusted = Sold(active.batch, stan, 11_000, sold.pan, reply.text(F.RRN))
    assert active.reason(active.void(sold)) == "original.undone"
    assert active.reason(active.refund(sold, 1)) == "original.undone"
    assert active.reason(active.reversal(10_000, sold.stan)) == "original.undone"
    assert active.code(active.void(adjusted)) == "00"
    assert active.lab.rows("transactions", batch=active.batch, state="captured")[0]["kind"] == "sale_void"


@pytest.mark.parametrize("kind", ["offline", "tip"])
def test_what_was_sold_or_adjusted_is_refunded(active: Wire, kind: str) -> None:
    """A customer would wait for money that nobody can give back (M8)."""
    sold = sell_offline(active, 10_000)
    if kind == "tip":
        plain, stan = active.sell(10_000, CREDIT), active.stan()
        reply = active.send(adjust(active, "tip_adjustment", plain, 11_000, stan=stan))
        sold = Sold(active.batch, stan, 11_000, plain.pan, reply.text(F.RRN))
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert active.code(active.refund(sold, sold.amount_fen)) == "00"
    assert active.reason(active.refund(sold, 1)) == "refund.above_rest"
