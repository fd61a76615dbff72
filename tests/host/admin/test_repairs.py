"""Warranty and repair, the loan of a spare device, and the new life of a device that was wiped (product X7, X9)."""

from __future__ import annotations

from typing import Any

import pytest

from host.errors import AdminError
from host.policy import Policy, Service
from host.repairs import CAUSES, TRANSITIONS, RepairState
from protocol.fields import F
from tests.host.admin.test_ending import stock
from tests.host.handlers.test_swap import ask, reason, restored
from tests.host.wire import FORM, Lab, Wire, refusal

DAY_S = 86_400


def refused(lab: Lab, act: str, **arguments: Any) -> str:
    """The code with which an act is refused."""
    with pytest.raises(AdminError) as error:
        lab.act(act, **arguments)
    return error.value.code


def reported(wire: Wire, cause: str = "defect") -> int:
    """The number of a new repair."""
    return int(wire.lab.act("report_fault", serial_number=wire.serial_number, cause=cause, note="no light")["number"])


def at_depot(wire: Wire, cause: str = "defect") -> int:
    number = reported(wire, cause)
    wire.lab.act("receive_device", number=number)
    return number


def the_repair(lab: Lab) -> dict[str, Any]:
    [row] = lab.act("repairs")["repairs"]
    return dict(row)


# repairs


@pytest.mark.feature("X7")
def test_a_device_is_away_from_its_report_to_its_return_and_sells_again(active: Wire) -> None:
    """A broken terminal would take cards in the workshop, or the mended one never sell again."""
    lab = active.lab
    number = reported(active)
    reply = active.send(active.sale(100))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("58", "hold.repair")
    lab.later(days=1)
    assert lab.act("receive_device", number=number)["state"] == "received"
    lab.later(days=3)
    lab.act("repair_device", number=number, outcome="new battery")
    assert active.reason(active.sale(100)) == "hold.repair"
    lab.later(days=1)
    assert lab.act("return_device", number=number)["repair_s"] == 5 * DAY_S
    active.sell(100)
    row = the_repair(lab)
    dates = [row[name] - row["reported_at"] for name in ("received_at", "repaired_at", "closed_at")]
    assert dates == [DAY_S, 4 * DAY_S, 5 * DAY_S]
    assert (row["state"], row["outcome"], row["covered"], row["late"]) == ("returned", "new battery", True, False)
    assert lab.act("repairs")["mean_repair_s"] == 5 * DAY_S
    assert [each["act"] for each in lab.rows("audit", serial_number=active.serial_number)][-6:] == [
        "report fault", "hold", "receive device", "repair device", "return device", "release",
    ]  # fmt: skip


@pytest.mark.feature("X7")
@pytest.mark.parametrize(("days", "covered"), [(364, True), (365, False)])
def test_the_warranty_ends_with_its_last_day(active: Wire, days: int, covered: bool) -> None:
    """A merchant would pay for what the maker owes, or the acquirer for everything."""
    lab = active.lab
    lab.later(days=days)
    at_depot(active)
    assert the_repair(lab)["covered"] is covered
    assert ("covered" if covered else "deposit_short") == refused(
        lab, "repair_device", number=1, outcome="new screen", cost_fen=5_000
    )
    assert the_repair(lab)["state"] == "received"


@pytest.mark.feature("X7")
def test_what_the_user_broke_is_paid_from_the_deposit_and_carries_a_warranty_of_its_own(active: Wire) -> None:
    """The bill would be lost, or the same screen be paid for twice in a month."""
    lab, merchant_id = active.lab, active.merchant_id
    lab.later(days=300)
    at_depot(active, "drop")
    lab.act("deposit", merchant_id=merchant_id, amount_fen=8_000)
    told = lab.act("repair_device", number=1, outcome="new screen", cost_fen=5_000)
    assert told["warranty_until"] == int(lab.now.timestamp()) + 90 * DAY_S
    assert (
        lab.act("accounts")["accounts"] | {"acquirer:service": 5_000, f"deposit:{merchant_id}": 3_000}
        == (lab.act("accounts")["accounts"])
    )
    assert lab.act("accounts")["sum_fen"] == 0
    lab.act("return_device", number=1)
    lab.later(days=89)
    assert lab.act("report_fault", serial_number=active.serial_number, cause="wear")["covered"]
    assert lab.violations() == []


