"""TABLE ISSUERS: the simulated issuers behind the host, by the leading digits of the card.

Every number here is invented. A row answers for its cards; ``code`` other than 00 is what its cards always get.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from host.refusals import Refused
from protocol.checks import luhn_ok


@dataclass(frozen=True, slots=True)
class Issuer:
    """A row of ISSUERS: ``limit_fen`` is the most that a card of it pays at once, ``refusal`` its constant answer."""

    prefix: str
    name: str
    card_type: str
    limit_fen: int = 10**12
    foreign: bool = False
    refusal: str = ""
    pin: str = field(default="123456", repr=False)


ISSUERS: Final = (
    Issuer("62000001", "Lab Debit Bank", "debit"),
    Issuer("62000002", "Lab Credit Bank", "credit"),
    Issuer("62000003", "Lab Savings Bank", "debit", limit_fen=1_00),
    Issuer("62000004", "Lab Debit Bank, stolen", "debit", refusal="card.stolen"),
    Issuer("62000005", "Lab Credit Bank, expired", "credit", refusal="card.expired"),
    Issuer("62000009", "Lab Bank Abroad", "credit", foreign=True),
)


def find_issuer(pan: str) -> Issuer | None:
    """The issuer of a card, or None where no issuer knows it: 13 to 19 digits whose last one checks the others."""
    if not re.fullmatch(r"[0-9]{13,19}", pan) or not luhn_ok(pan):
        return None
    return next((row for row in ISSUERS if pan.startswith(row.prefix)), None)


def authorise(issuer: Issuer, amount_fen: int, pin: str | None) -> Refused | None:
    """The issuer's own refusal, or None where it approves. ``pin`` is None where no PIN was entered."""
    if issuer.refusal:
        return Refused(issuer.refusal)
    if pin is not None and pin != issuer.pin:
        return Refused("card.wrong_pin")
    return Refused("card.no_funds") if amount_fen > issuer.limit_fen else None
