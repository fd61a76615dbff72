"""Rules of risk: what warns, what holds, and what never troubles an honest shop (product K, U7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host.errors import AdminError
from host.policy import Policy, Risk
from host.risk import RULES, failing_alike
from protocol.fields import F
from tests.host.wire import CREDIT, DEBIT, POOR, START, Lab, Wire, refusal

pytestmark = pytest.mark.feature("K")


def policy(*rules: str, **figures: object) -> Policy:
    """The product's rules, with these of risk."""
    return Policy(risk=Risk.model_validate({"rules": rules, **figures}))


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Callable[[Policy], Wire]]:
    """An activated terminal at a host of a policy."""
    labs: list[Lab] = []

    def build(chosen: Policy) -> Wire:
        lab = Lab(tmp_path / "host.db", chosen)
        labs.append(lab)
        wire = Wire(lab).activated()
        lab.later(days=2)
        return wire

    yield build
    for lab in labs:
        lab.store.close()


def alerts(wire: Wire) -> list[tuple[str, str]]:
    """Rule and state of every alert."""
    return [(row["rule"], row["state"]) for row in wire.lab.act("alerts")["alerts"]]


def provoke_velocity(wire: Wire) -> bytes:
    wire.sell(1_000, CREDIT)
    wire.sell(1_000, CREDIT)
    return wire.sale(1_000, CREDIT)


def provoke_amount(wire: Wire) -> bytes:
    return wire.sale(50_000, CREDIT)


def provoke_split(wire: Wire) -> bytes:
    wire.sell(30_000, CREDIT)
    return wire.sale(20_000, CREDIT)


def provoke_hour(wire: Wire) -> bytes:
    wire.lab.now = START.replace(day=20, hour=18)  # two o'clock in China
    return wire.sale(1_000, CREDIT)


def provoke_declines(wire: Wire) -> bytes:
    for pan in ("6200000300000002", "6200000300000010", "6200000300000028"):
        assert wire.code(wire.sale(1_000, pan)) == "51"
    return wire.sale(1_000, CREDIT)


def provoke_category(wire: Wire) -> bytes:
    for category in ("5944", "8062"):
        wire.lab.act("set_category", merchant_id=wire.merchant_id, category=category, signed_by="the merchant")
    return wire.sale(1_000, CREDIT)


PROVOKED = {
    "velocity": provoke_velocity,
    "amount": provoke_amount,
    "split": provoke_split,
    "hour": provoke_hour,
    "declines": provoke_declines,
    "category": provoke_category,
}
FIGURES = {"velocity_count": 2, "amount_fen": 50_000, "declined_cards": 3}


def test_every_rule_is_provoked_below() -> None:
    """A rule that nobody tried may never fit."""
    assert PROVOKED.keys() == RULES.keys()


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_warns_first_then_refuses_and_holds(at: Callable[[Policy], Wire], rule: str) -> None:
    """A shop would be shut without a warning, or a fraud go on after it."""
    wire = at(policy(rule, **FIGURES))
    assert wire.code(PROVOKED[rule](wire)) == "00"
    assert alerts(wire) == [(rule, "warning")]
    wire.lab.later(hours=1)
    assert wire.reason(PROVOKED[rule](wire)) == "risk.suspected"
    assert alerts(wire)[-1] == (rule, "hold")
    wire.lab.later(hours=10)
    assert wire.code(wire.sale(500, DEBIT)) == "58"


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_the_policy_does_not_name_is_not_asked(at: Callable[[Policy], Wire], rule: str) -> None:
    """A bench that asked for no rules would be put on hold by them."""
    wire = at(policy(*(name for name in RULES if name not in {rule, "velocity", "split"}), **FIGURES))
    wire.code(PROVOKED[rule](wire))
    assert rule not in {name for name, _ in alerts(wire)}


def test_an_old_warning_warns_again(at: Callable[[Policy], Wire]) -> None:
    """One large sale a year would hold the terminal for ever."""
    wire = at(policy("amount", **FIGURES))
    wire.sell(50_000, CREDIT)
    wire.lab.later(days=8)
    wire.sell(50_000, CREDIT)
    assert alerts(wire) == [("amount", "warning")] * 2


def test_a_cleared_warning_does_not_hold(at: Callable[[Policy], Wire]) -> None:
    """What was explained once would be held against the merchant all the same."""
    wire = at(policy("amount", **FIGURES))
    wire.sell(50_000, CREDIT)
    [row] = wire.lab.act("alerts", standing=True)["alerts"]
    with pytest.raises(AdminError, match="with evidence"):
        wire.lab.act("clear_alert", number=row["number"], evidence=" ")
    wire.lab.act("clear_alert", number=row["number"], evidence="invoice 4711")
    with pytest.raises(AdminError, match="cleared already"):
        wire.lab.act("clear_alert", number=row["number"], evidence="again")
    wire.sell(50_000, CREDIT)
    assert alerts(wire) == [("amount", "cleared"), ("amount", "warning")]


def test_what_gives_money_back_is_never_suspected(at: Callable[[Policy], Wire]) -> None:
    """A customer could not get a refund because the sale was large."""
    wire = at(policy("amount", **FIGURES))
    sold = wire.sell(60_000, CREDIT)
    assert wire.code(wire.void(sold)) == "00"
    assert alerts(wire) == [("amount", "warning")]


