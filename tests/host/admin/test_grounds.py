"""Single grounds of a stop: contract, violation, risk, overdue update; what is offered (product T2 to T5, T11)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.decision import Update
from host.errors import AdminError
from tests.host.wire import Lab, Wire


def state(wire: Wire) -> str:
    """Where the terminal stands."""
    return str(wire.lab.terminal(wire.serial_number)["state"])


def days_go_by(lab: Lab, days: int) -> None:
    """The host's jobs run once a day."""
    for _ in range(days):
        lab.later(days=1)
        lab.act("run_jobs")


@pytest.mark.feature("T2")
def test_a_contract_ends_after_reminders_unless_it_is_renewed(active: Wire) -> None:
    """A merchant would be cut off on the day after a date that nobody had reminded him of."""
    lab, merchant_id = active.lab, active.merchant_id
    assert lab.act("end_contract", merchant_id=merchant_id, until="2026-06-30")["planned"] == [active.serial_number]
    with pytest.raises(AdminError):
        lab.act("end_contract", merchant_id=merchant_id, until="2026-07-30")
    days_go_by(lab, 115)
    assert [row["step"] for row in lab.rows("notices")] == ["T-90", "T-30", "T-7"]
    assert state(active) == "retiring"
    lab.act("renew_contract", merchant_id=merchant_id, until="2026-10-31")
    days_go_by(lab, 20)
    assert state(active) == "activated"
    active.sell(100)
    lab.later(days=115)
    assert active.reason(active.sale(100)) == "terminal.stopped"
    assert lab.terminal(active.serial_number)["why"] == "contract.expired"


def reported(wire: Wire) -> dict[str, Any]:
    """A violation with its evidence."""
    return wire.lab.act("report_violation", serial_number=wire.serial_number, rule="moved", reference="photo 7")


@pytest.mark.feature("T3")
@pytest.mark.parametrize("granted", [True, False])
def test_an_appeal_rests_the_stop_until_it_is_decided(active: Wire, granted: bool) -> None:
    """A shop would be stopped for what it did not do, before anybody looked at its papers."""
    lab = active.lab
    number = reported(active)["number"]
    days_go_by(lab, 10)
    lab.act("appeal", number=number, reference="lease 12")
    days_go_by(lab, 30)
    active.sell(100)
    lab.act("decide_appeal", number=number, granted=granted, why="the lease is in order")
    days_go_by(lab, 4)
    assert state(active) == ("activated" if granted else "retiring")
    days_go_by(lab, 2)
    assert state(active) == ("activated" if granted else "stopped")
    [row] = lab.act("violations", serial_number=active.serial_number)["violations"]
    assert (row["state"], row["reference"], row["appeal"]) == (
        "granted" if granted else "refused",
        "photo 7",
        "lease 12",
    )


@pytest.mark.feature("T3")
def test_a_violation_without_appeal_stops_the_terminal(active: Wire) -> None:
    """A terminal that was let to strangers would go on."""
    reported(active)
    active.lab.later(days=15)
    assert active.reason(active.sale(100)) == "terminal.stopped"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [({"rule": "rudeness"}, "unknown_rule"), ({"reference": " "}, "evidence"), ({}, "already_reported")],
)
def test_a_violation_needs_a_rule_and_evidence(active: Wire, arguments: dict[str, str], code: str) -> None:
    """A clerk could stop a shop because he does not like it."""
    reported(active)
    wanted = {"serial_number": active.serial_number, "rule": "moved", "reference": "photo 7"}
    with pytest.raises(AdminError) as refused:
        active.lab.act("report_violation", **(wanted | arguments))
    assert refused.value.code == code


@pytest.mark.feature("T4")
def test_a_stop_for_risk_is_tried_dry_and_needs_two(active: Wire) -> None:
    """One person could stop a region by a typing error, without having seen whom it hits."""
    lab = active.lab
    active.sell(100)
    before = lab.rows("audit")
    dry = lab.act("risk_scope", model=active.model)
    assert (dry["terminals"], dry["stops"][0]["unsettled"]) == (1, 1)
    assert (lab.rows("audit"), state(active)) == (before, "activated")
    arguments = json.dumps({"why": "skimming", "model": active.model})
    number = lab.act("propose", act="risk_stop", arguments=arguments, actor="li")["number"]
    with pytest.raises(AdminError):
        lab.act("confirm", number=number, actor="li")
    lab.act("confirm", number=number, actor="wang")
    assert active.reason(active.sale(100)) == "terminal.stopped"


@pytest.mark.feature("T5")
@pytest.mark.parametrize("updates", [True, False])
def test_an_overdue_update_is_a_breach_that_the_update_cures(active: Wire, updates: bool) -> None:
    """A terminal with a known hole would sell for ever, or be stopped although it was mended."""
    lab = active.lab
    lab.act("publish_firmware", model=active.model, version="2.2.0", image=b"image")
    lab.act("recommend_firmware", model=active.model, version="2.2.0", required_days=5, forced_days=10)
    lab.later(days=39)
    assert lab.act("overdue_updates")["overdue"] == []
    lab.later(days=1)
    assert [row["serial_number"] for row in lab.act("overdue_updates")["overdue"]] == [active.serial_number]
    assert lab.act("plan_breaches", stop_days=30)["planned"] == [active.serial_number]
    assert lab.act("plan_breaches", stop_days=30)["planned"] == []
    days_go_by(lab, 10)
    if updates:
        key = {"serial_number": active.serial_number}
        lab.store.run(lambda books: books.write(Update("terminals", key, {"firmware": "2.2.0"})))
    days_go_by(lab, 20)
    assert state(active) == ("activated" if updates else "stopped")


@pytest.mark.feature("T11")
def test_what_is_offered_can_do_all_that_the_old_one_could(active: Wire) -> None:
    """A merchant would buy a device that cannot print, or retires next."""
    lab = active.lab
    for model, family, level, able in (
        ("OLD", "e_sign", 3, "chip printer"),
        ("DEAR", "e_sign", 4, "chip printer sm4"),
        ("CHEAP", "e_sign", 3, "chip printer"),
        ("OTHER", "smart", 5, "chip printer"),
        ("BLIND", "e_sign", 3, "chip"),
        ("WEAK", "e_sign", 2, "chip printer"),
        ("FREE", "e_sign", 3, "chip printer"),
    ):
        lab.act("add_model", model=model, brand="百富", family=family, security_level=level, capabilities=able)
    for model, price_fen in (("DEAR", 50_000), ("CHEAP", 30_000), ("OTHER", 100), ("BLIND", 100), ("WEAK", 100)):
        lab.act("offer_model", model=model, price_fen=price_fen)
    offered = [row["model"] for row in lab.act("alternatives", model="OLD")["alternatives"]]
    assert offered == ["CHEAP", "DEAR", "OTHER"]
    lab.act("retire_model", model="CHEAP")
    assert lab.act("alternatives", model="OLD")["alternatives"][0]["model"] == "DEAR"


@pytest.mark.feature("T11")
def test_a_notice_names_what_is_offered(active: Wire) -> None:
    """The merchant would be told to replace a device and not by what."""
    lab = active.lab
    lab.act("add_model", model="SF-E99", brand="盛付通", family="e_sign")
    lab.act("offer_model", model="SF-E99", price_fen=39_900)
    lab.act("retire_model", model=active.model)
    assert "SF-E99" in lab.rows("notices")[0]["text"]
