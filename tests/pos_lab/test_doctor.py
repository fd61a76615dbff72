"""The doctor: good messages that were broken in every way we have heard of, each told by its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pos_lab import cli
from pos_lab.doctor.examination import Case, Keys, Verdict, examine
from pos_lab.doctor.report import as_document, as_lines
from pos_lab.doctor.symptom import SYMPTOMS, Finding, Gravity, Language
from protocol.codec import pack, seal
from protocol.crypto.cipher import SM4
from protocol.crypto.key import MacKey
from protocol.crypto.keys import check_value, wrap_key
from protocol.crypto.mac import MAC_ALGORITHMS
from protocol.dialects import ISO87_ASCII, ISO87_BCD, PAYBY
from protocol.elements import Base, Element, ElementError, Packed, Prefix, bitmap_of
from protocol.fields import FIELDS, F
from protocol.framing import Len2Framer, StxFramer, lrc
from protocol.message import Message
from protocol.private import DeviceInfo
from tests.protocol.samples import DEBIT_PAN, ECHO, SALE, SALE_REPLY, SAMPLES, SIGN_IN_REPLY, UPLOAD, leaks
from tests.vectors import shared_vectors

TPDU, HEADER = bytes.fromhex("6000030000"), bytes.fromhex("603200000000")
ENVELOPE = TPDU + HEADER
PAYLOAD, BODY = seal(SALE), pack(SALE)


def len2(payload: bytes, wrong: int = 0) -> bytes:
    return (len(payload) + wrong).to_bytes(2, "big") + payload


def written(
    message: Message,
    *,
    mti: bytes | None = None,
    bitmap: Callable[[bytes], bytes] = bytes,
    length: Callable[[Element, int, int], bytes] | None = None,
    value: Callable[[Element, Any], bytes] | None = None,
    bits: Callable[[set[int]], set[int]] = set,
    only: int = 0,
    change: Mapping[int, bytes] | None = None,
) -> bytes:
    """A body put together by hand, right but for what is given, in every field or ``only`` in one."""
    body = (mti or bytes.fromhex(message.mti)) + bitmap(bitmap_of(bits(set(message.fields))))
    for number, each in sorted(message.fields.items()):
        element = FIELDS[number].element
        hit = only in (0, number)
        raw = value(element, each) if value and hit else element.coding.encode(each)
        units = len(raw) if value is in_utf8 and number == F.TEXT else element.coding.units(each)
        if element.prefix:
            body += length(element, units, len(raw)) if length and hit else element.prefix.encode(units)
        body += (change or {}).get(number, raw)
    return body


def in_bytes(element: Element, units: int, size: int) -> bytes:
    assert element.prefix
    return element.prefix.encode(size)


def in_binary(element: Element, units: int, size: int) -> bytes:
    assert element.prefix
    return units.to_bytes(element.prefix.size_bytes, "big")


def in_ascii(element: Element, units: int, size: int) -> bytes:
    assert element.prefix
    return f"{units:0{element.prefix.size_bytes + 1}d}".encode()


def off_by(wrong: int) -> Callable[[Element, int, int], bytes]:
    def length(element: Element, units: int, size: int) -> bytes:
        assert element.prefix
        return element.prefix.encode(units + wrong)

    return length


def as_ascii(element: Element, value: Any) -> bytes:
    return value.encode() if isinstance(element.coding, Packed) else element.coding.encode(value)


def filled(left: str, right: str) -> Callable[[Element, Any], bytes]:
    """Packed digits, an odd number of them filled on one side."""

    def encode(element: Element, value: Any) -> bytes:
        if not isinstance(element.coding, Packed) or len(value) % 2 == 0:
            return element.coding.encode(value)
        return bytes.fromhex(left + value + right)

    return encode


def in_hex(element: Element, value: Any) -> bytes:
    return value.hex().upper().encode() if isinstance(value, bytes) else element.coding.encode(value)


def in_utf8(element: Element, value: Any) -> bytes:
    return value.encode() if isinstance(value, str) and not value.isascii() else element.coding.encode(value)


def hexed(bits: bytes) -> bytes:
    return bits.hex().upper().encode()


ODD = SALE.with_fields({F.TRACK2: SALE.text(F.TRACK2) + "9", F.CONTROL: "22000001000"})
SALE36 = FIELDS[36].element.coding.encode(SALE.text(36))
LONG = SALE.with_fields({F.PAYLOAD: b"ABCDEFGHIJ"})
STX_FRAME = StxFramer().wrap(PAYLOAD)
STX_BLOCK = len(PAYLOAD).to_bytes(2, "big") + PAYLOAD + b"\x03"
ETHERNET = bytes.fromhex("0050569A0B0C0050569A0D0E0800") + bytes.fromhex("4500") + bytes(18) + bytes(20)

Broken = tuple[str, bytes, str, int, int]
BROKEN: list[Broken] = [
    ("low byte first", len(PAYLOAD).to_bytes(2, "little") + PAYLOAD, "length_byte_order", 0, 0),
    ("the length counts itself", len2(PAYLOAD, 2), "length_includes_itself", 0, 2),
    ("the length is 3 too long", len2(PAYLOAD, 3), "length_wrong", 0, 3),
    ("the length is 7 too short", len2(PAYLOAD, -7), "length_wrong", 0, -7),
    ("an ASCII length", f"{len(PAYLOAD):04d}".encode() + PAYLOAD, "length_ascii4", 0, 0),
    ("a BCD length", bytes.fromhex(f"{len(PAYLOAD):04d}") + PAYLOAD, "length_bcd2", 0, 0),
    ("a length of 4 bytes", len(PAYLOAD).to_bytes(4, "big") + PAYLOAD, "length_four_bytes", 0, 0),
    ("the length twice", len2(len2(PAYLOAD)), "length_twice", 0, 0),
    ("no length", PAYLOAD, "missing_length", 0, 0),
    ("STX with a binary length", b"\x02" + STX_BLOCK + bytes([lrc(STX_BLOCK)]), "stx_binary_length", 0, 0),
    ("a wrong LRC", STX_FRAME[:-1] + bytes([STX_FRAME[-1] ^ 1]), "lrc_wrong", 0, 0),
    ("no ETX", STX_FRAME[:-2] + b"\x00" + STX_FRAME[-1:], "etx_missing", 0, 0),
    ("a truncated frame", len2(PAYLOAD)[:-30], "truncated", 0, 30),
    ("a truncated payload", PAYLOAD[:-11], "truncated", 63, 0),
    ("two messages in one frame", len2(PAYLOAD + seal(ECHO)), "merged", 0, 0),
    ("two messages without frames", PAYLOAD + seal(ECHO), "merged", 0, 0),
    ("headers of Ethernet, IP and TCP before it", ETHERNET + len2(PAYLOAD), "leading_bytes", 0, 54),
    ("zeros after it", len2(PAYLOAD + bytes(6)), "trailing_bytes", 0, 6),
    ("no TPDU", len2(HEADER + BODY), "tpdu_missing", 0, 0),
    ("no header", len2(TPDU + BODY), "header_missing", 0, 0),
    ("neither", len2(BODY), "tpdu_and_header_missing", 0, 0),
    ("the TPDU twice", len2(TPDU + PAYLOAD), "tpdu_twice", 0, 0),
    ("the header twice", len2(ENVELOPE + HEADER + BODY), "header_twice", 0, 0),
    ("the header in ASCII", len2(TPDU + hexed(HEADER) + BODY), "header_ascii", 0, 0),
    ("an LRI block", len2(TPDU + b"LRI" + bytes(30) + HEADER + BODY), "lri_block", 0, 0),
    ("another TPDU id", len2(b"\x68" + TPDU[1:] + HEADER + BODY), "tpdu_id", 0, 0),
    ("an ASCII MTI", len2(ENVELOPE + written(SALE, mti=b"0200")), "ascii_mti", 0, 0),
    ("an ASCII bitmap", len2(ENVELOPE + written(SALE, bitmap=hexed)), "ascii_bitmap", 0, 0),
    ("MTI and bitmap in ASCII", len2(ENVELOPE + written(SALE, mti=b"0200", bitmap=hexed)), "ascii_mti", 0, 0),
    ("a second bitmap", len2(ENVELOPE + BODY[:2] + bytes([BODY[2] | 0x80]) + BODY[3:10] + bytes(7) + b"\x01" + BODY[10:]
     + bytes(8)), "second_bitmap", 0, 0),
    ("BCD lengths in bytes", len2(ENVELOPE + written(SALE, length=in_bytes)), "bcd_length_in_bytes", 0, 0),
    ("BCD length of track 2 in bytes", len2(ENVELOPE + written(SALE, length=in_bytes, only=35)),
     "bcd_length_in_bytes", 35, 0),
    ("BCD length of field 60 in bytes", len2(ENVELOPE + written(SALE, length=in_bytes, only=60)),
     "bcd_length_in_bytes", 60, 0),
    ("binary lengths", len2(ENVELOPE + written(SALE, length=in_binary)), "binary_length", 0, 0),
    ("a binary length of field 55", len2(ENVELOPE + written(SALE, length=in_binary, only=55)), "binary_length", 55, 0),
    ("ASCII lengths", len2(ENVELOPE + written(SALE, length=in_ascii)), "ascii_length", 0, 0),
    ("ASCII digits", len2(ENVELOPE + written(SALE, value=as_ascii)), "ascii_digits", 0, 0),
    ("an amount in ASCII", len2(ENVELOPE + written(SALE, value=as_ascii, only=4)), "ascii_digits", 4, 0),
    ("filled on the left", len2(ENVELOPE + written(ODD.without(23), value=filled("0", ""))), "other_align", 0, 0),
    ("track 2 filled with F", len2(ENVELOPE + written(ODD, value=filled("", "F"), only=35)), "other_fill", 35, 0),
    ("a PIN block in hex", len2(ENVELOPE + written(SALE, value=in_hex, only=52)), "hex_text", 52, 0),
    ("UTF-8", len2(ENVELOPE + written(SALE_REPLY.with_fields({63: "CUP交易"}), value=in_utf8)), "other_charset", 63, 0),
    ("a length of 1 byte in field 60", len2(ENVELOPE + written(SALE, length=lambda e, u, s: bytes.fromhex(f"{u:02d}"),
     only=60)), "short_length", 60, 0),
    ("the length of field 62 is 1 too long", len2(ENVELOPE + written(LONG, length=off_by(1), only=62)),
     "field_length_wrong", 62, 1),
    ("the length of field 62 is 2 too short", len2(ENVELOPE + written(LONG, length=off_by(-2), only=62)),
     "field_length_wrong", 62, -2),
    ("field 42 is 1 short", len2(ENVELOPE + written(SALE, change={42: b"10000000000000"})), "field_size_wrong", 0, -1),
    ("a bit without its field", len2(ENVELOPE + written(ECHO, bits=lambda b: b | {64})), "bit_without_field", 64, 0),
    ("a field without its bit", len2(ENVELOPE + written(SALE, bits=lambda b: b - {55})), "field_without_bit", 55, 0),
    ("an undefined bit", len2(ENVELOPE + written(SALE, bits=lambda b: b | {46})), "bit_without_field", 46, 0),
    ("an undefined field", len2(ENVELOPE + written(SALE, bits=lambda b: b | {40}, change={36: SALE36 + b"123"})),
     "undefined_field", 40, 0),
]  # fmt: skip


@cache
def diagnosed(raw: bytes) -> list[Case]:
    return examine(raw)


def codes(cases: list[Case]) -> set[str]:
    return {finding.code for case in cases for finding in case.findings}


@pytest.mark.parametrize(("name", "raw", "code", "field", "n"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_message_is_diagnosed_by_name(name: str, raw: bytes, code: str, field: int, n: int) -> None:
    """The engineer would look for the fault in the wrong place."""
    cases = diagnosed(raw)
    found = [finding for case in cases for finding in case.findings if finding.code == code]
    assert found, codes(cases)
    assert field in (0, found[0].field)
    assert n in (0, found[0].n)
    assert cases[0].hypothesis
    if found[0].symptom.gravity is Gravity.FAULT:
        assert cases[0].verdict is Verdict.FINDINGS
    assert 0 <= found[0].at <= len(raw)


@pytest.mark.parametrize(("name", "raw", "code", "field", "n"), BROKEN, ids=[row[0] for row in BROKEN])
def test_no_other_fault_is_made_up(name: str, raw: bytes, code: str, field: int, n: int) -> None:
    """A true finding would drown among false ones."""
    allowed = {code, "ascii_bitmap", "missing_length", "dialect", "no_envelope"}
    faults = {each for each in codes(diagnosed(raw)) if SYMPTOMS[each].gravity is Gravity.FAULT}
    assert faults <= allowed


def test_the_offset_is_that_of_the_wrong_length() -> None:
    """The engineer would count bytes by hand."""
    raw = len2(ENVELOPE + written(LONG, length=off_by(1), only=62))
    (finding,) = (each for case in examine(raw) for each in case.findings if each.code == "field_length_wrong")
    assert raw[finding.at : finding.at + 2] == b"\x00\x11"


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("wrap", [Len2Framer().wrap, lambda payload: StxFramer().wrap(payload)], ids=["len2", "stx"])
def test_a_good_message_is_understood(name: str, wrap: Callable[[bytes], bytes]) -> None:
    """The doctor would find a fault in a healthy peer."""
    (case,) = examine(wrap(seal(SAMPLES[name])))
    assert case.verdict is Verdict.UNDERSTOOD
    assert not case.findings
    assert case.confidence == 1


def test_frames_in_a_row_are_several_messages_and_no_fault() -> None:
    """Every busy connection would look broken."""
    raw = b"\x06".join(StxFramer().wrap(seal(each)) for each in SAMPLES.values()) + b"\x06"
    cases = examine(raw)
    assert len(cases) == len(SAMPLES)
    assert not codes(cases)
    assert len(examine(b"".join(len2(seal(each)) for each in SAMPLES.values()))) == len(SAMPLES)


def test_merged_messages_are_both_read() -> None:
    """The second message would be lost."""
    first, second = examine(len2(PAYLOAD + seal(ECHO)))
    assert (first.hypothesis and first.hypothesis.walk.mti, second.hypothesis and second.hypothesis.walk.mti) == (
        "0200", "0820",
    )  # fmt: skip


ISO = Message("0800", {7: "0301101530", 11: "000001", 70: "301"})


@pytest.mark.parametrize("dialect", [ISO87_ASCII, ISO87_BCD], ids=lambda each: each.name)
def test_another_dialect_is_named(dialect: Any) -> None:
    """The user would not know which --dialect to say."""
    (case,) = examine(len2(pack(ISO, dialect)))
    assert case.verdict is Verdict.UNDERSTOOD
    assert [finding.name for finding in case.findings if finding.code == "dialect"] == [dialect.name]


@pytest.mark.parametrize("vector", shared_vectors("message"), ids=lambda vector: vector["id"])
def test_a_real_message_is_understood_under_its_dialect(vector: dict[str, Any]) -> None:
    """A terminal that works would be called broken."""
    (case,) = examine(bytes.fromhex(vector["hex"]))
    assert case.hypothesis
    if vector["layout"] in ("cup", PAYBY.name):
        assert case.verdict is Verdict.UNDERSTOOD
        assert case.hypothesis.reading.dialect.name == vector["layout"]


def test_a_real_serial_frame_shows_its_frame_and_missing_header() -> None:
    """A NAC that sends no header could not be told from a broken line."""
    raw = next(bytes.fromhex(each["hex"]) for each in shared_vectors("frame") if each["id"] == "frame-nac")
    (case,) = examine(raw)
    assert case.hypothesis
    assert case.hypothesis.cut.kind == "stx"
    assert {"lrc_wrong", "header_missing"} <= codes([case])


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "foreign"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), "foreign"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "foreign"),
        (bytes(range(200, 256)), "not_understood"),
        (b"\x00", "not_understood"),
        (len2(ENVELOPE + b"\x02\x00" + bytes(20)), "not_understood"),
    ],
)
def test_what_is_no_message_is_unknown(raw: bytes, code: str) -> None:
    """A wrong port would be searched for framing faults."""
    (case,) = examine(raw)
    assert case.verdict is Verdict.UNKNOWN
    assert codes([case]) == {code}


MAK = bytes.fromhex("0123456789ABCDEF1122334455667788")


def macced(make: Callable[[bytes], bytes]) -> bytes:
    covered = BODY[:-8]
    return len2(ENVELOPE + covered + make(covered))


def cup(key: bytes, data: bytes) -> bytes:
    return MAC_ALGORITHMS["cup-ecb"].make(MacKey(key), data)


MACS = [
    ("right", MAK, lambda d: cup(MAK, d), "mac_right"),
    ("SM4", MAK, lambda d: MAC_ALGORITHMS["cup-sm4"].make(MacKey(MAK), d), "mac_right"),
    ("X9.19", MAK, lambda d: MAC_ALGORITHMS["x9.19"].make(MacKey(MAK), d), "mac_other_algorithm"),
    ("plain 3DES", MAK, lambda d: MAC_ALGORITHMS["3des-plain"].make(MacKey(MAK), d), "mac_other_algorithm"),
    ("single DES", MAK, lambda d: cup(MAK[:8], d), "mac_single_des"),
    ("the right half", MAK, lambda d: cup(MAK[8:], d), "mac_right_half"),
    ("swapped halves", MAK, lambda d: cup(MAK[8:] + MAK[:8], d), "mac_halves_swapped"),
    ("single length filled up", MAK[:8], lambda d: cup(MAK[:8] + bytes(8), d), "mac_triple_des"),
    ("with the header", MAK, lambda d: cup(MAK, HEADER + d), "mac_other_range"),
    ("with TPDU and header", MAK, lambda d: cup(MAK, ENVELOPE + d), "mac_other_range"),
    ("with the length", MAK, lambda d: cup(MAK, len2(PAYLOAD)[:2] + ENVELOPE + d), "mac_other_range"),
    ("without the MTI", MAK, lambda d: cup(MAK, d[2:]), "mac_other_range"),
    ("in lower case", MAK, lambda d: cup(MAK, d).lower(), "mac_other_form"),
    ("another key", bytes(16), lambda d: cup(MAK, d), "mac_wrong"),
]


@pytest.mark.parametrize(("name", "key", "make", "code"), MACS, ids=[row[0] for row in MACS])
def test_a_mac_is_explained(name: str, key: bytes, make: Callable[[bytes], bytes], code: str) -> None:
    """Response code A0 would stay a riddle for a week."""
    cases = examine(macced(make), keys=Keys(mak=key))
    assert codes(cases) == {code}
    told = json.dumps([finding.text("en") for case in cases for finding in case.findings])
    assert MAK.hex() not in told.lower()


def test_a_message_without_mac_says_so() -> None:
    """The user would think that the MAC was checked."""
    assert codes(examine(len2(seal(ECHO)), keys=Keys(mak=MAK))) == {"mac_absent"}


TMK = bytes.fromhex("11111111111111112222222222222222")
PIK, WORK_MAK = bytes.fromhex("31" * 8 + "32" * 8), bytes.fromhex("41" * 8 + "42" * 8)


def keys_under(tmk: bytes, cipher: Any = None, damage: int = 0) -> bytes:
    chosen = {"cipher": cipher} if cipher else {}
    field62 = b"".join(wrap_key(tmk, key, **chosen) + check_value(key, **chosen) for key in (PIK, WORK_MAK))
    return field62[: len(field62) - damage]


KCVS = [
    (keys_under(TMK), "kcv_right", ""),
    (keys_under(TMK[:8]), "kcv_other_key", "left"),
    (keys_under(TMK[8:]), "kcv_other_key", "right"),
    (keys_under(TMK[8:] + TMK[:8]), "kcv_other_key", "swapped"),
    (keys_under(TMK, SM4), "kcv_other_cipher", "sm4"),
    (keys_under(bytes(16)), "kcv_wrong", "PIK, MAK"),
    (keys_under(TMK)[:-1] + b"\x00", "kcv_wrong", "MAK"),
    (keys_under(TMK, damage=3), "keys_layout", ""),
]


@pytest.mark.parametrize(("field62", "code", "name"), KCVS, ids=[f"{row[1]} {row[2]}" for row in KCVS])
def test_working_keys_are_explained(field62: bytes, code: str, name: str) -> None:
    """A terminal that cannot sign on would be sent in for repair."""
    raw = len2(seal(SIGN_IN_REPLY.with_fields({F.PAYLOAD: field62})))
    (finding,) = (each for case in examine(raw, keys=Keys(tmk=TMK)) for each in case.findings)
    assert (finding.code, finding.field) == (code, 62)
    assert name in finding.name


def _of_old_firmware(message: Message) -> Message:
    """The same from a terminal whose program writes lengths of two digits."""
    device = DeviceInfo("PL000001", "01020003", "E100").pack(width=2)
    return message.with_fields({F.DEVICE: device})


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (_of_old_firmware(SALE), 59),
        (Message("0800", {41: "10000001", 42: "898100000000001", 60: "00000001930", 62: b"VN052.2.0"}), 62),
    ],
)
def test_tags_with_lengths_of_two_digits_are_called_by_their_name(message: Message, field: int) -> None:
    """The host refuses every message of such a terminal, and the shop would be told to check its line."""
    raw = len2(seal(message, (lambda _: b"00000000") if message.mti == "0200" else None))
    (case,) = examine(raw)
    (finding,) = case.findings
    assert (finding.code, finding.field, case.verdict) == ("tag_length", field, Verdict.FINDINGS)
    assert "2 digits, not 3" in finding.text("en")
    assert "firmware" in finding.cure("en")
    assert raw[finding.at : finding.at + 2] in (b"A2", b"VN")
    status, out = poslab(raw.hex())
    assert (status, "2 digits, not 3" in out) == (1, True)
    told = CliRunner().invoke(cli.app, ["decode", raw.hex(), "--lang", "en"]).stdout
    assert "tag lengths: 2 digits, not 3" in told


@pytest.mark.parametrize("code", SYMPTOMS)
def test_a_symptom_has_words_and_a_cure_in_both_languages(code: str) -> None:
    """A Chinese user would read a template."""
    finding = Finding(code, 3, 62, 4, "len2")
    for lang in ("zh", "en"):
        assert "{" not in finding.text(lang) + finding.cure(lang)  # type: ignore[arg-type]
    assert not finding.text("zh").isascii()
    assert finding.text("en").isascii()
    if finding.symptom.gravity is Gravity.FAULT:
        assert finding.cure("en")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_damaged_message_never_stops_the_doctor(data: st.DataObject) -> None:
    """One strange byte in a capture would end the whole report."""
    raw = bytearray(len2(data.draw(st.sampled_from([PAYLOAD, seal(UPLOAD), seal(ECHO)]))))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(raw)))
    assert examine(bytes(raw[:cut]), keys=Keys(MAK, TMK))


VECTORS = sorted({vector["hex"] for kind in ("message", "frame") for vector in shared_vectors(kind)}, key=len)


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_a_message_may_end_anywhere(number: int) -> None:
    """A capture that was cut off would end the doctor with a traceback."""
    raw = bytes.fromhex(VECTORS[number])
    for end in range(1 + number % 7, len(raw), max(7, len(raw) // 5)):
        assert examine(raw[:end])


@pytest.mark.parametrize("base", Base)
@pytest.mark.parametrize("size", [0, 1])
def test_a_length_is_not_read_from_too_few_bytes(base: Base, size: int) -> None:
    """Half a length would pass for a small one."""
    with pytest.raises(ElementError, match="are left"):
        Prefix(base, 2).decode(b"\x30" * size)


def test_a_body_may_end_before_any_length() -> None:
    """A length without bytes would be taken for a number, or stop the doctor."""
    (case,) = diagnosed(len2(PAYLOAD))
    assert case.hypothesis
    for place in case.hypothesis.walk.places:
        if place.value_at > place.at:
            assert examine(len2(ENVELOPE + BODY[: place.at]))


@pytest.mark.parametrize("framer", [Len2Framer(), StxFramer()], ids=["len2", "stx"])
def test_a_frame_is_told_to_be_truncated_from_its_mti_on(framer: Len2Framer | StxFramer) -> None:
    """The engineer would look for a wrong setting where the rest of the frame is still on its way."""
    frame = framer.wrap(PAYLOAD)
    body_at = frame.index(PAYLOAD) + len(ENVELOPE)
    for end in range(body_at + 2, body_at + 30):
        (case,) = examine(frame[:end])
        (finding,) = case.findings
        assert (finding.code, finding.n) == ("truncated", len(frame) - end)
        assert f"{end}/{len(frame)}" in finding.text("en")


@pytest.mark.parametrize(
    "noise", [b"\x01", b"\x02", b"\x02\x00", b"0", b"\x60", b"\xff"], ids=lambda noise: noise.hex()
)
def test_noise_is_not_understood(noise: bytes) -> None:
    """A line without a peer would be called a peer with findings."""
    raw = (noise * 8000)[:8000]
    (case,) = examine(raw)
    assert case.verdict is Verdict.UNKNOWN
    assert codes([case]) == {"not_understood"}


def test_many_messages_without_frames_are_not_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long recording would keep the engineer waiting for what nobody asked."""
    monkeypatch.setattr("pos_lab.doctor.hypothesis._repaired", lambda *_: pytest.fail("repaired"))
    cases = examine(PAYLOAD * 6)
    assert len(cases) == 6
    assert codes(cases) == {"missing_length", "merged"}


