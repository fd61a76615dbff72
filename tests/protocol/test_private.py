"""The sub-fields of the private fields."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import DecodeError, EncodeError
from protocol.fields import F
from protocol.private import (
    CONTACTLESS,
    Balance,
    BinPage,
    ChipDetail,
    Control,
    DeviceInfo,
    GroupTotals,
    Original,
    RefusalText,
    Totals,
    UploadItem,
    Waiting,
    keys_digest,
    order_number,
    pack_sequence_number,
    pack_tags,
    pack_upload,
    parse_tip,
    read_group,
    read_tags,
    text_tag,
    unpack_contactless,
    unpack_sequence_number,
    unpack_status,
    unpack_tags,
    unpack_upload,
)
from protocol.private.receipt import read_receipt
from protocol.private.tags import tag_width, unpack_binary_tags
from tests.protocol.samples import CREDIT_PAN, DEBIT_PAN, leaks

ITEMS = [UploadItem("00", "000007", DEBIT_PAN, 6000), UploadItem("01", "000008", CREDIT_PAN, 1)]
DIGITS = st.text("0123456789")


@pytest.mark.parametrize(
    ("digits", "parts"),
    [
        ("22000001", ("22", "000001", "", "")),
        ("00000001003", ("00", "000001", "003", "")),
        ("220000010006", ("22", "000001", "000", "6")),
        ("22000001000501", ("22", "000001", "000", "501")),
        ("22000001000600048", ("22", "000001", "000", "600048")),
    ],
)
def test_field_60_is_cut_from_the_right(digits: str, parts: tuple[str, ...]) -> None:
    """A terminal of another edition, with a shorter field 60, would be refused."""
    control = Control.parse(digits)
    assert (control.type_code, control.batch, control.network, control.rest) == parts
    assert str(control) == digits


@pytest.mark.parametrize("digits", ["", "2200000", "220000010", "2200000100"])
def test_half_a_sub_field_of_60_is_refused(digits: str) -> None:
    """A sale would be booked in another batch."""
    with pytest.raises(DecodeError) as caught:
        Control.parse(digits)
    assert caught.value.field == F.CONTROL


def test_field_61_names_the_original() -> None:
    """A void would take back another sale."""
    assert Original.parse("0000010000070301") == Original("000001", "000007", "0301")
    assert str(Original("000001", "000007")) == "000001000007"
    whole = "00000100000703010112345678901"
    assert Original.parse(whole) == Original("000001", "000007", "0301", "01", "12345678901")
    assert str(Original.parse(whole)) == whole
    with pytest.raises(DecodeError):
        Original.parse("00000100000")


def test_totals_stand_in_62_digits() -> None:
    """Terminal and host would disagree about a batch that is in order."""
    totals = Totals(GroupTotals(6000, 2, 100, 1, 1), GroupTotals(1, 1, 0, 0, 2))
    assert str(totals) == "0000000060000020000000001000011" + "0000000000010010000000000000002"
    assert Totals.parse(str(totals)) == totals
    with pytest.raises(DecodeError):
        Totals.parse(str(totals)[1:])


def test_upload_items_come_back() -> None:
    """A sale would get lost in the batch upload."""
    assert unpack_upload(pack_upload(ITEMS)) == ITEMS
    assert pack_upload(ITEMS)[:42] == "02" + "00" + "000007" + "0000" + DEBIT_PAN + "000000006000"
    assert unpack_upload(pack_upload([])) == []
    assert len(unpack_upload(pack_upload(ITEMS * 4))) == 8
    with pytest.raises(EncodeError):
        pack_upload(ITEMS * 4 + ITEMS[:1])


@pytest.mark.parametrize("digits", ["", "0", "01", "0200" + "0" * 38, "03" + "0" * 80, "02" + "0" * 81])
def test_upload_items_that_do_not_add_up_are_refused(digits: str) -> None:
    """B44: an item would be read from the middle of another."""
    with pytest.raises(DecodeError):
        unpack_upload(digits)


def test_an_upload_item_keeps_its_card_out_of_its_repr() -> None:
    """A log line would give the card away."""
    assert not leaks(repr(ITEMS))


TAGS = st.dictionaries(st.from_regex(r"[0-9A-Z]{2}", fullmatch=True), st.binary(max_size=999), max_size=4)


@given(TAGS)
def test_tags_come_back(tags: dict[str, bytes]) -> None:
    """A reason or a command would arrive cut in two."""
    assert unpack_tags(pack_tags(tags.items()), field=62) == tags


@pytest.mark.parametrize(
    "raw",
    [
        b"Z",
        b"ZH",
        b"ZH0",
        b"ZH005abcd",
        b"ZH-01a",
        b"ZH 01a",
        b"ZH0x1a",
        b"zh001a",
        b"ZH001aZH001b",
        b"ZH001ab",
        "ZH٠٠١a".encode(),
    ],
)
def test_bad_tags_get_one_clear_error(raw: bytes) -> None:
    """B9, B38, B44: a length that lies would put one value into another."""
    with pytest.raises(DecodeError) as caught:
        unpack_tags(raw, field=62)
    assert (caught.value.field, caught.value.code) == (62, "tags")


@pytest.mark.parametrize(("tag", "value"), [("zh", b""), ("ZHX", b""), ("", b""), ("ZH", bytes(1000)), ("Z\n", b"")])
def test_bad_tags_are_never_written(tag: str, value: bytes) -> None:
    """A reply would be sent that no terminal can read."""
    with pytest.raises(EncodeError):
        pack_tags([(tag, value)])


def test_a_tag_is_text_or_an_error() -> None:
    """A garbled reason would be shown to the merchant."""
    assert text_tag({"ZH": "停用".encode("gb18030")}, "ZH") == "停用"
    assert text_tag({}, "ZH") == ""
    with pytest.raises(DecodeError):
        text_tag({"ZH": b"\xff\xff"}, "ZH")


@pytest.mark.parametrize(
    "info", [DeviceInfo(), DeviceInfo("PL000001"), DeviceInfo("PL000001", "01020003", "E100"), DeviceInfo(model="E100")]
)
def test_device_information_comes_back(info: DeviceInfo) -> None:
    """The host would hold a terminal for another model and refuse it."""
    assert DeviceInfo.parse(bytes(info)) == info


@pytest.mark.parametrize("raw", [b"", b"12020ABC", b"A1003abc"])
def test_field_59_of_other_acquirers_tells_nothing(raw: bytes) -> None:
    """A foreign terminal would be refused for a field that is none of our business."""
    assert DeviceInfo.parse(raw) == DeviceInfo()


@pytest.mark.parametrize("raw", [b"A2060x", b"A2010020056666", b"A200702002\xff\xff"])
def test_garbled_device_information_is_an_error(raw: bytes) -> None:
    """A garbled serial number would be registered."""
    with pytest.raises(DecodeError):
        DeviceInfo.parse(raw)


def test_the_sequence_number_comes_back() -> None:
    """The host could not tell which device signs on."""
    assert pack_sequence_number("PL000001") == b"Sequence No120000PL000001"
    assert unpack_sequence_number(b"Sequence No120000PL000001") == "PL000001"
    assert unpack_sequence_number(b"Sequence No990000PL000001") == ""
    assert unpack_sequence_number(b"something else") == ""


def test_a_refusal_says_why_in_field_63() -> None:
    """The merchant would see a code and no reason."""
    text = str(RefusalText("terminal_not_registered", "终端未登记"))
    assert RefusalText.parse(text) == RefusalText("terminal_not_registered", "终端未登记")
    assert str(RefusalText()) == "CUP"
    long = RefusalText("r" * 50, "停" * 50)
    assert len(str(long).encode("gb18030")) <= 163
    assert RefusalText.parse(str(long)) == RefusalText("r" * 40, "停" * 30)


def test_the_digest_sees_errors_that_compensate() -> None:
    """Two wrong amounts of the same sum would pass the settlement."""
    rows = [("000001", "22", 100), ("000002", "22", 200)]
    assert keys_digest(rows) == keys_digest(rows[::-1])
    assert keys_digest(rows) != keys_digest([("000001", "22", 200), ("000002", "22", 100)])
    assert len(keys_digest([])) == 32


@pytest.mark.parametrize("text", ["1002156C000000012345", "0001840D999999999999", "1002156C000000000000"])
def test_balances_come_back(text: str) -> None:
    """A customer in debt would be shown as rich."""
    assert str(Balance.parse(text)) == text
    assert (Balance.parse(text).amount_fen < 0) == ("D" in text)


@pytest.mark.parametrize("text", ["", "1002156C00000001234", "1002156X000000012345", "1002156C00000001234A", "１" * 20])
def test_bad_balances_are_refused(text: str) -> None:
    """Half a balance would be printed."""
    with pytest.raises(DecodeError) as caught:
        Balance.parse(text)
    assert caught.value.field == F.ADDITIONAL_AMOUNT


def test_a_tip_is_twelve_digits() -> None:
    """A tip of one yuan would be booked as a hundred."""
    assert parse_tip("000000000100") == 100
    for text in ("", "100", "-00000000100"):
        with pytest.raises(DecodeError):
            parse_tip(text)


def test_foreign_tags_have_two_or_three_digits_of_length() -> None:
    """The terminal of one acquirer would be understood and that of its neighbour refused."""
    for raw, width in ((b"A1003abcB2000", 3), (b"A103abcB200", 2)):
        assert tag_width(raw, field=59) == width
        assert unpack_tags(raw, field=59, width=width) == {"A1": b"abc", "B2": b""}
    with pytest.raises(DecodeError) as caught:
        tag_width(b"A199abc", field=59)
    assert (caught.value.field, caught.value.code) == (59, "tags")


@pytest.mark.parametrize(
    "read",
    [
        lambda: unpack_tags(pack_tags([("VN", b"2.2.0"), ("OF", b"0")], width=2), field=59),
        lambda: unpack_tags(pack_tags([("VN", b"2.2.0"), ("OF", b"0")]), field=59, width=2),
        lambda: DeviceInfo.parse(DeviceInfo("PL000001", "01020003", "E100").pack(width=2)),
        lambda: read_tags(DeviceInfo("PL000001", "01020003", "E100").pack(width=2), field=59),
    ],
)
def test_lengths_of_another_width_are_called_by_their_name(read: Callable[[], object]) -> None:
    """Everybody would look for a garbled line, and nobody at the terminal's program."""
    with pytest.raises(DecodeError, match=r"tag lengths: (2 digits, not 3|3 digits, not 2)") as caught:
        read()
    assert (caught.value.field, caught.value.code) == (59, "tag_length")


