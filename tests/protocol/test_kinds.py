"""TABLE KINDS: what a message is and what it must carry."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from protocol.codes import CONDITIONS
from protocol.elements import Value
from protocol.fields import FIELDS, F
from protocol.header import REQUIREMENTS
from protocol.kinds import (
    CUP_KINDS,
    KINDS,
    MTIS,
    REQUEST_MTIS,
    Identity,
    Kind,
    KindTable,
    Presence,
    foreign_fields,
    identify,
    missing_fields,
    reply_mti,
)
from protocol.kinds.kind import Mark
from protocol.message import Message
from protocol.private import Control
from tests.protocol.samples import ECHO, SALE, SALE_REPLY, SAMPLES, SIGN_IN, leaks

ROWS = list(KINDS.values())


def example(kind: Kind, network: str, *, mti: str) -> Message:
    fields: dict[int, Value] = {F.CONTROL: str(Control(kind.type_code, "000001", network))}
    if kind.processing_code:
        fields[F.PROCESSING_CODE] = kind.processing_code
    if kind.condition_code:
        fields[F.CONDITION_CODE] = kind.condition_code
    if kind.marks and kind.marks[0].number == F.ENTRY_MODE:
        fields[F.ENTRY_MODE] = kind.marks[0].starts[0].ljust(3, "2")
    return Message(mti, fields)


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_every_row_is_recognised_both_ways(kind: Kind) -> None:
    """A kind in the table that no message can be, or a refund that is booked as a void."""
    main, variant = (KINDS[kind.variant_of], kind) if kind.variant_of else (kind, None)
    for network in kind.networks:
        for mti in (kind.mti, *kind.other_mtis):
            assert identify(example(kind, network, mti=mti)) == Identity(main, True, variant)
            assert identify(example(kind, network, mti=reply_mti(mti))) == Identity(main, False, variant)


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_what_undoes_and_what_is_undone_agree(kind: Kind) -> None:
    """A sale without reply could not be reversed, or the reversal would undo something else."""
    if kind.reversal:
        undo = KINDS[kind.reversal]
        assert (undo.type_code, undo.processing_code) == (kind.type_code, kind.processing_code)
        assert undo.undoes == (kind.variant_of or kind.name)
        assert not undo.advances_stan
        assert undo.mti == "0400"
    if kind.undoes:
        assert KINDS[kind.undoes].reversal == kind.name


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_presence_names_fields_of_the_dialect(kind: Kind) -> None:
    """A kind would demand a field that nobody can send."""
    for presence in (kind.request, kind.reply):
        assert set(presence.named) <= set(FIELDS)
        assert len(presence.must) == len(set(presence.must))
        assert not set(presence.must) & {*presence.due, *presence.may}
        assert {F.TERMINAL_ID, F.MERCHANT_ID, F.CONTROL} <= set(presence.must)
    assert {number for number, _ in kind.masks} <= set(FIELDS)
    assert kind.name == next(name for name, row in KINDS.items() if row is kind)
    assert not kind.chinese.isascii()
    assert kind.english.isascii()
    assert kind.clause
    assert kind.condition_code in ("", *CONDITIONS)


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_a_mac_is_due_where_the_row_says_so(kind: Kind) -> None:
    """A sale without MAC would be taken."""
    assert kind.has_mac == (F.MAC in kind.request.must)
    assert not kind.has_mac or F.MAC in kind.reply.named


# CUP 3.1: name, MTI, field 3, field 25, 60.1, reversal
FINANCIAL = """
balance                0200  310000  00  01  -
sale                   0200  000000  00  22  0400
sale_void              0200  200000  00  23  0400
refund                 0220  200000  00  25  -
preauth                0100  030000  06  10  0400
preauth_void           0100  200000  06  11  0400
completion             0200  000000  06  20  0400
completion_advice      0220  000000  06  24  -
completion_void        0200  200000  06  21  0400
additional_preauth     0100  030000  60  10  0400
offline_sale           0220  000000  00  30  -
offline_adjustment     0220  000000  00  32  -
tip_adjustment         0220  000000  00  34  -
ec_sale                0200  000000  00  36  -
ec_refund              0220  200000  00  27  -
ec_load                0200  600000  91  45  0400
ec_load_other          0200  620000  91  47  0400
ec_load_cash           0200  630000  91  46  0400
ec_load_cash_void      0200  170000  91  51  0400
purse_load             0200  600000  91  40  0400
purse_load_cash        0200  630000  91  41  0400
purse_load_other       0200  620000  91  42  0400
stripe_load_cash       0200  630000  00  48  -
stripe_load            0200  400000  66  49  -
stripe_load_check      0100  330000  00  01  -
moto_sale              0200  000000  08  22  0400
moto_sale_void         0200  200000  08  23  0400
moto_preauth           0100  030000  18  10  0400
moto_preauth_void      0100  200000  18  11  0400
moto_completion        0200  000000  18  20  0400
moto_completion_void   0200  200000  18  21  0400
instalment_sale        0200  000000  64  22  0400
instalment_sale_void   0200  200000  64  23  0400
points_sale            0200  000000  65  22  0400
points_sale_void       0200  200000  65  23  0400
points_query           0200  310000  65  03  -
reservation_sale       0200  000000  67  54  0400
reservation_sale_void  0200  200000  67  53  0400
qr_sale                0200  000000  00  22  0400
contactless_sale       0200  000000  00  22  0400
"""


def test_the_financial_kinds_are_those_of_the_specification() -> None:
    """A terminal of another maker would find that a transaction of the book is missing."""
    rows = [line.split() for line in FINANCIAL.strip().splitlines()]
    told = {
        row.name: [
            row.name, row.mti, row.processing_code, row.condition_code, row.type_code,
            KINDS[row.reversal].mti if row.reversal else "-",
        ]
        for row in ROWS if row.networks == ("000", "") and not row.undoes and row.mti != "0320"
    }  # fmt: skip
    assert told == {row[0]: row for row in rows}


def test_the_management_codes_are_those_of_the_specification() -> None:
    """A download that the specification has could not be named."""
    codes = {network for row in ROWS for network in row.networks if not row.extension} - {"000", ""}
    batch = {str(code) for code in range(201, 210)}
    downloads = "350 352 360 361 362 364 365 370 371 372 373 380 381 382 384 385 390 391 394 395 396 397 398 399"
    others = "001 002 003 004 005 006 301 401 951"
    signatures = {str(code) for code in range(800, 810)}
    assert codes == {*downloads.split(), *others.split(), *batch, *signatures}
    assert {network for row in REQUIREMENTS.values() for network in row.networks} <= codes | {"910", "911"}
    extensions = {row.name: row.networks for row in ROWS if row.extension}
    assert sorted(code for codes in extensions.values() for code in codes) == [
        "901", "902", "903", "910", "911", "920", "921", "930", "931", "932",
    ]  # fmt: skip


def test_every_type_code_has_a_kind() -> None:
    """A transaction that the specification has could not be named."""
    known = "00 01 03 07 10 11 20 21 22 23 24 25 27 30 32 34 36 40 41 42 45 46 47 48 49 51 53 54"
    assert {row.type_code for row in ROWS} == set(known.split())


def test_the_mtis() -> None:
    """A terminal would wait for a reply that never comes."""
    assert {row.mti: row.reply_mti for row in ROWS} == {
        "0100": "0110", "0200": "0210", "0220": "0230", "0320": "0330", "0400": "0410", "0500": "0510", "0620": "0630",
        "0800": "0810", "0820": "0830",
    }  # fmt: skip
    assert {row.mti for row in ROWS} == REQUEST_MTIS < MTIS
    assert {"0630", "0110"} <= MTIS


@pytest.mark.parametrize("name", ["status_upload", "ca_key_query", "aid_query"])
def test_a_query_comes_under_either_mti(name: str) -> None:
    """CUP 10: half of the terminals in the field would get no answer to their queries."""
    kind = KINDS[name]
    for mti in ("0800", "0820"):
        found = identify(example(kind, kind.networks[0], mti=mti))
        assert found
        assert found.kind is kind


def test_what_moves_money() -> None:
    """A kind that moves money would be left out of the books, or a signature be booked."""
    moving = {row.name for row in ROWS if row.moves_money}
    assert {
        "sale",
        "sale_void",
        "refund",
        "sale_reversal",
        "sale_void_reversal",
        "preauth",
        "completion_advice",
    } <= moving
    assert not moving & {
        "balance", "points_query", "script_result", "signature_upload", "settlement", "refund_upload", "batch_upload",
        "sign_in", "stripe_load_check",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "message"), SAMPLES.items())
def test_complete_samples_lack_nothing(name: str, message: Message) -> None:
    """A complete message would be refused as malformed."""
    identity = identify(message)
    assert identity
    assert missing_fields(identity, message) == []
    assert foreign_fields(identity, message) == []


def test_missing_and_foreign_fields_are_named() -> None:
    """The terminal's maker would not learn which field the host misses."""
    sale, reply = identify(SALE), identify(SALE_REPLY)
    assert sale
    assert reply
    assert str(sale) == "sale.request"
    assert str(reply) == "sale.reply"
    assert missing_fields(sale, SALE.without(F.STAN, F.MAC)) == [F.STAN, F.MAC]
    assert missing_fields(sale, SALE.without(F.TEXT)) == []
    assert missing_fields(reply, SALE_REPLY.without(F.RESPONSE_CODE)) == [F.RESPONSE_CODE]
    assert foreign_fields(sale, SALE.with_fields({F.RESPONSE_CODE: "00", F.ACQUIRER: "1"})) == [
        F.ACQUIRER,
        F.RESPONSE_CODE,
    ]