def test_a_repair_never_shortens_a_warranty(active: Wire) -> None:
    """Whoever lets a young device be repaired would lose most of its warranty."""
    before = active.lab.terminal(active.serial_number)["warranty_until"]
    at_depot(active)
    active.lab.act("repair_device", number=1, outcome="cleaned")
    assert active.lab.terminal(active.serial_number)["warranty_until"] == before


@pytest.mark.parametrize("state", list(RepairState))
def test_a_repair_goes_only_where_its_table_says(state: RepairState) -> None:
    """A device that was scrapped would be given back."""
    told = {
        "reported": {"receive": "received", "cancel": "cancelled"},
        "received": {"repair": "repaired", "scrap": "scrapped"},
        "repaired": {"return": "returned"},
    }
    assert {str(move): str(after) for move, after in TRANSITIONS[state].items()} == told.get(state, {})


@pytest.mark.parametrize(
    ("act", "arguments", "code"),
    [
        ("report_fault", {"cause": "defect"}, "already_reported"),
        ("report_fault", {"cause": "fire"}, "unknown_cause"),
        ("return_device", {"number": 1}, "illegal_step"),
        ("repair_device", {"number": 1, "outcome": "x"}, "illegal_step"),
        ("repair_device", {"number": 1, "outcome": "x", "cost_fen": -1}, "cost"),
        ("scrap_device", {"number": 1, "why": "x"}, "illegal_step"),
        ("receive_device", {"number": 2}, "unknown_repair"),
        ("return_spare", {"number": 2}, "unknown_loan"),
    ],
)
def test_an_act_on_a_repair_that_has_no_place_changes_nothing(
    active: Wire, act: str, arguments: dict[str, Any], code: str
) -> None:
    """A slip at the depot would lose a device on paper."""
    lab = active.lab
    reported(active)
    before = lab.rows("repairs"), lab.rows("holds"), lab.rows("audit")
    of_device = {"serial_number": active.serial_number} if act == "report_fault" else {}
    assert refused(lab, act, **of_device, **arguments) == code
    assert before == (lab.rows("repairs"), lab.rows("holds"), lab.rows("audit"))


def test_a_report_that_was_a_mistake_is_taken_back(active: Wire) -> None:
    """A shop whose plug was loose would wait for a van."""
    number = reported(active)
    active.lab.act("cancel_repair", number=number, why="it was the plug")
    active.sell(100)


def test_a_scrapped_device_sells_no_more(active: Wire) -> None:
    """A device that nobody could mend would take cards again."""
    number = at_depot(active, "liquid")
    active.lab.act("scrap_device", number=number, why="corroded")
    assert active.reason(active.sale(100)) == "hold.repair"


def test_a_repair_that_takes_too_long_is_named(active: Wire) -> None:
    """A device would lie in the workshop for a month and nobody ask."""
    reported(active)
    active.lab.later(days=7)
    assert not the_repair(active.lab)["late"]
    active.lab.later(seconds=1)
    assert the_repair(active.lab)["late"]


def test_every_cause_is_named_in_both_languages() -> None:
    """The form would show a cause that the clerk cannot read."""
    assert all(row.chinese and row.english and row.name == name for name, row in CAUSES.items())


# loans


@pytest.mark.feature("X9")
def test_a_spare_sells_under_the_same_till_and_gives_it_back(active: Wire) -> None:
    """A shop would close for a week because of a battery, or keep two devices for ever."""
    lab, spare = active.lab, stock(active.lab)
    active.sell(3_000)
    active.settle()
    number = reported(active)
    loan = lab.act("lend_spare", serial_number=active.serial_number, spare=spare.serial_number, days=10)
    assert (loan["terminal_id"], loan["state"]) == (active.terminal_id, "activated")
    spare.sign_on()
    lab.later(minutes=30)
    assert lab.act("impact")["interruption_minutes"] == 0, "the till sells"
    spare.sell(2_000)
    spare.settle()
    lab.act("receive_device", number=number)
    lab.act("repair_device", number=number, outcome="new battery")
    assert refused(lab, "return_device", number=number) == "replaced"
    assert refused(lab, "return_spare", number=loan["number"]) == "illegal_step"
    assert lab.act("refurbish", serial_number=active.serial_number, reference="sheet 7")["state"] == "ordered"
    assert the_repair(lab)["state"] == "returned"
    again = Wire(lab, active.serial_number)
    again.load_card()
    for act in ("ship", "deliver"):
        lab.act(act, serial_number=active.serial_number)
    lab.act("replace", serial_number=spare.serial_number, successor=active.serial_number)
    assert lab.act("return_spare", number=loan["number"])["spare"] == spare.serial_number
    again.sign_on()
    again.sell(1_000)
    again.settle()
    assert lab.act("payout", merchant_id=active.merchant_id)["total_fen"] > 0
    assert lab.violations() == []
    [row] = lab.act("loans")["loans"]
    assert (row["overdue"], row["returned_at"]) == (False, int(lab.now.timestamp()))


