"""The cards of the laboratory.

Rules owned here: TABLE TEST_CARDS. Every number is invented and passes the Luhn check; the first eight digits decide
how the host's issuer sees the card, and for the cards of TABLE FORCED_CODES the digits behind them spell the answer.
Nothing printed shows a number, a track, a PIN or a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from protocol.crypto.cryptogram import card_key
from protocol.crypto.key import CardKey, IssuerKey
from protocol.crypto.keys import odd_parity
from protocol.crypto.lab_ca import REVOKED_SERIAL

_ISSUER_KEY: Final = IssuerKey(odd_parity(b"issuers of a lab"))
"""What the laboratory's issuers personalise their chips with; they have the same (``host.issuer``)."""
_FORGERS_KEY: Final = IssuerKey(odd_parity(b"a forger's guess"))


class CardKind(Enum):
    """What the fee depends on, and whether a PIN is a must."""

    DEBIT = "debit"
    CREDIT = "credit"


class EntryMode(Enum):
    """How a card gives its number: digits 1 and 2 of field 22 (CUP 2.1)."""

    MAGNETIC = "02"
    CHIP = "05"
    CONTACTLESS = "07"


STRIPE: Final = (EntryMode.MAGNETIC,)
CHIP: Final = (EntryMode.CHIP, EntryMode.MAGNETIC)
TAP: Final = (EntryMode.CONTACTLESS,)
DUAL: Final = (EntryMode.CONTACTLESS, EntryMode.CHIP, EntryMode.MAGNETIC)


class Proof(Enum):
    """How a chip proves itself without its issuer (EMV Book 2, 5 and 6): not, by its data, by a signature of its own.

    COMBINED signs together with its cryptogram.
    """

    NONE = ""
    STATIC = "SDA"
    DYNAMIC = "DDA"
    COMBINED = "CDA"


@dataclass(frozen=True, slots=True)
class Card:
    """A card: ``pan`` of 16 digits, ``expiry`` YYMM, ``sequence`` 3 digits; ``ways`` to read it, the usual one first.

    The chip of a card that is not ``genuine`` was copied without its keys; the data of one that was ``altered`` are not
    those that its issuer signed. ``ca_index`` and ``serial``, 3 bytes, are of the certificate of its issuer, which is
    good until ``certified_until``, YYMM, as the card's own is.
    """

    name: str
    kind: CardKind
    ways: tuple[EntryMode, ...]
    pan: str = field(repr=False)
    pin: str = field(repr=False, default="123456")
    expiry: str = field(repr=False, default="3012")
    sequence: str = field(repr=False, default="001")
    genuine: bool = True
    proof: Proof = Proof.DYNAMIC
    altered: bool = False
    ca_index: int = 1
    serial: bytes = field(repr=False, default=b"\0\0\1")
    certified_until: str = field(repr=False, default="3512")

    @property
    def service_code(self) -> str:
        """3 digits: a chip to be preferred or none, normal authorisation, a PIN as a must or not (ISO 7813)."""
        return ("1" if self.ways == STRIPE else "2") + "0" + ("0" if self.kind is CardKind.DEBIT else "1")

    @property
    def track2(self) -> str:
        """37 digits: number, "D", expiry, service code, issuer's data."""
        return f"{self.pan}D{self.expiry}{self.service_code}{'0' * 13}"

    @property
    def chip_key(self) -> CardKey:
        """What the chip makes its cryptograms with."""
        return card_key(_ISSUER_KEY if self.genuine else _FORGERS_KEY, self.pan, self.sequence[-2:])


FORCED_CODES: Final = (
    "01", "02", "04", "05", "06", "07", "09", "11", "12", "13", "14", "15", "16", "19", "20", "21", "22", "23",
    "30", "31", "33", "34", "35", "36", "37", "38", "39", "40", "41", "42", "43", "44", "51", "52", "53", "54",
    "55", "56", "57", "59", "60", "61", "62", "63", "65", "66", "67", "68", "75", "90", "91", "92", "96", "98",
    "A1", "A2", "A3", "A4", "A5", "A6", "A7",
)  # fmt: skip
"""The answers of field 39 that an issuer gives (CUP 4); each has a card that gets it: ``forced_51``, ``forced_a1``."""

_FORCING_PREFIX: Final = "62000008"


def numbered(digits: str) -> str:
    """The card number of 16 digits that begins with ``digits``, filled with zeros and checked by Luhn's digit."""
    body = digits.ljust(15, "0")
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(body))
    return f"{body}{-sum(value - 9 * (value > 9) for value in doubled) % 10}"


def _forcing(code: str) -> Card:
    """Each character of the code is spelt in two digits, as its value in base 36: 51 is 0501, A1 is 1001."""
    spelt = "".join(f"{int(character, 36):02d}" for character in code)
    return Card(f"forced_{code.lower()}", CardKind.CREDIT, DUAL, numbered(_FORCING_PREFIX + spelt))


_DEBIT, _CREDIT = CardKind

TEST_CARDS: Mapping[str, Card] = {
    card.name: card
    for card in (
        Card("debit", _DEBIT, DUAL, "6200000100000004"),
        Card("debit_second", _DEBIT, CHIP, "6200000100000012"),
        Card("debit_stripe", _DEBIT, STRIPE, "6200000100000020"),
        Card("wearable", _DEBIT, TAP, "6200000100000038"),
        Card("pin_thrice", _DEBIT, CHIP, "6200000100000046"),
        Card("counterfeit", _DEBIT, CHIP, "6200000100000053", genuine=False),
        Card("credit", _CREDIT, CHIP, "6200000200000003"),
        Card("credit_second", _CREDIT, STRIPE, "6200000200000011"),
        Card("debit_poor", _DEBIT, DUAL, "6200000300000002"),
        Card("stolen", _DEBIT, STRIPE, "6200000400000001"),
        Card("expired", _CREDIT, CHIP, "6200000500000000", expiry="2301"),
        Card("lost", _DEBIT, CHIP, "6200000600000009"),
        Card("pin_locked", _DEBIT, CHIP, "6200000700000008"),
        Card("foreign", _CREDIT, CHIP, "6200000900000006"),
        Card("magic", _CREDIT, DUAL, "6200001000000003"),
        Card("scripted", _CREDIT, CHIP, "6200001100000002"),
        Card("unknown_bin", _DEBIT, STRIPE, "6299999900000001"),
        Card("unproven", _CREDIT, CHIP, numbered("6200000200002"), proof=Proof.NONE),
        Card("static", _CREDIT, CHIP, numbered("6200000200003"), proof=Proof.STATIC),
        Card("combined", _CREDIT, DUAL, numbered("6200000200004"), proof=Proof.COMBINED),
        Card("copied", _CREDIT, DUAL, numbered("6200000200005"), genuine=False, proof=Proof.COMBINED),
        Card("altered", _CREDIT, CHIP, numbered("6200000200006"), altered=True),
        Card("ca_expired", _CREDIT, CHIP, numbered("6200000200007"), ca_index=3),
        Card("ca_unknown", _CREDIT, CHIP, numbered("6200000200008"), ca_index=9),
        Card("revoked", _CREDIT, CHIP, numbered("6200000200009"), serial=REVOKED_SERIAL),
        *map(_forcing, FORCED_CODES),
    )
}
