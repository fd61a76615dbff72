"""Holds: how each begins and ends, by whom, for how long and for which kinds (product U1 to U11, A6, R15)."""

from __future__ import annotations

from typing import Any

import pytest

from host.admin.acts import desk_at
from host.admin.holds import release
from host.errors import AdminError
from host.guard import Line
from host.holds import HOLDS, Keeper, Release
from host.policy import Activation, Policy, Registration
from host.store.books import Books
from protocol.codec import unseal
from protocol.codes import PARTS
from protocol.fields import F
from protocol.private import pack_tags
from tests.host.wire import Lab, Wire, refusal

DAY_S = 86_400


def hold(wire: Wire, reason: str, **more: Any) -> dict[str, Any]:
    """Put the terminal on hold."""
    return wire.lab.act("hold", serial_number=wire.serial_number, reason=reason, **more)


def lift(wire: Wire, reason: str, *, actor: str = "admin") -> dict[str, Any]:
    """Release it by hand."""
    return wire.lab.act("release", actor=actor, serial_number=wire.serial_number, reason=reason)


def refused(wire: Wire, act: str, **arguments: Any) -> str:
    """The code with which an act is refused."""
    with pytest.raises(AdminError) as found:
        wire.lab.act(act, **arguments)
    return found.value.code


@pytest.mark.feature("U10")
def test_a_hold_ends_by_itself_when_its_time_is_up(active: Wire) -> None:
    """A shop would stay shut because somebody was on leave on the day."""
    hold(active, "policy", days=2)
    assert active.reason(active.sale(100)) == "hold.policy"
    active.lab.later(days=2, seconds=-1)
    assert active.reason(active.sale(100)) == "hold.policy"
    active.lab.later(seconds=1)
    active.sell(100)
    assert active.lab.act("show", serial_number=active.serial_number)["holds"] == []
    assert refused(active, "release", serial_number=active.serial_number, reason="policy") == "not_held"
    [row] = active.lab.rows("holds")
    assert active.lab.act("sweep")["ended"] == [row["number"]]
    [row] = active.lab.rows("holds")
    assert (row["released_at"], row["released_by"]) == (row["until"], "host")
    hold(active, "policy", days=1)
    active.lab.later(days=1)
    assert hold(active, "policy")["holds"] == ["policy"]


@pytest.mark.feature("U10")
def test_a_hold_may_begin_on_a_day_ahead(active: Wire) -> None:
    """A deadline would need somebody awake at midnight."""
    hold(active, "policy", in_days=3)
    active.sell(100)
    active.lab.later(days=3)
    assert active.reason(active.sale(100)) == "hold.policy"


@pytest.mark.feature("U9")
def test_a_partial_hold_refuses_its_kinds_alone(active: Wire) -> None:
    """A shop that refunds too much could not sell any more, or go on refunding."""
    sold = active.sell(1_000)
    hold(active, "dispute", kinds="refund preauth")
    active.sell(100)
    reply = active.send(active.refund(sold, 100))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("57", "partial.dispute")
    why = active.tags(active.send(active.management("why", pack_tags([("AK", b"refund")]))))
    assert (why["RC"], why["CD"]) == (b"partial.dispute", b"57")
    assert all(why[tag] for tag in ("ZH", "EN", "RZ", "RE", "CZ", "CE"))
    assert active.tags(active.send(active.management("why"))) == {}
    assert refused(active, "hold", serial_number=active.serial_number, reason="fault", kinds="sael") == "unknown_kind"
    lift(active, "dispute")
    assert active.code(active.refund(sold, 100)) == "00"


@pytest.mark.feature("U3")
def test_a_security_hold_is_cleared_by_the_update_alone(active: Wire) -> None:
    """A hole that everybody knows would stay open, or a mended device stay shut."""
    hold(active, "security", version="2.2.0")
    assert active.reason(active.sale(100)) == "hold.security"
    assert refused(active, "release", serial_number=active.serial_number, reason="security") == "not_yet"
    active.firmware = "2.1.9"
    assert active.reason(active.sale(100)) == "hold.security"
    active.firmware = "2.2.0"
    active.sell(100)
    assert [row["act"] for row in active.lab.rows("audit", serial_number=active.serial_number)][-1] == "release"


