"""The end of a terminal: plan, notice, stop, retirement, replacement (product T, X; invariants L5, W1 to W3)."""

from __future__ import annotations

import pytest

from host.admin.clock import LAB_CLOCK
from host.errors import AdminError
from protocol.fields import F
from tests.host.wire import CREDIT, Lab, Wire, refusal

DAY_S = 86_400


def state(wire: Wire) -> str:
    """Where the terminal stands."""
    return str(wire.lab.terminal(wire.serial_number)["state"])


def stock(lab: Lab, serial_number: str = "PXE90-0002", model: str = "NX-E21") -> Wire:
    """A delivered device without a till."""
    return Wire(lab, serial_number, model=model, firmware="2.1.0").order(merchant_id="", terminal_id="")


# plans


def test_a_plan_has_its_dates(active: Wire) -> None:
    """The merchant would be told another day than the one on which the terminal stops."""
    result = active.lab.act("retire_model", model=active.model, grace_days=90, stop_days=97)
    [plan] = active.lab.rows("plans")
    assert result["planned"] == [active.serial_number]
    assert result["stop_at"] == "2026-06-06"
    assert (plan["grace_until"] - plan["notice_at"], plan["stop_at"] - plan["notice_at"]) == (90 * DAY_S, 97 * DAY_S)
    assert state(active) == "retiring"
    active.sell(100)


@pytest.mark.parametrize(("grace_days", "stop_days"), [(10, 9), (-1, 5), (5, -1)])
def test_dates_that_contradict_each_other_are_refused(active: Wire, grace_days: int, stop_days: int) -> None:
    """A terminal would stop before its grace is over."""
    with pytest.raises(AdminError) as refused:
        active.lab.act("retire_model", model=active.model, grace_days=grace_days, stop_days=stop_days)
    assert refused.value.code == "plan_dates"
    assert state(active) == "activated"


def test_a_plan_is_carried_out_by_the_first_request_after_its_date(active: Wire) -> None:
    """A terminal whose time is over would sell until somebody presses a button."""
    lab = active.lab
    lab.act("retire_model", model=active.model, stop_days=97)
    lab.later(days=97, seconds=-1)
    active.sell(100)
    lab.later(seconds=1)
    reply = active.send(active.sale(100))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("58", "terminal.stopped")
    assert state(active) == "stopped"
    assert lab.rows("plans")[0]["done_at"] == int(lab.now.timestamp())
    assert lab.rows("audit")[-1]["actor"] == "plan"


def test_a_plan_is_carried_out_when_the_clock_is_moved(active: Wire) -> None:
    """Ninety days would have to be waited for."""
    lab = active.lab
    lab.store.run(lambda books: books.add(LAB_CLOCK, 1))
    lab.act("retire_model", model=active.model, stop_days=97)
    assert lab.act("clock_advance", seconds=97 * DAY_S - 1)["stopped"] == []
    active.sell(100)
    assert lab.act("clock_advance", seconds=1)["stopped"] == [active.serial_number]
    assert active.reason(active.sale(100)) == "terminal.stopped"
    assert lab.act("clock_advance", seconds=DAY_S)["stopped"] == []


def test_a_terminal_registered_after_the_date_is_refused_by_its_model(active: Wire) -> None:
    """A model that is retired would come back through a new registration."""
    lab = active.lab
    lab.act("retire_model", model=active.model, grace_days=0, stop_days=1)
    late = Wire(lab, "PXE90-0007", "10000007").on_counter()
    late.sell(100)
    lab.later(days=1)
    assert late.reason(late.sale(100)) == "model.retired"


def test_only_terminals_in_service_are_planned(lab: Lab) -> None:
    """A terminal that is stopped would be announced to stop."""
    waiting = Wire(lab, "PXE90-0001", "10000001").order()
    stopped = Wire(lab, "PXE90-0002", "10000002").on_counter()
    lab.act("stop", serial_number=stopped.serial_number)
    other = Wire(lab, "NXE21-0003", "10000003", model="NX-E21").on_counter()
    assert lab.act("retire_model", model=waiting.model)["planned"] == []
    assert state(other) == "registered"


# stop


def test_a_stop_is_a_barrier_and_the_drain_list_goes_through(active: Wire) -> None:
    """Money would be captured after the stop, or the shop's last batch never be settled."""
    sold, payload = active.sell(5_000), active.sale(100)
    active.lab.act("stop", serial_number=active.serial_number, why="fraud")
    reply = active.send(payload)
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).chinese) == ("58", "终端已停用（fraud）")
    assert active.code(active.reversal(5_000, sold.stan)) == "00"
    assert active.code(active.management("echo")) == "00"
    assert active.code(active.management("status_upload", b"01102110")) == "00"
    assert active.sign_on().text(F.RESPONSE_CODE) == "00"
    assert active.settle().text(F.RESPONSE_CODE) == "00"
    assert active.reason(active.sale(100)) == "terminal.stopped"
    assert active.code(active.management("sign_off")) == "00"


