"""Invariants M: money is in both books or in none, and nobody was told otherwise.

Rules owned here: a transaction has one currency, renminbi, so that amount and kind say all (M2); what a host took back
after its batch was closed stands beside the row as an adjustment (S6) and counts as taken back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pos_lab.sim.checker.evidence import (
    COMPLETION_PERCENT,
    Committed,
    Damage,
    Evidence,
    Moved,
    Name,
    Printed,
    Quiet,
    Sent,
    Told,
)
from pos_lab.sim.checker.invariant import (
    CLOSED,
    COMPLETIONS,
    HOLDS,
    LATE_REVERSALS,
    SCHEME,
    Invariant,
    name_of,
    original_of,
    spelt,
)
from pos_lab.sim.checker.journal import UNDOES
from pos_lab.sim.checker.ledger import Change
from pos_lab.sim.checker.wire import FINANCIAL

OFFLINE: Final = frozenset({"offline_sale"})
UNDONE: Final = frozenset({"voided", "adjusted"})
CODE_TILL: Final = "Q"
"""How the id of a till begins that is a code on the counter: the bank alone keeps its book (X10)."""
AMOUNT_DIGITS: Final = 12
REVERSAL: Final = "0400"
NOTHING_LEFT: Final = frozenset({"00", "11", "12", "16", "25", "94", "A2", "A4", "A5", "A6"})
"""Answers to a reversal by which there is nothing left to undo (CUP 7.5)."""
CHART: Final = frozenset({"scheme", "merchant", "acquirer", "bank", "deposit"})
"""Kinds of accounts; a balance on any other is money that nobody owns."""


def _one_truth(evidence: Evidence, event: Quiet) -> Iterator[str]:
    ours = {
        name
        for name, row in evidence.rows()
        if row["kind"] not in LATE_REVERSALS and not name[0].startswith(CODE_TILL) and evidence.stands(name)
    }
    theirs = {
        (terminal_id, *key)
        for terminal_id, till in evidence.tills.items()
        for key, row in till.rows.items()
        if row.state == "captured"
    }
    for name in sorted(theirs - ours - evidence.lost):
        if _outlives_batch(evidence, name) or _is_undone_by_lost(evidence, name) or evidence.is_dropped(name):
            continue
        yield f"{spelt(name)} is captured at the terminal and {evidence.row(name).get('state', 'unknown')} at the host"
    for name in sorted(ours - theirs - evidence.lost):
        if evidence.is_dropped(name):
            continue  # a supervisor left it to the settlement, which names it (S3)
        row = evidence.till_row(name)
        yield f"{spelt(name)} is captured at the host and {row.state if row else 'unknown'} at the terminal"


def _outlives_batch(evidence: Evidence, name: Name) -> bool:
    """Is it a hold of a closed batch? The host may end it later, and the terminal has forgotten it.

    The host alone closes the batch of a device that is gone, and its successor may have the hold ended.
    """
    till, batch = evidence.tills[name[0]], evidence.ledger.tables["batches"].get(name[:2], {})
    is_closed = name[1] in till.closed or batch.get("state") == CLOSED
    return is_closed and till.rows[name[1:]].kind in HOLDS


def _is_undone_by_lost(evidence: Evidence, name: Name) -> bool:
    """Did the host undo it as asked, and only a device that is gone could have believed or reversed that?

    Whoever asked for a void or an adjustment was told that its outcome is unknown, or nothing; now it stands.
    """
    state, others = evidence.row(name).get("state"), evidence.about.get(name, ())
    return any(
        other in evidence.lost and _stands(row) and UNDOES.get(row["kind"]) == state
        for other, row in ((other, evidence.row(other)) for other in others)
    )


def _same_amount(evidence: Evidence, event: Moved) -> Iterator[str]:
    name = (event.terminal_id, *event.step.key)
    if event.step.after == "captured" and evidence.row(name).get("state") == "captured":
        yield from _differ(evidence, name)


def _captured_as_asked(evidence: Evidence, event: Change) -> Iterator[str]:
    """The same from the host's side, at the instant at which it captures."""
    if event.table == "transactions" and event.after.get("state") == "captured":
        yield from _differ(evidence, name_of(event.after))


