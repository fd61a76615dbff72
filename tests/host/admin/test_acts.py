"""TABLE ACTS: what an operator gets back for a slip, and that a slip changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.admin.acts import ACTS, perform
from host.admin.rules import host_policy, keep_policy
from host.errors import AdminError
from host.policy import Fees, Policy
from tests.host.wire import FORM, Lab, Wire

NAMES_A_TERMINAL = [
    "ship", "deliver", "key_card", "review", "stop", "lose", "tamper", "retire", "show", "diagnose",
]  # fmt: skip


@pytest.mark.parametrize("act", NAMES_A_TERMINAL)
def test_an_unknown_serial_number_draws_the_nearest(wire: Wire, act: str) -> None:
    """The operator would stop the wrong terminal at the second guess."""
    with pytest.raises(AdminError) as refused:
        wire.lab.act(act, serial_number="PXE90-001")
    assert refused.value.code == "unknown_terminal"
    assert refused.value.hint == "did you mean PXE90-0001?"


def test_a_serial_number_like_no_other_draws_the_way_to_the_list(wire: Wire) -> None:
    """The operator would be left with a bare no."""
    with pytest.raises(AdminError) as refused:
        wire.lab.act("stop", serial_number="zzzz")
    assert "lists what there is" in refused.value.hint


@pytest.mark.parametrize("act", ["retire_model", "require_firmware"])
def test_an_unknown_model_draws_the_nearest(wire: Wire, act: str) -> None:
    """A retirement would be announced for a model that nobody has."""
    arguments = {"version": "1.0.0"} if act == "require_firmware" else {}
    with pytest.raises(AdminError) as refused:
        wire.lab.act(act, model="PXE90", **arguments)
    assert (refused.value.code, refused.value.hint) == ("unknown_model", "did you mean PX-E90?")


@pytest.mark.parametrize(
    ("act", "arguments", "code"),
    [
        ("stop", {"serial_number": "PXE90-0001", "why": "two\nlines"}, "why"),
        ("stop", {"serial_number": "PXE90-0001", "why": "\ud800"}, "why"),
        ("stop", {"serial_number": "PXE90-0001", "why": "\u202eright to left"}, "why"),
        ("retire_model", {"model": "PX-E90", "reason": "\x1b[31m"}, "reason"),
        ("add_model", {"model": "bad\x00", "brand": "b", "family": "f"}, "model"),
    ],
)
def test_a_text_that_no_reply_can_carry_is_refused(wire: Wire, act: str, arguments: dict[str, str], code: str) -> None:
    """Every answer to a stopped terminal would fail because of one character in its reason."""
    with pytest.raises(AdminError) as refused:
        wire.lab.act(act, **arguments)
    assert refused.value.code == code
    wire.sell(100)


def test_the_reason_of_a_stop_reaches_the_terminal(wire: Wire) -> None:
    """The merchant would not learn why."""
    wire.lab.act("stop", serial_number=wire.serial_number, why="合同到期\u3000{请}联系我们")
    reply = wire.send(wire.sale(100))
    assert "合同到期\u3000{请}联系我们" in reply.text(63)


def test_every_act_leaves_who_did_it(wire: Wire) -> None:
    """Nobody could tell who stopped a terminal."""
    wire.lab.act("hold", actor="li", serial_number=wire.serial_number, reason="fault")
    wire.lab.act("release", actor="zhang", serial_number=wire.serial_number, reason="fault")
    rows = wire.lab.act("audit", serial_number=wire.serial_number)["audit"][-2:]
    assert [(row["actor"], row["act"]) for row in rows] == [("li", "hold"), ("zhang", "release")]
    [held] = wire.lab.rows("holds")
    assert (held["actor"], held["released_by"], held["since"]) == ("li", "zhang", held["released_at"])


def test_a_hold_of_one_reason_is_put_on_once(wire: Wire) -> None:
    """A hold that was put on twice and lifted once would leave the shop shut."""
    wire.lab.act("hold", serial_number=wire.serial_number, reason="fault")
    with pytest.raises(AdminError) as refused:
        wire.lab.act("hold", serial_number=wire.serial_number, reason="fault")
    assert refused.value.code == "already_held"


@pytest.mark.parametrize("act", ["terminals", "models", "transactions", "batches", "audit", "accounts", "verify"])
def test_what_acts_return_is_json(active: Wire, act: str) -> None:
    """A script could not read what a person can."""
    active.sell(100)
    json.dumps(active.lab.act(act))


def test_the_table_holds_every_act_by_its_name() -> None:
    """An act would be reachable from one surface and not from another."""
    assert all(name == act.__name__ for name, act in ACTS.items())


@pytest.mark.parametrize("seconds", [0, -1, 10 * 366 * 86_400 + 1])
def test_the_clock_goes_forward_only(lab: Lab, seconds: int) -> None:
    """A plan would be carried out twice."""
    lab.store.run(lambda books: books.add("lab_clock", 1))
    with pytest.raises(AdminError) as refused:
        lab.act("clock_advance", seconds=seconds)
    assert refused.value.code == "clock_step"


def test_a_host_on_real_time_has_no_clock_to_move(lab: Lab) -> None:
    """Somebody would stop a year of terminals in a running host by a typing error."""
    with pytest.raises(AdminError) as refused:
        lab.act("clock_advance", seconds=60)
    assert refused.value.code == "no_lab_clock"


def test_acts_from_another_process_use_the_figures_of_the_host(lab: Lab) -> None:
    """The command line would sign orders for another time, or warn of other rates, than the host that runs."""
    wire = Wire(lab).order()
    policy = Policy(fees=Fees(band_bp=(10, 20)))
    assert lab.store.run(host_policy) == Policy()
    lab.store.run(lambda books: keep_policy(books, policy))
    lab.reopen()
    assert lab.store.run(host_policy) == policy
    form: dict[str, Any] = {"serial_number": wire.serial_number, **FORM, "credit_bp": 15}
    assert perform(lab.store, "submit", lab.now, **form)["warnings"] == []
    lab.store.run(lambda books: keep_policy(books, Policy()))
    assert lab.store.run(host_policy) == Policy()


@pytest.mark.parametrize(
    ("act", "arguments"),
    [
        ("campaign", {"number": 10**30}),
        ("evidence", {"number": -(10**30)}),
        ("amend_rate", {"card_type": "credit", "rate_bp": 60, "signed_by": "li", "in_days": 2**53}),
        ("amend_rate", {"card_type": "debit", "rate_bp": 60, "signed_by": "li", "cap_fen": 2**63}),
        ("propose", {"act": "start_campaign", "arguments": '{"number": 1' + "0" * 30 + "}"}),
        ("propose", {"act": "stop", "arguments": "[" * 100_000}),
        ("publish_parameters", {"name": "contactless", "content": b"[" * 100_000}),
    ],
)
def test_what_no_store_can_keep_is_refused(wire: Wire, act: str, arguments: dict[str, Any]) -> None:
    """A slip of the keyboard would end in a traceback, or in a defect of the host at the API."""
    if act == "amend_rate":
        arguments = {**arguments, "merchant_id": wire.merchant_id}
    with pytest.raises(AdminError):
        wire.lab.act(act, **arguments)


def test_a_payout_to_nobody_is_refused(wire: Wire) -> None:
    """Whoever mistypes a merchant would read that nothing is owed."""
    with pytest.raises(AdminError, match="no merchant 999"):
        wire.lab.act("payout", merchant_id="999")
