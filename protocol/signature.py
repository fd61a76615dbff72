"""Which transactions the cardholder signs, as the terminal and the host see it alike (CUP 6, 7.9).

Rules owned here: TABLE SIGNED; a small tap needs no signature.
"""

from __future__ import annotations

from typing import Final

SIGNED: Final = frozenset({"sale", "qr_sale", "preauth", "additional_preauth", "completion"})
"""Kinds whose customer stands at the counter and signs."""
TAPPED: Final = "07"
"""Digits 1 and 2 of field 22 of a contactless card (CUP 2.1)."""
PAD_PIXELS_MAX: Final = 320 * 240
"""The largest signature that a pad makes (CUP 6)."""


def is_signed(kind: str, entry_mode: str, amount_fen: int, *, free_fen: int) -> bool:
    """Whether a transaction needs a signature; taps of at most ``free_fen`` do not (CUP 7.9)."""
    return kind in SIGNED and not (entry_mode.startswith(TAPPED) and amount_fen <= free_fen)
