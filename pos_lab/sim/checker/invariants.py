"""TABLE INVARIANTS: what must hold, as predicates over the evidence; the design's ids.

Rules owned here: a predicate is asked at each event of its kind ("always") or once everything is quiet ("quiet"); it
yields a sentence for whatever is wrong. Kinds, states and signs of money are stated here once more, on purpose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from pos_lab.sim.checker.evidence import Evidence, Moved, Name, Quiet, Replied, Sent, Told
from pos_lab.sim.checker.ledger import Change
from pos_lab.sim.checker.wire import FINANCIAL

DEBITS: Final = frozenset(
    {
        "sale", "qr_sale", "moto_sale", "offline_sale", "completion", "completion_advice", "offline_adjustment",
        "tip_adjustment",
    }
)  # fmt: skip
COMPLETIONS: Final = frozenset({"completion", "completion_advice"})
COMPLETION_PERCENT: Final = 115
HOLDS: Final = frozenset({"preauth", "additional_preauth"})
OFFLINE: Final = frozenset({"offline_sale"})
IN_SERVICE: Final = frozenset({"registered", "activated", "retiring"})
APPROVED: Final = "00"
ACTIVATION_FEN: Final = 10_000
SCHEME: Final = "scheme:receivable"


class Invariant(NamedTuple):
    """A row of INVARIANTS."""

    id: str
    event: type[Any]
    english: str
    test: Callable[[Evidence, Any], Iterator[str]]

    @property
    def phase(self) -> str:
        """When it is asked."""
        return "quiet" if self.event is Quiet else "always"


def sign(kind: str) -> int:
    """What a captured row adds to a merchant's net."""
    return 1 if kind in DEBITS else -1 if kind == "refund" else 0


def spelt(name: Name) -> str:
    """Terminal id, batch and STAN as people read them."""
    return "/".join(name)


def _one_truth(evidence: Evidence, event: Quiet) -> Iterator[str]:
    ours = {name for name, row in evidence.rows() if row["state"] == "captured"}
    theirs = {
        (terminal_id, *key)
        for terminal_id, till in evidence.tills.items()
        for key, row in till.rows.items()
        if row.state == "captured"
    }
    for name in sorted(theirs - ours):
        if _outlives_batch(evidence, name):
            continue
        yield f"{spelt(name)} is captured at the terminal and {evidence.row(name).get('state', 'unknown')} at the host"
    for name in sorted(ours - theirs):
        row = evidence.tills[name[0]].rows.get(name[1:])
        yield f"{spelt(name)} is captured at the host and {row.state if row else 'unknown'} at the terminal"


def _outlives_batch(evidence: Evidence, name: Name) -> bool:
    """Is it a hold of a closed batch? The host may end it later, and the terminal has forgotten it."""
    till = evidence.tills[name[0]]
    return name[1] in till.closed and till.rows[name[1:]].kind in HOLDS


def _same_amount(evidence: Evidence, event: Moved) -> Iterator[str]:
    name = (event.terminal_id, *event.step.key)
    ours, theirs = evidence.row(name), evidence.tills[event.terminal_id].rows[event.step.key]
    if event.step.after != "captured" or ours.get("state") != "captured":
        return
    if (ours["amount_fen"], ours["kind"]) != (theirs.amount_fen, theirs.kind):
        yield (
            f"{spelt(name)} is {theirs.kind} of {theirs.amount_fen} fen at the terminal, "
            f"{ours['kind']} of {ours['amount_fen']} fen at the host"
        )


def _moves_money_once(evidence: Evidence, event: Change) -> Iterator[str]:
    if event.table != "postings" or event.after.get("reason") == "payout":
        return
    name = _name(event.after)
    if not any(row["terminal_id"] == name[0] for row in evidence.ledger.tables["terminals"].values()):
        yield f"{spelt(name)} moves money of no terminal"