def _differ(evidence: Evidence, name: Name) -> Iterator[str]:
    ours, theirs = evidence.row(name), evidence.till_row(name)
    if theirs and (ours["amount_fen"], ours["kind"]) != (theirs.amount_fen, theirs.kind):
        yield (
            f"{spelt(name)} is {theirs.kind} of {theirs.amount_fen} fen at the terminal, "
            f"{ours['kind']} of {ours['amount_fen']} fen at the host"
        )


def _captured_once(evidence: Evidence, event: Committed) -> Iterator[str]:
    for name in _posted(event):
        moves = evidence.moves[name]
        if moves.captured - moves.undone not in (0, 1):
            yield f"{spelt(name)} was captured {moves.captured} times and undone {moves.undone} times"
        if name[2] and not evidence.row(name):
            yield f"{spelt(name)} has postings and no row"


def _posted(event: Committed) -> set[Name]:
    return {name_of(change.after) for change in event.changes if change.table == "postings" and change.after}


def _told_is_done(evidence: Evidence, event: Quiet) -> Iterator[str]:
    undone = {
        original_of(row) for _, row in evidence.rows() if row["state"] in ("captured", *UNDONE) and row["original_stan"]
    }
    for name, told in evidence.told.items():
        row, last = evidence.row(name), next((each for each in reversed(told) if each != "unknown"), "")
        state = "reversed" if evidence.is_taken_back(name) else row.get("state", "unknown")
        theirs = evidence.till_row(name)
        if name in evidence.lost:
            continue  # only the device that is gone knew it
        if theirs and theirs.kind in OFFLINE and theirs.state in ("declined", "cleared"):
            continue  # the shop gave credit, and the host would not or could not have it: the audit trail keeps that
        if last == "approved" and theirs and theirs.kind in HOLDS and state == "expired":
            continue
        if last == "approved" and state != "captured" and not (state in UNDONE and name in undone):
            yield f"{spelt(name)} was told as approved and is {state} at the host"
        if last in ("refused", "reversed") and state == "captured":
            yield f"{spelt(name)} was told as {last} and is captured at the host"


def _told_once(evidence: Evidence, event: Told | Printed) -> Iterator[str]:
    """Nobody knows, for as long as that is so, and then one end for good; a slip is one that says approved. The same
    end may be told again, as both copies of a slip do.
    """
    name = event.name if isinstance(event, Printed) else evidence.name_of(event.terminal_id, event.stan)
    told = evidence.told.get(name, [])
    ends = [result for result in told if result != "unknown"]
    if len(set(ends)) > 1 or (ends and "unknown" in told[told.index(ends[0]) :]):
        yield f"{spelt(name)} was told as {' and then as '.join(told)}"


def _double_entry(evidence: Evidence, event: Change) -> Iterator[str]:
    """A posting is a debit and a credit of the same fen in one row: it has to be of two accounts, and never changed."""
    if event.table != "postings":
        return
    row, name = event.after or event.before, name_of(event.after or event.before)
    if event.before:
        yield f"posting {row['number']} of {spelt(name)} was changed after it was made"
    elif row["amount_fen"] <= 0 or row["debit"] == row["credit"]:
        yield f"posting {row['number']} of {spelt(name)} moves {row['amount_fen']} fen to {row['credit']}"


def _nobodys_money(evidence: Evidence, event: Quiet) -> Iterator[str]:
    """There is no suspense account: whatever is on an account outside of the chart is in suspense."""
    for account, fen in evidence.accounts.items():
        if fen and account.partition(":")[0] not in CHART:
            yield f"{fen} fen are left on {account}"
    if total := sum(evidence.accounts.values()):
        yield f"the accounts sum to {total} fen"


