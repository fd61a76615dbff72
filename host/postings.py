"""TABLE POSTINGS: how money moves between accounts; every movement is a debit and a credit of the same fen (M6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from host.decision import Insert, Write
from host.records import Terminal, Transaction
from host.transactions import SIGNS

SCHEME: Final = "scheme:receivable"
FEE_INCOME: Final = "acquirer:fees"
BANK: Final = "bank:settlement"
REWARDS: Final = "acquirer:rewards"
ARREARS_PAID: Final = "acquirer:arrears"
SERVICE: Final = "acquirer:service"
CAPTURE, UNDO, PAYOUT, CHARGEBACK = "capture", "undo", "payout", "chargeback"
OF_A_ROW: Final = frozenset({CAPTURE, UNDO})
"""Reasons of postings that belong to a transaction; the others belong to a batch."""


def deposited(merchant_id: str) -> str:
    """The account of a merchant's deposit."""
    return f"deposit:{merchant_id}"


def payable(merchant_id: str) -> str:
    """The account of what the acquirer owes a merchant."""
    return f"merchant:{merchant_id}:payable"


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement of POSTINGS: accounts by role, and which amount of the transaction moves."""

    debit: str
    credit: str
    amount: str


POSTINGS: Final[Mapping[int, tuple[Posting, ...]]] = MappingProxyType(
    {
        1: (Posting("scheme", "merchant", "amount_fen"), Posting("merchant", "fees", "fee_fen")),
        -1: (Posting("merchant", "scheme", "amount_fen"), Posting("fees", "merchant", "returned_fen")),
        0: (),
    }
)
"""By the sign of the row's kind (``host.transactions.SIGNS``)."""


def capture(row: Transaction, at: int) -> tuple[Write, ...]:
    """The postings by which a captured row moves money; fee and amount of zero move nothing."""
    return _post(row, CAPTURE, at, undone=False)


def undo(row: Transaction, at: int) -> tuple[Write, ...]:
    """The same postings the other way round."""
    return _post(row, UNDO, at, undone=True)


def payout(merchant_id: str, amount_fen: int, batch: str, terminal_id: str, at: int) -> Write:
    """What the bank pays for a settled batch; less than nothing where it keeps a debt of the merchant's."""
    ends = (payable(merchant_id), BANK) if amount_fen > 0 else (BANK, payable(merchant_id))
    return _row(terminal_id, batch, "", PAYOUT, *ends, abs(amount_fen), at)


def chargeback(merchant_id: str, amount_fen: int, batch: str, terminal_id: str, at: int) -> Write:
    """What a lost dispute takes from the merchant, in the batch of the sale."""
    return _row(terminal_id, batch, "", CHARGEBACK, payable(merchant_id), SCHEME, amount_fen, at)


def reward(terminal: Terminal, amount_fen: int, at: int) -> Write:
    """What a merchant gets for an activation; it is paid with the batch in which it fell (product A6)."""
    ends = (REWARDS, payable(terminal.merchant_id))
    return _row(terminal.terminal_id, terminal.batch, "", "reward", *ends, amount_fen, at)


def deposit(merchant_id: str, amount_fen: int, at: int) -> Write:
    """What a merchant pays in as a deposit; less than nothing where it gets some back (product A5)."""
    ends = (BANK, deposited(merchant_id)) if amount_fen > 0 else (deposited(merchant_id), BANK)
    return _row("", "", "", "deposit", *ends, abs(amount_fen), at)


def service(merchant_id: str, amount_fen: int, at: int) -> Write:
    """What a swap or a repair costs, out of the merchant's deposit; less than nothing where it goes back (X4, X7)."""
    ends = (deposited(merchant_id), SERVICE) if amount_fen > 0 else (SERVICE, deposited(merchant_id))
    return _row("", "", "", "service", *ends, abs(amount_fen), at)


def arrears_paid(amount_fen: int, at: int) -> Write:
    """What a merchant pays of its arrears (product U6)."""
    return _row("", "", "", "arrears", BANK, ARREARS_PAID, amount_fen, at)


def _post(row: Transaction, reason: str, at: int, *, undone: bool) -> tuple[Write, ...]:
    accounts = {"scheme": SCHEME, "merchant": payable(row.merchant_id), "fees": FEE_INCOME}
    amounts = {"amount_fen": row.amount_fen, "fee_fen": row.fee_fen, "returned_fen": -row.fee_fen}
    writes = []
    for posting in POSTINGS[SIGNS.get(row.kind, 0)]:
        if amount_fen := amounts[posting.amount]:
            debit, credit = accounts[posting.debit], accounts[posting.credit]
            ends = (credit, debit) if undone else (debit, credit)
            writes.append(_row(row.terminal_id, row.batch, row.stan, reason, *ends, amount_fen, at))
    return tuple(writes)


def _row(
    terminal_id: str, batch: str, stan: str, reason: str, debit: str, credit: str, amount_fen: int, at: int
) -> Write:
    return Insert(
        "postings",
        {
            "terminal_id": terminal_id,
            "batch": batch,
            "stan": stan,
            "reason": reason,
            "debit": debit,
            "credit": credit,
            "amount_fen": amount_fen,
            "at": at,
        },
    )