@pytest.mark.parametrize(
    "message",
    [
        SALE.with_fields({F.PROCESSING_CODE: "999999"}),
        SALE.without(F.PROCESSING_CODE),
        SALE.with_fields({F.CONTROL: "99000001000"}),
        SALE.without(F.CONTROL),
        SIGN_IN.with_fields({F.CONTROL: "00000001353"}),
        SIGN_IN.with_fields({F.PROCESSING_CODE: "000000"}),
        Message("0100", SALE.fields),
        Message("0820", {**ECHO.fields, F.CONTROL: "00000001370"}),
    ],
)
def test_what_the_table_lacks_has_no_identity(message: Message) -> None:
    """B54: a kind that we do not know would be taken for its neighbour."""
    assert identify(message) is None


def test_old_terminals_may_leave_60_3_out() -> None:
    """A sale of an old terminal, with eight digits in field 60, would be refused."""
    identity = identify(SALE.with_fields({F.CONTROL: "22000001"}))
    assert identity
    assert identity.kind.name == "sale"
    assert identity.presence == KINDS["sale"].request


MARKED: list[tuple[str, dict[int, Value], str, str]] = [
    ("condition 04 of some hosts", {F.CONDITION_CODE: "04"}, "sale", ""),
    ("telephone order", {F.CONDITION_CODE: "08"}, "moto_sale", ""),
    ("telephone order under the code of a pre-authorisation", {F.CONDITION_CODE: "18"}, "moto_sale", ""),
    ("instalment", {F.CONDITION_CODE: "64"}, "instalment_sale", ""),
    ("QR code by entry mode", {F.ENTRY_MODE: "032"}, "qr_sale", ""),
    ("QR code by payment code", {F.ENTRY_MODE: "012", F.DEVICE: b"A3019" + b"6" * 19}, "qr_sale", ""),
    ("tap without PIN", {F.ENTRY_MODE: "072"}, "sale", "contactless_sale"),
    ("tap with PIN", {F.ENTRY_MODE: "071"}, "sale", ""),
]