def _conserved(evidence: Evidence, event: Committed) -> Iterator[str]:
    """What cards paid is what merchants have to get and the acquirer keeps, by what all rows say (Jepsen's total)."""
    if not any(change.table in ("transactions", "postings") for change in event.changes):
        return
    of_rows = {
        SCHEME.partition(":")[0]: -evidence.net_fen,
        "merchant": evidence.net_fen - evidence.fees_fen,
        "acquirer": evidence.fees_fen,
    }
    for account, due_fen in of_rows.items():
        fen = sum(evidence.accounts_by_reason.get((account, reason), 0) for reason in ("capture", "undo"))
        if fen != due_fen:
            names = sorted({name_of(change.after) for change in event.changes if change.table == "transactions"})
            yield f"{', '.join(map(spelt, names))}: {account} has {fen} fen of all rows, which say {due_fen} fen"


def _refund_bound(evidence: Evidence, event: Committed) -> Iterator[str]:
    for change in event.changes:
        if change.table != "transactions" or not change.after or not change.after["original_stan"]:
            continue
        name, original = original_of(change.after), evidence.row(original_of(change.after))
        about = [evidence.row(other) for other in evidence.about[name]]
        given_fen = sum(
            row["amount_fen"] for row in about if row["kind"] in ("refund", "late_reversal") and _stands(row)
        )
        given_fen -= sum(row["amount_fen"] for row in about if row["kind"] == "late_restoration" and _stands(row))
        given_fen += original.get("amount_fen", 0) * (original.get("state") == "voided" and given_fen > 0)
        if given_fen > original.get("amount_fen", 0):
            yield f"{spelt(name)} of {original.get('amount_fen', 0)} fen was given back with {given_fen} fen"
        row = change.after
        is_void = row["kind"].endswith("_void") and row["kind"] != "preauth_void" and _stands(row)
        if is_void and (name[:2] != name_of(row)[:2] or row["amount_fen"] != original.get("amount_fen")):
            yield f"{spelt(name_of(row))} voids {spelt(name)}, of another terminal, batch or amount"


def _stands(row: Mapping[str, Any]) -> bool:
    return row.get("state") == "captured"


def _completion_bound(evidence: Evidence, event: Change) -> Iterator[str]:
    """By the share that the rules allow which are in force at that instant: the newest that were published before."""
    row = event.after
    if event.table != "transactions" or event.before or not _completes(row):
        return
    name = original_of(row)
    about = [evidence.row(other) for other in evidence.about[name]]
    held_fen = evidence.row(name).get("amount_fen", 0)
    held_fen += sum(other["amount_fen"] for other in about if other["kind"] == "additional_preauth" and _stands(other))
    percent = _percent_in_force(evidence)
    if row["amount_fen"] > held_fen * percent // 100:
        yield (
            f"{spelt(name)} holds {held_fen} fen and is completed with {row['amount_fen']} fen: "
            f"{percent} percent are allowed"
        )


def _percent_in_force(evidence: Evidence) -> int:
    policies = evidence.ledger.tables["policies"]
    if not policies:
        return evidence.completion_percent
    rules = json.loads(policies[max(policies)]["content"])
    return int(rules.get("preauth", {}).get("completion_percent", COMPLETION_PERCENT))


def _completes(row: Mapping[str, Any]) -> bool:
    return row.get("kind") in COMPLETIONS and _stands(row)


def _completed_once(evidence: Evidence, event: Committed) -> Iterator[str]:
    for change in event.changes:
        row = change.after
        if change.table != "transactions" or not _completes(row):
            continue
        name = original_of(row)
        others = [other for other in evidence.about[name] if not evidence.is_taken_back(other)]
        hold, about = evidence.row(name), [evidence.row(other) for other in others]
        if len([other for other in about if other["kind"] in COMPLETIONS and other["state"] in _USED]) > 1:
            yield f"{spelt(name)} is completed twice"
        if not change.before and hold.get("state") != "captured":
            yield f"{spelt(name)} is {hold.get('state', 'unknown')} and is completed by {spelt(name_of(row))}"


