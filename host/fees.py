"""TABLE FEES: the merchant's fee by card type (product table M; decision 8).

Integers in fen, a transaction at a time, rounded half up. The rates come from the merchant's signed contract; the rows
here are what a contract begins with.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from host.records import Merchant
from host.transactions import SIGNS
from host.value import value

BASIS: Final = 10_000


@value
class Rate:
    """``rate_bp`` basis points of the amount, at most ``cap_fen`` where there is a cap."""

    rate_bp: int
    cap_fen: int | None = None

    def fee_fen(self, amount_fen: int) -> int:
        """The fee of one transaction, half up."""
        fee_fen = (amount_fen * self.rate_bp * 2 + BASIS) // (BASIS * 2)
        return fee_fen if self.cap_fen is None else min(fee_fen, self.cap_fen)


FEES: Final[Mapping[str, Rate]] = MappingProxyType(
    {"credit": Rate(60), "debit": Rate(50, 2500), "scan": Rate(38), "unionpay_qr": Rate(60)}
)


_SIGNED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "credit": ("credit_bp", ""),
        "debit": ("debit_bp", "debit_cap_fen"),
        "scan": ("scan_bp", ""),
        "unionpay_qr": ("unionpay_qr_bp", ""),
    }
)
"""Card type -> where the merchant's row has the rate and its cap."""


def contract_rate(merchant: Merchant, card_type: str) -> Rate:
    """The rate that the merchant signed for a card type."""
    rate, cap = _SIGNED[card_type]
    return Rate(getattr(merchant, rate), getattr(merchant, cap) if cap else None)


def fee_due(merchant: Merchant, kind: str, card_type: str, amount_fen: int) -> int:
    """What a captured row costs the merchant, in fen: only what is a debit does."""
    return contract_rate(merchant, card_type).fee_fen(amount_fen) if SIGNS.get(kind) == 1 else 0
