"""What a body that does not decode may be instead: the hint of its one error. Nothing here runs for one that decodes.

Rules owned here: TABLES GUESSES, ALTERATIONS and _NO_MTI. A guess speaks only of what it has seen in the bytes. Guesses
about the whole body go before what an element says of its own bytes, and that goes before guesses about one kind of
error. Where nobody has one, the doctor has: ``poslab doctor`` tries far more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from protocol.elements import (
    LAST_FIELD,
    OCTETS,
    SECOND_BITMAP,
    Base,
    Bitmap,
    Body,
    Element,
    ElementError,
    Packed,
    Prefix,
    Text,
    Var,
)
from protocol.errors import DecodeError

ASK_THE_DOCTOR: Final = "`poslab doctor` tries other lengths, codings and dialects"

Guess = Callable[[Body, bytes, DecodeError], str]
Alter = Callable[[Element], Element | None]
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{16}")
_DIGITS: Final = re.compile(rb"[0-9]{4}")
_EBCDIC_DIGITS: Final = re.compile(rb"[\xf0-\xf9]{4}")
_NO_MTI: Final = (
    (
        re.compile(rb"[\x60\x61]\x00"),
        "a TPDU stands where the MTI is expected: header and TPDU setting (`--header auto`)",
    ),
    (re.compile(rb"[\x60-\x63]"), "a header stands where the MTI is expected: is the TPDU before it missing?"),
    (re.compile(rb"HT|GE|PO|PU|HE"), "it looks like HTTP: this is no ISO 8583"),
)
"""What stands in the place of a packed MTI."""
_NO_DIGITS: Final = "an MTI begins with 0: do other bytes stand before it, or is one missing?"


def hint_of(body: Body, raw: bytes, error: DecodeError) -> str:
    """What to look at after ``body`` raised ``error`` over ``raw``: never empty, and no part of it is card data."""
    for guess in GUESSES:
        if said := guess(body, raw, error):
            return said
    about = _ABOUT.get(error.code)
    return error.hint or (about(body, raw, error) if about else "") or ASK_THE_DOCTOR


def _other_digits(body: Body, raw: bytes, error: DecodeError) -> str:
    if not isinstance(body.mti.coding, Packed):
        return ""
    if _DIGITS.match(raw):
        return "the MTI is sent as text: is all of the message, as in the dialect iso87-ascii?"
    return "the MTI is sent in EBCDIC" if _EBCDIC_DIGITS.match(raw) else ""


def _no_mti(body: Body, raw: bytes, error: DecodeError) -> str:
    if error.code != "mti" or not isinstance(body.mti.coding, Packed):
        return ""
    if said := next((hint for pattern, hint in _NO_MTI if pattern.match(raw)), ""):
        return said
    return "" if raw[:2].hex().isdecimal() else _NO_DIGITS


def _bitmap_as_text(body: Body, raw: bytes, error: DecodeError) -> str:
    at = _bitmap_at(body)
    if body.bitmap is not Bitmap.BINARY or not _HEX.match(raw, at):
        return ""
    return f"the bytes from offset {at} on are ASCII hex: is the bitmap sent as text?"


def _other_lengths(body: Body, raw: bytes, error: DecodeError) -> str:
    """Does every byte find its place once the lengths are read otherwise, of all fields or of a single one?"""
    if error.field == 0 or error.code in _WRONG_BITS:
        return ""
    numbers, first = _numbers(body, raw)
    for words, alter in ALTERATIONS.items():
        altered = {number: made for number in numbers if (made := alter(body.elements[number]))}
        if len(altered) > 1 and _fits(body, raw, numbers, first, altered):
            return f"fields {', '.join(map(str, altered))}: the length {words}"
        for number, made in altered.items():
            if number <= (error.field or number) and _fits(body, raw, numbers, first, {number: made}):
                return f"field {number}: the length {words}"
    return ""


def _in_bytes(element: Element) -> Element | None:
    if not isinstance(element.coding, Packed) or element.prefix is None:
        return None
    return Var(element.prefix, OCTETS, (element.most + 1) // 2)


def _in_binary(element: Element) -> Element | None:
    if element.prefix is None or element.prefix.base is not Base.BCD:
        return None
    return Var(Prefix(Base.BINARY, element.prefix.size_bytes), element.coding, element.most)


def _fits(body: Body, raw: bytes, numbers: list[int], at: int, altered: Mapping[int, Element]) -> bool:
    """Lengths are walked first: that is cheap, and nearly always enough to say no."""
    for number in numbers:
        try:
            at = _end(altered.get(number) or body.elements[number], raw, at)
        except ElementError:
            return False
    if at != len(raw):
        return False
    try:
        Body({**body.elements, **altered}, body.mti, body.bitmap).parse(raw)
    except DecodeError:
        return False
    return True


def _end(element: Element, raw: bytes, at: int) -> int:
    """Where an element ends that begins at ``at``. Raises ElementError."""
    units = element.most
    if element.prefix is not None:
        prefix = raw[at : at + element.prefix.size_bytes]
        if len(prefix) < element.prefix.size_bytes:
            raise ElementError("nothing is left")
        at, units = at + len(prefix), element.prefix.decode(prefix)
    return at + element.coding.size_bytes(units)


def _bitmap_at(body: Body) -> int:
    return body.mti.coding.size_bytes(body.mti.most)


def _numbers(body: Body, raw: bytes) -> tuple[list[int], int]:
    """The fields that bitmaps name which have been read before, and where the first of them stands."""
    at, last = _bitmap_at(body), LAST_FIELD
    after = at + body.bitmap.value
    bits = body.bitmap.decode(raw[at:after])
    if max(body.elements) > LAST_FIELD and bits >> (LAST_FIELD - SECOND_BITMAP):
        at, after, last = after, after + body.bitmap.value, 2 * LAST_FIELD
        bits = bits << LAST_FIELD | body.bitmap.decode(raw[at:after])
    return [number for number in sorted(body.elements) if number <= last and bits >> (last - number) & 1], after


def _of_bitmap(body: Body, raw: bytes, error: DecodeError) -> str:
    if error.offset == _bitmap_at(body):
        return f"a bitmap of {body.bitmap.value} bytes is due right after the MTI"
    return _NO_SECOND


def _of_cut(body: Body, raw: bytes, error: DecodeError) -> str:
    """Elements say so of themselves; it is a bitmap that does not."""
    return "the message is cut short" if error.offset == _bitmap_at(body) else _NO_SECOND


def _of_field(body: Body, raw: bytes, error: DecodeError) -> str:
    return f"clear bit {error.field}, or ask `poslab doctor` which dialect has this field"


def _of_text(body: Body, raw: bytes, error: DecodeError) -> str:
    """Elements say nothing more of text than that it is none."""
    element = body.elements.get(error.field or 0)
    if element is None or not isinstance(element.coding, Text):
        return ""
    at = error.offset + (element.prefix.size_bytes if element.prefix else 0)
    text, charset = raw[at : _end(element, raw, error.offset)], element.coding.charset
    if b"\x00" in text:
        return "is it filled with 00? Text is filled with blanks"
    try:
        is_preferred = text.decode(charset).encode(charset) == text
    except UnicodeDecodeError as broken:
        return _of_charset(text, broken)
    return _NO_CONTROLS if is_preferred else f"another spelling is due, the one that {charset} prefers"


def _of_charset(text: bytes, broken: UnicodeDecodeError) -> str:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        if broken.end == len(text) and "incomplete" in broken.reason:
            return "it ends in half a character: does its length count characters instead of bytes?"
        return f"is it in another charset, or is a length before it wrong? {ASK_THE_DOCTOR}"
    return f"these bytes are UTF-8: {broken.encoding} is due"


_NO_CONTROLS: Final = "control and direction characters have no place in text"
_NO_SECOND: Final = "bit 1 announces a second bitmap: clear it where no field above 64 comes"
_WRONG_BITS: Final = ("undefined_field", "mac_field")
GUESSES: Final[tuple[Guess, ...]] = (_other_digits, _no_mti, _bitmap_as_text, _other_lengths)
ALTERATIONS: Final[Mapping[str, Alter]] = MappingProxyType(
    {"counts bytes, where digits are due": _in_bytes, "is binary, where BCD is due": _in_binary}
)
_ABOUT: Final[Mapping[str, Guess]] = MappingProxyType(
    {"bitmap": _of_bitmap, "truncated": _of_cut, "undefined_field": _of_field, "value": _of_text}
)
