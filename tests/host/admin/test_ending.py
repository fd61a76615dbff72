"""The end of a terminal: plan, notice, stop, retirement, replacement (product T, X; invariants L5, W1 to W3)."""

from __future__ import annotations

import pytest

from host.admin.clock import LAB_CLOCK
from host.errors import AdminError
from host.holds import HOLDS, Release
from protocol.codec import unseal
from protocol.fields import F
from protocol.private import Totals
from tests.host.wire import CREDIT, Lab, Wire, refusal, totals_of

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


@pytest.mark.parametrize(("grace_days", "stop_days"), [(10, 9), (-1, 5), (5, -1), (0, 3_651), (10**12, 10**12)])
def test_dates_that_contradict_each_other_are_refused(active: Wire, grace_days: int, stop_days: int) -> None:
    """A terminal would stop before its grace is over."""
    with pytest.raises(AdminError) as refused:
        active.lab.act("retire_model", model=active.model, grace_days=grace_days, stop_days=stop_days)
    assert refused.value.code == "plan_dates"
    assert state(active) == "activated"


@pytest.mark.feature("T1")
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


@pytest.mark.feature("G13")
def test_only_terminals_in_service_are_planned(lab: Lab) -> None:
    """A terminal that is stopped would be announced to stop."""
    waiting = Wire(lab, "PXE90-0001", "10000001").order()
    stopped = Wire(lab, "PXE90-0002", "10000002").on_counter()
    lab.act("stop", serial_number=stopped.serial_number)
    other = Wire(lab, "NXE21-0003", "10000003", model="NX-E21").on_counter()
    assert lab.act("retire_model", model=waiting.model)["planned"] == []
    assert state(other) == "registered"


# stop


@pytest.mark.feature("T7")
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


@pytest.mark.feature("X4")
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


@pytest.mark.feature("X12")
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
    [row] = lab.rows("transactions", kind="late_reversal")
    assert row["batch"] == lab.terminal(new.serial_number)["batch"]
    assert (row["original_stan"], row["amount_fen"]) == (sold.stan, 5_000)


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


def swapped(active: Wire) -> Wire:
    """The device that took over, signed on."""
    new = stock(active.lab)
    active.lab.act("replace", serial_number=active.serial_number, successor=new.serial_number)
    new.sign_on()
    return new


def end(wire: Wire, act: str) -> Wire:
    """The device goes, the way that ``act`` says; who has the till then."""
    if act == "replace":
        return swapped(wire)
    if act == "retire":
        wire.lab.act("stop", serial_number=wire.serial_number)
    wire.lab.act(act, serial_number=wire.serial_number)
    return wire


def test_the_old_device_reverses_nothing_of_its_successor(active: Wire) -> None:
    """Whoever keeps the old device in a drawer could undo every sale of the new one."""
    new = swapped(active)
    sold, stan = new.sell(5_000), new.stan()
    assert new.code(new.void(new.sell(300), stan=stan)) == "00"
    before = active.lab.rows("transactions"), active.lab.act("accounts")
    for payload in (
        active.reversal(5_000, sold.stan, batch=new.batch),
        active.reversal(300, stan, kind="sale_void_reversal", batch=new.batch),
        active.reversal(100, "000900", batch=new.batch),
    ):
        assert active.reason(payload) == "original.not_found"
    assert (active.lab.rows("transactions"), active.lab.act("accounts")) == before
    new.sell(100, stan="000900")


def test_the_old_device_ends_no_upload_of_its_successor(active: Wire) -> None:
    """The new device's batch would be closed from a drawer, with every row of it as a difference."""
    new = swapped(active)
    new.sell(5_000)
    assert new.code(new.settlement(Totals())) == "95"
    before = active.lab.rows("batches"), active.lab.rows("terminals"), active.lab.rows("differences")
    assert active.reason(active.upload_end(0, batch=new.batch)) == "upload.uncalled"
    assert (active.lab.rows("batches"), active.lab.rows("terminals"), active.lab.rows("differences")) == before


def test_a_tombstone_of_the_old_device_stays_in_its_own_batch(active: Wire) -> None:
    """A sale that the old device never finished would be unknown, or block a number of the new device."""
    new = swapped(active)
    assert active.code(active.reversal(100, "000900")) == "00"
    assert [row["batch"] for row in active.lab.rows("transactions", state="tombstone")] == [active.batch]
    assert new.batch > active.batch


@pytest.mark.parametrize("act", ["replace", "retire"])
@pytest.mark.parametrize("paid_before", [False, True])
def test_money_that_a_late_reversal_restores_is_paid(active: Wire, act: str, paid_before: bool) -> None:
    """A void whose reply was lost is reversed after the swap, and the sale belongs to a batch that nobody settles."""
    lab = active.lab
    lab.act("payout", merchant_id=active.merchant_id)
    sold, stan = active.sell(5_000, CREDIT), active.stan()
    assert active.code(active.void(sold, stan=stan)) == "00"  # its reply never arrives
    till = end(active, act)
    if paid_before:
        assert lab.act("payout", merchant_id=active.merchant_id)["total_fen"] == 0
    assert active.code(active.reversal(5_000, stan, kind="sale_void_reversal", pan=CREDIT)) == "00"
    if act == "replace":  # it belongs to the open batch of the till, which is the successor's
        assert lab.act("payout", merchant_id=active.merchant_id)["total_fen"] == 0
        assert till.settle().text(F.RESPONSE_CODE) == "00"
    assert lab.act("payout", merchant_id=active.merchant_id)["total_fen"] == 5_000 - 30
    assert lab.act("payout", merchant_id=active.merchant_id)["total_fen"] == 0
    assert lab.act("accounts")["accounts"][f"merchant:{active.merchant_id}:payable"] == 0
    assert lab.violations() == []


