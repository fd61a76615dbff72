"""Amendments of a merchant's contract: a signed rate that takes effect at its date and never before (decision 8, S7).

A row of the ledger keeps the fee with which it was captured. Only an amendment changes a rate; a swap does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from host.decision import Update, Write
from host.retirement import audit

RATE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "credit": ("credit_bp",),
        "debit": ("debit_bp", "debit_cap_fen"),
        "scan": ("scan_bp",),
        "unionpay_qr": ("unionpay_qr_bp",),
    }
)
"""Card type to the columns of the merchant: the rate and, where there is one, its cap."""


@dataclass(frozen=True, slots=True)
class Amendment:
    """A row of the table; ``applied_at`` is when the merchant's contract took it up."""

    number: int
    merchant_id: str
    card_type: str
    rate_bp: int
    cap_fen: int | None
    signed_by: str
    effective_at: int
    at: int
    applied_at: int | None = None

    @property
    def changes(self) -> dict[str, object]:
        """The columns of the merchant that it changes."""
        return dict(zip(RATE_COLUMNS[self.card_type], (self.rate_bp, self.cap_fen), strict=False))


def take_effect(merchant_id: str, amendments: Iterable[Amendment], at: int) -> list[Write]:
    """The writes for every amendment of a merchant whose date has come, in the order of their dates, each once."""
    waiting = sorted(
        (row for row in amendments if row.applied_at is None), key=lambda row: (row.effective_at, row.number)
    )
    writes: list[Write] = []
    for row in waiting:
        if row.effective_at <= at:
            said = f"{row.card_type} {row.rate_bp} bp, signed by {row.signed_by}"
            writes += [
                Update("merchants", {"merchant_id": merchant_id}, row.changes),
                Update("amendments", {"number": row.number}, {"applied_at": at}),
                audit("amendment", "", "rate", f"{merchant_id}: {said}", at),
            ]
    following = min((row.effective_at for row in waiting if row.effective_at > at), default=None)
    return [*writes, Update("merchants", {"merchant_id": merchant_id}, {"amends_at": following})]