@pytest.mark.feature("U6")
def test_arrears_end_when_all_is_paid(active: Wire) -> None:
    """A merchant who paid would stay shut, or one who paid a part would sell."""
    about = {"serial_number": active.serial_number}
    hold(active, "arrears", owed_fen=5_000)
    assert refused(active, "release", **about, reason="arrears") == "not_yet"
    for wrong in (0, -1, 5_001):
        assert refused(active, "pay_arrears", **about, amount_fen=wrong) == "amount"
    assert active.lab.act("pay_arrears", **about, amount_fen=2_000)["owed_fen"] == 3_000
    assert active.reason(active.sale(100)) == "hold.arrears"
    assert active.lab.act("pay_arrears", **about, amount_fen=3_000)["suspended"] is False
    active.sell(100)
    balances = active.lab.act("accounts")
    assert (balances["accounts"]["acquirer:arrears"], balances["sum_fen"]) == (5_000, 0)
    assert active.lab.violations() == []


@pytest.mark.feature("U4", "U7")
@pytest.mark.parametrize("reason", [row.reason for row in HOLDS.values() if row.release is Release.EVIDENCE])
def test_what_asks_for_evidence_is_not_lifted_without(active: Wire, reason: str) -> None:
    """A friend at the desk would open a shop that is under inquiry."""
    hold(active, reason)
    assert refused(active, "release", serial_number=active.serial_number, reason=reason) == "not_yet"
    filed = active.lab.act("file_evidence", serial_number=active.serial_number, reason=reason, reference="slips 1-9")
    assert [row["reference"] for row in filed["evidence"]] == ["slips 1-9"]
    lift(active, reason)
    active.sell(100)


@pytest.mark.feature("U5")
def test_a_scope_is_held_and_released_at_once(lab: Lab) -> None:
    """A rule for a region would reach the shops of another one, or miss one of its own."""
    first, second = Wire(lab).on_counter(), Wire(lab, "PXE90-0002", "10000002", "898100000000002").on_counter()
    regions = [_region("898100000000001", "440300"), _region("898100000000002", "110000")]
    lab.store.run(lambda books: books.apply(regions))
    assert lab.act("hold_scope", reason="policy", region="44", note="rule 9")["held"] == [first.serial_number]
    assert first.reason(first.sale(100)) == "hold.policy"
    second.sell(100)
    assert lab.act("hold_scope", reason="policy", model="PX-E90")["spared"] == [first.serial_number]
    assert second.reason(second.sale(100)) == "hold.policy"
    released = lab.act("release_scope", reason="policy", brand="百富")["released"]
    assert sorted(released) == [first.serial_number, second.serial_number]
    first.sell(100)
    assert refused(first, "hold_scope", reason="policy") == "no_scope"
    assert refused(first, "hold_scope", reason="policy", region="99") == "empty_scope"


def _region(merchant_id: str, region: str) -> Any:
    from host.decision import Update

    return Update("merchants", {"merchant_id": merchant_id}, {"region": region})


@pytest.mark.feature("U1")
def test_a_broken_part_holds_the_terminal_until_it_is_well(active: Wire) -> None:
    """A terminal with a dead PIN pad would let guests pay without a PIN, or stay shut after its repair."""
    code = next(code for code, part in PARTS.items() if part == "pin_pad").encode()
    active.send(active.management("status_upload", code + b"0"))
    assert active.reason(active.sale(100)) == "hold.fault"
    active.send(active.management("status_upload", code + b"0"))
    assert len(active.lab.rows("holds")) == 1
    active.send(active.management("status_upload", b"041"))
    assert active.reason(active.sale(100)) == "hold.fault"
    active.send(active.management("status_upload", code + b"1"))
    active.sell(100)


