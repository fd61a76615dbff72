"""The host's part of a swap: reports, chunks, the claim, the certificate; and every refusal (invariants W1 to W3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from host.errors import AdminError
from protocol.crypto.derived import Purpose, open_backup, prove, seal_backup
from protocol.fields import F
from protocol.message import Message
from protocol.private import pack_tags
from protocol.swap import CHUNK_BYTES, Report, backup_context, claim_statement, pack_backup, unpack_backup
from protocol.wipe import WipeCertificate, make_certificate, open_order
from tests.host.wire import CREDIT, Lab, Wire, refusal

NEW = "PXE90-0002"
PARTS: dict[str, Any] = {
    "closed": [], "downloads": [], "notices": [], "operators": ["00", "01"], "paused": False, "pause_told": True,
    "training": True,
    "events": [{"at": at, "what": "log on", "detail": hashlib.sha256(bytes([at])).hexdigest()} for at in range(60)],
}  # fmt: skip


@pytest.fixture
def new(active: Wire) -> Wire:
    """A delivered device, and a swap of the active one for it."""
    built = Wire(active.lab, NEW, active.terminal_id, model="NX-E21").order(merchant_id="", terminal_id="")
    active.lab.act("begin_swap", serial_number=active.serial_number, successor=NEW)
    return built


def standing(lab: Lab) -> dict[str, Any]:
    found: dict[str, Any] = lab.act("swaps")["swaps"][-1]
    return found


def ask(wire: Wire, **tags: bytes) -> Message:
    """The swap query."""
    return wire.send(wire.management("swap_query", pack_tags(tags.items())))


def report(wire: Wire, what: str, **tags: bytes) -> Message:
    """A swap report."""
    return wire.send(wire.management("swap_report", pack_tags([("OP", what.encode()), *tags.items()])))


def reason(reply: Message) -> str:
    return refusal(reply).reason if reply.text(F.RESPONSE_CODE) != "00" else ""


def sealed(wire: Wire, parts: dict[str, Any] | None = None, number: int = 1) -> bytes:
    """A backup as the old device seals it."""
    return seal_backup(wire.tmk, pack_backup(parts or PARTS), backup_context(wire.serial_number, number))


def chunks(data: bytes) -> list[dict[str, bytes]]:
    """The tags of each chunk, in order."""
    sha256 = hashlib.sha256(data).hexdigest().encode()
    return [
        {"OF": str(at).encode(), "SZ": str(len(data)).encode(), "SH": sha256, "DA": data[at : at + CHUNK_BYTES]}
        for at in range(0, len(data), CHUNK_BYTES)
    ]


def upload(wire: Wire, data: bytes) -> Message:
    """Every chunk; the last answer."""
    replies = [report(wire, "backup", **chunk) for chunk in chunks(data)]
    return replies[-1]


def drained(wire: Wire) -> None:
    assert reason(report(wire, "drain")) == ""
    assert reason(report(wire, "settled")) == ""


def backed_up(wire: Wire) -> bytes:
    drained(wire)
    data = sealed(wire)
    assert reason(upload(wire, data)) == ""
    assert standing(wire.lab)["state"] == "backed up"
    return data


def proof(new: Wire, old: Wire, number: int = 1) -> bytes:
    return prove(new.tmk, Purpose.CLAIM, claim_statement(new.serial_number, old.serial_number, number))


def bound(old: Wire, new: Wire) -> bytes:
    data = backed_up(old)
    assert reason(ask(new, CL=proof(new, old))) == ""
    assert standing(old.lab)["state"] == "bound"
    new.sign_on()
    return data


def fetched(new: Wire) -> bytes:
    """The backup as the new device gets it."""
    data = b""
    while True:
        tags = new.tags(report(new, "fetch", OF=str(len(data)).encode()))
        data += tags["DA"]
        if len(data) == int(tags["SZ"]):
            assert hashlib.sha256(data).hexdigest().encode() == tags["SH"]
            return data


def restored(old: Wire, new: Wire) -> bytes:
    data = bound(old, new)
    assert reason(told_restored(new, fetched(new))) == ""
    return data


def told_restored(new: Wire, come: bytes) -> Message:
    """The report of the new device that it has taken in the backup that came."""
    content = open_backup(new.tmk, come, backup_context(new.serial_number, 1))
    return report(new, "restored", SH=hashlib.sha256(content).hexdigest().encode())


def certificate(old: Wire, new: Wire, data: bytes, *, tmk: bytes = b"", **changes: Any) -> bytes:
    stated = WipeCertificate(old.serial_number, new.serial_number, 1, hashlib.sha256(data).hexdigest(), 1, "keys")
    return make_certificate(replace(stated, **changes), lambda text: prove(tmk or old.tmk, Purpose.CERTIFICATE, text))


def everything(lab: Lab) -> tuple[Any, ...]:
    """What a refusal may not change."""
    return tuple(lab.rows(table) for table in ("swaps", "terminals", "batches", "holds", "transactions", "postings"))


# the whole road


def test_a_swap_goes_its_road_and_ends_with_a_certificate(active: Wire, new: Wire) -> None:
    """A shop would be left between two devices."""
    lab = active.lab
    data = restored(active, new)
    parts = unpack_backup(open_backup(new.tmk, sealed(new), backup_context(NEW, 1)))
    assert parts == PARTS
    tags = active.tags(ask(active))
    order = open_order(tags["WO"], active.host_public_key)
    assert (order.serial_number, order.successor, order.sha256) == (
        active.serial_number, NEW, hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    assert reason(ask(active, CE=certificate(active, new, data))) == ""
    assert (standing(lab)["state"], standing(lab)["backup"]) == ("wiped", 0)
    assert standing(lab)["certificate"]["erased"] == "keys"
    assert (lab.terminal(NEW)["state"], lab.terminal(NEW)["batch"]) == ("activated", "000003")
    assert new.code(new.sale(100)) == "00"
    for payload in (
        active.sale(100),
        active.sign_in(),
        active.management("swap_report", pack_tags([("OP", b"drain")])),
    ):
        reply = active.send(payload)
        assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("97", "terminal.replaced")
    assert lab.violations() == []


def test_the_new_device_gets_what_the_old_one_sent_and_only_it_can_open_it(active: Wire, new: Wire) -> None:
    """A shop would lose its things, or another device read them."""
    data = bound(active, new)
    come = fetched(new)
    assert come != data
    assert unpack_backup(open_backup(new.tmk, come, backup_context(NEW, 1))) == PARTS
    lab = active.lab
    lab.act("renew_tmk", serial_number=NEW)
    new.load_card()
    new.sign_on()
    assert unpack_backup(open_backup(new.tmk, fetched(new), backup_context(NEW, 1))) == PARTS


def test_a_master_key_that_changes_between_restoring_and_telling_of_it(active: Wire, new: Wire) -> None:
    """The old device could never be wiped: the new one has what was sealed under a key that is gone."""
    bound(active, new)
    content = open_backup(new.tmk, fetched(new), backup_context(NEW, 1))
    active.lab.act("renew_tmk", serial_number=NEW)
    new.load_card()
    new.sign_on()
    assert reason(report(new, "restored", SH=b"0" * 64)) == "swap.digest"
    assert reason(report(new, "restored", SH=hashlib.sha256(content).hexdigest().encode())) == ""
    assert standing(active.lab)["state"] == "restored"


def test_the_key_of_an_old_device_stays_until_its_certificate_has_come(active: Wire, new: Wire) -> None:
    """Nobody could verify the certificate of a device that was wiped under the key before."""
    lab = active.lab
    data = backed_up(active)
    with pytest.raises(AdminError) as refused:
        lab.act("renew_tmk", serial_number=active.serial_number)
    assert refused.value.code == "swap_open"
    assert reason(ask(new, CL=proof(new, active))) == ""
    new.sign_on()
    told_restored(new, fetched(new))
    with pytest.raises(AdminError):
        lab.act("renew_tmk", serial_number=active.serial_number)
    assert reason(ask(active, CE=certificate(active, new, data))) == ""
    lab.act("renew_tmk", serial_number=active.serial_number)


def test_a_swap_goes_on_with_the_device_that_replaces_the_new_one(active: Wire, new: Wire) -> None:
    """A new device that breaks before it has restored would leave the backup to nobody, and the old one unwiped."""
    lab = active.lab
    data = bound(active, new)
    third = Wire(lab, "PXE90-0003", active.terminal_id, model="NX-E21").order(merchant_id="", terminal_id="")
    lab.act("lose", serial_number=NEW)
    lab.act("replace", serial_number=NEW, successor=third.serial_number)
    assert (standing(lab)["state"], standing(lab)["successor"]) == ("bound", third.serial_number)
    assert active.tags(ask(active))["PE"] == third.serial_number.encode()
    assert reason(ask(new)) == "swap.not_ordered"
    third.sign_on()
    come = fetched(third)
    assert unpack_backup(open_backup(third.tmk, come, backup_context(third.serial_number, 1))) == PARTS
    assert reason(told_restored(third, come)) == ""
    assert reason(ask(active, CE=certificate(active, third, data))) == ""
    assert standing(lab)["state"] == "wiped"
    assert lab.violations() == []


STEPS: list[tuple[str, Callable[[Wire, Wire], object], Callable[[Wire, Wire], Message]]] = [
    ("drain", lambda old, new: report(old, "drain"), lambda old, new: report(old, "drain")),
    ("settled", lambda old, new: drained(old), lambda old, new: report(old, "settled")),
    ("backup", lambda old, new: backed_up(old), lambda old, new: report(old, "backup", **chunks(sealed(old))[0])),
    ("claim", bound, lambda old, new: ask(new, CL=proof(new, old))),
    (
        "restored",
        restored,
        lambda old, new: told_restored(new, sealed(new)),
    ),
]


@pytest.mark.parametrize(("name", "reached", "again"), STEPS, ids=[row[0] for row in STEPS])
def test_a_step_whose_answer_was_lost_is_asked_again(
    active: Wire, new: Wire, name: str, reached: Callable[[Wire, Wire], object], again: Callable[[Wire, Wire], Message]
) -> None:
    """One lost answer would end the swap, or take a step twice."""
    reached(active, new)
    assert reason(again(active, new)) == ""
    before = everything(active.lab)
    assert reason(again(active, new)) == ""
    assert everything(active.lab) == before


def test_an_upload_goes_on_where_it_was_cut_off(active: Wire, new: Wire) -> None:
    """A long backup over a bad line would never arrive."""
    drained(active)
    data = sealed(active)
    first, *rest = chunks(data)
    assert len(rest) >= 2
    report(active, "backup", **first)
    active.lab.reopen()
    tags = active.tags(ask(active))
    assert (tags["RC"], tags["SH"]) == (str(CHUNK_BYTES).encode(), first["SH"])
    for chunk in rest:
        report(active, "backup", **chunk)
    assert standing(active.lab)["state"] == "backed up"


def test_another_backup_takes_the_place_of_a_broken_one(active: Wire, new: Wire) -> None:
    """A shop that set up a cashier in between would hang in its swap."""
    drained(active)
    report(active, "backup", **chunks(sealed(active))[0])
    assert reason(upload(active, sealed(active, {**PARTS, "paused": True}))) == ""
    assert standing(active.lab)["state"] == "backed up"


def test_what_was_never_fetched_is_told_to_the_new_device(active: Wire, new: Wire) -> None:
    """A notice that the old device never fetched would go with it to the scrap heap."""
    texts = dict.fromkeys(("title_zh", "title_en", "text_zh", "text_en"), "news")
    active.lab.act("announce", serial_number=active.serial_number, **texts)
    assert [row["kind"] for row in active.lab.rows("commands", serial_number=active.serial_number)] == [
        "notice", "announcement",
    ]  # fmt: skip
    bound(active, new)
    assert [row["kind"] for row in active.lab.rows("commands", serial_number=NEW)] == ["announcement"]


def test_a_hold_on_the_merchant_goes_with_the_till(active: Wire, new: Wire) -> None:
    """A merchant under suspicion would sell again with a new device."""
    active.lab.act("hold", serial_number=active.serial_number, reason="fraud")
    bound(active, new)
    assert new.reason(new.sale(100)) == "hold.fraud"


# refusals


def test_nobody_swaps_what_nobody_ordered(active: Wire) -> None:
    """Any device could take a till."""
    before = everything(active.lab)
    assert reason(ask(active)) == "swap.not_ordered"
    assert [reason(report(active, what)) for what in Report] == ["swap.not_ordered"] * len(Report)
    stranger = Wire(active.lab, "STRANGER-1", active.terminal_id)
    assert reason(ask(stranger)) == "terminal.other_device"
    assert everything(active.lab) == before


def test_a_report_needs_the_keys_of_the_device(active: Wire, new: Wire) -> None:
    """Whoever reaches the port could hand another's till over."""
    before = everything(active.lab)
    payload = pack_tags([("OP", b"drain")])
    assert active.reason(active.management("swap_report", payload, mac=False)) in ("message.mac", "message.malformed")
    assert new.reason(new.management("swap_report", payload)) == "terminal.not_registered"
    assert everything(active.lab) == before


