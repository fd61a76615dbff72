"""A code in the place of a terminal that is away: when it is good, what is paid by it, how it is settled (X10)."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from host.decision import Update
from host.errors import AdminError
from host.jobs import JOBS
from host.policy import Policy, Service
from protocol.swap import SwapState
from tests.host.admin.test_ending import stock
from tests.host.admin.test_repairs import refused
from tests.host.wire import Lab, Wire

pytestmark = pytest.mark.feature("X10")
_wallets = count(1)


def wallet(prefix: str = "2800") -> str:
    """What a customer's wallet shows."""
    return f"{prefix}{next(_wallets):014d}"


def opened(wire: Wire, **options: Any) -> str:
    """The code of a shop."""
    return str(wire.lab.act("open_fallback", serial_number=wire.serial_number, **options)["code"])


def pay(lab: Lab, code: str, amount_fen: int = 10_000, payment_code: str = "") -> dict[str, Any]:
    return lab.act("pay_fallback", code=code, payment_code=payment_code or wallet(), amount_fen=amount_fen)


def broken(wire: Wire) -> None:
    wire.lab.act("report_fault", serial_number=wire.serial_number, cause="defect")


def test_a_shop_is_paid_while_its_terminal_is_away(active: Wire) -> None:
    """Every customer of a repair week would go next door, or the money be nobody's."""
    lab = active.lab
    assert refused(lab, "open_fallback", serial_number=active.serial_number) == "not_away"
    broken(active)
    code = opened(active)
    scan, union = pay(lab, code), pay(lab, code, payment_code=wallet("6200"))
    assert [(each["approved"], each["fee_fen"]) for each in (scan, union)] == [(True, 38), (True, 60)]
    [told] = lab.act("fallbacks", serial_number=active.serial_number)["fallbacks"]
    assert (told["good"], told["payments"], told["amount_fen"], told["why"]) == (True, 2, 20_000, "repair")
    lab.act("close_fallback", serial_number=active.serial_number)
    assert refused(lab, "pay_fallback", code=code, payment_code=wallet(), amount_fen=1) == "fallback_closed"
    paid = lab.act("payout", merchant_id=active.merchant_id)
    assert 20_000 - 98 in [row["net_fen"] for row in paid["batches"]]
    assert (lab.violations(), lab.act("accounts")["sum_fen"], lab.act("reconcile")["differing"]) == ([], 0, 0)


@pytest.mark.parametrize("end", ["returned", "replaced", "stopped", "merchant held", "time is up"])
def test_a_code_takes_nothing_once_the_till_sells_again_or_shall_not(active: Wire, end: str) -> None:
    """A code on a counter would go on taking money after a stop, or be a second till for ever."""
    lab, about = active.lab, {"serial_number": active.serial_number}
    broken(active)
    code = opened(active, hours=2)
    assert pay(lab, code)["approved"]
    if end == "returned":
        lab.act("cancel_repair", number=1, why="well")
    elif end == "replaced":
        lab.act("replace", **about, successor=stock(lab).serial_number)
    elif end == "stopped":
        lab.act("stop", **about)
    elif end == "merchant held":
        lab.act("hold", **about, reason="arrears", owed_fen=100)
    else:
        lab.later(hours=2)
    before = lab.rows("transactions"), lab.rows("postings")
    why = refused(lab, "pay_fallback", code=code, payment_code=wallet(), amount_fen=1)
    assert why == ("fallback_closed" if end == "time is up" else "not_away")
    assert before == (lab.rows("transactions"), lab.rows("postings"))
    assert not lab.act("fallbacks")["fallbacks"][0]["good"]


