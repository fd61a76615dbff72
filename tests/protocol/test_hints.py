"""Hints: what each mistake is told, and that no bytes at all leave an error without one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import pack, unpack
from protocol.dialects import DIALECTS
from protocol.elements import Body, Fixed, Text, Value
from protocol.errors import DecodeError
from protocol.hints import ASK_THE_DOCTOR
from protocol.hints import hint_of as find_hint
from protocol.message import Message
from tests.protocol.samples import DEBIT_PAN, SALE, SALE_REPLY

BCD, ASCII = DIALECTS["iso87-bcd"], DIALECTS["iso87-ascii"]
ISO: dict[int, Value] = {2: DEBIT_PAN, 3: "000000", 4: "000000001234", 11: "000007"}
SALE_BODY = pack(SALE)
REPLY_BODY = pack(SALE_REPLY)


def hint_of(body: bytes, dialect: str = "cup") -> str:
    """The hint of the error."""
    with pytest.raises(DecodeError) as caught:
        unpack(body, DIALECTS[dialect])
    assert DEBIT_PAN not in caught.value.hint
    return caught.value.hint


def hinted(read: Callable[[], Message]) -> bool:
    """Is it read, or refused with a hint?"""
    try:
        read()
    except DecodeError as error:
        return bool(error.hint)
    return True


def once(body: bytes, old: bytes, new: bytes) -> bytes:
    """Other bytes in the place of these, which stand there once."""
    assert body.count(old) == 1
    return body.replace(old, new)


PAN_LENGTH = b"\x16" + bytes.fromhex(DEBIT_PAN)
TEXT_01 = b"\x00\x0301 "

COUNTED, BINARY = "field 2: the length counts bytes", "field 2: the length is binary"

BODIES = {
    "the MTI as text": (b"0200" + SALE_BODY[2:], "cup", "sent as text"),
    "all of it as text": (pack(Message("0200", ISO), ASCII), "iso87-bcd", "iso87-ascii"),
    "the MTI in EBCDIC": (b"\xf0\xf2\xf0\xf0" + SALE_BODY[2:], "cup", "EBCDIC"),
    "a TPDU for an MTI": (b"\x60\x00\x03\x00\x00" + SALE_BODY, "cup", "a TPDU stands where the MTI is expected"),
    "a TPDU of another id for an MTI": (b"\x61\x00\x03\x00\x00" + SALE_BODY, "cup", "--header auto"),
    "a header for an MTI": (b"\x60\x32" + bytes(4) + SALE_BODY, "cup", "a header stands"),
    "an HTTP reply": (b"HTTP/1.1 400 Bad Request", "cup", "HTTP"),
    "an HTTP request": (b"GET / HTTP/1.1", "iso87-bcd", "HTTP"),
    "letters for an MTI": (b"\x0a\x20" + SALE_BODY[2:], "cup", "an MTI begins with 0"),
    "the MTI of nobody": (b"\x02\x01" + SALE_BODY[2:], "cup", "known: 0100"),
    "an MTI in BCD where text is due": (pack(Message("0200", ISO), BCD), "iso87-ascii", "one ASCII character a digit"),
    "the bitmap in hex": (SALE_BODY[:2] + SALE_BODY[2:10].hex().encode() + SALE_BODY[10:], "cup", "offset 2 on"),
    "no bit": (SALE_BODY[:2] + bytes(8) + SALE_BODY[10:], "cup", "8 bytes is due right after"),
    "no bit in hex": (b"0200" + b"0" * 16 + bytes(20), "iso87-ascii", "16 bytes is due right after"),
    "no bitmap": (b"\x02\x00\x30", "cup", "cut short"),
    "no bit in the second bitmap": (b"\x02\x00\x80" + bytes(20), "iso87-bcd", "bit 1 announces"),
    "no second bitmap": (b"\x02\x00\x80" + bytes(9), "iso87-bcd", "bit 1 announces"),
    "a field of another dialect": (pack(Message("0200", {**ISO, 7: "0301101530"}), BCD), "cup", "clear bit 7"),
    "a length in bytes": (once(SALE_BODY, PAN_LENGTH, b"\x08" + PAN_LENGTH[1:]), "cup", COUNTED),
    "a length in binary": (once(SALE_BODY, PAN_LENGTH, b"\x10" + PAN_LENGTH[1:]), "cup", BINARY),
    "a length in binary before a second bitmap's fields": (
        once(pack(Message("0200", {**ISO, 70: "301"}), BCD), PAN_LENGTH, b"\x10" + PAN_LENGTH[1:]), "iso87-bcd",
        BINARY,
    ),
    "a length that fits nothing": (once(SALE_BODY, PAN_LENGTH, b"\x14" + PAN_LENGTH[1:]), "cup", ""),
    "a length of another dialect": (once(SALE_BODY, PAN_LENGTH, b"\x64" + PAN_LENGTH[1:]), "cup", "`--dialect`"),
    "a length with letters": (once(SALE_BODY, PAN_LENGTH, b"\x1a" + PAN_LENGTH[1:]), "cup", "is it binary here?"),
    "text filled with 00": (once(SALE_BODY, TEXT_01, b"\x00\x0301\x00"), "cup", "blanks"),
    "half a character": (once(SALE_BODY, TEXT_01, b"\x00\x0301\xb0"), "cup", "half a character"),
    "UTF-8": (once(SALE_BODY, TEXT_01, b"\x00\x05" + "é元".encode()), "cup", "these bytes are UTF-8"),
    "a control": (once(SALE_BODY, TEXT_01, b"\x00\x03\x1b[2"), "cup", "no place in text"),
    "no charset at all": (once(SALE_BODY, TEXT_01, b"\x00\x03\xff\xff\xff"), "cup", "another charset"),
    "a fixed text": (once(SALE_BODY, b"62000001", b"6200\x00001"), "cup", "blanks"),
    "no sign": (
        once(pack(Message("0200", {**ISO, 28: "D00000001"}), BCD), b"D\x00\x00\x00\x01", b"E\x00\x00\x00\x01"),
        "iso87-bcd", ASK_THE_DOCTOR,
    ),
    "two messages": (SALE_BODY * 2, "cup", "two messages"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_mistake_is_told_by_its_traces(name: str) -> None:
    """The maker of a terminal would know that it is wrong, and not what to change."""
    body, dialect, told = BODIES[name]
    hint = hint_of(body, dialect)
    assert hint
    assert told in hint


def test_lengths_that_are_all_wrong_are_told_together() -> None:
    """Whoever counts bytes in every field would mend one of them after the other."""
    fields = {number: SALE.fields[number] for number in (2, 3, 4, 11, 22, 25, 41, 42, 49, 60)}
    body = pack(Message("0200", fields))
    body = once(body, PAN_LENGTH, b"\x08" + PAN_LENGTH[1:])
    body = once(body, b"\x00\x14\x22\x00", b"\x00\x07\x22\x00")
    assert hint_of(body) == "fields 2, 60: the length counts bytes, where digits are due"


def test_letters_in_an_mti_are_no_matter_of_lengths() -> None:
    """The engineer would look for a length where there is none."""
    assert "length" not in hint_of(b"\x08\x2f" + SALE_BODY[2:])


def test_a_second_spelling_is_no_control() -> None:
    """An acquirer of another charset would be told to remove what is not there."""
    body, raw = Body({2: Fixed(Text("cp932"), 2)}), bytes.fromhex("0200" + "4000000000000000" + "8790")
    with pytest.raises(DecodeError) as caught:
        body.parse(raw)
    assert "cp932 prefers" in find_hint(body, raw, caught.value)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@given(raw=st.binary(max_size=80), head=st.sampled_from((b"", b"\x02\x00", b"0200", SALE_BODY[:10], REPLY_BODY[:30])))
def test_every_error_has_a_hint_whatever_the_bytes_are(dialect: str, raw: bytes, head: bytes) -> None:
    """A hint that fails to be found would hide the error, and the host would answer nothing."""
    assert hinted(lambda: unpack(head + raw, DIALECTS[dialect]))


@given(at=st.integers(0, len(SALE_BODY) - 1), byte=st.integers(0, 255))
def test_every_wrong_byte_of_a_good_message_gets_a_hint(at: int, byte: int) -> None:
    """The same, where almost everything is right."""
    assert hinted(lambda: unpack(SALE_BODY[:at] + bytes([byte]) + SALE_BODY[at + 1 :]))