@pytest.mark.parametrize("raw", [b"\x01", b"\x01\x05abc", b"\x01\x00\x01\x00"])
def test_bad_binary_tags_are_refused(raw: bytes) -> None:
    """B44: a value would be read from the middle of another."""
    assert unpack_binary_tags(b"\x01\x02ab\x02\x00", field=47) == {"01": b"ab", "02": b""}
    with pytest.raises(DecodeError) as caught:
        unpack_binary_tags(raw, field=47)
    assert caught.value.field == 47


def test_only_the_known_group_of_field_47_is_opened() -> None:
    """Another acquirer's field 47 would be called broken."""
    assert read_group(b"XX003abc") == []
    assert [(row.key, value) for row, value in read_group(b"PI006\x05\x04PL01")] == [("serial_number", b"PL01")]
    for raw in (b"PI009\x05\x04PL01", b"PI003\x05\x04P"):
        with pytest.raises(DecodeError) as caught:
            read_group(raw)
        assert caught.value.field == F.ISSUER_DATA


def test_unknown_tags_are_secret() -> None:
    """A private tag might hold a card number."""
    assert [(row.key, row.secret) for row, _ in read_tags(b"A4003abc99000", field=59)] == [
        ("order_number", False),
        ("99", True),
    ]
    assert [row.secret for row, _ in read_receipt(bytes.fromhex("FF000141FF7F0142"))] == [False, True]