def test_another_card_and_another_hour_do_not_count(at: Callable[[Policy], Wire]) -> None:
    """A busy shop would look like a thief."""
    wire = at(policy("velocity", "split", **FIGURES))
    for amount_fen, pan in ((20_000, CREDIT), (20_000, DEBIT), (20_000, POOR)):
        wire.code(wire.sale(amount_fen, pan))
    wire.lab.later(minutes=11)
    wire.code(wire.sale(40_000, CREDIT))
    assert alerts(wire) == []


def test_what_is_given_back_late_is_no_payment(at: Callable[[Policy], Wire]) -> None:
    """A shop would be suspected because the host put right what had gone wrong the day before."""
    wire = at(policy("velocity", "split", velocity_count=1, amount_fen=50_000))
    sold, void = wire.sell(30_000, CREDIT), wire.stan()
    assert wire.code(wire.void(sold, stan=void)) == "00"
    assert wire.settle().text(F.RESPONSE_CODE) == "00"
    undone = wire.reversal(30_000, void, kind="sale_void_reversal", batch=sold.batch, pan=CREDIT)
    assert wire.code(undone) == "00"
    [row] = wire.lab.rows("transactions", kind="late_restoration")
    assert row["amount_fen"] == 30_000
    wire.sell(20_000, CREDIT)
    assert alerts(wire) == []


@pytest.mark.feature("REPORT")
def test_the_fees_of_a_time_are_what_is_left_of_them(active: Wire) -> None:
    """The report would count a fee that was given back, and one that is due again as that of one more sale."""
    sold, voided, void = active.sell(50_000, CREDIT), active.sell(20_000, CREDIT), active.stan()
    assert active.code(active.void(voided, stan=void)) == "00"
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    active.lab.later(days=1)
    since = int(active.lab.now.timestamp())
    assert active.lab.act("impact", since=since)["fee_fen"] == 0
    assert active.code(active.reversal(50_000, sold.stan, batch=sold.batch, pan=CREDIT)) == "00"
    assert active.lab.act("impact", since=since)["fee_fen"] == -300
    undone = active.reversal(20_000, void, kind="sale_void_reversal", batch=sold.batch, pan=CREDIT)
    assert active.code(undone) == "00"
    assert active.lab.act("impact", since=since)["fee_fen"] == -300 + 120
    all_fen = active.lab.act("impact")["fee_fen"]
    assert all_fen == active.lab.act("cost", merchant_id=active.merchant_id)["fee_fen"]


@pytest.mark.feature("REPORT")
def test_what_a_gate_turned_away_is_counted_as_lost(active: Wire) -> None:
    """The report on an outage would say that it cost nothing."""
    active.lab.act("hold", serial_number=active.serial_number, reason="dispute")
    active.lab.later(minutes=90)
    assert active.code(active.sale(12_300)) == "58"
    report = active.lab.act("impact", since=int(START.timestamp()))
    assert (report["lost_sales"], report["lost_fen"]) == (1, 12_300)
    assert report["lost_by_reason"] == {"hold.dispute": 1}
    assert report["interruption_minutes"] == 90
    assert (report["not_arrived_fen"], report["fee_fen"], report["chargeback_fen"]) == (9_950, 50, 0)


@pytest.mark.feature("P")
def test_the_desk_sees_what_terminals_share(at: Callable[[Policy], Wire]) -> None:
    """A firmware that fails on every device would be looked at as so many single cases."""
    first = at(policy(alike_terminals=2))
    lab = first.lab
    second = Wire(lab, "PXE90-0002", "10000002").activated()
    for wire in (first, second):
        lab.act("hold", serial_number=wire.serial_number, reason="dispute")
        assert wire.code(wire.sale(1_000)) == "58"
    [of_model, overall] = sorted(lab.act("failures_alike")["failures"], key=lambda row: row["group"])
    assert (of_model["group"], overall["group"]) == ("PX-E90", "every model")
    assert of_model["serial_numbers"] == ["PXE90-0001", "PXE90-0002"]
    lab.later(hours=2)
    assert lab.act("failures_alike") == {"failures": []}


def test_terminals_that_fail_alike_are_one_failure() -> None:
    """Ten tickets would be opened for one broken partner."""
    failures = [(f"T{number}", "PX-E90", "message.mac") for number in range(5)]
    failures += [("T0", "PX-E90", "message.mac"), ("T9", "PX-E90", "terminal.stopped"), ("T8", "PX-T2", "message.mac")]
    assert failing_alike(failures, 5) == [("PX-E90", "message.mac", ("T0", "T1", "T2", "T3", "T4"))]
    assert failing_alike(failures, 6) == []


def test_the_refusal_names_the_rule(at: Callable[[Policy], Wire]) -> None:
    """The merchant would not learn what to explain."""
    wire = at(policy("amount", **FIGURES))
    wire.sell(50_000, CREDIT)
    reply = wire.send(wire.sale(50_000, CREDIT))
    assert reply.text(F.RESPONSE_CODE) == "59"
    assert "大额交易" in refusal(reply).chinese