def _told_is_done(evidence: Evidence, event: Quiet) -> Iterator[str]:
    undone = {
        _original(row)
        for _, row in evidence.rows()
        if row["state"] in ("captured", "voided", "adjusted") and row["original_stan"]
    }
    for name, told in evidence.told.items():
        row, last = evidence.row(name), told[-1]
        state = row.get("state", "unknown")
        theirs = evidence.tills[name[0]].rows.get(name[1:])
        if theirs and theirs.kind in OFFLINE and theirs.state == "declined":
            continue  # the shop gave credit, and the host would not have it: the audit trail keeps that
        if last == "approved" and theirs and theirs.kind in HOLDS and state == "expired":
            continue
        if last == "approved" and state != "captured" and not (state in ("voided", "adjusted") and name in undone):
            yield f"{spelt(name)} was told as approved and is {state} at the host"
        if last in ("refused", "reversed") and state == "captured":
            yield f"{spelt(name)} was told as {last} and is captured at the host"


def _told_once(evidence: Evidence, event: Told) -> Iterator[str]:
    name = evidence.name_of(event.terminal_id, event.stan)
    told = evidence.told.get(name, [])
    if len(set(told)) > 1:
        yield f"{spelt(name)} was told as {' and then as '.join(told)}"


def _double_entry(evidence: Evidence, event: Quiet) -> Iterator[str]:
    if total := sum(evidence.accounts.values()):
        yield f"the accounts sum to {total} fen"
    for name, row in evidence.rows():
        counts = sign(row["kind"]) if row["state"] == "captured" else 0
        fen = evidence.scheme_fen.get(name, 0)
        if fen != counts * row["amount_fen"]:
            yield f"{spelt(name)} is {row['state']}, {row['amount_fen']} fen, and {fen} fen came from the scheme for it"
        merchant_fen = evidence.merchant_fen.get(name, 0)
        if merchant_fen != counts * row["amount_fen"] - (row["fee_fen"] if counts else 0):
            yield f"{spelt(name)} is {row['state']} and its merchant got {merchant_fen} fen for it"
    for name in evidence.scheme_fen:
        if not evidence.row(name):
            yield f"{spelt(name)} has postings and no row"


def _refund_bound(evidence: Evidence, event: Change) -> Iterator[str]:
    row = event.after
    if event.table != "transactions" or row.get("kind") != "refund" or row.get("state") != "captured":
        return
    original = _original(row)
    given_fen = sum(
        other["amount_fen"]
        for _, other in evidence.rows()
        if other["kind"] == "refund" and other["state"] == "captured" and _original(other) == original
    )
    if given_fen > evidence.row(original).get("amount_fen", 0):
        yield f"{spelt(original)} was refunded {given_fen} fen, more than it was"


def _completion_bound(evidence: Evidence, event: Change) -> Iterator[str]:
    row = event.after
    if event.table != "transactions" or row.get("kind") not in COMPLETIONS or row.get("state") != "captured":
        return
    original = _original(row)
    about = [other for _, other in evidence.rows() if _original(other) == original and other["state"] == "captured"]
    held_fen = evidence.row(original).get("amount_fen", 0)
    held_fen += sum(other["amount_fen"] for other in about if other["kind"] == "additional_preauth")
    if row["amount_fen"] * 100 > held_fen * COMPLETION_PERCENT:
        yield f"{spelt(original)} holds {held_fen} fen and is completed with {row['amount_fen']} fen"
    if len([other for other in about if other["kind"] in COMPLETIONS]) > 1:
        yield f"{spelt(original)} is completed twice"


def _reversal_absorbs(evidence: Evidence, event: Change) -> Iterator[str]:
    if event.table == "transactions" and event.after:
        name = _name(event.after)
        if event.after["state"] in ("reversed", "tombstone"):
            evidence.buried.add(name)
        elif name in evidence.buried:
            yield f"{spelt(name)} was reversed and is {event.after['state']} now"


def _reversal_is_answered(evidence: Evidence, event: Moved) -> Iterator[str]:
    if event.step.after == "reversed":
        name = (event.terminal_id, *event.step.key)
        if not evidence.got.get((name, "0410")):
            yield f"{spelt(name)} counts as reversed at the terminal, and no 0410 for it ever came"


