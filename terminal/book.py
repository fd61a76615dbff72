"""The terminal's book: everything it knows, as one value. ``terminal.records`` folds records into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict

from protocol.private import GroupTotals, Totals, keys_digest
from terminal.transaction import UNRESOLVED, Key, State, Transaction

FIRST_BATCH: Final = "000001"
NUMBER_MAX: Final = 999_999
CLOSED_KEPT: Final = 50
EVENTS_KEPT: Final = 50
NOTICES_KEPT: Final = 20
ALL_DOMESTIC: Final = GroupTotals()


def following(number: str) -> str:
    """The next STAN or batch number, six digits; 999999 is followed by 000001 (CUP 7.8, 7.10)."""
    return f"{int(number) % NUMBER_MAX + 1:06d}"


class Entry(BaseModel):
    """What all values in the book share."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Settling(Entry):
    """A settlement under way under ``stan``; ``balanced`` is None until the host has compared the totals."""

    stan: str
    balanced: bool | None = None


class ClosedBatch(Entry):
    """What stays of a settled batch; ``digest``, hex, is ``keys_digest`` over its captured rows."""

    batch: str
    debit_fen: int
    debit_count: int
    credit_fen: int
    credit_count: int
    digest: str
    balanced: bool
    at: int


class Accepted(Entry):
    """A command of the host that was verified; ``result`` is empty until it was carried out."""

    counter: int
    kind: str
    body: dict[str, str]
    result: str = ""


class Notice(Entry):
    """What the host wants the merchant to know; ``read`` once it was shown on request."""

    counter: int
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str
    reason: str
    stop_at: str
    read: bool = False


class Happening(Entry):
    """A line of the audit trail: ``at`` in epoch seconds of the board's clock."""

    at: int
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Book:
    """``stan`` is the last one taken; ``rows`` are the transactions of the open batch, in the order of opening."""

    stan: str = "000000"
    batch: str = FIRST_BATCH
    signed_on: bool = False
    clock_offset_s: int = 0
    counter: int = 0
    staged: str = ""
    settling: Settling | None = None
    commands: tuple[Accepted, ...] = ()
    notices: tuple[Notice, ...] = ()
    closed: tuple[ClosedBatch, ...] = ()
    events: tuple[Happening, ...] = ()
    rows: Mapping[Key, Transaction] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def next_stan(self) -> str:
        """The STAN that the next request takes."""
        return following(self.stan)

    @property
    def unresolved(self) -> tuple[Transaction, ...]:
        """Money whose outcome is not known at both ends yet."""
        return tuple(row for row in self.rows.values() if row.state in UNRESOLVED)

    @property
    def money(self) -> tuple[Transaction, ...]:
        """The captured sales and refunds of the open batch; a void moves no money of its own."""
        return tuple(
            row for row in self.rows.values() if row.state is State.CAPTURED and row.kind in ("sale", "refund")
        )

    @property
    def net_fen(self) -> int:
        """Captured sales less captured refunds of the open batch."""
        totals = self.totals.domestic
        return totals.debit_fen - totals.credit_fen

    @property
    def totals(self) -> Totals:
        """Field 48 of the settlement (CUP 2.8): sales are debits, refunds credits; every card is domestic."""
        debit, credit = ([row.amount_fen for row in self.money if row.kind == kind] for kind in ("sale", "refund"))
        return Totals(GroupTotals(sum(debit), len(debit), sum(credit), len(credit)), ALL_DOMESTIC)

    @property
    def digest(self) -> bytes:
        """What the host compares besides the totals, since errors in sums may compensate."""
        return keys_digest((row.stan, row.row.type_code, row.amount_fen) for row in self.money)

    def find(self, stan: str) -> Transaction | None:
        """The transaction of the open batch with this STAN."""
        return self.rows.get(Key(self.batch, stan))
