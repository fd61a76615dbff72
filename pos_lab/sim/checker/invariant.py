"""What a row of INVARIANTS is, and the vocabulary in which all of them are stated.

Rules owned here: a predicate is asked at each event of its kind ("always") or once everything is quiet ("quiet"); it
yields a sentence for whatever is wrong. Kinds, states and signs of money are stated here once more, on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pos_lab.sim.checker.evidence import Evidence, Name, Quiet, Searched
from pos_lab.sim.checker.ledger import Change

DEBITS: Final = frozenset(
    {
        "sale", "qr_sale", "moto_sale", "offline_sale", "completion", "completion_advice", "offline_adjustment",
        "tip_adjustment",
    }
)  # fmt: skip
CREDITS: Final = frozenset({"refund", "late_reversal"})
COMPLETIONS: Final = frozenset({"completion", "completion_advice"})
HOLDS: Final = frozenset({"preauth", "additional_preauth"})
LATE_REVERSALS: Final = frozenset({"late_reversal", "late_restoration"})
"""The host's adjustments, in an open batch, of what a closed one holds: no terminal knows them."""
CLOSED: Final = "closed"
"""The state of a batch that is settled."""
ADVICES: Final = frozenset({"refund", "completion_advice", "offline_sale", "offline_adjustment", "tip_adjustment"})
"""Kinds without a reversal: they are sent until they are answered."""
SCHEME: Final = "scheme:receivable"
FEES: Final = "acquirer:fees"


class Invariant(NamedTuple):
    """A row of INVARIANTS."""

    id: str
    event: type[Any]
    english: str
    test: Callable[[Evidence, Any], Iterator[str]]

    @property
    def phase(self) -> str:
        """When it is asked."""
        return "quiet" if self.event in (Quiet, Searched) else "always"


def is_new_business(change: Change) -> bool:
    """Does the host capture something new of a device?

    Its own adjustment of a closed batch is none: a reversal asked for it, and that passes however the device stands by
    then (product decision 5).
    """
    row = change.after
    if change.table != "transactions" or change.before or row["state"] != "captured":
        return False
    return row["kind"] not in LATE_REVERSALS


def sign(kind: str) -> int:
    """What a captured row adds to a merchant's net."""
    return 1 if kind in DEBITS or kind == "late_restoration" else -1 if kind in CREDITS else 0


def worth_of(row: Mapping[str, Any]) -> int:
    """What a row of the host adds to the net of its merchant as it stands, in fen; an empty one nothing."""
    return sign(row["kind"]) * row["amount_fen"] if row and row["state"] == "captured" else 0


def turnover_of(row: Mapping[str, Any]) -> int:
    """What it adds to the turnover of its device as it stands, in fen (product decision 1): a refund takes nothing."""
    return 0 if row and row["kind"] == "refund" else worth_of(row)


def fee_of(row: Mapping[str, Any]) -> int:
    """What it costs the merchant as it stands, in fen."""
    return row["fee_fen"] if row and row["state"] == "captured" else 0


def spelt(name: Name) -> str:
    """Terminal id, batch and STAN as people read them."""
    return "/".join(name)


def original_of(row: Any) -> Name:
    """The name of what a row of the host is about."""
    return row["original_terminal_id"], row["original_batch"], row["original_stan"]


def name_of(row: Any) -> Name:
    """The name of a row of the host."""
    return row["terminal_id"], row["batch"], row["stan"]
