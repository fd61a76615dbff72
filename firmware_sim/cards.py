"""The cards of the laboratory.

Rules owned here: TABLE TEST_CARDS. Every number is invented and passes the Luhn check; the first eight digits decide
how the host's issuer sees the card. Nothing printed shows a number, a track or a PIN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class CardKind(Enum):
    """What the fee depends on."""

    DEBIT = "debit"
    CREDIT = "credit"


class EntryMode(Enum):
    """How the card gives its number: digits 1 and 2 of field 22 (CUP 2.1)."""

    MAGNETIC = "02"
    CHIP = "05"
    CONTACTLESS = "07"


@dataclass(frozen=True, slots=True)
class Card:
    """A card: ``pan`` of 16 digits, ``expiry`` YYMM, ``track2`` digits with "D" as separator, ``sequence`` 3 digits."""

    name: str
    kind: CardKind
    entry_mode: EntryMode
    pan: str = field(repr=False)
    pin: str = field(repr=False, default="123456")
    expiry: str = field(repr=False, default="3012")
    sequence: str = field(repr=False, default="001")

    @property
    def track2(self) -> str:
        """37 digits: number, "D", expiry, service code, issuer's data."""
        service_code = "101" if self.entry_mode is EntryMode.MAGNETIC else "201"
        return f"{self.pan}D{self.expiry}{service_code}{'0' * 13}"


TEST_CARDS: Mapping[str, Card] = {
    card.name: card
    for card in (
        Card("debit", CardKind.DEBIT, EntryMode.CONTACTLESS, "6200000100000004"),
        Card("debit_second", CardKind.DEBIT, EntryMode.CHIP, "6200000100000012"),
        Card("credit", CardKind.CREDIT, EntryMode.CHIP, "6200000200000003"),
        Card("credit_second", CardKind.CREDIT, EntryMode.MAGNETIC, "6200000200000011"),
        Card("debit_poor", CardKind.DEBIT, EntryMode.CONTACTLESS, "6200000300000002"),
        Card("stolen", CardKind.DEBIT, EntryMode.MAGNETIC, "6200000400000001"),
        Card("unknown_bin", CardKind.DEBIT, EntryMode.MAGNETIC, "6299999900000001"),
    )
}
