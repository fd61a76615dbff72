"""TABLE DIALECTS: each is data that its own messages and nobody else's go through."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import pack, seal, unpack, unseal
from protocol.describe import describe, document, message_from_document
from protocol.dialect import CUP, Dialect
from protocol.dialects import CJ, DIALECTS, ISO87_ASCII, ISO87_BCD, PAYBY
from protocol.dialects.iso87 import ELEMENTS
from protocol.elements import Value
from protocol.errors import DecodeError
from protocol.fields import FieldSpec, Form, Mask
from protocol.header import REQUIREMENTS, Header, Tpdu
from protocol.kinds import KINDS
from protocol.message import Message
from tests.protocol.samples import DEBIT_PAN, ECHO, PIN_BLOCK, SALE, TRACK2, leaks

ISO_SALE = Message(
    "0200",
    {
        2: DEBIT_PAN, 3: "000000", 4: "000000006000", 7: "0301101530", 11: "000007", 12: "101530", 13: "0301",
        14: "3012", 18: "5411", 22: "051", 25: "00", 28: "D00000050", 32: "1234567", 35: TRACK2, 37: "000000000007",
        41: "62000001", 42: "100000000000001", 43: "SHOP                    BEIJING       CN", 49: "156", 52: PIN_BLOCK,
        55: bytes.fromhex("9F3602001E"), 60: "A", 102: DEBIT_PAN, 128: b"\x01\x23\x45\x67\x89\xab\xcd\xef",
    },
)  # fmt: skip
ISO_ECHO = Message("0800", {7: "0301101530", 11: "000001", 70: "301"})
PB_SALE = Message(
    "0200",
    {
        2: DEBIT_PAN, 3: "000000", 4: "000000001000", 11: "000108", 14: "3012", 22: "072", 25: "00", 41: "00013250",
        42: "000200000349097", 49: "784", 55: bytes(300), 60: "000000" + "000" + "0" * 37 + "1" * 18, 63: "000",
    },
    Tpdu("60", "0001", "0000"),
    Header("61", "01", "0", "0", "610001"),
)  # fmt: skip

GOLDEN = [
    (
        ISO87_ASCII, ISO_ECHO,
        b"0800" + b"8220000000000000" + b"0400000000000000" + b"0301101530" + b"000001" + b"301",
    ),
    (
        ISO87_BCD, ISO_ECHO,
        bytes.fromhex("0800" + "8220000000000000" + "0400000000000000" + "0301101530" + "000001" + "0301"),
    ),
    (
        ISO87_ASCII,
        Message("0200", {2: "62000001", 28: "D00000050", 35: "62000001D30", 52: bytes(range(8)), 60: "ab"}),
        b"02004000001020001010" + b"0862000001" + b"D00000050" + b"1162000001=30" + b"0001020304050607" + b"002ab",
    ),
    (
        ISO87_BCD, Message("0200", {2: "620000011", 28: "D00000050", 35: "62000001D30", 52: bytes(range(8)), 60: "ab"}),
        bytes.fromhex("0200" + "4000001020001010" + "090620000011" + "44" + "00000050" + "1162000001D300")
        + bytes(range(8)) + bytes.fromhex("0002") + b"ab",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "message", "wire"), GOLDEN, ids=lambda value: getattr(value, "name", ""))
def test_golden_messages_keep_their_bytes(dialect: Dialect, message: Message, wire: bytes) -> None:
    """A host that was tested last year would not be understood today."""
    assert pack(message, dialect) == wire
    assert unpack(wire, dialect).fields == message.fields


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_whole(name: str) -> None:
    """A field could be written and not be shown, or a kind demand a field that nobody can send."""
    dialect = DIALECTS[name]
    assert dialect.name == name
    for number, row in dialect.fields.items():
        assert row.number == number
        assert row.name
        assert not row.chinese.isascii()
        assert row.clause
    for kind in dialect.kinds.rows.values():
        assert {*kind.request.named, *kind.reply.named} <= set(dialect.fields)
        for network in kind.networks:
            assert {kind.mti, kind.reply_mti} <= dialect.mtis, network
        assert not kind.reversal or kind.reversal in dialect.kinds.rows
    assert set(dialect.requirements) <= set(REQUIREMENTS)
    assert "0" in dialect.requirements


@pytest.mark.parametrize(("name", "number"), [(name, number) for name, d in DIALECTS.items() for number in d.fields])
def test_what_may_hold_secrets_is_hidden_in_every_dialect(name: str, number: int) -> None:
    """A cardholder's track would stand in the report because the host speaks another dialect."""
    if number in (2, 14, 34, 35, 36, 45, 47, 52, 55, 57, 58, 59, 62, 102, 103):
        assert DIALECTS[name].fields[number].mask is not Mask.OPEN


