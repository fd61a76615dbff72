"""What a person may see of a value: the PAN masked, tracks, PIN blocks, keys and chip data hidden.

Rules owned here: how a masked value looks, that a masked value is recognised and never taken for a real one, and what
of a free text is hidden or escaped. Which field is masked how stands in FIELDS and, per kind, in KINDS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from protocol.elements import Value
from protocol.errors import DecodeError
from protocol.fields import FIELDS, FieldSpec, Mask
from protocol.kinds import Identity
from protocol.private import unpack_upload

_SHOWN_HEAD: Final = 6
_SHOWN_TAIL: Final = 4
_PAN_AT: Final = 8
_PAN_DIGITS: Final = 20
_OPEN_TOTALS: Final = (4, 12, 62)
"""Digits in field 48 of a count, a tip and the totals of a settlement: no room for a PAN."""

_WIDE_SPACE: Final = "\u3000"
_SHORTEST_SECRET: Final = 13
_TRACK = re.compile(r"(?<![0-9])[0-9]{12,19}[=D][0-9]{7,}", re.ASCII)
_CARD_NUMBER = re.compile(r"(?<![0-9])[0-9]{13,19}(?![0-9])", re.ASCII)
_KEY = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32,}(?![0-9A-Za-z])", re.ASCII)
_HIDDEN_BYTES = re.compile(r"<[0-9]+ bytes hidden>")


def mask_pan(pan: str) -> str:
    """First six and last four digits with stars between; a PAN shorter than eleven is all stars."""
    return cover(pan, Mask.PAN)


def mask_of(number: int, identity: Identity | None, fields: Mapping[int, FieldSpec] = FIELDS) -> Mask:
    """The mask of a field: the kind's own where its row has one, else the field's."""
    own = dict(identity.kind.masks) if identity else {}
    return own.get(number, fields[number].mask)


def masked(value: Value, mask: Mask) -> str:
    """``value`` as a person may see it; bytes that may be seen are upper-case hex."""
    if isinstance(value, str):
        return cover(value, mask)
    return value.hex().upper() if mask is Mask.OPEN else f"<{len(value)} bytes hidden>"


def is_masked(shown: str) -> bool:
    """Was this digit string or hex made by ``masked``, with something hidden?"""
    return "*" in shown or _HIDDEN_BYTES.fullmatch(shown) is not None


def cover(text: str, mask: Mask, filler: str = "*") -> str:
    """Digits or text of the same length, with ``filler`` for every character that a person may not see."""
    if mask is Mask.OPEN:
        return text
    if mask is Mask.PAN and len(text) > _SHOWN_HEAD + _SHOWN_TAIL:
        hidden = len(text) - _SHOWN_HEAD - _SHOWN_TAIL
        return text[:_SHOWN_HEAD] + filler * hidden + text[-_SHOWN_TAIL:]
    return _cover_totals(text, filler) if mask is Mask.UPLOAD_ITEMS else filler * len(text)


def one_line(text: str) -> str:
    """``text`` as one line that a screen shows as it stands: what it cannot show, or would obey, is escaped."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == _WIDE_SPACE else _escaped(character) for character in text
    )


def redacted(text: str) -> str:
    """``text`` without what looks like a track, a card number or a key, for lines that nobody reads field by field."""
    if len(text) < _SHORTEST_SECRET:
        return text
    text = _TRACK.sub("<track hidden>", text)
    text = _KEY.sub("<key hidden>", text)
    return _CARD_NUMBER.sub(lambda found: mask_pan(found[0]) if _is_luhn(found[0]) else found[0], text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _is_luhn(digits: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def _cover_totals(digits: str, filler: str) -> str:
    """By the shape of the value, not by the kind: a terminal under test may send items where totals are due."""
    if len(digits) in _OPEN_TOTALS:
        return digits
    try:
        items = unpack_upload(digits)
    except DecodeError:
        return filler * len(digits)
    rows = [(str(item), cover(item.pan, Mask.PAN, filler).rjust(_PAN_DIGITS, "0")) for item in items]
    return digits[:2] + "".join(row[:_PAN_AT] + pan + row[_PAN_AT + _PAN_DIGITS :] for row, pan in rows)
