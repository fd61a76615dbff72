"""Invariants S: batches, fees and payouts are worth at both ends what their rows are worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from pos_lab.sim.checker.evidence import Committed, Evidence, Name, Quiet, Replied
from pos_lab.sim.checker.invariant import (
    CLOSED,
    DEBITS,
    LATE_REVERSALS,
    Invariant,
    fee_of,
    name_of,
    original_of,
    sign,
    spelt,
    worth_of,
)
from pos_lab.sim.checker.journal import Row as Entry
from pos_lab.sim.checker.ledger import Change, Row

UPLOADING: Final = "uploading"
GONE: Final = frozenset({"replaced", "lost", "tampered", "retired"})
LAST_BATCH: Final = 999_999
TYPE_CODES: Final = {
    "sale": "22", "qr_sale": "22", "moto_sale": "22", "completion": "20", "moto_completion": "20",
    "completion_advice": "24", "refund": "25", "offline_sale": "30", "offline_adjustment": "32",
    "tip_adjustment": "34",
}  # fmt: skip
"""Kind -> field 60.1, as the digest of a batch has it."""
RATES: Final = {
    "credit": ("credit_bp", ""),
    "debit": ("debit_bp", "debit_cap_fen"),
    "scan": ("scan_bp", ""),
    "unionpay_qr": ("unionpay_qr_bp", ""),
}
"""Type of card -> the merchant's rate, and its cap where it has one."""

Line = tuple[str, str, int]
"""STAN, kind and amount of what counts in a batch."""


def _batch(evidence: Evidence, name: Name | tuple[str, str]) -> Row:
    return evidence.ledger.tables["batches"].get(name[:2], {})


def _partition(evidence: Evidence, event: Change) -> Iterator[str]:
    """The key of a row has its batch, so that it has one; what is left is that a batch is settled once."""
    before, after = event.before, event.after
    if event.table == "batches" and before.get("settled_at") not in (None, after.get("settled_at")):
        yield f"batch {before['terminal_id']}/{before['batch']} is settled a second time"
    if event.table == "transactions" and before and after and before["merchant_id"] != after["merchant_id"]:
        yield f"{spelt(name_of(after))} goes from one merchant to another"


def _partition_whole(evidence: Evidence, event: Quiet) -> Iterator[str]:
    """Every captured row is in a closed batch, or in the one that is open at its terminal."""
    open_now = {(row["terminal_id"], row["batch"]) for row in evidence.ledger.tables["terminals"].values()}
    for name, row in evidence.rows():
        if worth_of(row) and _batch(evidence, name).get("state") != CLOSED and name[:2] not in open_now:
            yield f"{spelt(name)} is captured in a batch that is neither open nor closed"


def _ours(evidence: Evidence, batch: tuple[str, str]) -> list[Line]:
    rows = ((name, evidence.row(name)) for name in evidence.in_batch.get(batch, ()))
    return sorted(
        (name[2], row["kind"], row["amount_fen"])
        for name, row in rows
        if worth_of(row) and row["kind"] not in LATE_REVERSALS
    )


def _theirs(evidence: Evidence, batch: tuple[str, str]) -> list[Line]:
    till = evidence.tills[batch[0]]
    return sorted((key[1], row.kind, row.amount_fen) for key, row in till.rows.items() if _counts(key, row, batch[1]))


def _counts(key: tuple[str, str], row: Entry, batch: str) -> bool:
    return key[0] == batch and row.state == "captured" and bool(sign(row.kind))


def _closes(event: Change) -> bool:
    return event.table == "batches" and event.after.get("state") == CLOSED and event.before.get("state") != CLOSED


def _balanced_is_equal(evidence: Evidence, event: Change) -> Iterator[str]:
    """When the host finds a batch balanced, both books hold the same rows in it: errors in sums may compensate."""
    if not _closes(event) or not event.after["balanced"] or event.after["terminal_id"] not in evidence.tills:
        return
    batch = (event.after["terminal_id"], event.after["batch"])
    ours, theirs = _ours(evidence, batch), _theirs(evidence, batch)
    for line in sorted(set(ours) ^ set(theirs)):
        where = "host" if line in ours else "terminal"
        yield f"{spelt((*batch, line[0]))} of {line[2]} fen counts at the {where} only, and the batch is balanced"