SAMPLES = [
    (CUP, SALE), (CUP, ECHO), (CJ, SALE), (PAYBY, PB_SALE), (ISO87_ASCII, ISO_SALE), (ISO87_ASCII, ISO_ECHO),
    (ISO87_BCD, ISO_SALE), (ISO87_BCD, ISO_ECHO),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "message"), SAMPLES, ids=lambda value: getattr(value, "name", ""))
def test_messages_come_back_with_and_without_header(dialect: Dialect, message: Message) -> None:
    """A recorded message could not be played again."""
    body = pack(message, dialect)
    assert unpack(body, dialect).fields == message.fields
    assert (
        message_from_document(
            json.loads(json.dumps(document(unpack(body, dialect), unmask=True, dialect=dialect))), dialect
        )
        == body
    )
    payload = seal(message, dialect=dialect)
    there = unseal(payload, dialect).message
    assert message_from_document(document(there, unmask=True, dialect=dialect), dialect) == payload
    assert not leaks("\n".join(describe(there, dialect=dialect)) + json.dumps(document(there, dialect=dialect)))
    assert dialect.kinds.identify(there)


@pytest.mark.parametrize(("dialect", "message"), SAMPLES, ids=lambda value: getattr(value, "name", ""))
def test_a_truncated_message_says_so(dialect: Dialect, message: Message) -> None:
    """Half a message would be taken for a whole one."""
    body = pack(message, dialect)
    for size in range(len(body)):
        with pytest.raises(DecodeError) as caught:
            unpack(body[:size], dialect)
        assert not leaks(str(caught.value))


def test_the_same_value_reads_the_same_in_both_codings() -> None:
    """A test that runs against one host would fail against another for its coding alone."""
    first, second = (
        document(unpack(pack(ISO_SALE, each), each), unmask=True, dialect=each) for each in (ISO87_ASCII, ISO87_BCD)
    )
    assert first == second
    assert (
        first["bitmap"] == "F2644495A8E0920800" + "0000" + "0000000004000001"[-10:] or len(str(first["bitmap"])) == 32
    )


def test_the_elements_are_those_of_the_standard() -> None:
    """A field of the standard could not be read."""
    numbers = [row.number for row in ELEMENTS]
    assert numbers == [*range(2, 65), *range(66, 129)]
    assert all(before < after for before, after in pairwise(numbers))


@pytest.mark.parametrize("number", [1, 65])
def test_the_bits_of_bitmaps_are_no_fields(number: int) -> None:
    """V13: a third bitmap would kill the host."""
    assert number not in ISO87_ASCII.fields
    bits = {1, number, 11}
    bitmap = sum(1 << (128 - bit) for bit in bits).to_bytes(16, "big")
    with pytest.raises(DecodeError):
        unpack(b"\x08\x00" + bitmap + bytes(40), ISO87_BCD)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (ISO_SALE, "sale.request"),
        (Message("0210", ISO_SALE.fields), "sale.reply"),
        (Message("0100", {**ISO_SALE.fields, 3: "003000"}), "sale_authorisation.request"),
        (Message("0420", {**ISO_SALE.fields, 3: "200000"}), "refund_reversal_advice.request"),
        (Message("0520", {11: "000001"}), "reconciliation_advice.request"),
        (ISO_ECHO, "echo.request"),
        (Message("0810", {11: "000001", 70: "101"}), "key_change.reply"),
        (Message("0800", {11: "000001", 70: "999"}), "None"),
        (Message("0200", {**ISO_SALE.fields, 3: "990000"}), "None"),
    ],
)
def test_iso_messages_are_named(message: Message, kind: str) -> None:
    """A report would call every message of a foreign host unknown."""
    assert str(ISO87_ASCII.kinds.identify(message)) == kind


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (PB_SALE, "sale.request"),
        (Message("0220", {**PB_SALE.fields, 3: "200000"}), "refund.request"),
        (Message("0400", PB_SALE.fields), "reversal.request"),
        (Message("0400", PB_SALE.without(3).fields), "reversal.request"),
        (Message("0800", {41: "1", 42: "2", 60: "000001" + "003"}), "sign_in.request"),
        (Message("0830", {41: "1", 42: "2", 60: "000001" + "372"}), "ca_key_query.reply"),
        (Message("0800", {41: "1", 42: "2", 60: "000001" + "910"}), "None"),
    ],
)
def test_messages_of_the_gateway_are_named(message: Message, kind: str) -> None:
    """A refund of the gateway would be shown as a void."""
    assert str(PAYBY.kinds.identify(message)) == kind