def _resolve_first(evidence: Evidence, event: Sent) -> Iterator[str]:
    if event.fact.mti not in FINANCIAL:
        return
    till = evidence.tills[event.terminal_id]
    for key in till.unresolved:
        if key != event.fact.key[1:] and till.rows[key].state == "must_reverse":
            yield f"{spelt(event.fact.key)} leaves while {'/'.join(key)} is still to be reversed"


def _journal_first(evidence: Evidence, event: Sent) -> Iterator[str]:
    fact = event.fact
    if fact.mti in FINANCIAL and fact.amount_fen:
        row = evidence.tills[event.terminal_id].rows.get(fact.key[1:])
        if row is None or row.state not in ("pending", "offline"):
            yield f"{spelt(fact.key)} leaves the terminal, in whose journal it is {row.state if row else 'not'}"
        elif row.amount_fen != fact.amount_fen:
            yield f"{spelt(fact.key)} leaves with {fact.amount_fen} fen, and the journal has {row.amount_fen}"


def _stan_once(evidence: Evidence, event: Sent) -> Iterator[str]:
    fact = event.fact
    if fact.mti not in FINANCIAL or not fact.stan:
        return
    before = evidence.asked.setdefault(fact.key, fact)
    same = (before.processing, before.type_code, before.amount_fen, before.card)
    if same != (fact.processing, fact.type_code, fact.amount_fen, fact.card):
        yield f"{spelt(fact.key)} named {before.amount_fen} fen before and names {fact.amount_fen} fen now"


def _commit_first(evidence: Evidence, event: Replied) -> Iterator[str]:
    fact = event.fact
    if fact.code != APPROVED:
        return
    row = evidence.row(fact.key)
    if fact.mti in ("0110", "0210", "0230") and fact.amount_fen and fact.stan:
        if not row:
            yield f"{spelt(fact.key)} is approved on the wire, and there is no row"
        elif row["amount_fen"] != fact.amount_fen:
            yield f"{spelt(fact.key)} is approved with {fact.amount_fen} fen, and its row has {row['amount_fen']}"
    elif fact.mti == "0410" and row.get("state") not in ("reversed", "tombstone", "declined", "expired"):
        yield f"the reversal of {spelt(fact.key)} is approved, and its row is {row.get('state', 'not there')}"


def _same_answer(evidence: Evidence, event: Replied) -> Iterator[str]:
    fact = event.fact
    if fact.mti in ("0110", "0210", "0230") and fact.code == APPROVED and fact.amount_fen:
        before = evidence.answers.setdefault((fact.key, fact.mti), fact)
        if (before.rrn, before.auth_id, before.amount_fen) != (fact.rrn, fact.auth_id, fact.amount_fen):
            yield f"{spelt(fact.key)} was approved as {before.rrn}, and as {fact.rrn} the next time"


def _answer_belongs(evidence: Evidence, event: Moved) -> Iterator[str]:
    step = event.step
    if step.after != "captured" or step.before == "captured":
        return
    name = (event.terminal_id, *step.key)
    row = evidence.tills[event.terminal_id].rows[step.key]
    answers = [fact for mti in ("0110", "0210", "0230") for fact in evidence.got.get((name, mti), ())]
    if not any(fact.code in (APPROVED, "11", "A2") and fact.amount_fen == row.amount_fen for fact in answers):
        yield f"{spelt(name)} counts as approved at the terminal, and no approval of {row.amount_fen} fen for it came"


def _closed_stays(evidence: Evidence, event: Change) -> Iterator[str]:
    if event.table == "batches" and event.before.get("state") == "closed":
        unpaid = {name: value for name, value in event.before.items() if name != "paid_at"}
        if {name: value for name, value in event.after.items() if name != "paid_at"} != unpaid:
            yield f"batch {event.before['batch']} of {event.before['terminal_id']} was closed, and is written again"
    if event.table == "transactions" and not event.before and event.after["state"] == "captured":
        batch = evidence.ledger.tables["batches"].get((event.after["terminal_id"], event.after["batch"]), {})
        if batch.get("state") == "closed":
            yield f"{spelt(_name(event.after))} is captured in a closed batch"


