"""How characters become bytes: packed digits, characters, text, octets.

A coding knows no length of its own: ``decode`` is told how many units the bytes hold, ``units`` counts those of a value
and ``size_bytes`` the bytes that so many units take. Lengths of digits and tracks count digits, lengths of text and
octets count bytes (CUP 2). All raise ElementError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from protocol.elements.error import ElementError

Value = str | bytes


class Align(Enum):
    """Where an odd number of digits sits in its bytes."""

    LEFT = "left"
    RIGHT = "right"


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