def test_the_gateway_explains_its_own_field_60_and_asks_for_other_things() -> None:
    """Its ids would be read as types and batches of UnionPay."""
    found: Any = document(PB_SALE, dialect=PAYBY)
    assert found["details"]["60"] == {
        "batch": "000000", "network_management": "000", "transaction_id": "0" * 37, "centre_id": "1" * 18,
    }  # fmt: skip
    assert found["warnings"] == [{"field": 55, "message": "00 is no tag"}]
    asks = Message("0210", PB_SALE.with_fields({39: "00"}).fields, PB_SALE.tpdu, Header("61", "01", "0", "1", "610001"))
    for dialect, says in ((PAYBY, "sign on again"), (CUP, "download terminal parameters")):
        assert any(says in line for line in describe(asks.without(60), dialect=dialect))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({3: "700000", 60: "60000001000"}, "qr_pay"),
        ({3: "740000", 60: "60000001000"}, "qr_refund"),
        ({3: "100000"}, "order_sale"),
        ({3: "311000", 60: "01000001000"}, "order_query"),
        ({3: "330000", 60: "50000001000"}, "identity_check"),
        ({}, "sale"),
    ],
)
def test_an_acquirer_adds_kinds_by_a_patch(changes: dict[int, Value], kind: str) -> None:
    """An acquirer's own transactions would need code."""
    message = SALE.with_fields(changes)
    found = CJ.kinds.identify(message)
    assert found
    assert found.kind.name == kind
    assert (CUP.kinds.identify(message) is None) == (kind not in KINDS)
    assert set(CJ.kinds.rows) > set(KINDS)
    assert CJ.fields is CUP.fields


def test_an_acquirer_may_widen_a_kind() -> None:
    """Its signatures would be unknown although they differ by one code."""
    message = Message("0820", {**ECHO.fields, 60: "07000001301"})
    assert str(CJ.kinds.identify(message)) == "signature_upload.request"
    assert CUP.kinds.identify(message) is None
    assert str(CJ.kinds.identify(Message("0400", {3: "100000", 60: "22000001"}))) == "order_sale_reversal.request"


def values(row: FieldSpec) -> st.SearchStrategy[Value]:
    least, most = row.element.bounds()
    size = st.integers(least, min(most, 40)) if least != most else st.just(most)
    alphabet = {Form.DIGITS: "0123456789", Form.TRACK: "0123456789D", Form.TEXT: "ABC 123"}
    if row.form is Form.HEX:
        return size.flatmap(lambda units: st.binary(min_size=units, max_size=units))
    if row.number in (28, 29, 30, 31, 97):
        return st.tuples(st.sampled_from("CD"), st.text("0123456789", min_size=most - 1, max_size=most - 1)).map(
            "".join
        )
    return size.flatmap(lambda units: st.text(alphabet[row.form], min_size=units, max_size=units))


@st.composite
def messages(draw: st.DrawFn, dialect: Dialect) -> Message:
    numbers = draw(st.sets(st.sampled_from(sorted(set(dialect.fields) - {64, 128})), min_size=1, max_size=12))
    return Message(
        draw(st.sampled_from(sorted(dialect.mtis))), {n: draw(values(dialect.fields[n])) for n in sorted(numbers)}
    )


@settings(max_examples=120)
@given(st.data())
def test_any_fields_of_any_dialect_come_back(data: st.DataObject) -> None:
    """A value that a dialect allows could not be sent, or would arrive as another."""
    dialect = data.draw(st.sampled_from(list(DIALECTS.values())))
    message = data.draw(messages(dialect))
    body = pack(message, dialect)
    assert unpack(body, dialect).fields == message.fields
    assert describe(message, dialect=dialect, lang="zh")
    assert (
        message_from_document(json.loads(json.dumps(document(message, unmask=True, dialect=dialect))), dialect) == body
    )


@settings(max_examples=120)
@given(st.sampled_from(sorted(DIALECTS)), st.binary(max_size=80))
def test_random_bytes_never_do_harm(name: str, raw: bytes) -> None:
    """One frame of another dialect would stop the host."""
    try:
        message = unpack(raw, DIALECTS[name])
    except DecodeError:
        return
    assert pack(message, DIALECTS[name]) == raw