def test_an_open_batch_is_settled_first(active: Wire, new: Wire) -> None:
    """Sales would stay in a batch that nobody settles (invariant W1)."""
    report(active, "drain")
    active.sell(100)
    assert reason(report(active, "settled")) == "swap.batch_open"
    active.settle()
    assert reason(report(active, "settled")) == ""


def test_a_sale_after_the_backup_keeps_the_till_where_it_is(active: Wire, new: Wire) -> None:
    """A device that does not keep still would leave money behind (invariant W1)."""
    backed_up(active)
    active.sell(100)
    before = everything(active.lab)
    assert reason(ask(new, CL=proof(new, active))) == "swap.batch_open"
    assert everything(active.lab) == before
    active.settle()
    assert reason(ask(new, CL=proof(new, active))) == ""


BAD_CHUNKS: dict[str, tuple[str, Callable[[list[dict[str, bytes]]], dict[str, bytes]]]] = {
    "out of order": ("swap.chunk_order", lambda all_: all_[1]),
    "beyond its end": ("message.malformed", lambda all_: {**all_[0], "SZ": b"10"}),
    "empty": ("message.malformed", lambda all_: {**all_[0], "DA": b""}),
    "too long": ("message.malformed", lambda all_: {**all_[0], "DA": bytes(CHUNK_BYTES + 1)}),
    "no digest": ("message.malformed", lambda all_: {**all_[0], "SH": b"abc"}),
    "no offset": ("message.malformed", lambda all_: {**all_[0], "OF": "１".encode("gb18030")}),
    "too large": ("swap.too_large", lambda all_: {**all_[0], "SZ": b"65537"}),
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_chunk_that_is_none_changes_nothing(active: Wire, new: Wire, name: str) -> None:
    """A device with a fault would fill the host's book with rubbish."""
    drained(active)
    before = everything(active.lab)
    expected, spoil = BAD_CHUNKS[name]
    assert reason(report(active, "backup", **spoil(chunks(sealed(active))))) == expected
    assert everything(active.lab) == before


def test_a_chunk_that_came_before_changes_nothing(active: Wire, new: Wire) -> None:
    """Who copies a message off the line could spoil the backup."""
    drained(active)
    first, second, *_ = chunks(sealed(active))
    report(active, "backup", **first)
    report(active, "backup", **second)
    before = everything(active.lab)
    assert reason(report(active, "backup", **second)) == "swap.chunk_order"
    assert everything(active.lab) == before


def bent(data: bytes) -> bytes:
    return data[:40] + bytes([data[40] ^ 1]) + data[41:]


BAD_BACKUPS: dict[str, tuple[str, Callable[[Wire, Wire], bytes]]] = {
    "another device's": ("swap.backup_foreign", lambda old, new: sealed(new)),
    "another swap's": ("swap.backup_foreign", lambda old, new: sealed(old, number=2)),
    "changed on its way": ("swap.backup_foreign", lambda old, new: bent(sealed(old))),
    "cut off": ("swap.backup_foreign", lambda old, new: sealed(old)[:-1]),
    "sealed in the clear": ("swap.backup_foreign", lambda old, new: pack_backup(PARTS)),
    "no backup": (
        "swap.backup_unreadable",
        lambda old, new: seal_backup(old.tmk, b"rubbish", backup_context(old.serial_number, 1)),
    ),
}


@pytest.mark.parametrize("name", BAD_BACKUPS)
def test_a_backup_that_is_no_good_never_counts(active: Wire, new: Wire, name: str) -> None:
    """A forger would set up the operators of a shop's next device."""
    drained(active)
    expected, make = BAD_BACKUPS[name]
    assert reason(upload(active, make(active, new))) == expected
    assert (standing(active.lab)["state"], standing(active.lab)["backup"]) == ("settled", 0)
    assert reason(upload(active, sealed(active))) == ""


def test_a_backup_comes_after_the_settlement(active: Wire, new: Wire) -> None:
    """A device would hand over with an open batch."""
    report(active, "drain")
    assert reason(upload(active, sealed(active))) == "swap.other_step"


def test_a_device_without_our_extensions_gets_no_notice(lab: Lab) -> None:
    """A signed notice would wait for ever for a device that does not know what it is."""
    foreign = Wire(lab, extended=False).on_counter()
    Wire(lab, NEW, model="NX-E21").order(merchant_id="", terminal_id="")
    lab.act("begin_swap", serial_number=foreign.serial_number, successor=NEW)
    assert lab.rows("commands") == []


def test_a_digest_that_is_wrong_is_found_at_the_end(active: Wire, new: Wire) -> None:
    """A backup that a bad memory changed would be restored."""
    drained(active)
    wrong = hashlib.sha256(b"other").hexdigest().encode()
    replies = [report(active, "backup", **{**chunk, "SH": wrong}) for chunk in chunks(sealed(active))]
    assert reason(replies[-1]) == "swap.digest"
    assert standing(active.lab)["state"] == "settled"


def claims(old: Wire, new: Wire) -> dict[str, tuple[str, Callable[[], Message]]]:
    stranger = Wire(old.lab, new.serial_number, new.terminal_id, "898100000000009", model="NX-E21")
    stranger.tmk = new.tmk
    return {
        "without the keys": ("swap.claim", lambda: ask(new, CL=bytes(32))),
        "of another swap": ("swap.claim", lambda: ask(new, CL=proof(new, old, 2))),
        "by the old device": ("swap.other_device", lambda: ask(old, CL=proof(new, old))),
        "for another merchant": ("swap.other_merchant", lambda: ask(stranger, CL=proof(new, old))),
    }


@pytest.mark.parametrize("name", ["without the keys", "of another swap", "by the old device", "for another merchant"])
def test_a_claim_that_is_not_the_successors_is_refused(active: Wire, new: Wire, name: str) -> None:
    """Who knows a serial number could take the till of a shop."""
    backed_up(active)
    before = everything(active.lab)
    expected, claim = claims(active, new)[name]
    assert reason(claim()) == expected
    assert everything(active.lab) == before


def test_a_claim_before_the_backup_is_too_early(active: Wire, new: Wire) -> None:
    """The till would change hands with nothing to restore."""
    before = everything(active.lab)
    reply = ask(new, CL=proof(new, active))
    assert (reason(reply), refusal(reply).chinese) == ("swap.other_step", "换机进度不符（已受理）")
    assert everything(active.lab) == before


def test_a_successor_whose_model_retires_meanwhile_does_not_take_over(active: Wire, new: Wire) -> None:
    """The shop would get a device that stops in a week."""
    backed_up(active)
    active.lab.act("retire_model", model="NX-E21")
    before = everything(active.lab)
    assert reason(ask(new, CL=proof(new, active))) == "swap.successor_unfit"
    assert everything(active.lab) == before


def test_each_device_does_its_own_part(active: Wire, new: Wire) -> None:
    """The new device could say that the old one is settled."""
    assert reason(report(active, "fetch", OF=b"0")) == "swap.other_device"
    bound(active, new)
    assert [reason(report(new, what)) for what in ("drain", "settled", "backup")] == ["swap.other_device"] * 3
    assert reason(ask(new, CE=b"x" * 40)) == "swap.other_device"
    assert new.code(new.management("swap_report", pack_tags([("OP", b"dance")]))) == "30"


def test_a_restored_backup_is_not_given_out_again(active: Wire, new: Wire) -> None:
    """A copy of the shop's things could be fetched for ever."""
    restored(active, new)
    assert reason(report(new, "fetch", OF=b"0")) == "swap.restored_already"
    assert standing(active.lab)["backup"] == 0


def test_what_was_restored_is_what_was_sent(active: Wire, new: Wire) -> None:
    """The old device would be wiped for a backup that nobody has."""
    bound(active, new)
    assert reason(report(new, "restored", SH=b"0" * 64)) == "swap.digest"
    assert "WO" not in active.tags(ask(active))
    assert standing(active.lab)["state"] == "bound"


BAD_CERTIFICATES: dict[str, dict[str, Any]] = {
    "forged": {"tmk": bytes(16)},
    "of another device": {"serial_number": "PXE90-0009"},
    "for another successor": {"successor": "PXE90-0009"},
    "of another swap": {"swap": 2},
    "of another backup": {"sha256": "0" * 64},
}


@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_a_certificate_that_proves_nothing_is_refused(active: Wire, new: Wire, name: str) -> None:
    """A device with all its keys would count as wiped."""
    data = restored(active, new)
    before = everything(active.lab)
    assert reason(ask(active, CE=certificate(active, new, data, **BAD_CERTIFICATES[name]))) == "swap.certificate"
    assert reason(ask(active, CE=b"short")) == "swap.certificate"
    assert everything(active.lab) == before


def test_a_certificate_before_the_new_device_is_ready_is_refused(active: Wire, new: Wire) -> None:
    """A device would be wiped while its successor has nothing."""
    data = bound(active, new)
    assert reason(ask(active, CE=certificate(active, new, data))) == "swap.other_step"


# the desk


@pytest.mark.parametrize(
    ("code", "prepare"),
    [
        ("absent", lambda lab, old: lab.act("lose", serial_number=old.serial_number)),
        ("other_merchant", lambda lab, old: lab.act("order", serial_number="X-0001", model=old.model,
                                                    merchant_id="898100000000009", terminal_id="10000009")),
        ("illegal_step", lambda lab, old: lab.act("order", serial_number="X-0001", model=old.model)),
        ("model_retired", lambda lab, old: (Wire(lab, "X-0001", model=old.model).order(merchant_id="", terminal_id=""),
                                            lab.act("retire_model", model=old.model))),
        ("unknown_terminal", lambda lab, old: None),
    ],
)  # fmt: skip
def test_a_swap_that_cannot_end_well_is_not_begun(
    active: Wire, code: str, prepare: Callable[[Lab, Wire], object]
) -> None:
    """A shop would hand over to a device that cannot take over."""
    lab = active.lab
    prepare(lab, active)
    if code == "absent":
        Wire(lab, "X-0001", model="NX-E21").order(merchant_id="", terminal_id="")
    with pytest.raises(AdminError) as refused:
        lab.act("begin_swap", serial_number=active.serial_number, successor="X-0001")
    assert refused.value.code == code
    assert lab.act("swaps")["swaps"] == []


def test_a_device_is_in_one_swap_at_a_time(active: Wire, new: Wire) -> None:
    """Two new devices would fight for one till."""
    lab = active.lab
    third = Wire(lab, "PXE90-0003", model="NX-E21").order(merchant_id="", terminal_id="")
    for serial_number, successor in ((active.serial_number, third.serial_number), (active.serial_number, NEW)):
        with pytest.raises(AdminError) as refused:
            lab.act("begin_swap", serial_number=serial_number, successor=successor)
        assert refused.value.code == "swap_open"
    data = restored(active, new)
    assert lab.act("begin_swap", serial_number=NEW, successor=third.serial_number)["swap"] == 2
    assert reason(ask(active, CE=certificate(active, new, data))) == ""


def test_a_swap_is_cancelled_up_to_the_claim(active: Wire, new: Wire) -> None:
    """A merchant who thinks again would be held to it, or a till be left without a device."""
    lab = active.lab
    backed_up(active)
    with pytest.raises(AdminError) as refused:
        lab.act("cancel_swap", serial_number=NEW)
    assert refused.value.code == "swap_state"
    assert lab.act("cancel_swap", serial_number=active.serial_number)["state"] == "cancelled"
    assert standing(lab)["backup"] == 0
    assert reason(ask(new, CL=proof(new, active))) == "swap.other_step"
    active.sell(100)
    active.settle()
    lab.act("begin_swap", serial_number=active.serial_number, successor=NEW)
    with pytest.raises(AdminError):
        lab.act("cancel_swap", serial_number="PXE90-0009")


def test_a_swap_is_not_cancelled_once_the_till_has_changed_hands(active: Wire, new: Wire) -> None:
    """Both devices would be without a till."""
    bound(active, new)
    with pytest.raises(AdminError) as refused:
        active.lab.act("cancel_swap", serial_number=active.serial_number)
    assert refused.value.code == "swap_state"
    with pytest.raises(AdminError) as refused:
        active.lab.act("cancel_swap", serial_number=Wire(active.lab, "PXE90-0004").order(
            merchant_id="", terminal_id="").serial_number)  # fmt: skip
    assert refused.value.code == "no_swap"


def test_a_forced_replacement_ends_a_swap(active: Wire, new: Wire) -> None:
    """A device that is lost in the middle of its swap would keep its successor waiting for ever."""
    report(active, "drain")
    active.lab.act("lose", serial_number=active.serial_number)
    active.lab.act("replace", serial_number=active.serial_number, successor=NEW)
    assert standing(active.lab)["state"] == "cancelled"
    new.sign_on()
    assert new.code(new.sale(100, CREDIT)) == "00"


def test_the_old_device_hears_of_its_swap(active: Wire) -> None:
    """The shop would not know that it has to hand over."""
    Wire(active.lab, NEW, model="NX-E21").order(merchant_id="", terminal_id="")
    active.lab.act("begin_swap", serial_number=active.serial_number, successor=NEW)
    assert [row["kind"] for row in active.lab.rows("commands")] == ["notice"]
    assert standing(active.lab)["actor"] == "admin"
    assert [row["serial_number"] for row in active.lab.act("swaps", serial_number=NEW)["swaps"]] == [
        active.serial_number
    ]