def parts(wire: Wire, said: str, **options: bool) -> bytes:
    """A status of the PIN pad, "0" for bad and "1" for good, that has left the terminal and not arrived yet."""
    code = next(code for code, part in PARTS.items() if part == "pin_pad")
    return wire.management("status_upload", (code + said).encode(), **options)


@pytest.mark.feature("U1")
def test_a_status_that_nobody_proves_holds_nothing_and_releases_nothing(active: Wire) -> None:
    """One bit that fell over on the line, or anybody at the port, would close the shop for a fault.

    A terminal of another make proves no status, and is believed.
    """
    bad = parts(active, "0")
    assert active.code(parts(active, "0", mac=False)) == "00"
    assert active.reason(bad[:-1] + bytes([bad[-1] ^ 1])) == "message.mac"
    active.sell(100)
    active.send(parts(active, "0"))
    assert active.code(parts(active, "1", mac=False)) == "00"
    assert active.reason(active.sale(100)) == "hold.fault"
    other = Wire(active.lab, "LD-0001", "10000002", extended=False).on_counter()
    assert other.code(parts(other, "0")) == "00"
    assert other.reason(other.sale(100)) == "hold.fault"


@pytest.mark.feature("U1")
def test_a_status_that_comes_late_or_again_changes_nothing(active: Wire) -> None:
    """A shop whose device is well again would be closed by what a line held back, or by who recorded it."""
    held_back, bad = parts(active, "0"), parts(active, "0")
    for payload in (bad, parts(active, "1"), held_back, bad):
        assert active.code(payload) == "00"
    active.sell(100)
    [row] = active.lab.rows("statuses")
    assert row["status"] == "021"
    held_back = parts(active, "1")
    for payload in (parts(active, "0"), held_back):
        assert active.code(payload) == "00"
    assert active.reason(active.sale(100)) == "hold.fault"


@pytest.mark.feature("U1")
def test_a_word_on_another_matter_is_no_later_one(active: Wire) -> None:
    """A fault that a line held back would be lost where the merchant pauses and resumes meanwhile."""
    held_back = parts(active, "0")
    for said in (b"1", b"0"):
        assert active.code(active.management("pause", pack_tags([("PA", said)]))) == "00"
    assert active.code(held_back) == "00"
    assert active.reason(active.sale(100)) == "hold.fault"


@pytest.mark.parametrize("kind", ["status_upload", "pause"])
def test_a_word_that_comes_late_takes_no_line_over(active: Wire, kind: str) -> None:
    """A sale would be reversed because something that was said before it arrives on another line."""
    payload = {"status_upload": b"021", "pause": pack_tags([("PA", b"0")])}[kind]
    acquirer = active.lab.acquirer
    live, late = acquirer.line("10.0.0.1"), acquirer.line("10.0.0.2")

    def said(request: bytes, line: Line) -> str:
        return unseal(acquirer.submit(request, line).result(20).payload).message.text(F.RESPONSE_CODE)

    held_back = active.management(kind, payload)
    assert said(active.management(kind, payload), live) == "00"
    assert said(active.sale(100), live) == "00"
    said(held_back, late)
    assert said(active.sale(100), live) == "00"


def test_the_services_own_fault_is_not_cleared_by_the_device(active: Wire) -> None:
    """A device that was called in for repair would talk itself back into service."""
    hold(active, "fault", note="burnt case")
    code = next(code for code, part in PARTS.items() if part == "pin_pad").encode()
    active.send(active.management("status_upload", code + b"1"))
    assert active.reason(active.sale(100)) == "hold.fault"


@pytest.mark.feature("U8")
def test_the_merchants_pause_stands_beside_other_holds(active: Wire) -> None:
    """A merchant who resumes would lift a hold for fraud."""
    hold(active, "merchant")
    hold(active, "fraud")
    lift(active, "merchant")
    assert active.reason(active.sale(100)) == "hold.fraud"


