"""The building blocks of a message: the only file that knows construct.

A *coding* says how characters become bytes (packed digits, characters, text, octets); ``Fixed`` and ``Var`` say how
many there are. A field of the wire is one of the two over one of the codings, so a new field is a row and no new code.
``Body`` puts MTI, bitmap and fields together and is the reference: ``protocol.plan`` derives its fast forms from what
elements and codings say of themselves, and comes back here whenever something is not as it should be.

Units: lengths of digits and tracks count digits, lengths of text and octets count bytes (CUP 2).
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import construct as cs

from protocol.errors import DecodeError, EncodeError

Value = str | bytes
LAST_FIELD: Final = 64
MAC_FIELDS: Final = (LAST_FIELD, 2 * LAST_FIELD)
SECOND_BITMAP: Final = 1
"""Bit 1 announces a second bitmap; it is never a field."""


class Align(Enum):
    """Where an odd number of digits sits in its bytes."""

    LEFT = "left"
    RIGHT = "right"


class ElementError(cs.ConstructError):  # type: ignore[misc]  # construct carries no types
    """A value that does not fit its element; the field set adds which field and where."""

    code = "value"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.text = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The characters of a value, as they stand in a character class of a regular expression, and their name."""

    characters: str
    what: str
    _pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pattern", re.compile(f"[{self.characters}]*"))

    def holds(self, text: str) -> bool:
        """Is every character one of these?"""
        return self._pattern.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Packed:
    """Four bits a character, an odd length filled with one zero nibble.

    Value: str over ``alphabet``. Digits for numeric fields; hex digits for tracks, whose separator is ``D`` and whose
    encrypted window holds any nibble (CUP 5.6).
    """

    alphabet: Alphabet
    align: Align = Align.LEFT

    def size_bytes(self, units: int) -> int:
        return (units + 1) // 2

    def units(self, value: Value) -> int:
        return len(value)

    def decode(self, raw: bytes, units: int) -> str:
        nibbles = raw.hex().upper()
        text, fill = nibbles, ""
        if len(nibbles) != units:
            text, fill = (nibbles[:-1], nibbles[-1]) if self.align is Align.LEFT else (nibbles[1:], nibbles[0])
        if fill not in ("", "0"):
            raise ElementError(f"the fill nibble is {fill}, not 0", "an odd number of digits is filled with one 0")
        if not self.alphabet.holds(text):
            raise ElementError(
                f"not {self.alphabet.what}", "is the field packed BCD here, and its length counted in digits?"
            )
        return text

    def encode(self, value: Value) -> bytes:
        if not isinstance(value, str) or not self.alphabet.holds(value):
            raise ElementError(f"not {self.alphabet.what}")
        if len(value) % 2:
            value = value + "0" if self.align is Align.LEFT else "0" + value
        return bytes.fromhex(value)


@dataclass(frozen=True, slots=True)
class Characters:
    """One ASCII byte a character. Value: str over ``alphabet``; a track's ``D`` is ``separator`` on the wire."""

    alphabet: Alphabet
    separator: str = "D"

    def size_bytes(self, units: int) -> int:
        return units

    def units(self, value: Value) -> int:
        return len(value)

    def decode(self, raw: bytes, units: int) -> str:
        text = raw.decode("latin-1")
        if self.separator != "D":
            text = text.translate({ord("D"): "?", ord(self.separator): "D"})
        if not self.alphabet.holds(text):
            raise ElementError(f"not {self.alphabet.what}", "is the field one ASCII character a digit here?")
        return text

    def encode(self, value: Value) -> bytes:
        if not isinstance(value, str) or not self.alphabet.holds(value):
            raise ElementError(f"not {self.alphabet.what}")
        return value.replace("D", self.separator).encode("ascii")


@dataclass(frozen=True, slots=True)
class Text:
    """One or more bytes a character, in a charset that contains ASCII. Value: str without control characters."""

    charset: str

    def size_bytes(self, units: int) -> int:
        return units

    def units(self, value: Value) -> int:
        return len(self.encode(value))

    def decode(self, raw: bytes, units: int) -> Value:
        try:
            text = raw.decode(self.charset)
        except UnicodeDecodeError:
            raise ElementError(f"not {self.charset} text") from None
        if _CONTROL.search(text):
            raise ElementError("a control character in text")
        if text.encode(self.charset) != raw:
            raise ElementError(f"{self.charset} text in a form that nobody writes")
        return text

    def encode(self, value: Value) -> bytes:
        if not isinstance(value, str) or _CONTROL.search(value):
            raise ElementError("not text without control characters")
        try:
            return value.encode(self.charset)
        except UnicodeEncodeError:
            raise ElementError(f"text that {self.charset} cannot carry") from None


