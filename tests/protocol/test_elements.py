"""The codings and lengths that every field is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.elements import (
    ASCII,
    CHINESE,
    DIGITS,
    DIGITS_RIGHT,
    OCTETS,
    TRACK,
    Body,
    Element,
    Fixed,
    Value,
    ll,
    lll,
)
from protocol.errors import DecodeError, EncodeError

FIELD = 2


def body(element: Element) -> Body:
    return Body({FIELD: element})


def wire(element: Element, value: Value) -> str:
    return body(element).build("0200", {FIELD: value})[10:].hex().upper()


def read(element: Element, raw: str) -> Value:
    return body(element).parse(bytes.fromhex("02004000000000000000" + raw))[1][FIELD]


WIRE: list[tuple[str, Element, Value, str]] = [
    ("even digits", Fixed(DIGITS, 6), "000123", "000123"),
    ("odd digits stand left", Fixed(DIGITS, 3), "021", "0210"),
    ("odd digits stand right", Fixed(DIGITS_RIGHT, 3), "001", "0001"),
    ("length counts digits", ll(DIGITS, 19), "6200000100000004000", "1962000001000000040000"),
    ("no digits", ll(DIGITS, 19), "", "00"),
    ("two bytes of length", lll(DIGITS, 17), "22000001", "000822000001"),
    ("a track with its separator", ll(TRACK, 37), "62D1", "0462D1"),
    ("text", Fixed(ASCII, 3), "156", "313536"),
    ("text of variable length", ll(ASCII, 25), "AB", "024142"),
    ("Chinese counts bytes", lll(CHINESE, 163), "成功", "0004B3C9B9A6"),
    ("bytes", lll(OCTETS, 999), b"\x00\xff", "000200FF"),
]


@pytest.mark.parametrize(("name", "element", "value", "raw"), WIRE, ids=[row[0] for row in WIRE])
def test_a_value_has_one_form_on_the_wire(name: str, element: Element, value: Value, raw: str) -> None:
    """Host and terminal would read different amounts or cards from the same bytes."""
    assert wire(element, value) == raw
    assert read(element, raw) == value


BAD_BYTES: list[tuple[str, Element, str, str]] = [
    ("B35 a length above the most", ll(DIGITS, 19), "99" + "00" * 50, "above 19"),
    ("B36 a length with a letter", ll(DIGITS, 19), "1A" + "00" * 9, "not BCD"),
    ("B37 both nibbles letters", ll(DIGITS, 19), "FF" + "00" * 9, "not BCD"),
    ("B37 a letter in a long length", lll(OCTETS, 999), "0A01FF", "not BCD"),
    ("B40 a length past the end", lll(OCTETS, 999), "0999010203", "999 bytes are due and 3 are left"),
    ("B41 a length that counted bytes", ll(DIGITS, 19), "086200000100000004", "4 bytes are left"),
    ("B42 a binary length", ll(DIGITS, 19), "1062000001" + "00" * 4, "bytes are left"),
    ("B45 an odd number on the wrong side", Fixed(DIGITS_RIGHT, 3), "2100", "fill nibble is 2"),
    ("B46 a fill that is not 0", Fixed(DIGITS, 3), "021F", "fill nibble is F"),
    ("B46 a fill on the left", Fixed(DIGITS_RIGHT, 3), "F001", "fill nibble is F"),
    ("B47 letters in digits", Fixed(DIGITS, 6), "00A123", "not decimal digits"),
    ("B49 a sign nibble", Fixed(DIGITS, 12), "C00000006000", "not decimal digits"),
    ("B56 a NUL in text", Fixed(ASCII, 3), "310032", "control character"),
    ("B57 half a Chinese letter", lll(CHINESE, 163), "0001B3", "not gb18030"),
    ("B57 an escape", lll(CHINESE, 163), "00011B", "control character"),
    (
        "B57 text that turns its direction",
        lll(CHINESE, 163),
        "0004" + "\u202e".encode("gb18030").hex(),
        "control character",
    ),
    ("B57 a letter beyond ASCII", Fixed(ASCII, 3), "31B332", "not ascii"),
    ("B59 a PIN block of seven bytes", Fixed(OCTETS, 8), "00" * 7, "8 bytes are due and 7 are left"),
    ("B59 a PIN block of nine bytes", Fixed(OCTETS, 8), "00" * 9, "1 bytes are left after"),
]


@pytest.mark.parametrize(("name", "element", "raw", "says"), BAD_BYTES, ids=[row[0] for row in BAD_BYTES])
def test_bad_bytes_get_one_clear_error(name: str, element: Element, raw: str, says: str) -> None:
    """A garbled message would be booked with a shifted amount instead of being refused."""
    with pytest.raises(DecodeError) as caught:
        read(element, raw)
    assert says in caught.value.message


BAD_VALUES: list[tuple[str, Element, Value, str]] = [
    ("full-width digits", Fixed(DIGITS, 3), "１２３", "not decimal digits"),
    ("Arabic digits", Fixed(DIGITS, 3), "١٢٣", "not decimal digits"),
    ("a sign", Fixed(DIGITS, 3), "-12", "not decimal digits"),
    ("a line end", Fixed(DIGITS, 3), "123\n", "not decimal digits"),
    ("too short", Fixed(DIGITS, 6), "123", "3 long where 6 are due"),
    ("too long", ll(DIGITS, 19), "1" * 20, "20 long where at most 19 fit"),
    ("lower-case track", ll(TRACK, 37), "62d1", "not track digits"),
    ("an equals sign in a track", ll(TRACK, 37), "62=1", "not track digits"),
    ("bytes for digits", Fixed(DIGITS, 2), b"12", "not decimal digits"),
    ("text for bytes", Fixed(OCTETS, 2), "12", "not bytes"),
    ("a NUL", Fixed(ASCII, 2), "1\0", "control"),
    ("Chinese in ASCII", Fixed(ASCII, 2), "成功", "ascii cannot carry"),
    ("half a surrogate pair", lll(CHINESE, 163), "\ud800", "gb18030 cannot carry"),
    ("too many bytes of Chinese", lll(CHINESE, 163), "成" * 82, "164 long where at most 163 fit"),
]


@pytest.mark.parametrize(("name", "element", "value", "says"), BAD_VALUES, ids=[row[0] for row in BAD_VALUES])
def test_bad_values_are_never_sent(name: str, element: Element, value: Value, says: str) -> None:
    """A terminal would send bytes that its host reads as something else."""
    with pytest.raises(EncodeError) as caught:
        wire(element, value)
    assert says in caught.value.message
    assert caught.value.field == FIELD


def test_an_unknown_field_is_refused_both_ways() -> None:
    """A bit that the dialect lacks would shift every field behind it."""
    with pytest.raises(EncodeError):
        body(Fixed(DIGITS, 2)).build("0200", {3: "12"})
    with pytest.raises(DecodeError) as caught:
        body(Fixed(DIGITS, 2)).parse(bytes.fromhex("0200600000000000000012"))
    assert (caught.value.field, caught.value.code) == (3, "undefined_field")


@given(st.binary(max_size=12), st.sampled_from([row[1] for row in WIRE]))
def test_what_decodes_encodes_to_the_same_bytes(raw: bytes, element: Element) -> None:
    """Two spellings of one value would let a message pass a check here and mean something else elsewhere."""
    try:
        value = read(element, raw.hex())
    except DecodeError:
        return
    assert wire(element, value) == raw.hex().upper()
