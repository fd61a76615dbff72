"""Payout of settled batches, the accounts, and the proof that the ledger holds together (invariants M3, M6, S9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from host import postings
from host.admin.desk import Desk, Result
from host.admin.partners import needs
from host.decision import Update
from host.payouts import TERMS, china_day, due_before, pay_day
from host.records import Owed
from host.transactions import SIGNS


def payout(desk: Desk, merchant_id: str) -> Result:
    """Pay a merchant the sum of what is owed for settled batches, each once.

    A batch that was undone in part after its payout counts with what is left to get back. Where the merchant owes in
    all, nothing is paid and everything is carried to the next payout, not clipped (invariants S6, S9, S10).
    """
    desk.merchant(merchant_id)
    needs(desk, "bank")
    return _pay(desk, merchant_id, desk.books.owed(merchant_id))


def _pay(desk: Desk, merchant_id: str, owed: Sequence[Owed]) -> Result:
    total_fen = sum(batch.net_fen for batch in owed)
    if total_fen < 0:
        return {"merchant_id": merchant_id, "batches": [], "total_fen": 0, "carried_fen": total_fen}
    paid: list[dict[str, object]] = []
    for batch in owed:
        key = {"terminal_id": batch.terminal_id, "batch": batch.batch}
        if batch.net_fen:
            desk.books.write(postings.payout(merchant_id, batch.net_fen, batch.batch, batch.terminal_id, desk.at))
        desk.books.write(Update("batches", key, {"paid_at": desk.at}))
        paid.append({**key, "net_fen": batch.net_fen})
    if paid:
        desk.note("", "payout", f"{merchant_id}: {total_fen} fen for {len(paid)} batches")
    return {"merchant_id": merchant_id, "batches": paid, "total_fen": total_fen, "carried_fen": 0}


def run_payouts(desk: Desk) -> Result:
    """Pay every merchant the batches whose day has come by the term of the contract (T+0, D+0, T+1), each once."""
    needs(desk, "bank")
    holidays, today = _holidays(desk), china_day(desk.at)
    due: dict[str, list[Owed]] = defaultdict(list)
    for owed in desk.books.all_owed():
        term = desk.merchant(owed.merchant_id).payout_term
        if pay_day(term, owed.settled_at or 0, holidays) <= today:
            due[owed.merchant_id].append(owed)
    told = [_pay(desk, merchant_id, batches) for merchant_id, batches in due.items()]
    return {"paid": [each for each in told if each["batches"] or each["carried_fen"]]}


def is_payout_due(desk: Desk) -> bool:
    """Does the policy let ``run_payouts`` happen by itself, and has the day of a batch come?"""
    if not desk.policy.payouts.automatic:
        return False
    holidays, today = _holidays(desk), china_day(desk.at)
    return any(desk.books.has_unpaid(term, due_before(term, today, holidays)) for term in TERMS)


def _holidays(desk: Desk) -> set[date]:
    return {china_day(at) for at in desk.policy.payouts.holidays}


def accounts(desk: Desk) -> Result:
    """Every account with its balance in fen, credits less debits; they sum to zero."""
    balances = desk.books.accounts()
    return {"accounts": balances, "sum_fen": sum(balances.values())}


def verify(desk: Desk) -> Result:
    """Hold every ledger row against its postings: a captured row moves its amount and fee once, any other nothing."""
    moved: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in desk.books.rows("postings"):
        if row["reason"] in postings.OF_A_ROW:
            merchant = sum(_merchant_side(row[side]) * sign for side, sign in (("credit", 1), ("debit", -1)))
            moved[row["terminal_id"], row["batch"], row["stan"]] += merchant * row["amount_fen"]
    violations = []
    checked = 0
    for row in desk.books.rows("transactions"):
        checked += 1
        key = (row["terminal_id"], row["batch"], row["stan"])
        counts = row["state"] == "captured"
        due_fen = (SIGNS.get(row["kind"], 0) * row["amount_fen"] - row["fee_fen"]) if counts else 0
        if moved.pop(key, 0) != due_fen:
            violations.append(f"M3: {'/'.join(key)} is {row['state']} and its postings do not say so")
    violations += [f"M3: postings of {'/'.join(key)} have no row" for key in moved]
    if total_fen := sum(desk.books.accounts().values()):
        violations.append(f"M6: the accounts sum to {total_fen} fen")
    return {"checked": checked, "violations": violations}


def _merchant_side(account: str) -> bool:
    return account.startswith("merchant:")