def test_device_information_of_other_acquirers_is_read_too() -> None:
    """A terminal with lengths of two digits would be refused as malformed."""
    assert DeviceInfo.parse(b"A2120208PL000001" + b"9900") == DeviceInfo("PL000001")


def test_a_status_has_states_and_parameters() -> None:
    """The host would not learn that the printer is broken."""
    assert unpack_status(b"011040" + b"1160" + b"26FFFF") == ({"01": "1", "04": "0"}, {"11": "60", "26": "FFFF"})
    assert unpack_status(b"") == ({}, {})
    name = "商户".encode("gb18030").ljust(40)
    assert unpack_status(b"22" + name)[1]["22"].strip() == "商户"
    for raw in (b"0", b"01", b"99", b"116", b"011010", b"11601160", b"\xff\xff", b"26"):
        with pytest.raises(DecodeError) as caught:
            unpack_status(raw)
        assert caught.value.field == F.PAYLOAD


def test_the_defaults_of_contactless_parameters_are_a_download() -> None:
    """A terminal without a download would let anybody pay without a PIN."""
    raw = "".join(f"{tag}{len(row.default):03d}{row.default}" for tag, row in CONTACTLESS.items()).encode()
    assert unpack_contactless(raw) == {tag: row.default for tag, row in CONTACTLESS.items()}
    for bad in (b"FF80540", b"FF8054002", b"ff80540011", raw + raw, b"\xff"):
        with pytest.raises(DecodeError):
            unpack_contactless(bad)