@dataclass(frozen=True, slots=True)
class Octets:
    """Raw bytes. Value: bytes."""

    def size_bytes(self, units: int) -> int:
        return units

    def units(self, value: Value) -> int:
        return len(value)

    def decode(self, raw: bytes, units: int) -> Value:
        return raw

    def encode(self, value: Value) -> bytes:
        if not isinstance(value, bytes):
            raise ElementError("not bytes")
        return value


@dataclass(frozen=True, slots=True)
class HexOctets:
    """Two upper-case hex characters a byte. Value: bytes."""

    def size_bytes(self, units: int) -> int:
        return 2 * units

    def units(self, value: Value) -> int:
        return len(value)

    def decode(self, raw: bytes, units: int) -> bytes:
        if not _HEX.fullmatch(raw):
            raise ElementError("not upper-case hex characters", "are these bytes binary, or hex in lower case?")
        return bytes.fromhex(raw.decode("ascii"))

    def encode(self, value: Value) -> bytes:
        if not isinstance(value, bytes):
            raise ElementError("not bytes")
        return value.hex().upper().encode("ascii")


@dataclass(frozen=True, slots=True)
class Signed:
    """An ASCII ``C`` or ``D`` before the digits: the x+n of ISO 8583. Value: the letter and the digits."""

    digits: Packed | Characters

    def size_bytes(self, units: int) -> int:
        return min(units, 1) + self.digits.size_bytes(max(units - 1, 0))

    def units(self, value: Value) -> int:
        return len(value)

    def decode(self, raw: bytes, units: int) -> Value:
        sign = raw[:1].decode("latin-1")
        if sign not in _SIGNS:
            raise ElementError("neither C nor D before the digits")
        return sign + self.digits.decode(raw[1:], units - 1)

    def encode(self, value: Value) -> bytes:
        if not isinstance(value, str) or value[:1] not in _SIGNS:
            raise ElementError("neither C nor D before the digits")
        return value[0].encode("ascii") + self.digits.encode(value[1:])


Coding = Packed | Characters | Text | Octets | HexOctets | Signed

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_HEX = re.compile(rb"(?:[0-9A-F]{2})*")
_SIGNS = ("C", "D")
DECIMAL: Final = Alphabet("0-9", "decimal digits")
TRACK_DIGITS: Final = Alphabet("0-9A-F", "track digits")
DIGITS: Final = Packed(DECIMAL)
DIGITS_RIGHT: Final = Packed(DECIMAL, Align.RIGHT)
TRACK: Final = Packed(TRACK_DIGITS)
ASCII: Final = Text("ascii")
CHINESE: Final = Text("gb18030")
OCTETS: Final = Octets()
ASCII_DIGITS: Final = Characters(DECIMAL)
ASCII_TRACK: Final = Characters(TRACK_DIGITS, "=")
HEX_OCTETS: Final = HexOctets()
SIGNED_DIGITS: Final = Signed(DIGITS)
ASCII_SIGNED: Final = Signed(ASCII_DIGITS)


class Base(Enum):
    """How a length is written."""

    BCD = "BCD"
    ASCII = "ASCII digits"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Prefix:
    """A length before a value."""

    base: Base
    size_bytes: int

    @property
    def largest(self) -> int:
        """The greatest length that it can state."""
        return int({Base.BCD: 100, Base.ASCII: 10, Base.BINARY: 256}[self.base] ** self.size_bytes) - 1

    def decode(self, raw: bytes) -> int:
        """The length that these bytes state. Raises ElementError."""
        if self.base is Base.BINARY:
            return int.from_bytes(raw, "big")
        digits = raw.hex().upper() if self.base is Base.BCD else raw.decode("latin-1")
        if not DECIMAL.holds(digits):
            raise ElementError(f"the length {raw.hex().upper()} is not {self.base.value}", "is it binary here?")
        return int(digits)

    def encode(self, units: int) -> bytes:
        """The bytes of a length that is not above ``largest``."""
        if self.base is Base.BINARY:
            return units.to_bytes(self.size_bytes, "big")
        if self.base is Base.BCD:
            return bytes.fromhex(f"{units:0{2 * self.size_bytes}d}")
        return f"{units:0{self.size_bytes}d}".encode("ascii")


BCD_LL: Final = Prefix(Base.BCD, 1)
BCD_LLL: Final = Prefix(Base.BCD, 2)
ASCII_LL: Final = Prefix(Base.ASCII, 2)
ASCII_LLL: Final = Prefix(Base.ASCII, 3)
BINARY_L: Final = Prefix(Base.BINARY, 1)
BINARY_LL: Final = Prefix(Base.BINARY, 2)