_USED: Final = ("captured", "voided")
"""A completion that was voided has used up its hold; one that was reversed has not, and be it late."""


def _reversal_absorbs(evidence: Evidence, event: Change) -> Iterator[str]:
    if event.table == "postings" and event.after.get("reason") == "capture" and name_of(event.after) in evidence.buried:
        yield f"{spelt(name_of(event.after))} was reversed and moves {event.after['amount_fen']} fen now"
    if event.table == "transactions" and event.after:
        name = name_of(event.after)
        if event.after["state"] in ("reversed", "tombstone"):
            evidence.buried.add(name)
        elif name in evidence.buried:
            yield f"{spelt(name)} was reversed and is {event.after['state']} now"


def _reversed_as_asked(evidence: Evidence, event: Change) -> Iterator[str]:
    """The terminal itself asked for it, with the amount, the kind and the card of its original."""
    if event.table != "transactions" or event.after.get("state") not in ("reversed", "tombstone"):
        return
    name, row = name_of(event.after), event.after
    if event.before.get("state") == row["state"] or name[0] not in evidence.tills:
        return
    asked, original = evidence.reversals.get(name, []), evidence.asked.get(name)
    if not any(fact.amount_fen == row["amount_fen"] for fact in asked):
        named = ", ".join(f"{fact.amount_fen} fen" for fact in asked)
        yield f"{spelt(name)} of {row['amount_fen']} fen is {row['state']}, and asked for was {named or 'nothing'}"
    elif original and not any(_is_about(fact.body, original.body) for fact in asked):
        yield f"{spelt(name)} is {row['state']} by a reversal of another kind, amount or card than it was"


def _is_about(body: tuple[str, str, str, str], original: tuple[str, str, str, str]) -> bool:
    """A device that lost its keys, and with them the card, reverses without one (CUP 7.3)."""
    return body[:3] == original[:3] and (not body[3] or not original[3] or body[3] == original[3])


def _reversal_is_answered(evidence: Evidence, event: Moved) -> Iterator[str]:
    """By a 0410 that ends it, under a MAC where the examiner has the keys; a supervisor may drop one, and is noted."""
    name = (event.terminal_id, *event.step.key)
    if event.step.after == "reversed":
        codes = {fact.code for fact in evidence.got.get((name, "0410"), ())}
        if not codes & NOTHING_LEFT:
            told = f"was answered {', '.join(sorted(codes))} only" if codes else "was never answered"
            yield f"{spelt(name)} counts as reversed at the terminal, and its reversal {told}: no 0410 ended it"
        elif (talk := evidence.talk(event.terminal_id)) and not any(
            (name, "0410", code) in talk.authentic for code in codes & NOTHING_LEFT
        ):
            yield f"{spelt(name)} counts as reversed at the terminal, and nobody proved the 0410 that says so"
    if event.step.after == "cleared":
        words = "/".join(event.step.key)
        if not any(words in note for note in evidence.tills[event.terminal_id].notes):
            yield f"{spelt(name)} was {event.step.before} and is dropped, and no supervisor is on record for it"


def _resolve_first(evidence: Evidence, event: Sent) -> Iterator[str]:
    if event.fact.mti not in FINANCIAL:
        return
    till = evidence.tills[event.terminal_id]
    for key in till.unresolved:
        if key != event.fact.key[1:] and till.rows[key].state == "must_reverse":
            yield f"{spelt(event.fact.key)} leaves while {'/'.join(key)} is still to be reversed"


