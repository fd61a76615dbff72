"""What somebody without keys can do to a terminal whose numbers he knows: nothing (an extension; faults A16, F2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from host.lifecycle import ALL_KINDS
from protocol.codec import seal, unseal
from protocol.downloads import DOWNLOAD_OF
from protocol.elements import Value
from protocol.fields import F
from protocol.image import version_digits
from protocol.kinds import KINDS
from protocol.message import Message
from protocol.private import DeviceInfo, GroupTotals, Totals, pack_tags
from tests.host.wire import Lab, Wire, refusal, totals_of

NEWER = version_digits("9.9.9")
WRONG = Totals(GroupTotals(100, 1))
TABLES = (
    "terminals", "transactions", "postings", "batches", "uploads", "differences", "replies", "refusals", "commands",
    "fetches",
)  # fmt: skip

ASKED: dict[str, Callable[[Wire], bytes]] = {
    "settlement": lambda wire: wire.settlement(totals_of(wire.lab.rows("transactions", batch=wire.batch)), mac=False),
    "batch_upload": lambda wire: wire.upload([("000001", 100)], mac=False),
    "batch_end": lambda wire: wire.upload_end(0, mac=False),
    "sign_off": lambda wire: wire.management("sign_off", mac=False),
    "cashier_sign_in": lambda wire: wire.build("cashier_sign_in", {F.TEXT: "01"}, mac=False),
    **{kind: partial(Wire.management, kind=kind, payload=b"000", mac=False) for kind in DOWNLOAD_OF},
}


def books(lab: Lab) -> dict[str, list[dict[str, Any]]]:
    """All that a request may change."""
    return {table: lab.rows(table) for table in TABLES}


def test_the_kinds_that_may_have_a_mac_are_all_played_here() -> None:
    """A kind would be added to the table and to no test."""
    # strangers are answered the first four, which tell and file what their tests say, and the last by leave only
    elsewhere = {"why", "registration", "swap_query", "status_upload", "master_key"}
    assert {name for name in ALL_KINDS if KINDS[name].may_mac} == {*ASKED, *elsewhere}


@pytest.mark.parametrize("kind", ASKED)
@pytest.mark.parametrize("uploading", [False, True])
def test_a_bare_frame_moves_no_terminal_of_ours(active: Wire, kind: str, uploading: bool) -> None:
    """Whoever reaches the port could close a shop's batch with totals of nothing, or end its session."""
    active.sell(1_000)
    if uploading:
        assert active.code(active.settlement(Totals())) == "95"
    before = books(active.lab)
    reply = active.send(ASKED[kind](active))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("A0", "message.mac")
    assert not reply.has(F.MAC)
    assert books(active.lab) == before
    active.sell(1)


@pytest.mark.parametrize("kind", ASKED)
@pytest.mark.parametrize("told", ["another make", "nothing"])
def test_a_bare_frame_that_hides_the_make_is_refused_too(active: Wire, kind: str, told: str) -> None:
    """A stranger would leave the model out of his frame and be taken for an old terminal."""
    active.extended = False
    if told == "nothing":
        active.serial_number = ""
    before = books(active.lab)
    assert active.code(ASKED[kind](active)) == "A0"
    assert books(active.lab) == before


def test_a_bare_settlement_and_a_bare_end_close_nothing(active: Wire) -> None:
    """A day's takings would be closed as different by two anonymous frames, and paid out so."""
    active.sell(1_000)
    before = books(active.lab)
    assert active.code(active.settlement(Totals(), mac=False)) == "A0"
    assert active.code(active.upload_end(0, mac=False)) == "A0"
    assert books(active.lab) == before
    assert active.settle().text(F.RESPONSE_CODE) == "00"


