"""What stands inside the fields: sub-fields, tagged values, chip data and the uses of field 62."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.describe import describe, document
from protocol.details import EXPLAINERS, View, explain
from protocol.details.labels import labels_of
from protocol.details.payload import PAYLOADS
from protocol.elements import Value
from protocol.emv import capk_check_value
from protocol.fields import FIELDS, F
from protocol.kinds import KINDS, identify
from protocol.message import Message
from protocol.private import DEVICE_TAGS, BinPage, ChipDetail, Tag, pack_tags
from protocol.private.receipt import RECEIPT_TAGS
from protocol.tlv import Node, encode
from tests.protocol.samples import DEBIT_PAN, ECHO, KEYS, SALE, SALE_REPLY, SETTLEMENT, SIGN_IN_REPLY, leaks

QR_CODE = b"6222021234567890123"
FACTOR = b"000004"


def asked(network: str, payload: bytes, mti: str = "0800") -> Message:
    return Message(mti, {**ECHO.fields, F.CONTROL: "00000001" + network, F.PAYLOAD: payload})


def answered(network: str, payload: bytes, mti: str = "0810") -> Message:
    return asked(network, payload, mti).with_fields({F.RESPONSE_CODE: "00"})


def chip(*objects: tuple[int, str]) -> bytes:
    return encode(Node(tag, bytes.fromhex(value)) for tag, value in objects)


RID, MODULUS, EXPONENT = bytes.fromhex("A000000333"), bytes(range(1, 97)), b"\x03"
KEY = (
    (0x9F06, RID.hex()), (0x9F22, "08"), (0xDF05, "3230323931323331"), (0xDF06, "01"), (0xDF07, "01"),
    (0xDF02, MODULUS.hex()), (0xDF04, EXPONENT.hex()), (0xDF03, capk_check_value(RID, 8, MODULUS, EXPONENT).hex()),
)  # fmt: skip
SHORT, LONG = "two digits of length", "three digits of length"
TWO = b"A236" + b"0102" + b"01" + b"0208" + b"PL000001" + b"0306" + FACTOR + b"0404" + b"ABCD"
THREE = pack_tags([("A2", pack_tags([("01", b"01"), ("02", b"PL000001"), ("03", FACTOR), ("05", b"01020003")]))])
GROUP = b"\x03\x04E100" + b"\x05\x08PL000001" + b"\x06\x06" + FACTOR + b"\x08\x0801020003"
CONTACTLESS = (
    b"FF805D0010FF803A003010FF803C003060FF8058012000000030000FF80540011FF80550011FF80560010FF80570011"
    b"FF8059012000000030000FF805A0011"
)

DETAILS: list[tuple[str, Message, int, dict[str, Any]]] = [
    ("condition", SALE.with_fields({25: "64"}), 25, {"condition": "instalment"}),
    ("condition unknown", SALE.with_fields({25: "04"}), 25, {"condition": "unknown"}),
    (
        "all of field 60", SALE.with_fields({60: "22000001000501048"}), 60,
        {
            "type": "22", "batch": "000001", "network_management": "000", "read_capability": "chip",
            "chip_condition": "not used", "partial_approval": "supported", "account_type": "issuer points",
        },
    ),
    ("field 60 of old terminals", SALE.with_fields({60: "22000001"}), 60, {"type": "22", "batch": "000001"}),
    (
        "all of field 61", SALE.with_fields({61: "00000100000703010112345678901"}), 61,
        {
            "batch": "000001", "stan": "000007", "date": "0301", "authorisation": "by telephone",
            "institution": "12345678901",
        },
    ),
    ("bank names", SALE_REPLY.with_fields({44: "中国银行   银联"}), 44, {"issuer": "中国银行", "acquirer": "银联"}),
    ("SM4", SALE.with_fields({53: "03" + "0" * 14}), 53, {"pin_format": "none", "algorithm": "SM4", "tracks": "plain"}),
    ("tip in 48", SALE.with_fields({48: "000000000500"}), 48, {"tip_fen": 500}),
    ("tip in 54", SALE.with_fields({54: "000000000500"}), 54, {"tip_fen": 500}),
    (
        "balance", SALE_REPLY.with_fields({54: "1002156D000000012345"}), 54,
        {"account": "10", "type": "available balance", "currency": "156", "amount_fen": -12345},
    ),
    (
        "private group in 47", SALE.with_fields({47: b"PI%03d" % len(GROUP) + GROUP}), 47,
        {"model": "E100", "serial_number": "PL000001", "random_factor": "<6 bytes hidden>", "version": "01020003"},
    ),
    (
        SHORT, SALE.with_fields({59: TWO + b"12201234567890123456789A"}), 59,
        {
            "device_type": "01", "serial_number": "PL000001", "random_factor": "<6 bytes hidden>", "cipher": "ABCD",
            "iccid": "1234567890123456789A",
        },
    ),
    (
        LONG, SALE.with_fields({59: THREE}), 59,
        {"device_type": "01", "serial_number": "PL000001", "random_factor": "<6 bytes hidden>", "version": "01020003"},
    ),
    ("payment code", SALE.with_fields({59: b"A3019" + QR_CODE}), 59, {"payment_code": "<19 bytes hidden>"}),
    ("order", SALE_REPLY.with_fields({59: b"A4020" + b"7" * 20}), 59, {"order_number": "7" * 20}),
    ("unknown tag", SALE.with_fields({59: b"99003abc"}), 59, {"99": "<3 bytes hidden>"}),
    (
        "location in 57", SALE.with_fields({57: b"A1030" + b"01010+116.39740" + b"02010+039.90920"}), 57,
        {"longitude": "+116.39740", "latitude": "+039.90920"},
    ),
    ("SM4 PIN block", SALE.with_fields({57: b"A1016" + bytes(range(16))}), 57, {"pin_block": "<16 bytes hidden>"}),
    ("objects in 58", SALE.with_fields({58: chip((0x9F79, "000000010000"))}), 58, {
        "objects": [{"tag": "9F79", "name": "electronic cash balance", "value": "000000010000"}]
    }),
    (
        "chip data", SALE, 55,
        {
            "objects": [
                {"tag": "5A", "name": "primary account number", "value": "620000******0004"},
                {"tag": "9F36", "name": "application transaction counter", "value": "001E"},
            ]
        },
    ),
    (
        "chip data within", SALE_REPLY.with_fields({55: bytes.fromhex("72069F1801AA8600")}), 55,
        {
            "objects": [
                {"tag": "72", "name": "issuer script template 2", "value": ""},
                {"tag": "  9F18", "name": "issuer script identifier", "value": "AA"},
                {"tag": "  86", "name": "issuer script command", "value": "<0 bytes hidden>"},
            ]
        },
    ),
    (
        "slip of a signature",
        Message("0820", {60: "07000001800", 55: b"\xff\x00\x04" + "商户".encode("gb18030") + b"\xff\x0b\x02\x13\x80"}),
        55, {"merchant_name": "商户", "cardholder_phone": "<2 bytes hidden>"},
    ),
    (
        "keys with TDK", SIGN_IN_REPLY.with_fields({62: KEYS + KEYS[:20]}), 62,
        {
            "PIK": {"key_bytes": 16, "check_value": "01020304"}, "MAK": {"key_bytes": 8, "check_value": "05060708"},
            "TDK": {"key_bytes": 16, "check_value": "01020304"},
        },
    ),
    ("status", asked("362", b"011020" + b"51" + b"1" * 12, "0820"), 62, {
        "keyboard": "good", "pin_pad": "bad", "dial_statistics": "1" * 12
    }),
    ("query", asked("372", b"100", "0820"), 62, {"received": 0}),
    (
        "keys known", answered("372", b"2" + chip(*KEY[:2]), "0830"), 62,
        {
            "packet": "more follow",
            "objects": [
                {"tag": "9F06", "name": "application identifier of the terminal", "value": "A000000333"},
                {"tag": "9F22", "name": "CA public key index of the terminal", "value": "08"},
            ],
        },
    ),
    ("nothing", answered("370", b"0"), 62, {"packet": "nothing"}),
    ("start of BINs", asked("396", b"000"), 62, {"start": "000"}),
    ("BINs", answered("396", bytes(BinPage("2", "002", ("620000", "62123456")))), 62, {
        "packet": "more follow", "last": "002", "bins": "620000 62123456"
    }),
    ("no BINs", answered("398", b"0"), 62, {"packet": "nothing"}),
    (
        "contactless", answered("394", CONTACTLESS), 62,
        {
            "channel": "0", "tap_time_s": "010", "total_time_s": "060", "no_pin_limit_fen": "000000030000",
            "no_pin": "1", "bin_table_a": "1", "bin_table_b": "0", "card_device_verification": "1",
            "no_signature_limit_fen": "000000030000", "no_signature": "1",
        },
    ),
    ("contactless, flagged", answered("394", b"1FF80540010"), 62, {"packet": "all is in this packet", "no_pin": "0"}),
    ("chip upload", asked("203", bytes(ChipDetail("61", "00", "00", 6000, "156")), "0320"), 62, {
        "card_group": "domestic", "response_code": "00", "amount_fen": 6000, "currency": "156"
    }),
    ("chip notice", asked("206", bytes(ChipDetail("71", "01", "05", 1, "156", "1", "2")), "0320"), 62, {
        "card_group": "foreign", "response_code": "05", "amount_fen": 1, "currency": "156", "cryptogram": "AAC"
    }),
    ("master key", asked("350", chip((0xDF24, "01020304"), (0xDF23, "AA" * 16))), 62, {
        "objects": [
            {"tag": "DF24", "name": "master key check value", "value": "01020304"},
            {"tag": "DF23", "name": "encrypted master key", "value": "<16 bytes hidden>"},
        ]
    }),
]  # fmt: skip


@pytest.mark.parametrize(("name", "message", "number", "detail"), DETAILS, ids=[row[0] for row in DETAILS])
def test_what_is_in_a_field(name: str, message: Message, number: int, detail: dict[str, Any]) -> None:
    """The tester would have to take the bytes apart by hand."""
    found: Any = document(message)["details"]
    assert found.get(str(number), {}) == detail
    assert not leaks(json.dumps(found))
    assert all(describe(message, lang="zh", unmask=unmask) for unmask in (True, False))


def test_a_key_of_an_authority_is_checked() -> None:
    """A damaged CA key would decline every chip card of its scheme."""
    right, wrong = KEY, (*KEY[:-1], (0xDF03, "00" * 20))
    for key, says in ((right, "right"), (wrong, "wrong")):
        found: Any = document(answered("370", b"1" + chip(*key)))["details"]["62"]  # type: ignore[index]
        assert (found["packet"], found["check"]) == ("all is in this packet", says)


def test_the_parameters_of_a_terminal_have_names() -> None:
    """The tester would count positions in a string of digits."""
    raw = b"1160" + b"1206" + b"133" + b"181" + b"1905" + b"201" + b"22" + "商户".encode("gb18030").ljust(40) + b"26FF"
    found: Any = document(answered("360", raw))["details"]
    assert found["62"] == {
        "application_type": "60", "reply_timeout_s": "06", "retries": "3", "tips": "1", "tip_percent": "05",
        "manual_entry": "1", "merchant_name": "商户", "kinds_enabled": "FF",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("message", "number"),
    [
        (SALE.with_fields({47: b"PI009" + b"\x03\x04E1"}), 47),
        (SALE.with_fields({47: b"PI003" + b"\x03\x04E"}), 47),
        (SALE.with_fields({54: "1002156X000000012345"}), 54),
        (SALE_REPLY.with_fields({54: "1002156X000000012345"}), 54),
        (SALE.with_fields({55: b"\x9f"}), 55),
        (SALE.with_fields({57: b"A1099"}), 57),
        (SALE.with_fields({59: b"A2099"}), 59),
        (SALE.with_fields({60: "2200000100050104"}), 60),
        (SALE.with_fields({61: "00000100000703"}), 61),
        (asked("362", b"0110", "0820"), 62),
        (asked("362", b"011011", "0820"), 62),
        (asked("362", b"9911", "0820"), 62),
        (asked("372", b"1", "0820"), 62),
        (asked("396", b"00"), 62),
        (answered("396", b"1001" + b"09620000    "), 62),
        (answered("394", b"FF8054001"), 62),
        (answered("394", b"FF80540011FF80540011"), 62),
        (answered("394", b"\xff"), 62),
        (answered("370", b"1\x9f"), 62),
        (asked("203", b"61", "0320"), 62),
        (SIGN_IN_REPLY.with_fields({62: bytes(104)}), 62),
        (SETTLEMENT.with_fields({62: b"KD"}), 62),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_apart_is_a_warning(message: Message, number: int) -> None:
    """A strange private field would stop the whole message from being shown, or pass for a good one."""
    shown: Any = document(message)
    assert number in [row["field"] for row in shown["warnings"]]
    assert str(number) not in shown["details"]


@pytest.mark.parametrize("number", [57, 58, 59])
def test_a_private_field_without_tags_is_left_alone(number: int) -> None:
    """Every message of an acquirer with fields of its own would carry warnings that nobody can cure."""
    shown: Any = document(SALE.with_fields({number: b"\x00\x01\x02"}))
    assert str(number) not in shown["details"]
    assert number not in [row["field"] for row in shown["warnings"]]


def test_secrets_are_shown_to_those_who_ask() -> None:
    """An engineer could not see why a host rejects the random factor."""
    view = View(unmask=True)
    found, _ = explain(SALE.with_fields({59: THREE, 57: b"A1016" + bytes(16)}), identify(SALE), view)
    assert found[59]["random_factor"] == FACTOR.decode()
    assert found[57]["pin_block"] == "00" * 16
    chip_rows: Any = found[55]["objects"]
    assert chip_rows[0]["value"] == DEBIT_PAN


def test_payloads_name_kinds_and_directions() -> None:
    """A use of field 62 would be told for a message that does not exist."""
    names = {f"{name}.{direction}" for name in KINDS for direction in ("request", "reply")}
    assert set(PAYLOADS) <= names
    assert set(EXPLAINERS) <= set(FIELDS)


def keys_of(detail: Any) -> set[str]:
    if isinstance(detail, dict):
        return set(detail).union(*map(keys_of, detail.values()))
    return set().union(*map(keys_of, detail)) if isinstance(detail, list) else set()


def test_every_key_has_a_chinese_name() -> None:
    """A Chinese dump would show English names."""
    told = [document(message, unmask=True)["details"] for _, message, _, _ in DETAILS]
    names = {name for details in told for detail in details.values() for name in keys_of(detail)}  # type: ignore[attr-defined]
    assert names - set(labels_of(FIELDS)) == {"PIK", "MAK", "TDK", "99"}
    tables: list[dict[str, Tag]] = [dict(RECEIPT_TAGS), dict(DEVICE_TAGS)]
    assert all(row.key in labels_of(FIELDS) for table in tables for row in table.values())


@given(st.sampled_from(sorted(PAYLOADS)), st.binary(max_size=120))
def test_any_payload_can_be_shown(name: str, raw: bytes) -> None:
    """A garbled download would stop the terminal's log."""
    kind = KINDS[name.partition(".")[0]]
    is_request = name.endswith("request")
    fields: dict[int, Value] = {F.CONTROL: f"{kind.type_code}000001{kind.networks[0]}", F.PAYLOAD: raw or b"0"}
    message = Message(kind.mti if is_request else kind.reply_mti, fields)
    assert describe(message)
    assert str(identify(message)) == name


@given(
    st.sampled_from([47, 55, 57, 58, 59]), st.sampled_from([b"", b"PI003", b"A1006", b"A20901"]), st.binary(max_size=99)
)
def test_any_private_field_can_be_shown(number: int, head: bytes, raw: bytes) -> None:
    """A garbled private field would stop the terminal's log."""
    assert describe(SALE.with_fields({number: head + raw}), unmask=True)