@pytest.mark.feature("X9")
def test_a_loan_that_is_not_returned_is_overdue(active: Wire) -> None:
    """Spare devices would stay in shops until there is none left to lend."""
    lab, spare = active.lab, stock(active.lab)
    reported(active)
    lab.act("lend_spare", serial_number=active.serial_number, spare=spare.serial_number, days=2)
    lab.later(days=2)
    assert not lab.act("loans", serial_number=spare.serial_number)["loans"][0]["overdue"]
    lab.later(seconds=1)
    assert lab.act("loans")["loans"][0]["overdue"]


@pytest.mark.feature("X9")
def test_only_who_needs_a_spare_gets_one(active: Wire) -> None:
    """Tills would go round among devices without anybody having reported anything."""
    lab, spare = active.lab, stock(active.lab)
    about = {"serial_number": active.serial_number, "spare": spare.serial_number}
    assert refused(lab, "lend_spare", **about) == "no_repair"
    number = reported(active)
    assert refused(lab, "lend_spare", **about, days=400) == "days"
    assert lab.terminal(spare.serial_number)["state"] == "delivered"
    lab.act("cancel_repair", number=number, why="well")
    active.sell(100)
    reported(active)
    assert refused(lab, "lend_spare", **about) == "batch_open"
    lab.act("receive_device", number=2)
    assert lab.act("lend_spare", **about)["state"] == "activated"
    paid = lab.act("payout", merchant_id=active.merchant_id)
    assert (active.batch in [row["batch"] for row in paid["batches"]], lab.violations()) == (True, [])


def test_a_loan_needs_its_deposit(lab: Lab) -> None:
    """A spare that is sold on would be the acquirer's loss."""
    lab.policy = lab.acquirer.policy = Policy(service=Service(deposit_fen=20_000))
    active, spare = Wire(lab).activated(), stock(lab)
    reported(active)
    about = {"serial_number": active.serial_number, "spare": spare.serial_number}
    assert refused(lab, "lend_spare", **about) == "deposit_short"
    lab.act("deposit", merchant_id=active.merchant_id, amount_fen=20_000)
    lab.act("lend_spare", **about)
    assert lab.rows("loans")[0]["deposit_fen"] == 20_000
    lab.act("deposit", merchant_id=active.merchant_id, amount_fen=100)
    assert refused(lab, "deposit", merchant_id=active.merchant_id, amount_fen=-101) == "amount"
    assert lab.act("deposit", merchant_id=active.merchant_id, amount_fen=-100)["deposit_fen"] == 20_000
    lab.act("lose", serial_number=spare.serial_number)
    second = {"serial_number": spare.serial_number, "spare": stock(lab, "PXE90-0003").serial_number}
    assert refused(lab, "lend_spare", **second) == "deposit_short", "a deposit is good for one spare"


def test_a_loan_needs_two_people(active: Wire) -> None:
    """One clerk could move a merchant's till to a device of his own."""
    lab, spare = active.lab, stock(active.lab)
    reported(active)
    arguments = f'{{"serial_number": "{active.serial_number}", "spare": "{spare.serial_number}"}}'
    number = lab.act("propose", actor="li", act="lend_spare", arguments=arguments)["number"]
    assert refused_by(lab, "li", number) == "same_person"
    lab.act("confirm", actor="zhang", number=number)
    assert lab.rows("loans")[0]["actor"] == "li and zhang"


def refused_by(lab: Lab, actor: str, number: int) -> str:
    with pytest.raises(AdminError) as error:
        lab.act("confirm", actor=actor, number=number)
    return error.value.code


# a new life


def replaced(active: Wire) -> Wire:
    """A device whose till another one has."""
    spare = stock(active.lab)
    active.lab.act("replace", serial_number=active.serial_number, successor=spare.serial_number)
    return spare