@pytest.mark.parametrize(("name", "changes", "kind", "variant"), MARKED, ids=[row[0] for row in MARKED])
def test_marks_tell_kinds_with_the_same_codes_apart(
    name: str, changes: Mapping[int, Value], kind: str, variant: str
) -> None:
    """A points sale would be booked as money, or a tap be refused because a host knows only sales."""
    found = identify(SALE.with_fields(changes))
    assert found
    assert (found.kind.name, found.variant.name if found.variant else "") == (kind, variant)
    assert found.row.name == (variant or kind)


def test_a_variant_has_fields_of_its_own_and_the_name_of_its_kind() -> None:
    """A PIN in a tap that promises none would go unnoticed."""
    tap = SALE.with_fields({F.ENTRY_MODE: "072"})
    identity = identify(tap)
    assert identity
    assert str(identity) == "sale.request"
    assert foreign_fields(identity, tap) == [F.PIN_CAPTURE, F.PIN_BLOCK]
    assert foreign_fields(identity, tap.without(F.PIN_CAPTURE, F.PIN_BLOCK)) == []


def test_a_script_result_takes_the_codes_of_its_original() -> None:
    """The result of a chip's script would be refused because the original was a refund."""
    for code in ("000000", "200000", ""):
        message = Message("0620", {F.PROCESSING_CODE: code, F.CONTROL: "00000001951"})
        found = identify(message if code else message.without(F.PROCESSING_CODE))
        assert found
        assert str(found) == "script_result.request"


def test_a_dialect_may_keep_its_codes_elsewhere() -> None:
    """A host whose field 60 is other text could have no table of kinds."""
    row = Kind(
        "x", "某", "x", "0200", "", ("7",), Presence((F.STAN,)), Presence(()), marks=(Mark(F.DEVICE, ("\xff",)),)
    )
    table = KindTable([row], codes_of=lambda message: ("", message.text(F.TEXT)))
    assert identify(Message("0200", {F.TEXT: "7", F.DEVICE: b"\xff"}), table) == Identity(row, True)
    assert identify(Message("0200", {F.TEXT: "7", F.DEVICE: b"\x00"}), table) is None
    assert identify(Message("0200", {F.TEXT: "8", F.DEVICE: b"\xff"}), table) is None
    assert sorted(table.mtis) == ["0200", "0210"]
    assert sorted(table.request_mtis) == ["0200"]


def test_identities_show_no_card() -> None:
    """A log line would give the card away."""
    assert not leaks(repr([CUP_KINDS.identify(message) for message in SAMPLES.values()]))