def _totals_agree(evidence: Evidence, event: Quiet) -> Iterator[str]:
    """What the terminal remembers of a closed batch, sums and digest, is what the host's rows and differences say."""
    for terminal_id, till in evidence.tills.items():
        for batch, summary in till.closed.items():
            ours = _reconciled(evidence, (terminal_id, batch))
            fen = [amount_fen * sign(kind) for _, kind, amount_fen in ours]
            debit_fen, credit_fen = sum(each for each in fen if each > 0), -sum(each for each in fen if each < 0)
            if (summary["debit_fen"], summary["credit_fen"]) != (debit_fen, credit_fen):
                yield (
                    f"batch {batch} of {terminal_id} closed with {summary['debit_fen']} less "
                    f"{summary['credit_fen']} fen at the terminal, {debit_fen} less {credit_fen} at the host"
                )
            elif summary["digest"] and summary["digest"] != _digest(ours):
                yield f"batch {batch} of {terminal_id} closed over other rows than the host has, of the same sum"


def _reconciled(evidence: Evidence, batch: tuple[str, str]) -> list[Line]:
    """The host's rows, but the terminal's where a difference names one that a supervisor had dropped there (S3)."""
    named = {stan for stan in _rows(evidence, "differences", batch, "stan") if evidence.is_dropped((*batch, stan))}
    ours = [line for line in _ours(evidence, batch) if line[0] not in named]
    return ours + [line for line in _theirs(evidence, batch) if line[0] in named]


def _digest(lines: list[Line]) -> str:
    words = sorted(f"{stan}:{TYPE_CODES.get(kind, '')}:{amount_fen}" for stan, kind, amount_fen in lines)
    return sha256("\n".join(words).encode()).hexdigest()


def _is_uploaded(evidence: Evidence, event: Committed) -> Iterator[str]:
    """A batch that did not balance was uploaded whole before it closed, and each difference is written down.

    The acquirer itself closes that of a device that is gone (decision 6): nobody is left to upload it.
    """
    gone = {
        (row["terminal_id"], row["batch"])
        for row in evidence.ledger.tables["terminals"].values()
        if row["state"] in GONE
    }
    for change in event.changes:
        if not _closes(change) or change.after["balanced"] or change.after["terminal_id"] not in evidence.tills:
            continue
        batch = (change.after["terminal_id"], change.after["batch"])
        if batch in gone:
            continue
        if change.before.get("state") != UPLOADING:
            yield f"batch {'/'.join(batch)} did not balance and closed without an upload"
            continue
        uploaded = _rows(evidence, "uploads", batch, "amount_fen")
        theirs = {stan: amount_fen for stan, _, amount_fen in _theirs(evidence, batch)}
        for stan in sorted(theirs.keys() ^ uploaded.keys()):
            what = "not uploaded" if stan in theirs else "uploaded and not in the journal"
            yield f"{spelt((*batch, stan))} is {what}"
        ours = {stan: amount_fen for stan, _, amount_fen in _ours(evidence, batch)}
        named = _rows(evidence, "differences", batch, "stan")
        for stan in sorted(ours.keys() | uploaded.keys()):
            if (ours.get(stan) != uploaded.get(stan)) is not (stan in named):
                told = "no difference is written down" if stan not in named else "a difference is written down"
                yield f"{spelt((*batch, stan))} is {ours.get(stan)} and {uploaded.get(stan)} fen, and {told}"


def _rows(evidence: Evidence, table: str, batch: tuple[str, str], column: str) -> dict[str, int]:
    rows = evidence.ledger.tables[table].values()
    return {row["stan"]: row[column] for row in rows if (row["terminal_id"], row["batch"]) == batch}


def _closed_stays(evidence: Evidence, event: Change) -> Iterator[str]:
    """Once closed, a batch only gets its day of payout; and the batch of a terminal goes on by one."""
    if event.table == "batches" and event.before.get("state") == CLOSED:
        unpaid = {name: value for name, value in event.before.items() if name != "paid_at"}
        if {name: value for name, value in event.after.items() if name != "paid_at"} != unpaid:
            yield f"batch {event.before['batch']} of {event.before['terminal_id']} was closed, and is written again"
    if event.table == "terminals" and event.before and event.after and event.before["batch"] != event.after["batch"]:
        if not event.before["batch"] or event.before["terminal_id"] != event.after["terminal_id"]:
            return
        if int(event.after["batch"]) != int(event.before["batch"]) % LAST_BATCH + 1:
            yield f"{event.after['terminal_id']} goes from batch {event.before['batch']} to {event.after['batch']}"