@pytest.mark.parametrize("page", [BinPage("0", "000"), BinPage("2", "002", ("620000", "6212345678"))])
def test_pages_of_bins_come_back(page: BinPage) -> None:
    """Cards of a bank would be asked for a PIN that they need not have, or not be asked."""
    assert BinPage.parse(bytes(page)) == page


@pytest.mark.parametrize(
    "raw", [b"", b"100", b"1000" + b"06620000   ", b"1000" + b"09620000    ", b"1000" + b"0662000A    "]
)
def test_bad_pages_of_bins_are_refused(raw: bytes) -> None:
    """B44: half a BIN would match every card that begins so."""
    with pytest.raises(DecodeError):
        BinPage.parse(raw)


@pytest.mark.parametrize(
    "row", [ChipDetail("61", "00", "00", 6000, "156"), ChipDetail("71", "01", "05", 1, "156", "1", "2")]
)
def test_chip_details_come_back(row: ChipDetail) -> None:
    """A chip sale would get lost in the batch upload."""
    assert ChipDetail.parse(bytes(row)) == row
    assert ChipDetail.parse(bytes(row).removeprefix(b"021")) == row
    for raw in (b"", b"51", bytes(row)[:-1], b"999" + bytes(row)):
        with pytest.raises(DecodeError):
            ChipDetail.parse(raw)


@given(DIGITS)
def test_digits_never_do_harm(digits: str) -> None:
    """A garbled private field would stop the host."""
    for parse in (Control.parse, Original.parse, Totals.parse, unpack_upload):
        with suppress(DecodeError):
            parse(digits)


def test_a_customers_code_travels_with_the_device_and_is_not_printed() -> None:
    """A log would hold a code that still pays, or the host not know who scanned it."""
    told = DeviceInfo("S1", "02010000", "PX", "6200123456789012345")
    assert bytes(told).endswith(b"A30196200123456789012345")
    assert DeviceInfo.parse(bytes(told)) == told
    assert DeviceInfo.parse(b"A30196200123456789012345") == DeviceInfo(payment_code="6200123456789012345")
    assert "62001" not in repr(told)


@pytest.mark.parametrize(
    ("raw", "order"),
    [
        (b"A4020" + b"7" * 20, "7" * 20),
        (b"A2003020A4003ABC", "ABC"),
        (b"A4000", ""),
        (b"A4002\xff\xff", ""),
        (b"A4040" + b"7" * 40, ""),
        (b"A4020short", ""),
        (b"", ""),
        (b"junk", ""),
    ],
)
def test_an_order_number_is_found_or_not(raw: bytes, order: str) -> None:
    """A foreign host's field 59 would stop a sale that was approved."""
    assert order_number(raw) == order


@pytest.mark.parametrize(
    ("number", "changes"),
    [(1, {"telephone": "13000000001"}), (1, {"name": "街角", "contact": "便利店王小明"}), (3, {})],
    ids=["digit", "border", "number"],
)
def test_a_form_that_waits_is_known_by_its_digest(number: int, changes: dict[str, str]) -> None:
    """A device would take another form, or the number of another one, for its own."""
    form = {"name": "街角便利店", "contact": "王小明", "telephone": "13000000000", "address": "实验路一号院"}
    waiting, other = Waiting.of(1, form | {"region": "110000"}), Waiting.of(number, form | changes)
    assert Waiting.read(unpack_tags(pack_tags(waiting.tags), field=62)) == waiting == Waiting.of(1, form)
    assert (len(waiting.digest), waiting.digest == other.digest) == (2, False)
    assert Waiting.read({"ST": b"submitted"}) is None
    with pytest.raises(DecodeError):
        Waiting.read(dict(waiting.tags) | {"FN": b"x"})