class Element(cs.Construct):  # type: ignore[misc]  # construct carries no types
    """What a field is made of: ``prefix`` states how many units of ``coding``, None where ``least`` is ``most``."""

    def __init__(self, coding: Coding, least: int, most: int, prefix: Prefix | None) -> None:
        super().__init__()
        self.coding, self.least, self.most, self.prefix = coding, least, most, prefix

    def bounds(self) -> tuple[int, int]:
        """The fewest and the most units of a value."""
        return self.least, self.most


class Fixed(Element):
    """Exactly ``units`` digits, characters or bytes."""

    def __init__(self, coding: Coding, units: int) -> None:
        super().__init__(coding, units, units, None)

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> Value:
        return self.coding.decode(_read(stream, self.coding.size_bytes(self.most)), self.most)

    def _build(self, obj: Value, stream: io.BytesIO, context: Any, path: Any) -> Value:
        raw = self.coding.encode(obj)
        if self.coding.units(obj) != self.most:
            raise ElementError(f"{self.coding.units(obj)} long where {self.most} are due")
        stream.write(raw)
        return obj


class Var(Element):
    """A length, then at most ``max_units``."""

    prefix: Prefix

    def __init__(self, prefix: Prefix, coding: Coding, max_units: int) -> None:
        if max_units > prefix.largest:
            raise ValueError(f"{max_units} is above the {prefix.largest} that the length can state")
        super().__init__(coding, 0, max_units, prefix)

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> Value:
        units = self.prefix.decode(_read(stream, self.prefix.size_bytes))
        if units > self.most:
            raise ElementError(f"the length {units} is above {self.most}", f"is it {self.prefix.base.value} here?")
        return self.coding.decode(_read(stream, self.coding.size_bytes(units)), units)

    def _build(self, obj: Value, stream: io.BytesIO, context: Any, path: Any) -> Value:
        raw, units = self.coding.encode(obj), self.coding.units(obj)
        if units > self.most:
            raise ElementError(f"{units} long where at most {self.most} fit")
        stream.write(self.prefix.encode(units))
        stream.write(raw)
        return obj


def ll(coding: Coding, max_units: int) -> Element:
    """A field with a 1-byte BCD length."""
    return Var(BCD_LL, coding, max_units)


def lll(coding: Coding, max_units: int) -> Element:
    """A field with a 2-byte BCD length."""
    return Var(BCD_LLL, coding, max_units)


class Bitmap(Enum):
    """How the 64 bits of a bitmap stand on the wire: the value is the bytes that they take."""

    BINARY = 8
    HEX = 16

    def decode(self, raw: bytes) -> int:
        """The bits of one bitmap, bit 1 the highest. Raises ElementError."""
        return int.from_bytes(raw if self is Bitmap.BINARY else HEX_OCTETS.decode(raw, 8), "big")

    def encode(self, bits: bytes) -> bytes:
        """The bytes of one bitmap or two."""
        return bits if self is Bitmap.BINARY else HEX_OCTETS.encode(bits)