def _settled_as_before(evidence: Evidence, event: Replied) -> Iterator[str]:
    """The same settlement, asked for again, has the same answer (decision 7)."""
    fact = event.fact
    if fact.mti == "0510" and fact.code == "00" and fact.totals:
        before = evidence.settled.setdefault(fact.key, fact.totals)
        if before != fact.totals:
            yield f"the settlement {spelt(fact.key)} was answered with {before}, and with {fact.totals} the next time"


def _cut_off(evidence: Evidence, event: Change) -> Iterator[str]:
    if event.table != "transactions" or event.before or event.after["state"] != "captured":
        return
    if _batch(evidence, name_of(event.after)).get("state") == CLOSED:
        yield f"{spelt(name_of(event.after))} is captured in a closed batch"


def _cut_off_at_both(evidence: Evidence, event: Quiet) -> Iterator[str]:
    """Of each batch that both closed, both hold the same keys, whatever became of them since."""
    kept = ("captured", "voided", "adjusted")
    for terminal_id, till in evidence.tills.items():
        for batch in till.closed:
            if _batch(evidence, (terminal_id, batch)).get("state") != CLOSED:
                yield f"batch {batch} of {terminal_id} is closed at the terminal only"
                continue
            names = evidence.in_batch.get((terminal_id, batch), ())
            ours = {name[2] for name in names if evidence.row(name)["state"] in kept}
            ours -= {name[2] for name in names if evidence.row(name)["kind"] in LATE_REVERSALS}
            theirs = {stan for (at, stan), row in till.rows.items() if at == batch and row.state in kept}
            for stan in sorted(ours ^ theirs):
                who = "host" if stan in ours else "terminal"
                state = evidence.row((terminal_id, batch, stan)).get("state", "unknown")
                if evidence.is_dropped((terminal_id, batch, stan)):
                    continue  # a supervisor left it to the settlement, which names it (S3)
                if state not in ("expired", "voided"):  # a hold may end after the batch in which it was held
                    yield f"{spelt((terminal_id, batch, stan))} is in the batch at the {who} only"


def _closed_is_left_alone(evidence: Evidence, event: Change) -> Iterator[str]:
    """What is undone after its batch was closed is an adjustment in an open one: the closed batch keeps its row."""
    row, before = event.after, event.before
    if event.table == "transactions" and before and worth_of(before):
        changed = any(row.get(name) != before[name] for name in ("state", "amount_fen", "fee_fen", "kind"))
        if changed and _batch(evidence, name_of(before)).get("state") == CLOSED:
            yield f"{spelt(name_of(before))} is {row.get('state', 'gone')} now, and its batch was closed before"
    is_of_row = event.table == "postings" and not before and row["reason"] in ("capture", "undo")
    if is_of_row and _batch(evidence, name_of(row)).get("state") == CLOSED:
        yield f"{row['amount_fen']} fen move for {spelt(name_of(row))}, whose batch was closed before"
    if event.table == "transactions" and row.get("kind") in LATE_REVERSALS and not before:
        name = original_of(row)
        if _batch(evidence, name).get("state") != CLOSED or _batch(evidence, name_of(row)).get("state") == CLOSED:
            yield f"{spelt(name_of(row))} adjusts {spelt(name)}, and not from an open batch to a closed one"


def _fee_exact(evidence: Evidence, event: Change) -> Iterator[str]:
    """Half up, in fen, of each row by itself, at the rate that its merchant has signed when it is captured first.

    What is given back after a void costs what it cost before, whatever was signed meanwhile.
    """
    row = event.after
    if event.table != "transactions" or not row or row["state"] != "captured":
        return
    if row["kind"] == "late_restoration":
        due_fen = evidence.fee_due_fen.get(original_of(row), 0)
        if row["fee_fen"] != due_fen:
            yield f"{spelt(name_of(row))} costs {row['fee_fen']} fen, and {due_fen} did what it gives back"
    if row["kind"] not in DEBITS:
        return
    merchant = evidence.ledger.tables["merchants"][row["merchant_id"],]
    rate, cap = RATES[row["card_type"]]
    due_fen = (row["amount_fen"] * merchant[rate] + 5_000) // 10_000
    due_fen = min(due_fen, merchant[cap]) if cap else due_fen
    due_fen = evidence.fee_due_fen.setdefault(name_of(row), due_fen)
    if row["fee_fen"] != due_fen:
        yield f"{spelt(name_of(row))} costs {row['fee_fen']} fen, and {due_fen} are due"


