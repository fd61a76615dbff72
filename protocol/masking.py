"""What a person may see of a value: the PAN masked, tracks, PIN blocks, keys and chip data hidden.

Rules owned here: how a masked value looks, and that a masked value is recognised and never taken for a real one. Which
field is masked how stands in FIELDS and, per kind, in KINDS.
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
