"""The dump and the JSON document: masked, complete, and the document leads back to the bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from protocol.checks import CHECKS, luhn_ok
from protocol.codec import pack, seal, unpack, unseal
from protocol.describe import Frame, describe, document, mask_pan, message_from_document
from protocol.details import View, explain, requirement_text
from protocol.details.labels import labels_of
from protocol.elements import Value
from protocol.errors import EncodeError, ProtocolError
from protocol.fields import FIELDS, F
from protocol.header import REQUIREMENTS, Header
from protocol.kinds import identify
from protocol.message import Message
from protocol.private import DeviceInfo, pack_tags
from tests.protocol.samples import (
    CREDIT_PAN,
    DEBIT_PAN,
    ECHO,
    SALE,
    SALE_REPLY,
    SAMPLES,
    SECRETS,
    SETTLEMENT,
    SIGN_IN,
    SIGN_IN_REPLY,
    UPLOAD,
    leaks,
)
from tests.protocol.test_codec import messages


@pytest.mark.parametrize(
    ("pan", "shown"),
    [
        ("6200000100000004", "620000******0004"),
        ("6200000100000000005", "620000*********0005"),
        ("62000001000", "620000*1000"),
        ("6200000100", "**********"),
        ("62", "**"),
        ("", ""),
    ],
)
def test_a_pan_shows_ten_digits_at_most(pan: str, shown: str) -> None:
    """A short card number would stand in clear on a receipt."""
    assert mask_pan(pan) == shown


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_nothing_secret_is_shown_unless_asked(name: str, lang: Any) -> None:
    """A test report would give cards, PIN blocks and keys away."""
    message = SAMPLES[name]
    assert not leaks("\n".join(describe(message, lang=lang)))
    assert not leaks(json.dumps(document(message, lang=lang)))
    assert not leaks(repr(explain(message, identify(message), View(lang))))


def test_a_kind_that_nobody_knows_shows_least() -> None:
    """Keys of a sign-on that the table lacks would be shown, and the cards of an upload."""
    for message in (SIGN_IN_REPLY, UPLOAD, SALE):
        stranger = message.with_fields({F.CONTROL: "99000001999"})
        assert identify(stranger) is None
        assert not leaks("\n".join(describe(stranger)) + json.dumps(document(stranger)))
    for garbled in (
        UPLOAD.with_fields({F.TOTALS: "03" + UPLOAD.text(F.TOTALS)[2:]}),
        UPLOAD.with_fields({F.CONTROL: "00000001202"}),
    ):
        assert not leaks("\n".join(describe(garbled)) + json.dumps(document(garbled)))


def test_unmask_shows_everything() -> None:
    """An engineer could not find the wrong byte of a PIN block."""
    shown = "".join(
        "\n".join(describe(message, unmask=True)) + json.dumps(document(message, unmask=True))
        for message in SAMPLES.values()
    ).lower()
    assert [secret for secret in SECRETS if secret.lower() not in shown] == []


@settings(max_examples=150)
@given(messages())
def test_every_message_can_be_shown(message: Message) -> None:
    """A strange but sound message would stop the host when it is logged."""
    assert describe(message)
    assert describe(message, lang="zh", unmask=True)
    assert message_from_document(json.loads(json.dumps(document(message, unmask=True)))) == seal(message)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_document_leads_back_to_the_bytes(name: str) -> None:
    """A message that was kept as JSON could not be sent again."""
    payload = seal(SAMPLES[name])
    there = json.loads(json.dumps(document(unseal(payload).message, unmask=True)))
    assert message_from_document(there) == payload
    body = pack(SAMPLES[name])
    assert message_from_document(document(unpack(body), unmask=True)) == body


@pytest.mark.parametrize("name", ["sale", "sign_in_reply", "upload"])
def test_a_masked_document_is_not_sent(name: str) -> None:
    """Stars would be sent to the host as a card number."""
    with pytest.raises(EncodeError) as caught:
        message_from_document(document(SAMPLES[name]))
    assert caught.value.message == "the value is masked"
    assert caught.value.hint == "decode with --unmask"
    assert caught.value.field in {F.PAN, F.PAYLOAD, F.TOTALS}


def test_the_document_has_the_promised_shape() -> None:
    """Scripts that read decoded messages would break."""
    assert document(SIGN_IN, frame=Frame("len2", 78)) == {
        "ok": True,
        "frame": {"kind": "len2", "length": 78},
        "tpdu": {"id": "60", "destination": "0003", "source": "0000"},
        "header": {
            "application_class": "60",
            "version": "32",
            "terminal_status": 0,
            "processing_requirement": "0",
            "sub_version": "000000",
        },
        "mti": "0800",
        "bitmap": "0020000000C00016",
        "kind": "sign_in.request",
        "fields": {
            "11": "000001",
            "41": "62000001",
            "42": "100000000000001",
            "60": "00000001003",
            "62": "<25 bytes hidden>",
            "63": "01 ",
        },
        "details": {
            "60": {"type": "00", "batch": "000001", "network_management": "003"},
            "62": {"serial_number": "PL000001"},
            "63": {"operator": "01"},
        },
        "warnings": [],
    }


DETAILS: list[tuple[str, Message, int, Any]] = [
    ("entry mode", SALE, 22, {"entry": "chip", "pin": "can be entered"}),
    (
        "security",
        SALE,
        53,
        {"pin_format": "X9.8 with PAN", "algorithm": "double-length 3DES", "tracks": "plain"},
    ),
    (
        "device",
        SALE.with_fields({59: bytes(DeviceInfo("PL1", model="E100"))}),
        59,
        {"serial_number": "PL1", "model": "E100"},
    ),
    ("response", SALE_REPLY, 39, {"meaning": "approved", "class": "A", "terminal_action": "accept"}),
    ("original", SALE.with_fields({61: "0000010000070301"}), 61, {"batch": "000001", "stan": "000007", "date": "0301"}),
    (
        "keys",
        SIGN_IN_REPLY,
        62,
        {"PIK": {"key_bytes": 16, "check_value": "01020304"}, "MAK": {"key_bytes": 8, "check_value": "05060708"}},
    ),
    (
        "status",
        ECHO.with_fields({60: "00000001362", 62: b"0110211990"}),
        62,
        {"keyboard": "good", "pin_pad": "good", "tip_percent": "90"},
    ),
    (
        "tags",
        Message(
            "0810",
            {60: "00000001902", 62: pack_tags([("ZH", "停用".encode("gb18030")), ("KD", b"\xff"), ("DA", bytes(40))])},
        ),
        62,
        {"ZH": "停用", "KD": "FF", "DA": "<40 bytes>"},
    ),
    ("reply text", SALE_REPLY, 63, {"organisation": "CUP"}),
    (
        "issuer",
        SALE_REPLY.with_fields({44: "01020000   48025800   "}),
        44,
        {"issuer": "01020000", "acquirer": "48025800"},
    ),
    ("count", Message("0320", {48: "0003", 60: "00000001207"}), 48, {"count": 3}),
]


@pytest.mark.parametrize(("name", "message", "number", "detail"), DETAILS, ids=[row[0] for row in DETAILS])
def test_sub_fields_are_explained(name: str, message: Message, number: int, detail: Any) -> None:
    """The tester would have to look codes up in the specification."""
    found: Any = document(message)["details"]
    assert found[str(number)] == detail


def test_totals_and_items_are_explained() -> None:
    """A batch that does not agree could not be read."""
    settled: Any = document(SETTLEMENT)["details"]
    assert settled["48"]["domestic"]["debit_fen"] == 6000
    uploaded: Any = document(UPLOAD)
    assert [row["pan"] for row in uploaded["details"]["48"]["items"]] == ["620000******0004", "620000******0003"]
    assert uploaded["fields"]["48"].startswith("0200000007" + "0000620000******0004" + "000000006000")
    assert DEBIT_PAN in str(document(UPLOAD, unmask=True))
    assert CREDIT_PAN in str(document(UPLOAD, unmask=True))


def warned(message: Message) -> list[tuple[int, str]]:
    rows: Any = document(message)["warnings"]
    return [(row["field"], row["message"]) for row in rows]


WARNINGS: list[tuple[str, Message, dict[int, Value], int, str]] = [
    ("B50 amount zero", SALE, {4: "000000000000"}, 4, "amount is zero"),
    ("B51 currency", SALE, {49: "999"}, 49, "not 156"),
    ("B52 month 13", SALE_REPLY, {13: "1332"}, 13, "not a date"),
    ("B52 day 0", SALE_REPLY, {13: "0000"}, 13, "not a date"),
    ("B52 31 April", SALE_REPLY, {15: "0431"}, 15, "not a date"),
    ("B52 time", SALE_REPLY, {12: "246060"}, 12, "not a time"),
    ("B53 Luhn", SALE, {2: "6200000100000005"}, 2, "check digit"),
    ("B53 twelve digits", SALE, {2: "620000010000"}, 2, "shorter than 13"),
    ("B55 trace number zero", SALE, {11: "000000"}, 11, "trace number is zero"),
    ("B54 processing code", SALE, {3: "999999"}, 60, "no kind of message"),
    ("B48 no separator", SALE, {35: DEBIT_PAN}, 35, "separator"),
    ("B48 two separators", SALE, {35: DEBIT_PAN + "D3012D"}, 35, "separator"),
    ("another card's track", SALE, {35: CREDIT_PAN + "D3012"}, 35, "another card"),
    ("B59 PIN block zero", SALE, {52: bytes(8)}, 52, "all zero"),
    ("expiry", SALE, {14: "3013"}, 14, "month"),
    ("entry mode", SALE, {22: "991"}, 22, "entry mode"),
    ("response code", SALE_REPLY, {39: "Z9"}, 39, "unknown response code"),
    ("B44 half a sub-field", SALE, {60: "220000010"}, 60, "no 60.1"),
    ("B44 an upload that does not add up", UPLOAD, {48: "0300"}, 48, "do not hold"),
    ("keys of a strange length", SIGN_IN_REPLY, {62: bytes(30)}, 62, "30 bytes of keys"),
    ("settlement totals", SETTLEMENT, {48: "0"}, 48, "62"),
    ("status", ECHO, {60: "00000001362", 62: b"\xff"}, 62, "not text"),
    ("foreign", ECHO, {4: "000000000001"}, 4, "not foreseen (echo)"),
]


@pytest.mark.parametrize(("name", "message", "changes", "number", "says"), WARNINGS, ids=[row[0] for row in WARNINGS])
def test_odd_values_are_warned_of(
    name: str, message: Message, changes: dict[int, Value], number: int, says: str
) -> None:
    """The tester would see a refusal and not what the host dislikes."""
    odd = message.with_fields(changes)
    assert [row for row in warned(odd) if row[0] == number and says in row[1]]
    assert not leaks(str(warned(odd)))
    assert any("!" in line for line in describe(odd, lang="zh"))


def test_missing_fields_are_warned_of_unless_the_host_refuses() -> None:
    """A refusal, which is short, would look like a broken message."""
    short = SALE_REPLY.without(F.RRN)
    assert [number for number, _ in warned(short)] == [0, F.RRN]
    assert [number for number, _ in warned(short.with_fields({F.RESPONSE_CODE: "58"}))] == [0]
    assert warned(SALE.without(F.MAC))[0][0] == F.MAC


def test_what_the_header_asks_for_is_told() -> None:
    """Nobody would see that the host wants the terminal to sign on again."""
    assert warned(SALE_REPLY) == [(0, "the host asks the terminal to: fetch signed commands")]
    assert (
        "asks for something"
        in warned(Message(ECHO.mti, ECHO.fields, ECHO.tpdu, Header(processing_requirement="3")))[0][1]
    )
    assert "unknown" in warned(Message(ECHO.mti, ECHO.fields, ECHO.tpdu, Header(processing_requirement="F")))[0][1]
    assert any("取远程指令" in line for line in describe(SALE_REPLY, lang="zh"))
    assert requirement_text("F", View()) == "unknown"
    assert all(requirement_text(nibble, View("zh")) == row.chinese for nibble, row in REQUIREMENTS.items())


def test_sound_samples_give_no_warning() -> None:
    """A warning that is always there is read by nobody."""
    assert {
        name: warned(message) for name, message in SAMPLES.items() if name != "sale_reply" and warned(message)
    } == {}


@pytest.mark.parametrize(
    ("digits", "ok"),
    [("6200000100000004", True), ("6200000100000005", False), ("0", True), ("18", True), ("81", False)],
)
def test_luhn(digits: str, ok: bool) -> None:
    """A mistyped card number would go to the issuer."""
    assert luhn_ok(digits) is ok


def test_every_check_has_both_languages() -> None:
    """A warning would be empty for half of the readers."""
    assert all(check.words[0] and check.words[1].isascii() for check in CHECKS)


def test_every_detail_has_a_chinese_label() -> None:
    """A Chinese dump would show English names."""

    def keys(detail: Any) -> set[str]:
        if isinstance(detail, dict):
            return set(detail).union(*(keys(value) for value in detail.values()))
        return set().union(*map(keys, detail)) if isinstance(detail, list) else set()

    shown: list[Any] = [document(message, unmask=True)["details"] for _, message, number, _ in DETAILS if number != 62]
    shown += [document(message, unmask=True)["details"] for message in SAMPLES.values()]
    names = {name for details in shown for detail in details.values() for name in keys(detail)}
    assert names - set(labels_of(FIELDS)) == {"PIK", "MAK"}


def test_a_dump_has_a_line_for_everything() -> None:
    """A field would be overlooked."""
    lines = describe(SALE, frame=Frame("stx", 287))
    assert lines[0].startswith("frame")
    assert lines[0].endswith("stx, 287 bytes")
    assert lines[1].split()[:4] == ["TPDU", "60", "0003", "0000"]
    assert [line for line in lines if line.startswith("MTI") and "sale, request" in line]
    for number in SALE.fields:
        assert [line for line in lines if line.startswith(f"{number:>3}  ")]
    blob = ECHO.with_fields({60: "00000001931", 62: pack_tags([("DA", bytes(100))])})
    assert any(line.endswith("… (105 bytes)") for line in describe(Message("0800", blob.fields)))
    assert not any("… (" in line for line in describe(Message("0800", blob.fields), unmask=True))


def broken(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(document(ECHO, unmask=True))), **changes}


BROKEN: list[tuple[str, Any, int | None, str]] = [
    ("no object", [], None, "not a document"),
    ("text", "0800", None, "not a document"),
    ("an error", {"ok": False, "error": {}}, None, "not a document"),
    ("no fields", broken(fields=None), None, "not a document"),
    ("empty fields", broken(fields={}), 0, "at least one field"),
    ("a strange key", broken(feilds={}), None, "no document has"),
    ("another MTI", broken(mti="9999"), 0, "MTI"),
    ("a number for an MTI", broken(mti=800), 0, "MTI"),
    ("a list for an MTI", broken(mti=["0800"]), 0, "MTI"),
    ("a header alone", broken(tpdu=None), None, "together"),
    ("a TPDU of text", broken(tpdu="6000030000"), None, "tpdu"),
    ("a TPDU without source", broken(tpdu={"id": "60", "destination": "0003"}), None, "tpdu"),
    ("a TPDU cut elsewhere", broken(tpdu={"id": "600", "destination": "003", "source": "0000"}), None, "id"),
    ("a TPDU that is none", broken(tpdu={"id": "61", "destination": "0003", "source": "0000"}), None, "TPDU"),
    ("a header of text", broken(header="60"), None, "terminal_status"),
    ("a status of text", broken(header={**broken()["header"], "terminal_status": "0"}), None, "terminal_status"),
    ("a status beyond", broken(header={**broken()["header"], "terminal_status": 16}), None, "terminal_status"),
    ("a true status", broken(header={**broken()["header"], "terminal_status": True}), None, "terminal_status"),
    ("a version of letters", broken(header={**broken()["header"], "version": "zz"}), None, "version"),
    ("field 1", broken(fields={"1": "00"}), 1, "no field"),
    ("field 128", broken(fields={"128": "00"}), 128, "no field"),
    ("field 02", broken(fields={"02": "00"}), 0, "no field"),
    ("an Arabic field", broken(fields={"٢": "00"}), 0, "no field"),
    ("a number for digits", broken(fields={"11": 1}), 11, "not a string"),
    ("digits too short", broken(fields={"11": "1"}), 11, "1 long where 6"),
    ("full-width digits", broken(fields={"11": "００００１１"}), 11, "not decimal digits"),
    ("half a byte", broken(fields={"62": "0"}), 62, "not hex"),
    ("blanks in hex", broken(fields={"62": "00 00"}), 62, "not hex"),
    ("half a surrogate pair", broken(fields={"63": "\ud800"}), 63, "cannot carry"),
    ("masked digits", broken(fields={"2": "620000******0004"}), 2, "masked"),
    ("masked bytes", broken(fields={"52": "<8 bytes hidden>"}), 52, "masked"),
]


@pytest.mark.parametrize(("name", "given_", "number", "says"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_document_gets_one_clear_error(name: str, given_: Any, number: int | None, says: str) -> None:
    """A typing mistake in a kept message would reach the line, or end in a traceback."""
    with pytest.raises(ProtocolError) as caught:
        message_from_document(given_)
    assert isinstance(caught.value, EncodeError)
    assert caught.value.field == number
    assert says in str(caught.value)