def _fee_follows(evidence: Evidence, event: Committed) -> Iterator[str]:
    """What does not count costs nothing, and its fee is back in the same commit; a refund costs nothing (policy)."""
    rows = {name_of(change.after): change.after for change in event.changes if _is_row(change)}
    for name, row in rows.items():
        if row["fee_fen"] and row["kind"] not in LATE_REVERSALS and (row["kind"] not in DEBITS or not worth_of(row)):
            yield f"{spelt(name)} is a {row['kind']}, {row['state']}, and costs a fee of {row['fee_fen']} fen"
        if evidence.moves[name].fee_fen != fee_of(row):
            yield (
                f"{spelt(name)} is {row['state']} with a fee of {fee_of(row)} fen, "
                f"and the acquirer has {evidence.moves[name].fee_fen} fen for it"
            )


def _is_row(change: Change) -> bool:
    """Of a transaction that several units of one commit touched, the last change is how it stands."""
    return change.table == "transactions" and bool(change.after)


def _payout_identity(evidence: Evidence, event: Quiet) -> Iterator[str]:
    """What is paid for a batch is what its rows are worth; where a merchant owes in all, it is carried."""
    due_fen: dict[str, int] = defaultdict(int)
    unequal: dict[str, str] = {}
    for (terminal_id, batch), closed in evidence.ledger.tables["batches"].items():
        if closed["state"] != CLOSED:
            continue
        sums = evidence.worth.get((terminal_id, batch), {})
        rows = [evidence.row(name) for name in evidence.in_batch.get((terminal_id, batch), ())]
        net_fen = sum(worth_of(row) - fee_of(row) for row in rows)
        others_fen = sum(fen for reason, fen in sums.items() if reason not in ("capture", "undo", "payout"))
        paid_fen = -sums.get("payout", 0)
        due_fen[closed["merchant_id"]] += net_fen + others_fen - paid_fen
        if closed["paid_at"] is not None and paid_fen != net_fen + others_fen:
            unequal[closed["merchant_id"]] = (
                f"batch {batch} of {terminal_id} is worth {net_fen + others_fen} fen and was paid with {paid_fen} fen"
            )
    for merchant_id, fen in due_fen.items():
        if fen > 0:
            yield f"{merchant_id} was settled and is still owed {fen} fen"
        elif merchant_id in unequal and fen == 0:
            yield unequal[merchant_id]


def _nothing_clipped(evidence: Evidence, event: Committed) -> Iterator[str]:
    """Batches are paid together or not at all, each with what it is worth: less than nothing is taken, not dropped."""
    paid_fen: dict[str, int] = defaultdict(int)
    for change in event.changes:
        if change.table != "batches" or not change.after or change.after["paid_at"] == change.before.get("paid_at"):
            continue
        batch = (change.after["terminal_id"], change.after["batch"])
        sums = evidence.worth.get(batch, {})
        if left_fen := sum(sums.values()):
            yield f"batch {'/'.join(batch)} counts as paid, and {left_fen} fen of it are not"
    for change in event.changes:
        if change.table == "postings" and change.after and change.after["reason"] == "payout":
            row = change.after
            taken = row["credit"].startswith("merchant:")
            paid_fen[row["credit" if taken else "debit"]] += -row["amount_fen"] if taken else row["amount_fen"]
    for account, fen in paid_fen.items():
        if fen < 0:
            yield f"{account} is to pay {-fen} fen, which are to be carried"


SETTLEMENT: Final = (
    Invariant("S1", Change, "a row is of one batch, which is settled once", _partition),
    Invariant("S1", Quiet, "and no row is of none", _partition_whole),
    Invariant("S2", Change, "a balanced batch has the same rows at both ends", _balanced_is_equal),
    Invariant("S2", Quiet, "and the same sums and digest", _totals_agree),
    Invariant("S3", Committed, "a batch that does not balance is uploaded, each difference named", _is_uploaded),
    Invariant("S4", Change, "a closed batch does not change, and its number goes on by one", _closed_stays),
    Invariant("S4", Replied, "a settlement that is asked for again has the same answer", _settled_as_before),
    Invariant("S5", Change, "nothing is captured behind the close of its batch", _cut_off),
    Invariant("S5", Quiet, "and each row is in the same batch at both ends", _cut_off_at_both),
    Invariant("S6", Change, "what is undone after the close is an adjustment in an open batch", _closed_is_left_alone),
    Invariant("S7", Change, "a fee is exact", _fee_exact),
    Invariant("S8", Committed, "a fee goes with its money", _fee_follows),
    Invariant("S9", Quiet, "a batch is paid with what it is worth", _payout_identity),
    Invariant("S10", Committed, "what a merchant owes is carried, not dropped", _nothing_clipped),
)