@pytest.mark.parametrize("proven", ["status_upload", "pause"])
@pytest.mark.parametrize("payload", [b"011", b"010"])
def test_a_bare_status_has_nothing_to_do_with_what_was_proven(active: Wire, proven: str, payload: bytes) -> None:
    """Whoever recorded a message would be answered under keys that are dead (K2), or fill the books with alarms."""
    said = active.management(proven, {"status_upload": b"011", "pause": pack_tags([("PA", b"0")])}[proven])
    assert active.send(said).has(F.MAC)
    heard, bare = (unseal(each).message for each in (said, active.management("status_upload", payload, mac=False)))
    same_key = {**bare.fields, F.STAN: heard.text(F.STAN)}
    reply = active.send(seal(Message(heard.mti, same_key, bare.tpdu, bare.header)))
    assert (reply.text(F.RESPONSE_CODE), reply.has(F.MAC)) == ("00", False)
    assert not active.lab.rows("audit", act="alarm")


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("kind", ASKED)
def test_a_wrong_mac_is_wrong_where_none_is_due(lab: Lab, kind: str, extended: bool) -> None:
    """A frame that was touched on the line would count because it needed no MAC."""
    wire = Wire(lab, extended=extended).on_counter()
    wire.sell(1)
    assert wire.keys
    payload = unseal(ASKED[kind](wire)).message
    before = books(lab)
    reply = wire.send(
        wire.build(kind, {**payload.fields, F.MAC: bytes(8)}, network=payload.text(F.CONTROL)[8:11], mac=False)
    )
    assert reply.text(F.RESPONSE_CODE) == "A0"
    assert books(lab) == before


def test_a_terminal_of_another_make_works_without_the_extension(lab: Lab) -> None:
    """Terminals bought elsewhere, which make no MAC there, could never close their day."""
    wire = Wire(lab, extended=False).on_counter()
    wire.sell(1_000)
    unsealed = unseal(lab.answer(wire.settlement(Totals())).payload)
    assert (unsealed.message.text(F.RESPONSE_CODE), unsealed.mac) == ("95", b"")
    row = lab.rows("transactions")[0]
    assert wire.code(wire.upload([(row["stan"], row["amount_fen"])])) == "00"
    assert wire.code(wire.upload_end(1)) == "00"
    wire.batch = "000002"
    wire.sell(500)
    assert wire.settle().text(F.RESPONSE_CODE) == "00"
    assert wire.code(wire.management("sign_off")) == "00"
    assert not lab.terminal(wire.serial_number)["extended"]
    assert [batch["balanced"] for batch in lab.rows("batches")] == [True, True]


@pytest.mark.parametrize("kind", ["settlement", "batch_upload", "batch_end", "sign_off", "why"])
def test_the_reply_to_a_request_with_a_mac_has_one(active: Wire, kind: str) -> None:
    """A forged answer to a settlement would make the terminal forget a batch that the host still holds open."""
    if kind != "settlement":
        assert active.code(active.settlement(WRONG)) == "95"
    ask: dict[str, Callable[[], bytes]] = {
        "settlement": lambda: active.settlement(Totals()),
        "batch_upload": lambda: active.upload([]),
        "batch_end": lambda: active.upload_end(0),
        "sign_off": lambda: active.management("sign_off"),
        "why": lambda: active.management("why"),
    }
    unsealed = unseal(active.lab.answer(ask[kind]()).payload)
    assert unsealed.message.text(F.RESPONSE_CODE) == "00"
    assert active.has_good_mac(unsealed)


# sign-on carries no MAC


def forged_sign_on(wire: Wire, **device: str) -> bytes:
    """A sign-on of the terminal that somebody else wrote."""
    fields: dict[int, Value] = {
        F.STAN: "987654",
        F.TEXT: "001",
        F.DEVICE: bytes(DeviceInfo(wire.serial_number, **device)),
    }
    return wire.build("sign_in", fields, network="003")


