"""The rules in force: versions, when they take effect, which one decided a transaction (product POLICY, faults H19)."""

from __future__ import annotations

import json

import pytest

from host.admin.rules import host_policy
from host.errors import AdminError
from host.policy import Gates, Limits, Policy
from tests.host.wire import Lab, Wire


def publish(lab: Lab, document: dict[str, object]) -> int:
    """Publish rules as a program would."""
    version: int = lab.act("publish_policy", content=json.dumps(document).encode())["version"]
    return version


@pytest.mark.feature("POLICY")
def test_rules_take_effect_between_two_requests_and_stay_with_their_rows(wire: Wire) -> None:
    """A sale would be judged by one limit and refunded by another, and nobody could say which was in force."""
    lab = wire.lab
    first = wire.sell(5_000)
    assert publish(lab, {"limits": {"single": "40.00"}}) == 1
    assert wire.reason(wire.sale(5_000)) == "amount.over_limit"
    second = wire.sell(4_000)
    assert publish(lab, {"limits": {"single_fen": 6_000}}) == 2
    third = wire.sell(5_000)
    versions = {row["stan"]: row["policy"] for row in lab.rows("transactions")}
    assert [versions[sold.stan] for sold in (first, second, third)] == [0, 1, 2]
    assert lab.act("policy", version=1)["policy"]["limits"]["single_fen"] == 4_000
    assert [row["version"] for row in lab.act("policies")["policies"]] == [1, 2]
    lab.reopen()
    assert wire.reason(wire.sale(6_001)) == "amount.over_limit"


@pytest.mark.feature("POLICY")
def test_the_same_rules_again_are_no_new_version(lab: Lab) -> None:
    """Every restart would look like a change of the rules."""
    assert publish(lab, {"limits": {"single": "40.00"}}) == publish(lab, {"limits": {"single": "40.00"}}) == 1
    assert lab.store.run(host_policy) == Policy(limits=Limits(single_fen=4_000))


@pytest.mark.feature("POLICY")
@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"limtis": {}}', b'{"limits": {"single": "x"}}', b'{"limits": {"single": 0}}', b"\xff"],
)
def test_broken_rules_change_nothing(lab: Lab, content: bytes) -> None:
    """A slip in a file would open every limit."""
    with pytest.raises(AdminError) as refused:
        lab.act("publish_policy", content=content)
    assert refused.value.code == "policy"
    assert lab.rows("policies") == []


@pytest.mark.feature("POLICY")
def test_a_gate_is_switched_off_and_on(active: Wire) -> None:
    """A tester could not show what a rule is good for."""
    active.lab.act("hold", serial_number=active.serial_number, reason="dispute")
    publish(active.lab, json.loads(Policy(gates=Gates(held=False)).model_dump_json()))
    active.sell(100)
    publish(active.lab, {})
    assert active.reason(active.sale(100)) == "hold.dispute"


@pytest.mark.feature("U2")
def test_a_maintenance_window_answers_90_and_lets_old_business_end(active: Wire) -> None:
    """A shop would lose money because the host was maintained between a sale and its reversal."""
    lab = active.lab
    stan = active.sell(500).stan
    begins_at = int(lab.now.timestamp()) + 60
    lab.act("schedule_maintenance", begins_at=begins_at, minutes=10, name="switch")
    active.sell(100)
    lab.later(seconds=60)
    reply = active.send(active.sale(100))
    assert (reply.text(39), active.reason(active.sale(100))) == ("90", "host.maintenance")
    assert "switch" in reply.text(63)
    assert active.code(active.reversal(500, stan)) == "00"
    lab.later(minutes=10)
    active.sell(100)
    with pytest.raises(AdminError) as refused:
        lab.act("schedule_maintenance", begins_at=0, minutes=10)
    assert refused.value.code == "window"
    with pytest.raises(AdminError):
        lab.act("policy", version=9)


@pytest.mark.feature("U2")
def test_a_daily_window_goes_over_midnight_and_is_about_its_model_alone(lab: Lab) -> None:
    """The night's maintenance would end at midnight, or shut shops that are not touched by it."""
    wire, other = Wire(lab).on_counter(), Wire(lab, "NXE21-0002", "10000002", model="NX-E21").on_counter()
    publish(lab, {"maintenance": [{"daily": "23:30", "lasts": "1h", "model": "PX-E90"}]})
    lab.later(hours=5, minutes=45)  # from 18:00 in China to 23:45
    assert wire.reason(wire.sale(100)) == "host.maintenance"
    other.sell(100)
    lab.later(minutes=30)
    assert wire.reason(wire.sale(100)) == "host.maintenance"
    lab.later(minutes=15)
    wire.sell(100)