@pytest.mark.feature("A6")
def test_a_terminal_that_is_not_activated_in_time_waits_for_an_extension(lab: Lab) -> None:
    """A box that nobody uses would stay a way in for ever."""
    lab.policy = lab.acquirer.policy = Policy(activation=Activation(deadline_s=30 * DAY_S))
    wire = Wire(lab).on_counter()
    wire.sell(100)
    lab.later(days=30)
    assert wire.reason(wire.sale(100)) == "hold.activation"
    assert lab.act("show", serial_number=wire.serial_number)["holds"] == ["activation"]
    assert refused(wire, "extend_activation", serial_number=wire.serial_number, days=0) == "days"
    assert lab.act("extend_activation", serial_number=wire.serial_number, days=10)["suspended"] is False
    wire.sell(10_000)
    lab.later(days=10)
    wire.sell(100)


@pytest.mark.feature("R15")
def test_stale_data_warn_and_then_hold_until_they_are_renewed(lab: Lab) -> None:
    """A shop would lose its evening because nobody told it that its papers run out."""
    figures = Registration(stale_after_s=100 * DAY_S, stale_grace_s=10 * DAY_S)
    lab.policy = lab.acquirer.policy = Policy(registration=figures)
    wire = Wire(lab).on_counter()
    wire.sell(100)
    lab.later(days=99)
    assert lab.act("sweep")["warned"] == []
    lab.later(days=1)
    assert lab.act("sweep")["warned"] == [wire.merchant_id]
    assert lab.act("sweep")["warned"] == []
    assert [row["kind"] for row in lab.rows("commands")] == ["announcement"]
    wire.sell(100)
    lab.later(days=10)
    assert wire.reason(wire.sale(100)) == "hold.documents"
    lab.act("renew_merchant", merchant_id=wire.merchant_id)
    wire.sell(100)


@pytest.mark.feature("R15")
def test_a_paper_that_runs_out_holds_as_well(lab: Lab) -> None:
    """A shop would trade on a licence that is no more."""
    wire = Wire(lab).on_counter()
    lab.act("file_paper", merchant_id=wire.merchant_id, kind="premises", reference="A-0001", valid_days=5)
    lab.later(days=35)
    assert wire.reason(wire.sale(100)) == "hold.documents"
    assert refused(wire, "renew_merchant", merchant_id=wire.merchant_id) == "paper_expired"
    lab.act("file_paper", merchant_id=wire.merchant_id, kind="premises", reference="A-0002", valid_days=365)
    wire.sell(100)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"reason": "boredom"}, "unknown_reason"),
        ({"reason": "policy", "days": -1}, "days"),
        ({"reason": "policy", "days": 3_651}, "days"),
        ({"reason": "policy", "version": "2.2.0"}, "version"),
        ({"reason": "security", "version": "2.0.0"}, "version"),
        ({"reason": "policy", "owed_fen": 1}, "amount"),
        ({"reason": "arrears", "owed_fen": -1}, "amount"),
        ({"reason": "policy", "note": "a\nb"}, "note"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(active: Wire, arguments: dict[str, Any], code: str) -> None:
    """A shop would be shut for a reason that no rule can ever end."""
    assert refused(active, "hold", serial_number=active.serial_number, **arguments) == code
    assert active.lab.rows("holds") == []


def test_an_operator_from_afar_lifts_only_what_is_an_operators(active: Wire) -> None:
    """A clerk's token would set a suspected fraudster free."""
    hold(active, "dispute")
    hold(active, "fault")
    name = active.lab.act("create_token", person="li", role="operator")["name"]

    def by_token(books: Books, reason: str) -> object:
        desk = desk_at(books, active.lab.store.keys, active.lab.now, actor="li", token=name)
        return release(desk, active.serial_number, reason)

    with pytest.raises(AdminError) as found:
        active.lab.store.run(lambda books: by_token(books, "dispute"))
    assert found.value.code == "not_keeper"
    active.lab.store.run(lambda books: by_token(books, "fault"))


def test_every_hold_has_a_rule_and_a_keeper() -> None:
    """A hold would stand for ever because nobody is allowed to end it."""
    for row in HOLDS.values():
        assert row.keepers
        assert set(row.keepers) <= set(Keeper)