def _fee_exact(evidence: Evidence, event: Change) -> Iterator[str]:
    row = event.after
    if event.table != "transactions" or not row:
        return
    if row["state"] != "captured" or row["kind"] not in DEBITS:
        if row["fee_fen"]:
            yield f"{spelt(_name(row))} is a {row['kind']}, {row['state']}, and costs a fee of {row['fee_fen']} fen"
        return
    merchant = evidence.ledger.tables["merchants"][row["merchant_id"],]
    if row["card_type"] in ("credit", "debit"):
        due_fen = (row["amount_fen"] * merchant[f"{row['card_type']}_bp"] + 5_000) // 10_000
        if row["card_type"] == "debit":
            due_fen = min(due_fen, merchant["debit_cap_fen"])
        if row["fee_fen"] != due_fen:
            yield f"{spelt(_name(row))} costs {row['fee_fen']} fen, and {due_fen} are due"


def _payout_identity(evidence: Evidence, event: Quiet) -> Iterator[str]:
    due_fen: dict[str, int] = defaultdict(int)
    unequal: dict[str, str] = {}
    for (terminal_id, batch), closed in evidence.ledger.tables["batches"].items():
        net_fen = sum(fen for name, fen in evidence.merchant_fen.items() if name[:2] == (terminal_id, batch))
        paid_fen = sum(
            row["amount_fen"] * (1 if row["credit"].startswith("bank") else -1)
            for row in evidence.ledger.tables["postings"].values()
            if row["reason"] == "payout" and (row["terminal_id"], row["batch"]) == (terminal_id, batch)
        )
        due_fen[closed["merchant_id"]] += net_fen - paid_fen
        if closed["paid_at"] is not None and paid_fen != net_fen:
            unequal[closed["merchant_id"]] = (
                f"batch {batch} of {terminal_id} is worth {net_fen} fen and was paid with {paid_fen} fen"
            )
    for merchant_id, fen in due_fen.items():
        if fen > 0:
            yield f"{merchant_id} was settled and is still owed {fen} fen"
        elif fen == 0 and merchant_id in unequal:  # where the merchant owes in all, it is carried to the next payout
            yield unequal[merchant_id]


def _totals_agree(evidence: Evidence, event: Quiet) -> Iterator[str]:
    for terminal_id, till in evidence.tills.items():
        for batch, summary in till.closed.items():
            ours = [
                row["amount_fen"] * sign(row["kind"])
                for name, row in evidence.rows()
                if name[:2] == (terminal_id, batch) and row["state"] == "captured" and sign(row["kind"])
            ]
            debit_fen, credit_fen = sum(fen for fen in ours if fen > 0), -sum(fen for fen in ours if fen < 0)
            if (summary["debit_fen"], summary["credit_fen"]) != (debit_fen, credit_fen):
                yield (
                    f"batch {batch} of {terminal_id} closed with {summary['debit_fen']} less "
                    f"{summary['credit_fen']} fen at the terminal, {debit_fen} less {credit_fen} at the host"
                )


def _activation_exact(evidence: Evidence, event: Change) -> Iterator[str]:
    if event.table != "terminals" or not event.before or not event.after:
        return
    if event.before["activated_at"] is None and event.after["activated_at"] is not None:
        serial_number = event.after["serial_number"]
        turnover_fen = sum(
            row["amount_fen"]
            for _, row in evidence.rows()
            if row["serial_number"] == serial_number and row["state"] == "captured" and row["kind"] in DEBITS
        )
        if turnover_fen < ACTIVATION_FEN:
            yield f"{serial_number} is activated by a turnover of {turnover_fen} fen"


def _activated_when_due(evidence: Evidence, event: Quiet) -> Iterator[str]:
    for row in evidence.ledger.tables["terminals"].values():
        turnover_fen = sum(
            other["amount_fen"]
            for _, other in evidence.rows()
            if other["serial_number"] == row["serial_number"]
            and other["state"] == "captured"
            and other["kind"] in DEBITS
        )
        if row["activated_at"] is None and turnover_fen >= ACTIVATION_FEN and row["state"] == "registered":
            yield f"{row['serial_number']} has a turnover of {turnover_fen} fen and was never activated"