def test_a_terminal_with_an_open_batch_is_not_retired(active: Wire) -> None:
    """The money of the last day would never be settled."""
    active.sell(5_000)
    active.lab.act("stop", serial_number=active.serial_number)
    with pytest.raises(AdminError) as refused:
        active.lab.act("retire", serial_number=active.serial_number)
    assert (refused.value.code, refused.value.hint) == ("batch_open", "settle first")
    active.settle()
    assert active.lab.act("retire", serial_number=active.serial_number)["state"] == "retired"
    assert active.reason(active.sign_in()) == "terminal.retired"


# replacement


def test_a_new_device_takes_everything_over_but_keys_and_numbers(active: Wire) -> None:
    """The shop would start again from nothing, or two devices would share one batch."""
    lab = active.lab
    before = lab.act("accounts")
    new = stock(lab)
    result = lab.act("replace", serial_number=active.serial_number, successor=new.serial_number)
    assert (result["terminal_id"], result["state"]) == (active.terminal_id, "activated")
    row = lab.terminal(new.serial_number)
    assert (row["merchant_id"], row["batch"]) == (active.merchant_id, "000003")
    assert row["activated_at"] == lab.terminal(active.serial_number)["activated_at"]
    assert row["working_keys"] == b""
    new.sign_on()
    assert new.batch == "000003"
    sold = new.sell(100)
    assert new.code(new.refund(sold, 100)) == "00"
    assert lab.violations() == []
    assert lab.act("accounts") != before


def test_the_old_device_is_told_that_it_was_replaced(active: Wire) -> None:
    """A device from a drawer would go on selling, or its owner not know why it does not."""
    lab, new = active.lab, stock(active.lab)
    lab.act("replace", serial_number=active.serial_number, successor=new.serial_number)
    new.sign_on()
    for payload in (active.sale(100), active.sign_in(), active.management("echo"), active.management("command_fetch")):
        reply = active.send(payload)
        assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("97", "terminal.replaced")
        assert new.serial_number in refusal(reply).chinese
    assert state(active) == "replaced"


def test_the_old_device_may_still_reverse(active: Wire) -> None:
    """A sale that the old device could not finish would stay captured for ever."""
    lab, new = active.lab, stock(active.lab)
    sold = active.sell(5_000)
    active.settle()
    lab.act("replace", serial_number=active.serial_number, successor=new.serial_number)
    assert active.code(active.reversal(5_000, sold.stan, batch=sold.batch)) == "00"
    assert lab.rows("transactions", stan=sold.stan, batch=sold.batch)[0]["state"] == "reversed"


def test_a_refund_of_what_the_old_device_sold_goes_through_the_new_one(active: Wire) -> None:
    """Goods that were bought before the swap could not be brought back."""
    lab, new = active.lab, stock(active.lab)
    sold = active.sell(5_000, CREDIT)
    active.settle()
    lab.act("replace", serial_number=active.serial_number, successor=new.serial_number)
    new.sign_on()
    assert new.code(new.refund(sold, 5_000)) == "00"


def test_nothing_is_replaced_while_its_batch_is_open(active: Wire) -> None:
    """Sales of the old device would belong to a batch that nobody settles (invariant W1)."""
    new = stock(active.lab)
    active.sell(100)
    with pytest.raises(AdminError) as refused:
        active.lab.act("replace", serial_number=active.serial_number, successor=new.serial_number)
    assert refused.value.code == "batch_open"
    assert (state(active), state(new)) == ("activated", "delivered")


@pytest.mark.parametrize("stage", ["retires itself", "already in service", "itself", "ordered"])
def test_a_successor_that_cannot_take_over_is_refused(active: Wire, stage: str) -> None:
    """The shop would get a device that does not work, and lose the one that does."""
    lab = active.lab
    successor = "PXE90-0002"
    if stage == "retires itself":
        stock(lab, model=active.model)
        lab.act("retire_model", model=active.model)
    elif stage == "already in service":
        Wire(lab, successor, "10000002").on_counter()
    elif stage == "itself":
        successor = active.serial_number
    else:
        lab.act("order", serial_number=successor, model=active.model)
    before = state(active)
    with pytest.raises(AdminError):
        lab.act("replace", serial_number=active.serial_number, successor=successor)
    assert state(active) == before
    active.sell(100)


def test_a_terminal_that_was_not_activated_is_not_activated_by_a_swap(wire: Wire) -> None:
    """A swap would be the way round the hundred yuan."""
    new = stock(wire.lab)
    result = wire.lab.act("replace", serial_number=wire.serial_number, successor=new.serial_number)
    assert result["state"] == "registered"


def test_a_device_is_replaced_once(active: Wire) -> None:
    """Two devices would sell under one terminal id."""
    lab, new, third = active.lab, stock(active.lab), stock(active.lab, "PXE90-0003")
    lab.act("replace", serial_number=active.serial_number, successor=new.serial_number)
    with pytest.raises(AdminError):
        lab.act("replace", serial_number=active.serial_number, successor=third.serial_number)
    lab.act("replace", serial_number=new.serial_number, successor=third.serial_number)
    third.sign_on()
    assert third.batch == "000004"
    assert [refusal(old.send(old.sign_in())).reason for old in (active, new)] == ["terminal.replaced"] * 2
    with pytest.raises(AdminError):
        Wire(lab, "PXE90-0004").order()
