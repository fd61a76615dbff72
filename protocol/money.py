"""Money as people write it. Inside it is int fen everywhere."""

from __future__ import annotations


def yuan(amount_fen: int) -> str:
    """Fen as yuan with two decimals: 6000 is ``60.00``, -5 is ``-0.05``."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{abs(amount_fen) // 100}.{abs(amount_fen) % 100:02d}"
