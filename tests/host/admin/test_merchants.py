"""Bound card, limits and deposit of a merchant (product A3, A4, A5)."""

from __future__ import annotations

from typing import Any

import pytest

from host.errors import AdminError
from host.policy import Activation, Limits, Policy
from tests.host.wire import DEBIT, Lab, Wire

DAY_S = 86_400


def with_rules(lab: Lab, **sections: Any) -> None:
    """The host gets other rules."""
    lab.policy = lab.acquirer.policy = Policy(**sections)


@pytest.mark.feature("A3")
def test_card_and_limits_come_before_activation_and_bring_it(lab: Lab) -> None:
    """A merchant whose payout has nowhere to go would be activated, or one who caught up would wait for ever."""
    with_rules(lab, activation=Activation(needs_card=True, needs_limits=True))
    wire = Wire(lab).on_counter()
    sold = wire.sell(10_000)
    assert wire.reason(wire.refund(sold, 100)) == "terminal.not_ready"
    card = lab.act("bind_card", merchant_id=wire.merchant_id, pan=DEBIT)
    assert (card["payout_card"], card["activated"]) == ("620000******0004", [])
    limits = lab.act("set_limits", merchant_id=wire.merchant_id, single_fen=50_000, daily_fen=100_000)
    assert limits["activated"] == [wire.serial_number]
    assert wire.code(wire.refund(sold, 100)) == "00"
    assert DEBIT not in str(lab.rows("merchants"))


@pytest.mark.feature("A4")
def test_limits_refuse_the_first_fen_above(lab: Lab) -> None:
    """A shop would be shut one fen early, or a stolen card be emptied in one evening."""
    with_rules(lab, limits=Limits(single_fen=5_000, daily_fen=8_000, daily_count=3))
    wire = Wire(lab).on_counter()
    assert (wire.code(wire.sale(5_001)), wire.reason(wire.sale(5_001))) == ("61", "amount.over_limit")
    sold = wire.sell(5_000)
    assert (wire.code(wire.sale(3_001)), wire.reason(wire.sale(3_001))) == ("61", "limit.daily")
    wire.sell(2_998)
    wire.sell(1)
    assert (wire.code(wire.sale(1)), wire.reason(wire.sale(1))) == ("65", "limit.count")
    assert wire.code(wire.void(sold)) == "00"
    wire.sell(5_000)
    lab.later(days=1)
    wire.sell(5_000)


@pytest.mark.feature("A4")
def test_the_merchants_own_limits_go_before_those_of_the_policy(wire: Wire) -> None:
    """A jeweller would be held to the limits of a kiosk."""
    wire.lab.act("set_limits", merchant_id=wire.merchant_id, single_fen=200)
    assert wire.reason(wire.sale(201)) == "amount.over_limit"
    wire.lab.act("set_limits", merchant_id=wire.merchant_id, single_fen=9_000_000)
    wire.sell(6_000_000)


@pytest.mark.feature("A5", "M")
def test_a_deposit_is_booked_and_never_overdrawn(wire: Wire) -> None:
    """A merchant would get back more than it ever paid in."""
    about = {"merchant_id": wire.merchant_id}
    assert wire.lab.act("deposit", **about, amount_fen=20_000)["deposit_fen"] == 20_000
    assert wire.lab.act("deposit", **about, amount_fen=-5_000)["deposit_fen"] == 15_000
    for wrong in (0, -15_001, 10**12):
        with pytest.raises(AdminError) as refused:
            wire.lab.act("deposit", **about, amount_fen=wrong)
        assert refused.value.code == "amount"
    [row] = wire.lab.act("merchants", **about)["merchants"]
    assert row["deposit_fen"] == 15_000
    assert wire.lab.act("accounts")["sum_fen"] == 0
    assert wire.lab.violations() == []


@pytest.mark.parametrize(
    ("act", "arguments", "code"),
    [
        ("bind_card", {"pan": "6200000100000005"}, "pan"),
        ("bind_card", {"pan": "６２００"}, "pan"),
        ("set_limits", {"single_fen": -1}, "limits"),
        ("set_limits", {"single_fen": 2, "daily_fen": 1}, "limits"),
        ("deposit", {"amount_fen": 1, "merchant_id": "898100000000009"}, "unknown_merchant"),
    ],
)
def test_what_cannot_be_is_refused(wire: Wire, act: str, arguments: dict[str, Any], code: str) -> None:
    """A typing error would become a limit or a payout."""
    with pytest.raises(AdminError) as refused:
        wire.lab.act(act, **{"merchant_id": wire.merchant_id} | arguments)
    assert refused.value.code == code


@pytest.mark.feature("A6")
def test_the_reward_is_paid_once_with_the_batch_and_only_in_time(lab: Lab) -> None:
    """A merchant would get the reward twice, or after its time."""
    with_rules(lab, activation=Activation(deadline_s=30 * DAY_S, reward_fen=1_000))
    first, late = Wire(lab).on_counter(), Wire(lab, "PXE90-0002", "10000002", "898100000000002").on_counter()
    first.sell(10_000)
    first.sell(10_000)
    lab.later(days=31)
    lab.act("extend_activation", serial_number=late.serial_number, days=1)
    late.sell(10_000)
    assert lab.act("accounts")["accounts"]["acquirer:rewards"] == -2_000
    first.settle()
    fees_fen = sum(row["fee_fen"] for row in lab.rows("transactions", merchant_id=first.merchant_id))
    assert lab.act("payout", merchant_id=first.merchant_id)["total_fen"] == 20_000 + 1_000 - fees_fen
    assert lab.violations() == []