def poslab(*words: str, given: bytes = b"") -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["doctor", *words], input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (len2(PAYLOAD).hex(), 0),
        (PAYLOAD.hex(" "), 0),
        (len2(HEADER + BODY).hex(), 1),
        (len2(PAYLOAD).hex() + "0", 1),
        (b"GET / HTTP/1.1\r\n".hex(), 2),
        ("no hex at all", 2),
    ],
)
def test_the_exit_status_tells_how_well_it_was_understood(text: str, status: int) -> None:
    """A script could not tell a healthy capture from a broken one."""
    assert poslab(text)[0] == status


def test_json_is_one_document_an_input_and_hides_the_card() -> None:
    """A real card number would stand in a bug report."""
    status, out = poslab("--json", len2(HEADER + BODY).hex(), len2(seal(ECHO)).hex())
    first, second = map(json.loads, out.splitlines())
    assert status == 1
    assert (first["verdict"], second["verdict"]) == ("findings", "understood")
    (message,) = first["messages"]
    assert message["findings"][0]["code"] == "tpdu_missing"
    assert message["reading"]["setting"].startswith("--frame len2")
    assert message["message"]["fields"]["2"] == "620000******0004"
    assert not leaks(out)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize(("name", "raw", "code", "field", "n"), BROKEN, ids=[row[0] for row in BROKEN])
