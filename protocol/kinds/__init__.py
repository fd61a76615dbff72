"""TABLE KINDS: every kind of message that the two sides speak (CUP 3).

A row says how the kind is recognised (MTI, field 3, 60.1, 60.3, marks), which fields its request and reply must and may
carry (CUP 3.5), whether a MAC protects it and which kind undoes it. Rows marked as extension are ours (product
decisions 10 and 12); a peer that does not know them never meets them. Which kinds a host answers is its own table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from protocol.kinds.extensions import EXTENSION_ROWS
from protocol.kinds.kind import (
    Identity,
    Kind,
    KindTable,
    Presence,
    foreign_fields,
    missing_fields,
    reply_mti,
)
from protocol.kinds.management import MANAGEMENT_ROWS
from protocol.kinds.money import MONEY_ROWS, REVERSAL_ROWS, SCRIPT_ROWS, reversal_of
from protocol.message import Message

__all__ = [
    "CUP_KINDS",
    "KINDS",
    "MTIS",
    "REQUEST_MTIS",
    "Identity",
    "Kind",
    "KindTable",
    "Presence",
    "foreign_fields",
    "identify",
    "missing_fields",
    "reply_mti",
    "reversal_of",
]

CUP_KINDS: Final = KindTable((*MONEY_ROWS, *REVERSAL_ROWS, *SCRIPT_ROWS, *MANAGEMENT_ROWS, *EXTENSION_ROWS))
KINDS: Final[Mapping[str, Kind]] = CUP_KINDS.rows
REQUEST_MTIS: Final = CUP_KINDS.request_mtis
MTIS: Final = CUP_KINDS.mtis


def identify(message: Message, kinds: KindTable = CUP_KINDS) -> Identity | None:
    """The row that a message is, or None for a kind that the table does not hold."""
    return kinds.identify(message)
