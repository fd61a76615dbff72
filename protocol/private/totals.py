"""Field 48: the totals of a settlement, the items of a batch upload, and the digest of a batch (CUP 2.8)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from protocol.errors import DecodeError, EncodeError
from protocol.fields import F

UPLOAD_ITEMS_PER_MESSAGE: Final = 8
_ITEM_DIGITS: Final = 40
_GROUP_DIGITS: Final = 31


@dataclass(frozen=True, slots=True)
class GroupTotals:
    """Sums of one card group in fen, and how many; ``result`` is 0 asked, 1 balanced, 2 unbalanced, 3 error."""

    debit_fen: int = 0
    debit_count: int = 0
    credit_fen: int = 0
    credit_count: int = 0
    result: int = 0

    def __str__(self) -> str:
        return f"{self.debit_fen:012d}{self.debit_count:03d}{self.credit_fen:012d}{self.credit_count:03d}{self.result}"


@dataclass(frozen=True, slots=True)
class Totals:
    """Field 48 of a settlement: domestic cards, then foreign cards (CUP 2.8)."""

    domestic: GroupTotals = GroupTotals()
    foreign: GroupTotals = GroupTotals()

    def __str__(self) -> str:
        return f"{self.domestic}{self.foreign}"

    @classmethod
    def parse(cls, digits: str) -> Totals:
        """Sixty-two digits."""
        if len(digits) != 2 * _GROUP_DIGITS:
            raise DecodeError(
                f"{len(digits)} digits are not the 62 of settlement totals", field=F.TOTALS, code="totals"
            )
        return cls(_group(digits[:_GROUP_DIGITS]), _group(digits[_GROUP_DIGITS:]))


def _group(digits: str) -> GroupTotals:
    return GroupTotals(int(digits[:12]), int(digits[12:15]), int(digits[15:27]), int(digits[27:30]), int(digits[30]))


@dataclass(frozen=True, slots=True)
class UploadItem:
    """One row of a batch upload (CUP 2.8); ``card_group`` is 00 domestic, 01 foreign. ``repr`` hides the PAN."""

    card_group: str
    stan: str
    pan: str
    amount_fen: int

    def __str__(self) -> str:
        return f"{self.card_group}{self.stan}{self.pan.zfill(20)}{self.amount_fen:012d}"

    def __repr__(self) -> str:
        return f"UploadItem(stan={self.stan!r}, amount_fen={self.amount_fen})"


def pack_upload(items: Sequence[UploadItem]) -> str:
    """Field 48 of a batch upload: at most eight items."""
    if len(items) > UPLOAD_ITEMS_PER_MESSAGE:
        raise EncodeError(f"{len(items)} items where {UPLOAD_ITEMS_PER_MESSAGE} fit", field=F.TOTALS)
    return f"{len(items):02d}" + "".join(map(str, items))


def unpack_upload(digits: str) -> list[UploadItem]:
    """The items of field 48; DecodeError where the count and the digits disagree."""
    if len(digits) < 2 or len(digits) != 2 + int(digits[:2]) * _ITEM_DIGITS:
        raise DecodeError(f"{len(digits)} digits do not hold the items that they count", field=F.TOTALS, code="upload")
    rows = (digits[at : at + _ITEM_DIGITS] for at in range(2, len(digits), _ITEM_DIGITS))
    return [UploadItem(row[:2], row[2:8], row[8:28].lstrip("0"), int(row[28:])) for row in rows]


def keys_digest(rows: Iterable[tuple[str, str, int]]) -> bytes:
    """SHA-256 over the sorted (STAN, type code, amount in fen) of a batch's money rows.

    Sent as tag ``KD`` of field 62 in a settlement (an extension of ours): two errors that compensate each other in the
    sums do not compensate here.
    """
    lines = sorted(f"{stan}:{type_code}:{amount_fen}" for stan, type_code, amount_fen in rows)
    return hashlib.sha256("\n".join(lines).encode()).digest()
