"""The building blocks of a message: the only file that knows construct.

A *coding* says how characters become bytes (packed digits, track digits, text, octets); ``Fixed`` and ``Var`` say how
many there are. A field of the wire is one of the two over one of the four, so a new field is a row and no new code.

Units: lengths of digits and tracks count digits, lengths of text and octets count bytes (CUP 2).
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import construct as cs

from protocol.errors import DecodeError, EncodeError

Value = str | bytes
BITMAP_BYTES: Final = 8
LAST_FIELD: Final = 64


class Align(Enum):
    """Where an odd number of digits sits in its bytes."""

    LEFT = "left"
    RIGHT = "right"


class ElementError(cs.ConstructError):  # type: ignore[misc]  # construct carries no types
    """A value that does not fit its element; the field set adds which field and where."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.text = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Packed:
    """Four bits a character, an odd length filled with one zero nibble.

    Value: str matching ``alphabet``. Digits for numeric fields; hex digits for tracks, whose separator is ``D`` and
    whose encrypted window holds any nibble (CUP 5.6).
    """

    alphabet: re.Pattern[str]
    what: str
    align: Align = Align.LEFT

    def size_bytes(self, units: int) -> int:
        return (units + 1) // 2

    def units(self, value: Value) -> int:
        return len(value)

    def decode(self, raw: bytes, units: int) -> Value:
        nibbles = raw.hex().upper()
        text, fill = nibbles, ""
        if len(nibbles) != units:
            text, fill = (nibbles[:-1], nibbles[-1]) if self.align is Align.LEFT else (nibbles[1:], nibbles[0])
        if fill not in ("", "0"):
            raise ElementError(f"the fill nibble is {fill}, not 0", "an odd number of digits is filled with one 0")
        if not self.alphabet.fullmatch(text):
            raise ElementError(f"not {self.what}", "is the field packed BCD here, and its length counted in digits?")
        return text

    def encode(self, value: Value) -> bytes:
        if not isinstance(value, str) or not self.alphabet.fullmatch(value):
            raise ElementError(f"not {self.what}")
        if len(value) % 2:
            value = value + "0" if self.align is Align.LEFT else "0" + value
        return bytes.fromhex(value)


@dataclass(frozen=True, slots=True)
class Text:
    """One or more bytes a character. Value: str without control characters."""

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


Coding = Packed | Text | Octets

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
DIGITS: Final = Packed(re.compile(r"[0-9]*"), "decimal digits")
DIGITS_RIGHT: Final = Packed(re.compile(r"[0-9]*"), "decimal digits", Align.RIGHT)
TRACK: Final = Packed(re.compile(r"[0-9A-F]*"), "track digits")
ASCII: Final = Text("ascii")
CHINESE: Final = Text("gb18030")
OCTETS: Final = Octets()


class Element(cs.Construct):  # type: ignore[misc]  # construct carries no types
    """What a field is made of. Subclasses give ``_parse`` and ``_build`` as construct asks."""

    coding: Coding

    def bounds(self) -> tuple[int, int]:
        """The fewest and the most units of a value."""
        raise cs.ConstructError("an element has bounds")


class Fixed(Element):
    """Exactly ``units`` digits, characters or bytes."""

    def __init__(self, coding: Coding, units: int) -> None:
        super().__init__()
        self.coding, self.length = coding, units

    def bounds(self) -> tuple[int, int]:
        return self.length, self.length

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> Value:
        return self.coding.decode(_read(stream, self.coding.size_bytes(self.length)), self.length)

    def _build(self, obj: Value, stream: io.BytesIO, context: Any, path: Any) -> Value:
        raw = self.coding.encode(obj)
        if self.coding.units(obj) != self.length:
            raise ElementError(f"{self.coding.units(obj)} long where {self.length} are due")
        stream.write(raw)
        return obj


class Var(Element):
    """A BCD length of ``prefix_bytes`` bytes (LL is 1, LLL is 2), then at most ``max_units``."""

    def __init__(self, prefix_bytes: int, coding: Coding, max_units: int) -> None:
        super().__init__()
        self.prefix_bytes, self.coding, self.max_units = prefix_bytes, coding, max_units

    def bounds(self) -> tuple[int, int]:
        return 0, self.max_units

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> Value:
        prefix = _read(stream, self.prefix_bytes).hex()
        if not (prefix.isascii() and prefix.isdecimal()):
            raise ElementError(
                f"the length {prefix.upper()} is not BCD", "a length of this dialect is packed BCD, not binary"
            )
        units = int(prefix)
        if units > self.max_units:
            raise ElementError(f"the length {units} is above {self.max_units}", "is the length packed BCD here?")
        return self.coding.decode(_read(stream, self.coding.size_bytes(units)), units)

    def _build(self, obj: Value, stream: io.BytesIO, context: Any, path: Any) -> Value:
        raw, units = self.coding.encode(obj), self.coding.units(obj)
        if units > self.max_units:
            raise ElementError(f"{units} long where at most {self.max_units} fit")
        stream.write(bytes.fromhex(f"{units:0{2 * self.prefix_bytes}d}"))
        stream.write(raw)
        return obj