def test_the_report_hides_the_card(name: str, raw: bytes, code: str, field: int, n: int, lang: Language) -> None:
    """A real card number would stand on a screen that is shared."""
    out = "\n".join(as_lines("hex", diagnosed(raw), [], unmask=False, lang=lang))
    assert code in out
    assert not leaks(out)
    assert not leaks(json.dumps(as_document("hex", diagnosed(raw), [], unmask=False, lang=lang)))


def test_unmask_shows_the_card() -> None:
    """An engineer with test cards could not see the fields."""
    assert DEBIT_PAN in poslab("--unmask", len2(PAYLOAD).hex())[1]


def test_a_dialect_may_be_forced_and_a_wrong_option_is_refused() -> None:
    """A guess could not be overruled."""
    assert poslab("--dialect", "payby", len2(seal(SALE)).hex())[0] in (1, 2)
    assert poslab("--dialect", "none", "00")[0] == 2
    assert poslab("--mak", "0102", len2(PAYLOAD).hex())[0] == 2
    assert poslab("--pcap", "x.pcapng", len2(PAYLOAD).hex())[0] == 2


def test_a_reading_can_be_replaced_without_showing_values() -> None:
    """A log of the doctor itself would hold card data."""
    (case,) = examine(len2(PAYLOAD))
    assert not leaks(repr(case))
    assert not leaks(repr(replace(case, findings=())))


