"""A message in words."""

from __future__ import annotations

_SHOWN_HEAD, _SHOWN_TAIL = 6, 4


def mask_pan(pan: str) -> str:
    """First six and last four digits with stars between; a PAN shorter than eleven is all stars."""
    if len(pan) < _SHOWN_HEAD + _SHOWN_TAIL + 1:
        return "*" * len(pan)
    return pan[:_SHOWN_HEAD] + "*" * (len(pan) - _SHOWN_HEAD - _SHOWN_TAIL) + pan[-_SHOWN_TAIL:]