def ll(coding: Coding, max_units: int) -> Element:
    """A field with a 1-byte BCD length."""
    return Var(1, coding, max_units)


def lll(coding: Coding, max_units: int) -> Element:
    """A field with a 2-byte BCD length."""
    return Var(2, coding, max_units)


class _FieldSet(cs.Construct):  # type: ignore[misc]  # construct carries no types
    """A 64-bit bitmap and the fields that it names, in order."""

    def __init__(self, elements: Mapping[int, Element]) -> None:
        super().__init__()
        self.elements = elements

    def _parse(self, stream: io.BytesIO, context: Any, path: Any) -> dict[int, Value]:
        at = stream.tell()
        try:
            bits = int.from_bytes(_read(stream, BITMAP_BYTES), "big")
        except ElementError as error:
            raise DecodeError(f"the bitmap is cut short: {error.text}", field=0, offset=at, code="truncated") from None
        if not bits:
            raise DecodeError("the bitmap names no field", field=0, offset=at, code="bitmap")
        fields: dict[int, Value] = {}
        for number in range(1, LAST_FIELD + 1):
            if not bits >> (LAST_FIELD - number) & 1:
                continue
            at = stream.tell()
            element = self.elements.get(number)
            if element is None:
                raise DecodeError(
                    f"bit {number} is set and this dialect has no such field",
                    field=number,
                    offset=at,
                    code="undefined_field",
                    hint="a bitmap of 8 bytes follows the MTI; bit 1 would announce a second one"
                    if number == 1
                    else "",
                )
            try:
                fields[number] = element._parsereport(stream, context, path)
            except ElementError as error:
                raw = stream.getvalue()[at : at + 32]
                code = "truncated" if isinstance(error, _CutShort) else "value"
                raise DecodeError(error.text, field=number, offset=at, raw=raw, hint=error.hint, code=code) from None
        return fields

    def _build(self, obj: Mapping[int, Value], stream: io.BytesIO, context: Any, path: Any) -> Mapping[int, Value]:
        numbers = sorted(obj)
        stream.write(sum(1 << (LAST_FIELD - number) for number in numbers).to_bytes(BITMAP_BYTES, "big"))
        for number in numbers:
            element = self.elements.get(number)
            if element is None:
                raise EncodeError("this dialect has no such field", field=number)
            try:
                element._build(obj[number], stream, context, path)
            except ElementError as error:
                raise EncodeError(error.text, field=number, hint=error.hint) from None
        return obj


class Body:
    """MTI, bitmap and fields: the part of a message that the MAC covers.

    ``parse`` takes the bytes from the MTI on and gives ``(mti, fields)``; it raises DecodeError, also for bytes left
    over. ``build`` is its inverse and raises EncodeError.
    """

    def __init__(self, elements: Mapping[int, Element]) -> None:
        self._mti = Fixed(DIGITS, 4)
        self._construct = cs.Struct("mti" / self._mti, "fields" / _FieldSet(elements))

    def parse(self, raw: bytes) -> tuple[str, dict[int, Value]]:
        stream = io.BytesIO(raw)
        try:
            parsed = self._construct.parse_stream(stream)
        except ElementError as error:
            code = "truncated" if isinstance(error, _CutShort) else "mti"
            raise DecodeError(f"the MTI is {error.text}", field=0, offset=0, raw=raw[:2], code=code) from None
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
        try:
            return bytes(self._construct.build({"mti": mti, "fields": fields}))
        except ElementError as error:
            raise EncodeError(f"the MTI is {error.text}", field=0) from None


class _CutShort(ElementError):
    """The bytes end inside the element."""


def _read(stream: io.BytesIO, size_bytes: int) -> bytes:
    raw = stream.read(size_bytes)
    if len(raw) != size_bytes:
        raise _CutShort(f"{size_bytes} bytes are due and {len(raw)} are left", "the message is cut short")
    return raw