@pytest.mark.feature("X9")
def test_a_refurbished_device_is_a_new_one_that_knows_nothing(active: Wire) -> None:
    """The next merchant would sell under the last one's activation, holds, limits and key."""
    lab, old_tmk = active.lab, active.tmk
    lab.act("hold", serial_number=active.serial_number, reason="security", version="9.0.0")
    lab.act(
        "announce", title_zh="公告", title_en="News", text_zh="一", text_en="one", serial_number=active.serial_number
    )
    lab.act("retire_model", model=active.model)
    replaced(active)
    lab.later(days=1)
    lab.act("refurbish", serial_number=active.serial_number, reference="sheet 8")
    row = lab.terminal(active.serial_number)
    assert (row["merchant_id"], row["terminal_id"], row["replaced_by"], row["activated_at"]) == ("", "", "", None)
    assert (row["working_keys"], row["previous_keys"], row["line"]) == (b"", b"", "")
    for table in ("plans", "commands", "statuses", "diagnoses"):
        assert lab.rows(table, serial_number=active.serial_number) == []
    assert [row for row in lab.rows("holds", serial_number=active.serial_number) if row["released_at"] is None] == []
    audit = lab.rows("audit", serial_number=active.serial_number)[-1]
    assert (audit["act"], "sheet 8" in audit["detail"]) == ("refurbish", True)
    again = Wire(lab, active.serial_number, "10000009", "898100000000009", firmware="9.0.0")
    lab.act("bind", serial_number=again.serial_number, merchant_id=again.merchant_id, terminal_id=again.terminal_id)
    again.load_card()
    assert again.tmk != old_tmk
    for act in ("ship", "deliver"):
        lab.act(act, serial_number=again.serial_number)
    assert again.reason(again.sign_in()) == "terminal.not_registered"
    lab.act("submit", serial_number=again.serial_number, **FORM)
    lab.act("review", serial_number=again.serial_number)
    again.sign_on()
    assert lab.act("show", serial_number=again.serial_number)["turnover_fen"] == 0


@pytest.mark.parametrize(
    ("stage", "code"),
    [("in service", "illegal_step"), ("no sheet", "reference"), ("lent", "lent"), ("repair", "repair_open")],
)
def test_what_is_not_done_with_is_not_refurbished(active: Wire, stage: str, code: str) -> None:
    """A device would be sent to the next shop while the last one still needs it."""
    lab, about = active.lab, {"serial_number": active.serial_number, "reference": "sheet 9"}
    if stage == "no sheet":
        replaced(active)
        about["reference"] = " "
    if stage == "repair":
        spare = stock(lab)
        at_depot(active)
        lab.act("lend_spare", serial_number=active.serial_number, spare=spare.serial_number)
    if stage == "lent":
        spare, third = stock(lab), stock(lab, "PXE90-0003")
        reported(active)
        lab.act("lend_spare", serial_number=active.serial_number, spare=spare.serial_number)
        lab.act("replace", serial_number=spare.serial_number, successor=third.serial_number)
        about["serial_number"] = spare.serial_number
    assert refused(lab, "refurbish", **about) == code


@pytest.mark.feature("X9")
def test_a_device_that_has_not_proven_its_wipe_gets_no_new_life(active: Wire) -> None:
    """Its master key would be renewed, and the certificate of what it erased could never be verified."""
    lab, spare = active.lab, stock(active.lab)
    lab.act("begin_swap", serial_number=active.serial_number, successor=spare.serial_number)
    restored(active, spare)
    assert refused(lab, "refurbish", serial_number=active.serial_number, reference="sheet 10") == "swap_open"


@pytest.mark.feature("X9")
def test_a_swap_of_the_last_life_is_none_of_this_one(active: Wire) -> None:
    """A device fresh from the depot would be told of a swap that ended long ago, and be ordered to wipe itself."""
    lab, spare = active.lab, stock(active.lab)
    about = {"serial_number": active.serial_number}
    lab.act("begin_swap", **about, successor=spare.serial_number)
    assert reason(ask(active)) == ""
    lab.act("cancel_swap", **about)
    lab.act("replace", **about, successor=spare.serial_number)
    lab.later(seconds=1)
    lab.act("refurbish", **about, reference="sheet 11")
    lab.act("bind", **about, merchant_id=active.merchant_id, terminal_id="10000009")
    again = Wire(lab, active.serial_number, "10000009")
    again.load_card()
    for act in ("ship", "deliver"):
        lab.act(act, **about)
    assert reason(ask(again)) == "swap.not_ordered"
