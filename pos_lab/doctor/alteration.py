"""TABLE ALTERATIONS: the same field as somebody else would write it.

Rules owned here: each row turns an element into the one that a peer with that habit uses, None where it changes
nothing. A row is tried for all fields at once (``hypothesis``) and for a single one (``repair``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from protocol.elements import (
    BCD_LL,
    BCD_LLL,
    Align,
    Base,
    Characters,
    Coding,
    Element,
    ElementError,
    Fixed,
    HexOctets,
    Octets,
    Packed,
    Prefix,
    Text,
    Value,
    Var,
)

Alter = Callable[[Element], Element | None]


@dataclass(frozen=True, slots=True)
class _WholeBytes(Packed):
    """Digits whose units are bytes: which nibble is fill nobody can tell."""

    def size_bytes(self, units: int) -> int:
        return units

    def decode(self, raw: bytes, units: int) -> str:
        digits = raw.hex().upper()
        if not self.alphabet.holds(digits):
            raise ElementError(f"not {self.alphabet.what}")
        return digits


@dataclass(frozen=True, slots=True)
class _AnyFill(Packed):
    """Digits whose fill nibble is anything."""

    def decode(self, raw: bytes, units: int) -> str:
        nibbles = raw.hex().upper()
        text = nibbles[:units] if self.align is Align.LEFT else nibbles[len(nibbles) - units :]
        if len(nibbles) == units or not self.alphabet.holds(text):
            raise ElementError(f"not {self.alphabet.what}")
        return text


@dataclass(frozen=True, slots=True)
class _Nibbles(Octets):
    """Bytes whose units are nibbles."""

    def size_bytes(self, units: int) -> int:
        return (units + 1) // 2

    def decode(self, raw: bytes, units: int) -> Value:
        if units % 2:
            raise ElementError("half a byte")
        return raw


def made(coding: Coding, prefix: Prefix | None, most: int) -> Element:
    """An element of these parts, its greatest length what the prefix can state."""
    return Var(prefix, coding, min(most, prefix.largest)) if prefix else Fixed(coding, most)


def _coded(coding: Coding, element: Element) -> Element:
    return made(coding, element.prefix, element.most)


def _in_bytes(element: Element) -> Element | None:
    coding = element.coding
    if not isinstance(coding, Packed) or element.prefix is None:
        return None
    return made(_WholeBytes(coding.alphabet, coding.align), element.prefix, (element.most + 1) // 2)


def _in_nibbles(element: Element) -> Element | None:
    if not isinstance(element.coding, Octets) or element.prefix is None:
        return None
    return made(_Nibbles(), element.prefix, 2 * element.most)


def _prefixed(base: Base, digits_a_byte: Mapping[Base, int]) -> Alter:
    """Another way to write the length, of as many digits, or as many bytes where it is binary."""

    def alter(element: Element) -> Element | None:
        old = element.prefix
        if old is None or old.base is base:
            return None
        digits = {Base.BCD: 2 * old.size_bytes, Base.ASCII: old.size_bytes, Base.BINARY: 2 * old.size_bytes}[old.base]
        digits = 3 if digits == 4 and base is Base.ASCII else digits
        return made(element.coding, Prefix(base, -(-digits // digits_a_byte[base])), element.most)

    return alter


def _resized(old: Prefix, new: Prefix) -> Alter:
    def alter(element: Element) -> Element | None:
        return made(element.coding, new, element.most) if element.prefix == old else None

    return alter


def _ascii_digits(element: Element) -> Element | None:
    return _coded(Characters(element.coding.alphabet), element) if isinstance(element.coding, Packed) else None


def _packed_digits(element: Element) -> Element | None:
    return _coded(Packed(element.coding.alphabet), element) if isinstance(element.coding, Characters) else None


def _other_align(element: Element) -> Element | None:
    coding = element.coding
    if not isinstance(coding, Packed) or (element.prefix is None and element.most % 2 == 0):
        return None
    align = Align.RIGHT if coding.align is Align.LEFT else Align.LEFT
    return _coded(replace(coding, align=align), element)


def _other_fill(element: Element) -> Element | None:
    coding = element.coding
    if not isinstance(coding, Packed) or (element.prefix is None and element.most % 2 == 0):
        return None
    return _coded(_AnyFill(coding.alphabet, coding.align), element)


def _hex_text(element: Element) -> Element | None:
    return _coded(HexOctets(), element) if isinstance(element.coding, Octets) else None


def _other_charset(element: Element) -> Element | None:
    if not isinstance(element.coding, Text):
        return None
    return _coded(Text("utf-8" if element.coding.charset == "gb18030" else "gb18030"), element)


ALTERATIONS: Final[Mapping[str, Alter]] = MappingProxyType(
    {
        "bcd_length_in_bytes": _in_bytes,
        "length_in_digits": _in_nibbles,
        "ascii_length": _prefixed(Base.ASCII, {Base.ASCII: 1}),
        "bcd_length": _prefixed(Base.BCD, {Base.BCD: 2}),
        "binary_length": _prefixed(Base.BINARY, {Base.BINARY: 2}),
        "short_length": _resized(BCD_LLL, BCD_LL),
        "long_length": _resized(BCD_LL, BCD_LLL),
        "ascii_digits": _ascii_digits,
        "packed_digits": _packed_digits,
        "other_align": _other_align,
        "other_fill": _other_fill,
        "hex_text": _hex_text,
        "other_charset": _other_charset,
    }
)
"""By the name of the symptom."""
