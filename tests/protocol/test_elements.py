"""The codings and lengths that every field is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.elements import (
    ASCII,
    ASCII_DIGITS,
    ASCII_LL,
    ASCII_LLL,
    ASCII_SIGNED,
    ASCII_TRACK,
    BCD_LL,
    CHINESE,
    DIGITS,
    DIGITS_RIGHT,
    HEX_OCTETS,
    OCTETS,
    SIGNED_DIGITS,
    TRACK,
    Base,
    Bitmap,
    Body,
    Element,
    Fixed,
    Prefix,
    Text,
    Value,
    Var,
    bitmap_of,
    ll,
    lll,
)
from protocol.elements.error import CutShort
from protocol.errors import DecodeError, EncodeError

FIELD = 2
HEAD = "0200" + "4000000000000000"
BINARY_L = Prefix(Base.BINARY, 1)
BINARY_LL = Prefix(Base.BINARY, 2)


def body(element: Element) -> Body:
    return Body({FIELD: element})


def wire(element: Element, value: Value) -> str:
    return body(element).build("0200", {FIELD: value})[10:].hex().upper()


def read(element: Element, raw: str) -> Value:
    return body(element).parse(bytes.fromhex(HEAD + raw))[1][FIELD]


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
    ("a digit a character", Fixed(ASCII_DIGITS, 3), "021", "303231"),
    ("a track with an equals sign", Var(ASCII_LL, ASCII_TRACK, 37), "62D1", "303436323D31"),
    ("bytes in hex", Fixed(HEX_OCTETS, 2), b"\x0a\xff", "30414646"),
    ("bytes in hex count as bytes", Var(ASCII_LLL, HEX_OCTETS, 999), b"\xff", "3030314646"),
    ("a sign before packed digits", Fixed(SIGNED_DIGITS, 9), "D00000100", "4400000100"),
    ("a sign before digits", Fixed(ASCII_SIGNED, 3), "C10", "433130"),
    ("a binary length", Var(BINARY_L, OCTETS, 255), b"\x01" * 16, "10" + "01" * 16),
    ("a long binary length", Var(BINARY_LL, DIGITS, 999), "1", "000110"),
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
    ("B57 a second spelling of one letter", Fixed(Text("cp932"), 2), "8790", "nobody writes"),
    ("B57 a letter beyond ASCII", Fixed(ASCII, 3), "31B332", "not ascii"),
    ("B38 a sign in a length", Var(ASCII_LL, ASCII, 19), "2D31" + "31" * 9, "not ASCII digits"),
    ("B9 a blank in a length", Var(ASCII_LLL, ASCII, 19), "203130" + "31" * 10, "not ASCII digits"),
    ("B42 a BCD length read as binary", Var(BINARY_L, OCTETS, 15), "16" + "00" * 16, "length 22 is above 15"),
    ("B47 letters in characters", Fixed(ASCII_DIGITS, 2), "3041", "not decimal digits"),
    ("B48 a D where an equals sign is due", Fixed(ASCII_TRACK, 3), "364431", "not track digits"),
    ("B29 lower-case hex", Fixed(HEX_OCTETS, 1), "6166", "not upper-case hex"),
    ("B49 an amount without sign", Fixed(SIGNED_DIGITS, 3), "3010", "neither C nor D"),
    ("an amount without anything", ll(SIGNED_DIGITS, 9), "00", "neither C nor D"),
    ("B59 a PIN block of seven bytes", Fixed(OCTETS, 8), "00" * 7, "8 bytes are due and 7 are left"),
    ("B59 a PIN block of nine bytes", Fixed(OCTETS, 8), "00" * 9, "1 bytes are left after"),
]


@pytest.mark.parametrize(("name", "element", "raw", "says"), BAD_BYTES, ids=[row[0] for row in BAD_BYTES])
def test_bad_bytes_get_one_clear_error(name: str, element: Element, raw: str, says: str) -> None:
    """A garbled message would be booked with a shifted amount instead of being refused."""
    with pytest.raises(DecodeError) as caught:
        read(element, raw)
    assert says in caught.value.message
    assert caught.value.raw == bytes.fromhex(HEAD + raw)[caught.value.offset :][:32]


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
    ("lower-case characters", Fixed(ASCII_TRACK, 2), "6d", "not track digits"),
    ("bytes for characters", Fixed(ASCII_DIGITS, 2), b"12", "not decimal digits"),
    ("text for bytes in hex", Fixed(HEX_OCTETS, 2), "12", "not bytes"),
    ("an amount without sign", Fixed(SIGNED_DIGITS, 3), "10", "neither C nor D"),
    ("bytes for an amount", Fixed(SIGNED_DIGITS, 3), b"C10", "neither C nor D"),
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


TWO = Body({2: Fixed(DIGITS, 2), 64: Fixed(OCTETS, 8), 70: Fixed(DIGITS, 3), 128: Fixed(OCTETS, 8)})
HEX = Body({2: Fixed(DIGITS, 2), 70: Fixed(ASCII_DIGITS, 3)}, Fixed(ASCII_DIGITS, 4), Bitmap.HEX, ("0800",))


def test_fields_above_64_bring_a_second_bitmap() -> None:
    """No message of the other half of the standard could be read."""
    fields: dict[int, Value] = {2: "12", 70: "301"}
    assert TWO.build("0800", fields).hex() == "0800" + "c000000000000000" + "0400000000000000" + "12" + "3010"
    assert HEX.build("0800", fields) == b"0800" + b"C000000000000000" + b"0400000000000000" + b"\x12" + b"301"
    for body in (TWO, HEX):
        assert body.parse(body.build("0800", fields)) == ("0800", fields)
        assert body.parse(body.build("0800", {2: "12"})) == ("0800", {2: "12"})
    assert bitmap_of([2, 128]).hex() == "c000000000000000" + "0000000000000001"
    assert bitmap_of([2, 64]).hex() == "4000000000000001"
    assert bitmap_of([]).hex() == "0000000000000000"


BAD_HEADS = [
    ("B23 an empty bitmap", TWO, "0800" + "00" * 8, "bitmap", 0, 2),
    ("B26 an empty second bitmap", TWO, "0800" + "C000000000000000" + "00" * 8 + "12", "bitmap", 0, 10),
    ("B27 bit 65", TWO, "0800" + "8000000000000000" * 2 + "00" * 8, "undefined_field", 65, 18),
    ("B33 two MACs", TWO, "0800" + "8000000000000001" + "0000000000000001" + "00" * 16, "mac_field", 64, 18),
    ("B34 half a second bitmap", TWO, "0800" + "C000000000000000" + "0400", "truncated", 0, 10),
    ("B34 half a bitmap", HEX, b"0800C000".hex(), "truncated", 0, 4),
    ("B29 a bitmap in lower case", HEX, b"0800c000000000000000".hex(), "bitmap", 0, 4),
    ("B30 blanks in a bitmap", HEX, b"080040 00 0000000000".hex(), "bitmap", 0, 4),
    ("B31 a binary bitmap where hex is due", HEX, b"0800".hex() + "4000000000000000" * 2, "bitmap", 0, 4),
    ("B18 an MTI that nobody knows", HEX, b"9800C000000000000000".hex(), "mti", 0, 0),
    ("B16 letters for an MTI", HEX, b"08OO".hex(), "mti", 0, 0),
    ("B34 half an MTI", HEX, b"080".hex(), "truncated", 0, 0),
]


@pytest.mark.parametrize(
    ("name", "body", "digits", "code", "number", "offset"), BAD_HEADS, ids=[row[0] for row in BAD_HEADS]
)
def test_bad_heads_get_one_clear_error(name: str, body: Body, digits: str, code: str, number: int, offset: int) -> None:
    """Every field would be read from the wrong place."""
    with pytest.raises(DecodeError) as caught:
        body.parse(bytes.fromhex(digits))
    assert (caught.value.code, caught.value.field, caught.value.offset) == (code, number, offset)


BAD_SETS: list[tuple[dict[int, Value], int, str]] = [
    ({}, 0, "encode"),
    ({1: "1"}, 1, "encode"),
    ({65: "1"}, 65, "encode"),
    ({129: "1"}, 129, "encode"),
    ({0: "1"}, 0, "encode"),
    ({-1: "1"}, -1, "encode"),
    ({64: bytes(8), 70: "301"}, 64, "mac_field"),
]


@pytest.mark.parametrize(("fields", "number", "code"), BAD_SETS)
def test_fields_that_no_bitmap_carries_are_never_sent(fields: dict[int, Value], number: int, code: str) -> None:
    """A terminal would send a message that no host can read."""
    with pytest.raises(EncodeError) as caught:
        TWO.build("0800", fields)
    assert (caught.value.field, caught.value.code) == (number, code)


@pytest.mark.parametrize("mti", ["", "02", "02000", "02x0"])
def test_an_mti_that_is_none_is_never_sent(mti: str) -> None:
    """A terminal would send a message in which every field is shifted."""
    with pytest.raises(EncodeError) as caught:
        TWO.build(mti, {2: "12"})
    assert caught.value.field == 0


@pytest.mark.parametrize(
    ("prefix", "largest"), [(BCD_LL, 99), (ASCII_LL, 99), (ASCII_LLL, 999), (BINARY_L, 255), (BINARY_LL, 65_535)]
)
def test_a_length_reaches_its_largest(prefix: Prefix, largest: int) -> None:
    """The longest chip data that a card may send would stop the terminal."""
    assert prefix.largest == prefix.decode(prefix.encode(largest)) == largest
    assert Var(prefix, OCTETS, largest).bounds() == (0, largest)
    with pytest.raises(ValueError, match="above"):
        Var(prefix, OCTETS, largest + 1)


@given(st.binary(max_size=12), st.sampled_from([row[1] for row in WIRE]))
def test_what_decodes_encodes_to_the_same_bytes(raw: bytes, element: Element) -> None:
    """Two spellings of one value would let a message pass a check here and mean something else elsewhere."""
    try:
        value = read(element, raw.hex())
    except DecodeError:
        return
    assert wire(element, value) == raw.hex().upper()


@pytest.mark.parametrize("base", Base)
def test_a_length_that_is_cut_short_is_none(base: Base) -> None:
    """A message that ends before a length would be read as if the length were 0."""
    with pytest.raises(CutShort):
        Prefix(base, 2).decode(b"")