def bitmap_of(numbers: Collection[int]) -> bytes:
    """The bits of these fields (2 to 128) as 8 bytes, or as 16 with bit 1 set where one is above 64."""
    last = 2 * LAST_FIELD if max(numbers, default=0) > LAST_FIELD else LAST_FIELD
    first = {SECOND_BITMAP} if last > LAST_FIELD else set()
    return sum(1 << (last - number) for number in {*numbers, *first}).to_bytes(last // 8, "big")


class _Mti(cs.Construct):  # type: ignore[misc]  # construct carries no types
    """An MTI that the dialect knows."""

    def __init__(self, element: Element, known: Collection[str]) -> None:
        super().__init__()
        self.element, self.known = element, known

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> Value:
        mti: Value = self.element._parsereport(stream, context, path)
        if self.known and mti not in self.known:
            raise ElementError(f"{mti!s} and none of this dialect", "known: " + " ".join(sorted(self.known)))
        return mti

    def _build(self, obj: Value, stream: io.BytesIO, context: Any, path: Any) -> Value:
        built: Value = self.element._build(obj, stream, context, path)
        return built


class _FieldSet(cs.Construct):  # type: ignore[misc]  # construct carries no types
    """One bitmap of 64 bits, or two where a field above 64 exists, and the fields that they name, in order."""

    def __init__(self, elements: Mapping[int, Element], bitmap: Bitmap) -> None:
        super().__init__()
        self.elements, self.bitmap = elements, bitmap
        self.has_second = max(elements) > LAST_FIELD

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> dict[int, Value]:
        bits, last = self._bits(stream), LAST_FIELD
        if self.has_second and bits >> (LAST_FIELD - SECOND_BITMAP):
            bits, last = bits << LAST_FIELD | self._bits(stream), 2 * LAST_FIELD
            bits ^= 1 << (last - SECOND_BITMAP)
        fields: dict[int, Value] = {}
        for number in range(1, last + 1):
            if bits >> (last - number) & 1:
                at = stream.tell()
                element = self._element(number, last, at)
                try:
                    fields[number] = element._parsereport(stream, context, path)
                except ElementError as error:
                    raw = stream.getvalue()[at : at + 32]
                    raise DecodeError(
                        error.text, field=number, offset=at, raw=raw, hint=error.hint, code=error.code
                    ) from None
        return fields

    def _bits(self, stream: io.BytesIO) -> int:
        at = stream.tell()
        try:
            bits = self.bitmap.decode(_read(stream, self.bitmap.value))
        except _CutShort as error:
            raise DecodeError(f"the bitmap is cut short: {error.text}", field=0, offset=at, code=error.code) from None
        except ElementError as error:
            raise DecodeError(
                f"the bitmap is {error.text}", field=0, offset=at, hint=error.hint, code="bitmap"
            ) from None
        if not bits:
            raise DecodeError("the bitmap names no field", field=0, offset=at, code="bitmap")
        return bits

    def _element(self, number: int, last: int, at: int) -> Element:
        element = self.elements.get(number)
        if element is None:
            raise DecodeError(
                f"bit {number} is set and this dialect has no such field",
                field=number,
                offset=at,
                code="undefined_field",
                hint=_NO_BITMAP.get(number, ""),
            )
        if number == LAST_FIELD < last:
            raise DecodeError(_TWO_BITMAPS, field=number, offset=at, code="mac_field", hint=_MAC_IS_LAST)
        return element

    def _build(self, obj: Mapping[int, Value], stream: io.BytesIO, context: Any, path: Any) -> Mapping[int, Value]:
        for number in obj:
            if number not in self.elements:
                raise EncodeError("this dialect has no such field", field=number)
        bits = bitmap_of(obj)
        if LAST_FIELD in obj and len(bits) * 8 > LAST_FIELD:
            raise EncodeError(_TWO_BITMAPS, field=LAST_FIELD, hint=_MAC_IS_LAST, code="mac_field")
        stream.write(self.bitmap.encode(bits))
        for number in sorted(obj):
            try:
                self.elements[number]._build(obj[number], stream, context, path)
            except ElementError as error:
                raise EncodeError(error.text, field=number, hint=error.hint) from None
        return obj


_TWO_BITMAPS: Final = "field 64 together with a second bitmap"
_MAC_IS_LAST: Final = "the MAC is the last field: 128 where there are two bitmaps"
_NO_BITMAP: Final = {
    SECOND_BITMAP: "a bitmap of 8 bytes follows the MTI; bit 1 would announce a second one",
    LAST_FIELD + 1: "bit 65 would announce a third bitmap",
}


class Body:
    """MTI, bitmap and fields: the part of a message that the MAC covers.

    ``parse`` takes the bytes from the MTI on and gives ``(mti, fields)``; it raises DecodeError, also for bytes left
    over. ``build`` is its inverse and raises EncodeError. ``mtis`` are those that it reads, every one where empty.
    """

    def __init__(
        self,
        elements: Mapping[int, Element],
        mti: Element | None = None,
        bitmap: Bitmap = Bitmap.BINARY,
        mtis: Collection[str] = (),
    ) -> None:
        self.elements, self.bitmap = elements, bitmap
        self.mti = mti or Fixed(DIGITS, 4)
        self._construct = cs.Struct("mti" / _Mti(self.mti, mtis), "fields" / _FieldSet(elements, bitmap))

    def parse(self, raw: bytes) -> tuple[str, dict[int, Value]]:
        stream = io.BytesIO(raw)
        try:
            parsed = self._construct.parse_stream(stream)
        except ElementError as error:
            code = error.code if isinstance(error, _CutShort) else "mti"
            raise DecodeError(
                f"the MTI is {error.text}", field=0, offset=0, raw=raw[:4], hint=error.hint, code=code
            ) from None
        if stream.tell() != len(raw):
            raise DecodeError(
                f"{len(raw) - stream.tell()} bytes are left after the last field",
                offset=stream.tell(),
                raw=raw[stream.tell() :],
                code="trailing_bytes",
                hint="two messages in one frame, or a length that was counted in other units",
            )
        return parsed.mti, parsed.fields

    def build(self, mti: str, fields: Mapping[int, Value]) -> bytes:
        if not fields:
            raise EncodeError("a message has at least one field", field=0)
        try:
            return bytes(self._construct.build({"mti": mti, "fields": fields}))
        except ElementError as error:
            raise EncodeError(f"the MTI is {error.text}", field=0) from None


class _CutShort(ElementError):
    """The bytes end inside the element."""

    code = "truncated"


def _read(stream: io.BytesIO, size_bytes: int) -> bytes:
    raw = stream.read(size_bytes)
    if len(raw) != size_bytes:
        raise _CutShort(f"{size_bytes} bytes are due and {len(raw)} are left", "the message is cut short")
    return raw