def test_every_way_to_give_bytes_is_read(tmp_path: Any) -> None:
    """A recording in another form than hex could not be examined."""
    frame = len2(PAYLOAD)
    text, binary, empty = tmp_path / "log.txt", tmp_path / "raw.bin", tmp_path / "none.txt"
    text.write_text(f"10:00 发送 {frame.hex(' ')}\n10:01 {len2(seal(ECHO)).hex()}\n", encoding="utf-8")
    binary.write_bytes(frame)
    empty.write_text("nothing here\n", encoding="utf-8")
    assert poslab(str(text))[0] == 0
    assert len(poslab("--json", str(text))[1].splitlines()) == 2
    assert poslab(str(binary))[0] == 0
    assert poslab(str(empty))[0] == 2
    assert poslab("-", given=frame.hex(" ", 2).encode())[0] == 0
    assert poslab("-", given=frame)[0] == 0
    assert poslab("-", given=b"\x01\x02\x03" + frame)[0] == 1
    assert poslab(str(text), str(empty))[0] == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("missing.pcapng", "no such file"),
        ("logs/missing", "no such file"),
        (".", "is a directory"),
        ("tpc://127.0.0.1:8583", "did you mean 'tcp'"),
        ("ftp://127.0.0.1/x", "unknown scheme 'ftp'"),
    ],
)
def test_a_name_of_nothing_is_not_taken_for_hex(text: str, told: str) -> None:
    """The user would look for hex where a letter of a file name is wrong."""
    result = CliRunner().invoke(cli.app, ["doctor", text])
    assert result.exit_code == 2
    assert told in result.output + str(result.exception)


def test_a_long_stream_is_read_to_its_end() -> None:
    """The fault of the afternoon would not be found in the capture of a day."""
    good, bad = len2(seal(ECHO)), len2(HEADER + BODY)
    cases = examine(good * 1500 + bad + good)
    assert len(cases) == 1502
    assert [case.at for case in cases if case.findings] == [1500 * len(good)]


def test_nobody_at_an_endpoint_is_the_environment() -> None:
    """A host that is down would be called broken."""
    assert poslab("tcp://127.0.0.1:1")[0] == 3
