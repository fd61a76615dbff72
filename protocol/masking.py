"""What a person may see of a value: the PAN masked, tracks, PIN blocks, keys and chip data hidden.

Rules owned here: how a masked value looks, and that a masked value is recognised and never taken for a real one. Which
field is masked how stands in FIELDS and, per kind, in KINDS.
"""

from __future__ import annotations

import re
from typing import Final

from protocol.elements import Value
from protocol.errors import DecodeError
from protocol.fields import FIELDS, Mask
from protocol.kinds import Identity
from protocol.private import unpack_upload

_SHOWN_HEAD: Final = 6
_SHOWN_TAIL: Final = 4
_PAN_IN_ITEM: Final = slice(8, 28)
_HIDDEN_BYTES = re.compile(r"<[0-9]+ bytes hidden>")


def mask_pan(pan: str) -> str:
    """First six and last four digits with stars between; a PAN shorter than eleven is all stars."""
    if len(pan) <= _SHOWN_HEAD + _SHOWN_TAIL:
        return "*" * len(pan)
    return pan[:_SHOWN_HEAD] + "*" * (len(pan) - _SHOWN_HEAD - _SHOWN_TAIL) + pan[-_SHOWN_TAIL:]


def mask_of(number: int, identity: Identity | None) -> Mask:
    """The mask of a field: the kind's own where its row has one, else the field's."""
    own = dict(identity.kind.masks) if identity else {}
    return own.get(number, FIELDS[number].mask)


def masked(value: Value, mask: Mask) -> str:
    """``value`` as a person may see it; bytes that may be seen are upper-case hex."""
    if mask is Mask.OPEN:
        return value if isinstance(value, str) else value.hex().upper()
    if isinstance(value, bytes):
        return f"<{len(value)} bytes hidden>"
    if mask is Mask.PAN:
        return mask_pan(value)
    return _masked_items(value) if mask is Mask.UPLOAD_ITEMS else "*" * len(value)


def is_masked(shown: str) -> bool:
    """Was this digit string or hex made by ``masked``, with something hidden?"""
    return "*" in shown or _HIDDEN_BYTES.fullmatch(shown) is not None


def _masked_items(digits: str) -> str:
    try:
        items = unpack_upload(digits)
    except DecodeError:
        return "*" * len(digits)
    rows = [(str(item), mask_pan(item.pan).rjust(_PAN_IN_ITEM.stop - _PAN_IN_ITEM.start, "0")) for item in items]
    return digits[:2] + "".join(row[: _PAN_IN_ITEM.start] + pan + row[_PAN_IN_ITEM.stop :] for row, pan in rows)