@pytest.mark.parametrize("kind", ["sign_in", "echo", "settlement"])
def test_what_a_frame_without_a_mac_says_of_the_device_is_not_believed(lab: Lab, kind: str) -> None:
    """One forged frame would make a foreign terminal 'ours', and it could never settle again."""
    wire = Wire(lab, extended=False).on_counter()
    wire.sell(100)
    device = bytes(DeviceInfo(wire.serial_number, NEWER, "PX-E90"))
    payload = {
        "sign_in": lambda: forged_sign_on(wire, version=NEWER, model="PX-E90"),
        "echo": lambda: wire.build("echo", {F.DEVICE: device}),
        "settlement": lambda: wire.build(
            "settlement",
            {F.STAN: "987654", F.TOTALS: str(Totals()), F.CURRENCY: "156", F.TEXT: "001", F.DEVICE: device},
            mac=False,
        ),
    }[kind]()
    before = lab.terminal(wire.serial_number)
    wire.send(payload)
    after = lab.terminal(wire.serial_number)
    assert (after["firmware"], after["extended"]) == (before["firmware"], before["extended"]) == ("", False)


def test_a_forged_sign_on_opens_no_firmware_gate(active: Wire) -> None:
    """Anybody could lift the ban on a firmware with a known hole, or ban a good one."""
    active.lab.act("require_firmware", model=active.model, version="2.2.0")
    active.send(forged_sign_on(active, version=NEWER, model="PX-E90"))
    row = active.lab.terminal(active.serial_number)
    assert (row["firmware"], row["extended"]) == ("2.1.0", True)
    assert active.reason(active.sale(100)) == "firmware.too_old"


def test_a_forged_sign_on_hides_no_extension(active: Wire) -> None:
    """A frame that names no model would take the demand for a MAC away."""
    active.send(forged_sign_on(active))
    assert active.lab.terminal(active.serial_number)["extended"]
    assert active.code(active.settlement(Totals(), mac=False)) == "A0"


def test_the_extension_is_learnt_from_the_first_good_frame(lab: Lab) -> None:
    """A terminal of ours would stay as open as a foreign one."""
    wire = Wire(lab).on_counter()
    assert not lab.terminal(wire.serial_number)["extended"]
    wire.sell(1)
    row = lab.terminal(wire.serial_number)
    assert (row["extended"], row["firmware"]) == (True, "2.1.0")


def test_a_replayed_sign_on_changes_nothing(active: Wire) -> None:
    """A recorder on the line could throw a terminal out of its session whenever he likes."""
    payload = active.sign_in()
    first = active.lab.answer(payload).payload
    before = books(active.lab)
    for _ in range(3):
        assert active.lab.answer(payload).payload == first
    assert books(active.lab) == before
    active.lab.reopen()
    assert active.lab.answer(payload).payload == first
    active.sell(100)


@pytest.mark.parametrize("extended", [False, True])
def test_a_replayed_sign_off_changes_nothing(lab: Lab, extended: bool) -> None:
    """Yesterday evening's sign-off would close the terminal in the middle of the next day."""
    wire = Wire(lab, extended=extended).on_counter()
    wire.sell(100)
    payload = wire.management("sign_off")
    assert wire.code(payload) == "00"
    closed = books(lab)
    assert wire.reason(payload) == "terminal.not_signed_on"
    assert books(lab) == closed
    wire.sign_on()
    wire.sell(100)
    before = books(lab)
    assert wire.code(payload) == ("A0" if extended else "00")
    assert books(lab) == before
    wire.sell(100)


def test_a_device_that_counts_from_one_again_may_sign_on(active: Wire) -> None:
    """A device that lost its memory, or took over a till, would be told for ever that its number was used."""
    fields: dict[int, Value] = {F.STAN: "000001", F.TEXT: "001"}
    for network in ("001", "003", "004"):
        reply = active.send(active.build("sign_in", fields, network=network, batch="000001"))
        assert (reply.text(F.RESPONSE_CODE), reply.has(F.PAYLOAD)) == ("00", True)
