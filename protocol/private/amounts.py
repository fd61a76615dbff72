"""Field 54: balances in a reply, a tip in a request (CUP 2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocol.errors import DecodeError
from protocol.fields import F

_BALANCE_CHARACTERS: Final = 20
_BALANCE = re.compile(r"([0-9]{2})([0-9]{2})([0-9A-Z]{3})([CD])([0-9]{12})")


@dataclass(frozen=True, slots=True)
class Balance:
    """One balance of field 54; ``amount_fen`` is negative for a debit."""

    account_type: str
    amount_type: str
    currency: str
    amount_fen: int

    def __str__(self) -> str:
        sign = "D" if self.amount_fen < 0 else "C"
        return f"{self.account_type}{self.amount_type}{self.currency}{sign}{abs(self.amount_fen):012d}"

    @classmethod
    def parse(cls, text: str) -> Balance:
        """Twenty characters. Raises DecodeError."""
        found = _BALANCE.fullmatch(text)
        if not found:
            raise DecodeError(
                f"{len(text)} characters are not the {_BALANCE_CHARACTERS} of a balance",
                field=F.ADDITIONAL_AMOUNT,
                code="balance",
            )
        amount_fen = int(found[5])
        return cls(found[1], found[2], found[3], -amount_fen if found[4] == "D" else amount_fen)


def parse_tip(text: str) -> int:
    """The tip in fen: twelve digits. Raises DecodeError."""
    if not re.fullmatch(r"[0-9]{12}", text):
        raise DecodeError(f"{len(text)} characters are no tip", field=F.ADDITIONAL_AMOUNT, code="tip")
    return int(text)
