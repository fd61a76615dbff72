"""Campaigns at the desk: list, dry run, two people, dates, pause, exemption (product T1, T4, T7, T10; invariant L9)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.errors import AdminError
from host.jobs import JOBS, run_once
from host.lifecycle import Event
from protocol.fields import F
from protocol.private import unpack_tags
from tests.host.wire import Lab, Wire, refusal

HEADER = "model,brand,family,stop_date,reason\n"
LIST = f"{HEADER}PX-E90,百富,e_sign,2026-08-01,memory\n".encode()


def made(lab: Lab, **arguments: Any) -> int:
    """A draft of a campaign about PX-E90."""
    return int(lab.act("plan_campaign", content=LIST, title="old ones", **arguments)["number"])


def started(lab: Lab, **arguments: Any) -> int:
    """The same, running."""
    number = made(lab, **arguments)
    lab.act("start_campaign", number=number)
    return number


def item(lab: Lab) -> dict[str, Any]:
    """The newest item of the terminal."""
    return lab.rows("campaign_items")[-1]


def state(wire: Wire) -> str:
    """Where the terminal stands."""
    return str(wire.lab.terminal(wire.serial_number)["state"])


def test_a_dry_run_tells_everything_and_changes_nothing(active: Wire) -> None:
    """The planner would have retired a model by looking at what that would be."""
    lab = active.lab
    before = {table: lab.rows(table) for table in ("campaigns", "campaign_items", "plans", "audit")}
    told = lab.act("plan_campaign", content=LIST, title="old ones", waves=1, capacity=5, dry_run=True)
    assert (told["terminals"], told["merchants"], told["by_model"]) == (1, 1, {"PX-E90": 1})
    assert told["stops_by_day"] == {"2026-08-01": 1}
    assert told["items"][0]["serial_number"] == active.serial_number
    assert {table: lab.rows(table) for table in before} == before


def test_a_draft_binds_nobody(active: Wire) -> None:
    """A plan that nobody has confirmed would stop a shop."""
    made(active.lab)
    active.lab.later(days=200)
    assert active.lab.act("run_jobs")["moved"] == {}
    assert (state(active), active.lab.rows("plans")) == ("activated", [])
    active.sell(100)


@pytest.mark.feature("T1", "T7")
def test_a_terminal_goes_through_its_dates(active: Wire) -> None:
    """A merchant would be stopped without notice, or sell for years with a device that nobody maintains."""
    lab = active.lab
    number = started(lab, grace_days=7, suspend_days=3)
    assert (item(lab)["state"], state(active)) == ("planned", "activated")
    seen: list[str] = []
    for _ in range(160):
        lab.act("run_jobs")
        if not seen or seen[-1] != item(lab)["state"]:
            seen.append(item(lab)["state"])
            if seen[-1] == "overdue":
                active.sell(5_000)
            if seen[-1] == "suspended":
                assert active.reason(active.sale(100)) == "hold.retirement"
        lab.later(days=1)
    assert seen == ["planned", "notified", "overdue", "suspended", "stopped"]
    assert lab.act("campaign", number=number)["state"] == "done"
    assert active.reason(active.sale(100)) == "terminal.stopped"
    active.settle()
    assert lab.act("payout", merchant_id=active.merchant_id)["total_fen"] > 0
    lab.act("retire", serial_number=active.serial_number)
    lab.act("run_jobs")
    assert lab.act("campaign", number=number)["states"] == {"retired": 1}


def test_a_model_that_nobody_knows_is_named(active: Wire) -> None:
    """A slip in the list would leave its terminals selling for ever."""
    content = LIST + b"PX-E9O,PX,e_sign,2026-08-01,security_level\n"
    told = active.lab.act("plan_campaign", content=content, title="old ones", dry_run=True)
    assert (told["unknown"], told["terminals"]) == (["PX-E9O"], 1)


def test_jobs_that_run_twice_do_a_thing_once(active: Wire) -> None:
    """A job that was started again after a crash would tell every merchant twice (invariant L9)."""
    lab = active.lab
    started(lab, stop_days=60)
    for _ in range(60):
        lab.later(days=1)
        for _ in range(2):
            lab.act("run_jobs")
        lab.reopen()
    told = [(row["serial_number"], row["step"]) for row in lab.rows("notices")]
    assert [step for _, step in told] == ["T-90", "T-30", "T-7", "T-1"]
    assert len(lab.rows("audit", act="stop")) == 1


async def test_the_host_does_it_by_itself(active: Wire) -> None:
    """A campaign would wait for somebody to press a button every morning."""
    lab = active.lab
    started(lab, stop_days=60)
    lab.later(days=60)
    assert not await run_once(lab.store, lambda: lab.now, JOBS[0])
    assert state(active) == "stopped"


@pytest.mark.feature("T4")
def test_one_person_starts_no_campaign(active: Wire) -> None:
    """One clerk could stop ten thousand shops."""
    lab = active.lab
    number = made(lab)
    proposal = lab.act("propose", act="start_campaign", arguments=json.dumps({"number": number}), actor="li")["number"]
    with pytest.raises(AdminError) as refused:
        lab.act("confirm", number=proposal, actor="li")
    assert refused.value.code == "same_person"
    assert lab.act("campaign", number=number)["state"] == "draft"
    assert lab.act("confirm", number=proposal, actor="wang")["result"]["state"] == "running"


def test_a_pause_moves_what_lies_ahead(active: Wire) -> None:
    """A merchant would be stopped in the days in which the acquirer had said that nobody is."""
    lab = active.lab
    number = started(lab, stop_days=60)
    before = item(lab)
    lab.later(days=20)
    lab.act("pause_campaign", number=number, why="flood")
    assert lab.rows("plans") == []
    lab.later(days=100)
    lab.act("run_jobs")
    active.sell(100)
    assert lab.act("resume_campaign", number=number)["states"] == {"notified": 1}
    assert item(lab)["stop_at"] == before["stop_at"] + 100 * 86_400
    assert item(lab)["notice_at"] == before["notice_at"]
    assert [row["stop_at"] for row in lab.rows("notices")] == [before["stop_at"], item(lab)["stop_at"]]
    lab.later(days=40)
    assert active.reason(active.sale(100)) == "terminal.stopped"


@pytest.mark.parametrize("act", ["cancel_campaign", "exempt"])
def test_who_was_told_of_a_stop_is_told_that_there_is_none(active: Wire, act: str) -> None:
    """A merchant would buy a new device for a stop that was called off."""
    lab = active.lab
    number = started(lab, stop_days=60)
    assert state(active) == "retiring"
    more = {"serial_number": active.serial_number} if act == "exempt" else {}
    told = lab.act(act, number=number, why="the maker sells parts again", **more)
    assert sum(told["states"].values()) == told["scope"] == 1
    assert state(active) == "activated"
    lab.act("run_jobs")
    assert [row["step"] for row in lab.rows("notices")] == ["T-90", "withdrawn"]
    lab.later(days=100)
    lab.act("run_jobs")
    active.sell(100)


def test_the_sooner_of_two_plans_binds(active: Wire) -> None:
    """A second list would put off the stop of a terminal that must go."""
    lab = active.lab
    first, later, sooner = (started(lab, stop_days=days) for days in (60, 90, 45))
    states = {number: lab.act("campaign", number=number)["states"] for number in (first, later, sooner)}
    assert states == {first: {"cancelled": 1}, later: {"exempt": 1}, sooner: {"notified": 1}}
    assert lab.rows("plans")[0]["campaign"] == sooner
    assert [lab.act("campaign", number=number)["state"] for number in (first, later, sooner)] == [
        "done",
        "done",
        "running",
    ]


@pytest.mark.parametrize(("event", "wanted"), [(Event.STOP, "stopped"), (Event.LOSE, "gone"), (Event.TAMPER, "gone")])
def test_a_terminal_that_ends_otherwise_leaves_the_plan(active: Wire, event: Event, wanted: str) -> None:
    """The sum of a campaign would not add up, and a thief be reminded of the swap."""
    lab = active.lab
    number = started(lab, stop_days=60)
    lab.act(str(event), serial_number=active.serial_number)
    lab.act("run_jobs")
    assert lab.act("campaign", number=number)["states"] == {wanted: 1}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"waves": 0}, "waves"), ({"waves": 53}, "waves"), ({"capacity": -1}, "capacity"),
        ({"stop_days": -1}, "plan_dates"),
        ({"grace_days": 2, "suspend_days": 3}, "plan_dates"), ({"stop_days": 5}, "too_soon"),
        ({"stop_days": 40, "waves": 4}, "too_soon"), ({"title": "\x1b[31m"}, "title"),
        ({"content": b"model\nPX-E90\n"}, "blocklist"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_refused(active: Wire, arguments: dict[str, Any], code: str) -> None:
    """Merchants would be given a date that nobody can keep."""
    with pytest.raises(AdminError) as refused:
        active.lab.act("plan_campaign", **{"content": LIST, "title": "old ones", **arguments})
    assert refused.value.code == code
    assert active.lab.rows("campaigns") == []


@pytest.mark.parametrize("act", ["start_campaign", "resume_campaign", "campaign"])
def test_an_unknown_campaign_is_named(lab: Lab, act: str) -> None:
    """A typing error would look like a defect."""
    with pytest.raises(AdminError) as refused:
        lab.act(act, number=99)
    assert refused.value.code == "unknown_campaign"


@pytest.mark.feature("T10")
def test_the_why_query_names_the_plan(active: Wire) -> None:
    """The cashier would be told that the terminal is stopped, and nobody could say by which plan."""
    lab = active.lab
    number = started(lab, stop_days=60)
    lab.later(days=60)
    reply = active.send(active.sale(100))
    assert refusal(reply).reason == "terminal.stopped"
    told = unpack_tags(active.send(active.management("why")).octets(F.PAYLOAD), field=F.PAYLOAD)
    assert told["PL"].decode("gb18030") == f"{number} memory 2026-04-30"