def _amount_on_wire(evidence: Evidence, event: Sent) -> Iterator[str]:
    amount = event.fact.amount
    if event.fact.mti not in (*FINANCIAL, REVERSAL) or not amount:
        return
    if len(amount) != AMOUNT_DIGITS or not (amount.isascii() and amount.isdigit()) or not int(amount):
        yield f"{spelt(event.fact.key)} leaves with the amount {amount!r}"


def _amount_in_ledger(evidence: Evidence, event: Change) -> Iterator[str]:
    if event.table == "transactions" and event.after.get("state") == "captured":
        amount_fen = event.after["amount_fen"]
        if not isinstance(amount_fen, int) or not 0 < amount_fen < 10**AMOUNT_DIGITS:
            yield f"{spelt(name_of(event.after))} is captured with {amount_fen!r} fen"


def _exposure(evidence: Evidence, event: Moved) -> Iterator[str]:
    """Of what goes online one thing at a time is open; offline sales have a floor limit of their own."""
    if event.step.after not in ("pending", "must_reverse"):
        return
    till = evidence.tills[event.terminal_id]
    exposed = [key for key in till.unresolved if till.rows[key].state != "offline"]
    if len(exposed) > 1:
        fen = sum(till.rows[key].amount_fen for key in exposed)
        names = ", ".join(spelt((event.terminal_id, *key)) for key in exposed)
        yield f"{names} are open at once: {fen} fen that may be captured or not"


def _nothing_exposed(evidence: Evidence, event: Quiet) -> Iterator[str]:
    for terminal_id, till in evidence.tills.items():
        if fen := sum(till.rows[key].amount_fen for key in till.unresolved):
            names = ", ".join(spelt((terminal_id, *key)) for key in till.unresolved)
            yield f"{names}: {fen} fen are still open, and everything has been healed for long"


def _lost_in_rewriting(evidence: Evidence, event: Damage) -> Iterator[str]:
    if event.invariant == "M12":
        yield event.words


MONEY: Final = (
    Invariant("M1", Quiet, "a sale is captured in both books or in none", _one_truth),
    Invariant("M2", Moved, "with the same amount and kind", _same_amount),
    Invariant("M2", Change, "with the same amount and kind", _captured_as_asked),
    Invariant("M3", Committed, "nothing is captured twice", _captured_once),
    Invariant("M4", Quiet, "what the cashier was told is so", _told_is_done),
    Invariant("M5", Told, "nobody is told two different ends, or that an end is unknown", _told_once),
    Invariant("M5", Printed, "nor is there a slip of what ends otherwise", _told_once),
    Invariant("M6", Change, "a posting is of two accounts, and stays as it is", _double_entry),
    Invariant("M6", Quiet, "the accounts balance, and nothing is left in suspense", _nobodys_money),
    Invariant("M7", Committed, "what cards paid is what merchants and the acquirer have", _conserved),
    Invariant("M8", Committed, "no more is given back than was paid", _refund_bound),
    Invariant("M9", Change, "a hold is completed by no more than the rules in force allow", _completion_bound),
    Invariant("M9", Committed, "and once, while it stands", _completed_once),
    Invariant("M10", Change, "what was reversed stays reversed", _reversal_absorbs),
    Invariant("M11", Change, "a reversal names its original as it was", _reversed_as_asked),
    Invariant("M12", Moved, "a reversal ends with the host's answer, or by a supervisor", _reversal_is_answered),
    Invariant("M12", Damage, "and is not lost with the rewriting of a journal", _lost_in_rewriting),
    Invariant("M13", Sent, "no new business before a reversal is done", _resolve_first),
    Invariant("M14", Sent, "an amount is digits, and more than nothing", _amount_on_wire),
    Invariant("M14", Change, "an amount is digits, and more than nothing", _amount_in_ledger),
    Invariant("M15", Moved, "one outcome at a time is open", _exposure),
    Invariant("M15", Quiet, "and none for ever", _nothing_exposed),
)