@pytest.mark.parametrize("why", ["lost", "tampered", "fault", "swap"])
def test_a_till_is_away_for_these_reasons(active: Wire, why: str) -> None:
    """The shop whose terminal was stolen is the one that needs the code most."""
    lab, about = active.lab, {"serial_number": active.serial_number}
    act, more = {
        "lost": ("lose", {}),
        "tampered": ("tamper", {}),
        "fault": ("hold", {"reason": "fault"}),
        "swap": ("begin_swap", {"successor": stock(lab).serial_number}),
    }[why]
    lab.act(act, **about, **more)
    if why == "swap":
        assert refused(lab, "open_fallback", **about) == "not_away", "the old device sells until it hands over"
        lab.store.run(lambda books: books.write(Update("swaps", about, {"state": SwapState.DRAINING})))
    assert lab.act("open_fallback", **about)["why"] == why
    assert refused(lab, "open_fallback", **about) == "already_open"


def test_what_a_wallet_refuses_is_not_captured(active: Wire) -> None:
    """A customer without money would leave with the goods."""
    lab = active.lab
    broken(active)
    code, once = opened(active), wallet()
    assert pay(lab, code, payment_code=once)["approved"]
    reasons = [
        pay(lab, code, payment_code=once)["reason"],
        pay(lab, code, payment_code=wallet("2801"))["reason"],
        pay(lab, code, payment_code=wallet("2899"))["reason"],
        pay(lab, code, payment_code="1" * 18)["reason"],
    ]
    assert reasons == ["qr.used", "card.no_funds", "qr.expired", "qr.unknown"]
    assert len(lab.rows("transactions", terminal_id="Q0000001", state="captured")) == 1


def test_a_payment_is_bound_by_policy_merchant_and_partner(lab: Lab) -> None:
    """A sheet of paper would take what no terminal may."""
    lab.policy = lab.acquirer.policy = Policy(service=Service(fallback_most_fen=50_000))
    active = Wire(lab).activated()
    broken(active)
    code = opened(active)
    for amount_fen in (0, -1, 50_001):
        assert refused(lab, "pay_fallback", code=code, payment_code=wallet(), amount_fen=amount_fen) == "amount"
    lab.act("set_limits", merchant_id=active.merchant_id, single_fen=20_000)
    assert refused(lab, "pay_fallback", code=code, payment_code=wallet(), amount_fen=20_001) == "amount"
    lab.act("partner", name="qr", state="down")
    assert refused(lab, "pay_fallback", code=code, payment_code=wallet(), amount_fen=1) == "partner_down"
    lab.act("partner", name="qr", state="up")
    assert pay(lab, code, 20_000)["approved"]
    assert refused(lab, "pay_fallback", code="FQ00", payment_code=wallet(), amount_fen=1) == "unknown_fallback"


def test_a_day_is_settled_when_it_is_over_without_any_terminal(active: Wire) -> None:
    """Money that was paid by a code would wait for a terminal that knows nothing of it."""
    lab = active.lab
    broken(active)
    code = opened(active)
    pay(lab, code)
    assert lab.act("settle_fallbacks")["settled"] == []
    lab.later(days=1)
    pay(lab, code)
    assert lab.act("settle_fallbacks")["settled"] == ["Q0000001/260301"]
    assert [row["state"] for row in lab.rows("batches", terminal_id="Q0000001")] == ["closed", "open"]
    assert "settle_fallbacks" in [job.act for job in JOBS]


def test_what_was_paid_by_a_code_is_refunded_at_the_terminal(active: Wire) -> None:
    """Goods paid by the sheet of paper could never be brought back."""
    lab = active.lab
    broken(active)
    paid = pay(lab, opened(active))
    lab.act("cancel_repair", number=1, why="well")
    [row] = lab.rows("transactions", rrn=paid["rrn"])
    assert row["serial_number"] == ""
    assert lab.act("show", serial_number=active.serial_number)["turnover_fen"] == 10_000


def test_no_device_gets_the_till_of_a_code(lab: Lab) -> None:
    """Two tills would write into one batch."""
    lab.act("add_model", model="PX-E90", brand="百富", family="e_sign")
    with pytest.raises(AdminError) as error:
        lab.act("order", serial_number="S0001", model="PX-E90", merchant_id="8" * 15, terminal_id="Q0000001")
    assert error.value.code == "terminal_id"
