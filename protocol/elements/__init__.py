"""The building blocks of a message: how values become bytes, what a field is made of, and how fields make a body.

``coding`` (and ``length``) say how characters become bytes, ``element`` how many there are, ``bitmap`` which fields
there are, ``body`` puts them together. Only ``element`` and ``body`` know construct.
"""

from __future__ import annotations

from protocol.elements.bitmap import LAST_FIELD, MAC_FIELDS, SECOND_BITMAP, Bitmap, bitmap_of
from protocol.elements.body import Body
from protocol.elements.coding import (
    ASCII,
    ASCII_DIGITS,
    ASCII_SIGNED,
    ASCII_TRACK,
    CHINESE,
    DECIMAL,
    DIGITS,
    DIGITS_RIGHT,
    HEX_OCTETS,
    OCTETS,
    SIGNED_DIGITS,
    TRACK,
    TRACK_DIGITS,
    Align,
    Characters,
    Coding,
    HexOctets,
    Octets,
    Packed,
    Signed,
    Text,
    Value,
)
from protocol.elements.element import Element, Fixed, Var, ll, lll
from protocol.elements.error import ElementError
from protocol.elements.length import ASCII_LL, ASCII_LLL, BCD_LL, BCD_LLL, Base, Prefix

__all__ = [
    "ASCII",
    "ASCII_DIGITS",
    "ASCII_LL",
    "ASCII_LLL",
    "ASCII_SIGNED",
    "ASCII_TRACK",
    "BCD_LL",
    "BCD_LLL",
    "CHINESE",
    "DECIMAL",
    "DIGITS",
    "DIGITS_RIGHT",
    "HEX_OCTETS",
    "LAST_FIELD",
    "MAC_FIELDS",
    "OCTETS",
    "SECOND_BITMAP",
    "SIGNED_DIGITS",
    "TRACK",
    "TRACK_DIGITS",
    "Align",
    "Base",
    "Bitmap",
    "Body",
    "Characters",
    "Coding",
    "Element",
    "ElementError",
    "Fixed",
    "HexOctets",
    "Octets",
    "Packed",
    "Prefix",
    "Signed",
    "Text",
    "Value",
    "Var",
    "bitmap_of",
    "ll",
    "lll",
]