@pytest.mark.parametrize("act", ["replace", "retire"])
def test_the_last_batch_is_closed(active: Wire, act: str) -> None:
    """The open batch of a device that is gone would stay open for ever."""
    end(active, act)
    [batch] = active.lab.rows("batches", batch=active.batch)
    assert (batch["state"], batch["settled_at"]) == ("closed", int(active.lab.now.timestamp()))


@pytest.mark.parametrize("act", ["replace", "retire"])
def test_a_batch_in_upload_holds_the_device_back(active: Wire, act: str) -> None:
    """The comparison of the last day would be cut off, and nobody learn what differs."""
    lab = active.lab
    assert active.code(active.settlement(totals_of([{"kind": "sale", "amount_fen": 1, "foreign_card": False}]))) == "95"
    arguments = {"serial_number": active.serial_number}
    if act == "retire":
        lab.act("stop", serial_number=active.serial_number)
    else:
        arguments["successor"] = stock(lab).serial_number
    with pytest.raises(AdminError, match="being uploaded") as refused:
        lab.act(act, **arguments)
    assert refused.value.code == "batch_open"
    assert active.code(active.upload_end(0)) == "00"
    lab.act(act, **arguments)


@pytest.mark.parametrize("reason", HOLDS)
def test_a_hold_on_the_merchant_follows_the_till(active: Wire, reason: str) -> None:
    """A merchant suspected of fraud would ask for another device and sell on."""
    active.lab.act("hold", actor="li", serial_number=active.serial_number, reason=reason, note="case 7")
    new = swapped(active)
    if not HOLDS[reason].follows_till:
        new.sell(100)
        return
    assert new.reason(new.sale(100)) == f"hold.{reason}"
    [held] = active.lab.rows("holds", serial_number=new.serial_number)
    assert (held["actor"], held["note"]) == ("li", "case 7")
    if HOLDS[reason].release is Release.EVIDENCE:
        active.lab.act("file_evidence", serial_number=new.serial_number, reason=reason, reference="slip 7")
    active.lab.act("release", serial_number=new.serial_number, reason=reason)
    new.sell(100)


@pytest.mark.parametrize(("act", "state_after"), [("lose", "lost"), ("tamper", "tampered")])
@pytest.mark.feature("X8")
def test_a_device_that_is_gone_reverses_and_is_replaced(active: Wire, act: str, state_after: str) -> None:
    """A thief could sell, or the shop's open money and its terminal id be lost with the device."""
    lab = active.lab
    sold = active.sell(5_000, CREDIT)
    undone = active.sell(700, CREDIT)
    assert lab.act(act, serial_number=active.serial_number, why="stolen at night")["state"] == state_after
    for payload in (active.sale(100), active.void(sold), active.settlement(Totals()), active.sign_in()):
        assert active.reason(payload) == f"terminal.{state_after}"
    assert active.code(active.reversal(700, undone.stan, pan=CREDIT)) == "00"
    new = swapped(active)
    assert new.batch > active.batch
    new.sell(100)
    assert lab.act("payout", merchant_id=active.merchant_id)["total_fen"] == 10_000 - 50 + 5_000 - 30
    assert lab.violations() == []


@pytest.mark.parametrize("act", ["lose", "tamper"])
def test_a_device_that_is_gone_ends_the_upload_that_it_began(active: Wire, act: str) -> None:
    """A batch whose upload was complete would wait for ever."""
    sold = active.sell(5_000)
    assert active.code(active.settlement(Totals())) == "95"
    assert active.code(active.upload([(sold.stan, 5_000)])) == "00"
    end(active, act)
    assert active.code(active.upload_end(1)) == "00"
    [batch] = active.lab.rows("batches", batch=sold.batch)
    assert (batch["state"], batch["balanced"]) == ("closed", True)


@pytest.mark.parametrize("event", ["replace", "retire", "lose", "tamper"])
@pytest.mark.parametrize("kind", ["sale", "settlement"])
def test_a_device_that_is_gone_hears_again_what_it_was_told(active: Wire, event: str, kind: str) -> None:
    """The sale was approved and its reply lost: told "refused" now, the guest would pay for nothing."""
    lab, sale = active.lab, active.sale(1_234)
    told = lab.answer(sale).payload
    settlement = active.settlement(totals_of(lab.rows("transactions", batch=active.batch)))
    settled = lab.answer(settlement).payload
    assert unseal(settled).message.text(F.RESPONSE_CODE) == "00"
    end(active, event)
    before = lab.rows("transactions"), lab.rows("batches")
    asked, first = (sale, told) if kind == "sale" else (settlement, settled)
    assert lab.answer(asked).payload == first
    assert (lab.rows("transactions"), lab.rows("batches")) == before
