"""Field 62 of the chip transactions of a batch upload (CUP 3.7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocol.errors import DecodeError
from protocol.fields import F

ONLINE: Final = "61"
_DETAIL = re.compile(r"(61|71)([0-9]{2})([0-9A-Z]{2})([0-9]{12})([0-9]{3})(?:([0-9])([0-9]))?")


@dataclass(frozen=True, slots=True)
class ChipDetail:
    """What a chip transaction was: ``usage`` 61 approved online, 71 failed; amounts in fen.

    A notice also tells its cryptogram (1 AAC, 2 approved in spite of a wrong ARPC) and what became of the ARPC.
    """

    usage: str
    card_group: str
    response_code: str
    amount_fen: int
    currency: str
    cryptogram: str = ""
    arpc: str = ""

    def __bytes__(self) -> bytes:
        text = f"{self.usage}{self.card_group}{self.response_code}{self.amount_fen:012d}{self.currency}"
        text += self.cryptogram + self.arpc
        return (f"{len(text):03d}{text}" if self.usage == ONLINE else text).encode("ascii")

    @classmethod
    def parse(cls, raw: bytes) -> ChipDetail:
        """A detail, with or without its length of three digits before it. Raises DecodeError."""
        text = raw.decode("latin-1")
        counted = text[:3] == f"{len(text) - 3:03d}"
        found = _DETAIL.fullmatch(text[3:] if counted else text)
        if not found:
            raise DecodeError("no detail of a chip transaction", field=F.PAYLOAD, code="upload")
        usage, group, code, amount, currency, cryptogram, arpc = found.groups("")
        return cls(usage, group, code, int(amount), currency, cryptogram, arpc)