def _gate(evidence: Evidence, event: Change) -> Iterator[str]:
    row = event.after
    if event.table != "transactions" or event.before or row["state"] != "captured":
        return
    terminal = evidence.ledger.tables["terminals"].get((row["serial_number"],), {})
    if terminal.get("state") not in IN_SERVICE:
        yield f"{spelt(_name(row))} is captured while its terminal is {terminal.get('state', 'unknown')}"
    held = [
        hold["reason"]
        for hold in evidence.ledger.tables["holds"].values()
        if hold["serial_number"] == row["serial_number"] and hold["released_at"] is None
    ]
    if held:
        yield f"{spelt(_name(row))} is captured while its terminal is on hold for {', '.join(held)}"


def _one_signature(evidence: Evidence, event: Quiet) -> Iterator[str]:
    stored = evidence.ledger.tables["signatures"]
    for terminal_id, till in evidence.tills.items():
        for key, sha256 in till.images.items():
            name = (terminal_id, *key)
            if key not in till.waiting | till.on_paper and name not in stored:
                yield f"the signature of {spelt(name)} was uploaded, and the host has none"
            if name in stored and stored[name]["sha256"] != sha256:
                yield f"the signature of {spelt(name)} is another one at the host"
    for terminal_id, batch, stan in stored:
        if not evidence.row((terminal_id, batch, stan)):
            yield f"the signature of {terminal_id}/{batch}/{stan} belongs to no transaction"


def _nothing_unresolved(evidence: Evidence, event: Quiet) -> Iterator[str]:
    for terminal_id, till in evidence.tills.items():
        for key in till.unresolved:
            yield f"{spelt((terminal_id, *key))} is still {till.rows[key].state}"


def _original(row: Any) -> Name:
    return row["original_terminal_id"], row["original_batch"], row["original_stan"]


def _name(row: Any) -> Name:
    return row["terminal_id"], row["batch"], row["stan"]


INVARIANTS: Final = (
    Invariant("M1", Quiet, "a sale is captured in both books or in none", _one_truth),
    Invariant("M2", Moved, "with the same amount and kind", _same_amount),
    Invariant("M3", Change, "money moves for a known terminal only", _moves_money_once),
    Invariant("M4", Quiet, "what the cashier was told is so", _told_is_done),
    Invariant("M5", Told, "nobody is told two different ends", _told_once),
    Invariant("M6", Quiet, "each row moves its amount and fee once, or not at all", _double_entry),
    Invariant("M8", Change, "no more is refunded than was paid", _refund_bound),
    Invariant("M9", Change, "a hold is completed once, and by no more than it may", _completion_bound),
    Invariant("M10", Change, "what was reversed stays reversed", _reversal_absorbs),
    Invariant("M12", Moved, "a reversal ends with the host's answer only", _reversal_is_answered),
    Invariant("M13", Sent, "no new business before a reversal is done", _resolve_first),
    Invariant("S1", Quiet, "a batch is worth the same at both ends", _totals_agree),
    Invariant("S4", Change, "a closed batch does not change", _closed_stays),
    Invariant("S7", Change, "a fee is exact, and follows its money", _fee_exact),
    Invariant("S9", Quiet, "a batch is paid with what it is worth", _payout_identity),
    Invariant("J1", Sent, "what is asked was in the journal before", _journal_first),
    Invariant("J2", Sent, "a STAN names one thing for ever", _stan_once),
    Invariant("J3", Replied, "what is answered was committed before", _commit_first),
    Invariant("I1", Replied, "the same question has the same answer", _same_answer),
    Invariant("I4", Moved, "an approval is the one that was asked for", _answer_belongs),
    Invariant("L2", Change, "activation comes with the turnover, not earlier", _activation_exact),
    Invariant("L3", Quiet, "nor never", _activated_when_due),
    Invariant("L4", Change, "only a terminal in service, and on no hold, captures", _gate),
    Invariant("G1", Quiet, "every signature belongs to its transaction, unchanged", _one_signature),
    Invariant("D3", Quiet, "nothing stays unresolved", _nothing_unresolved),
)
"""The rows are asked in this order; the first that fails names the violation."""
