"""Reports for people: what the two books say row by row, what trading cost a merchant, what an interruption cost.

Rules owned here: a report reads and never writes; every sum that it gives is that of rows that it can name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

from host import postings
from host.admin.desk import Desk, Result
from host.lifecycle import Event
from host.records import BatchState, TransactionState
from host.transactions import CHARGED, SIGNS

_OUT_OF_SERVICE: Final = frozenset({Event.STOP, Event.LOSE, Event.TAMPER, Event.REPLACE})


def reconcile(desk: Desk, merchant_id: str = "") -> Result:
    """Hold the ledger, the terminals' uploads, the postings and the payouts of every closed batch against each other.

    A batch is named with its sums, and with every row on which the books differ; ``differing`` counts the batches that
    do not agree in all.
    """
    matches = {"merchant_id": merchant_id} if merchant_id else {}
    moved = _moved_by_batch(desk)
    differences = _by_batch(desk.books.rows("differences"))
    report = []
    for batch in desk.books.rows("batches", **matches, state=BatchState.CLOSED):
        key = (batch["terminal_id"], batch["batch"])
        rows = desk.books.rows("transactions", terminal_id=key[0], batch=key[1])
        counted = [row for row in rows if row["state"] == TransactionState.CAPTURED and row["kind"] in SIGNS]
        net_fen = sum(SIGNS[row["kind"]] * row["amount_fen"] for row in counted)
        fee_fen = sum(row["fee_fen"] for row in counted)
        sums = moved[key]
        chargeback_fen, paid_fen = -sums[postings.CHARGEBACK], -sums[postings.PAYOUT]
        posted_fen = sums[postings.CAPTURE] + sums[postings.UNDO]
        named = [{name: row[name] for name in ("stan", "host_fen", "terminal_fen")} for row in differences.get(key, ())]
        report.append(
            {
                "terminal_id": key[0],
                "batch": key[1],
                "merchant_id": batch["merchant_id"],
                "rows": len(counted),
                "net_fen": net_fen,
                "fee_fen": fee_fen,
                "posted_fen": posted_fen,
                "chargeback_fen": chargeback_fen,
                "paid_fen": paid_fen,
                "left_fen": posted_fen - chargeback_fen - paid_fen,
                "differences": named,
                "agrees": posted_fen == net_fen - fee_fen and not named,
            }
        )
    return {"batches": report, "differing": sum(not row["agrees"] for row in report)}


def cost(desk: Desk, merchant_id: str) -> Result:
    """What a merchant sold and what it cost, by card type: amount, fee, and the rate that this makes in all."""
    groups: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in desk.books.rows("transactions", merchant_id=merchant_id, state=TransactionState.CAPTURED):
        if row["kind"] in CHARGED:
            group, sign = groups[row["card_type"]], SIGNS[row["kind"]]
            group[0] += sign
            group[1] += sign * row["amount_fen"]
            group[2] += row["fee_fen"]
    rows = [
        {
            "card_type": name,
            "count": count,
            "amount_fen": amount,
            "fee_fen": fee,
            "bp": _bp(fee, amount),
        }
        for name, (count, amount, fee) in sorted(groups.items())
    ]
    amount_fen, fee_fen = (sum(int(str(row[name])) for row in rows) for name in ("amount_fen", "fee_fen"))
    lost = desk.books.rows("disputes", merchant_id=merchant_id, state="lost")
    return {
        "merchant_id": merchant_id,
        "by_card_type": rows,
        "amount_fen": amount_fen,
        "fee_fen": fee_fen,
        "bp": _bp(fee_fen, amount_fen),
        "chargeback_fen": sum(row["amount_fen"] for row in lost),
        "payable_fen": desk.books.balance_fen(postings.payable(merchant_id)),
    }


def impact(desk: Desk, since: int = 0) -> Result:
    """What a time cost since an instant: interruptions, sales turned away, money that has not arrived, fees, disputes.

    A terminal is interrupted while a hold stands that stops all its sales, or once it was stopped, and until its
    successor takes over.
    """
    minutes = _interrupted_minutes(desk, since)
    turned_away = [row for row in desk.books.rows("lost_sales") if row["at"] >= since]
    reasons = Counter(row["reason"] for row in turned_away)
    waiting = {
        row["merchant_id"]: desk.books.balance_fen(postings.payable(str(row["merchant_id"])))
        for row in desk.books.rows("merchants")
    }
    return {
        "interruption_minutes": sum(minutes.values()),
        "interrupted": [{"serial_number": name, "minutes": spent} for name, spent in sorted(minutes.items()) if spent],
        "lost_sales": len(turned_away),
        "lost_fen": sum(row["amount_fen"] for row in turned_away),
        "lost_by_reason": dict(sorted(reasons.items())),
        "not_arrived_fen": sum(amount_fen for amount_fen in waiting.values() if amount_fen > 0),
        "not_arrived": {name: amount_fen for name, amount_fen in sorted(waiting.items()) if amount_fen},
        "fee_fen": sum(
            row["fee_fen"]
            for row in desk.books.rows("transactions", state=TransactionState.CAPTURED)
            if row["at"] >= since and row["kind"] in CHARGED
        ),
        "chargeback_fen": sum(
            row["amount_fen"] for row in desk.books.rows("disputes", state="lost") if (row["closed_at"] or 0) >= since
        ),
    }


def _interrupted_minutes(desk: Desk, since: int) -> dict[str, int]:
    """Minutes by serial number in which at least one reason stood; reasons that overlap count once."""
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for held in desk.books.rows("holds"):
        if not held["kinds"]:
            ends = [at for at in (held["released_at"], held["until"]) if at is not None]
            spans[held["serial_number"]].append((held["since"], min(ends, default=desk.at)))
    stopped: dict[str, int] = {}
    for row in desk.books.rows("audit"):
        if row["act"] in _OUT_OF_SERVICE:
            stopped.setdefault(row["serial_number"], row["at"])
    taken_over = {row["serial_number"]: row["at"] for row in desk.books.rows("audit") if row["act"] == Event.REPLACE}
    for serial_number, at in stopped.items():
        spans[serial_number].append((at, taken_over.get(serial_number, desk.at)))
    return {name: _covered_s(each, since, desk.at) // 60 for name, each in spans.items()}


def _covered_s(spans: Iterable[tuple[int, int]], since: int, until: int) -> int:
    """How many seconds between two instants at least one span covers."""
    covered, reached = 0, since
    for begins, ends in sorted(spans):
        begins, ends = max(begins, reached), min(ends, until)
        if ends > begins:
            covered, reached = covered + ends - begins, ends
    return covered


def _moved_by_batch(desk: Desk) -> dict[tuple[str, str], Counter[str]]:
    """What postings moved to the merchant's side, by batch and reason."""
    moved: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in desk.books.rows("postings"):
        sign = str(row["credit"]).startswith("merchant:") - str(row["debit"]).startswith("merchant:")
        moved[row["terminal_id"], row["batch"]][row["reason"]] += sign * row["amount_fen"]
    return moved


def _by_batch(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["terminal_id"], row["batch"]].append(row)
    return grouped


def _bp(fee_fen: int, amount_fen: int) -> int:
    return (fee_fen * 20_000 + amount_fen) // (2 * amount_fen) if amount_fen else 0
