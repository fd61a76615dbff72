"""Invariants J: what was said was written before, and what was written stays.

Of J4 and J5 the reader of the journal finds most by itself (``checker.journal``): what it has read once must be there
again, and what stands there must make sense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pos_lab.sim.checker.evidence import Answered, Booted, Damage, Evidence, Moved, Replied, Sent
from pos_lab.sim.checker.invariant import ADVICES, Invariant, spelt
from pos_lab.sim.checker.ledger import Change
from pos_lab.sim.checker.wire import APPROVED, FINANCIAL

UNDONE: Final = frozenset({"reversed", "tombstone", "declined", "expired"})
"""Where a row stands of which nothing is left to reverse."""
RESERVE_BYTES: Final = 4096
"""What ordinary business leaves free of a journal, for reversals."""
MOVE_BYTES: Final = 96
"""What the record takes by which something is in doubt."""
DOUBTFUL: Final = frozenset({"10", "98"})
"""Codes by which nobody knows whether money has moved (CUP 5)."""


def _journal_first(evidence: Evidence, event: Sent) -> Iterator[str]:
    fact = event.fact
    if fact.mti in FINANCIAL and fact.amount_fen:
        row = evidence.tills[event.terminal_id].rows.get(fact.key[1:])
        if row is None or row.state not in ("pending", "offline"):
            yield f"{spelt(fact.key)} leaves the terminal, in whose journal it is {row.state if row else 'not'}"
        elif row.amount_fen != fact.amount_fen:
            yield f"{spelt(fact.key)} leaves with {fact.amount_fen} fen, and the journal has {row.amount_fen}"


def _stan_once(evidence: Evidence, event: Sent) -> Iterator[str]:
    fact, before = event.fact, evidence.asked.get(event.fact.key)
    if fact.mti in FINANCIAL and fact.stan and before and before.body != fact.body:
        yield f"{spelt(fact.key)} named {before.amount_fen} fen before and names {fact.amount_fen} fen now"


def _stan_written(evidence: Evidence, event: Sent) -> Iterator[str]:
    """Of whatever leaves with a STAN, the journal knows it as taken: the memory is not behind the wire."""
    fact, till = event.fact, evidence.tills[event.terminal_id]
    if fact.mti in FINANCIAL and fact.stan and fact.stan not in till.latest and fact.stan > till.stan:
        yield f"{spelt(fact.key)} leaves, and the last STAN in the journal is {till.stan}"


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
    elif fact.mti == "0410" and not (row.get("state") in UNDONE or evidence.is_taken_back(fact.key)):
        yield f"the reversal of {spelt(fact.key)} is approved, and its row is {row.get('state', 'not there')}"


def _damage(invariant: str) -> Callable[[Evidence, Damage], Iterator[str]]:
    """What the reader of the journal says of this invariant."""

    def said(evidence: Evidence, event: Damage) -> Iterator[str]:
        if event.invariant == invariant:
            yield event.words

    return said


def _trail_grows(evidence: Evidence, event: Change) -> Iterator[str]:
    """Whose digests are the host's secret; that rows only come, and lose no more than what is erased, can be seen."""
    if event.table != "audit" or not event.before:
        return
    row = {name: value for name, value in event.before.items() if name != "detail"}
    if not event.after:
        yield f"row {row['number']} of the audit is gone: {row['act']} by {row['actor']}"
    elif row != {name: value for name, value in event.after.items() if name != "detail"}:
        yield f"row {row['number']} of the audit was {row['act']} by {row['actor']}, and is another now"
    elif event.after["detail"] not in ("", event.before["detail"]):
        yield f"row {row['number']} of the audit tells another story now"


def _doubt_stays(evidence: Evidence, event: Answered) -> Iterator[str]:
    """A commit that failed may have happened: of what was in it the host says neither yes nor no."""
    if event.question.is_doubtful:
        fact = event.fact
        yield f"{spelt(fact.key)} is answered {fact.code}, and nobody knows whether its commit happened"


def _doubt_is_kept(evidence: Evidence, event: Moved) -> Iterator[str]:
    """A terminal takes a request for refused by a reply that says so, and by nothing else."""
    step = event.step
    if step.after != "declined":
        return
    name = (event.terminal_id, *step.key)
    codes = {fact.code for mti in ("0110", "0210", "0230") for fact in evidence.got.get((name, mti), ())}
    if not codes - DOUBTFUL:
        told = f"it was answered {', '.join(sorted(codes))}" if codes else "no answer came"
        yield f"{spelt(name)} counts as refused at the terminal, and {told}"


def _room_for_reversals(evidence: Evidence, event: Sent) -> Iterator[str]:
    """New business leaves a terminal only while its journal has room for whatever may become of it."""
    fact, till = event.fact, evidence.tills[event.terminal_id]
    row = till.rows.get(fact.key[1:])
    is_new = row is not None and row.state == "pending" and fact.key not in evidence.asked
    if fact.mti in FINANCIAL and is_new and till.room_bytes < RESERVE_BYTES:
        yield f"{spelt(fact.key)} leaves, and the journal has {till.room_bytes} bytes left"


def _recovered(evidence: Evidence, event: Booted) -> Iterator[str]:
    """Recovery turns what nobody waits for any more into what is to be reversed, and does it once.

    It cannot where worn memory has no room left, behind a torn record that nobody can erase, say.
    """
    till = evidence.tills[event.terminal_id]
    for key in till.unresolved:
        row = till.rows[key]
        if row.state == "pending" and row.kind not in ADVICES and till.room_bytes >= MOVE_BYTES:
            yield f"{spelt((event.terminal_id, *key))} is pending behind a boot, and nobody waits for its answer"
    for step in event.steps:
        if (step.before, step.after) not in (("pending", "must_reverse"), ("", "pending"), ("", "must_reverse")):
            yield f"{spelt((event.terminal_id, *step.key))} went from {step.before} to {step.after} in a boot"
    if event.is_again and (event.steps or event.records):
        names = ", ".join(spelt((event.terminal_id, *step.key)) for step in event.steps)
        wrote = f"{names} moved" if names else f"{event.terminal_id} wrote {event.records} records"
        yield f"{wrote} in a boot, and the boot before had recovered"


DURABILITY: Final = (
    Invariant("J1", Sent, "what is asked was in the journal before", _journal_first),
    Invariant("J2", Sent, "a STAN names one thing for ever", _stan_once),
    Invariant("J2", Sent, "and is used up before it is used", _stan_written),
    Invariant("J3", Replied, "what is answered was committed before", _commit_first),
    Invariant("J4", Damage, "what was durable is there", _damage("J4")),
    Invariant("J5", Damage, "what is there is a beginning of what was written", _damage("J5")),
    Invariant("J6", Answered, "of what may have failed nothing is said", _doubt_stays),
    Invariant("J6", Moved, "and doubt is not taken for a refusal", _doubt_is_kept),
    Invariant("J7", Damage, "nothing in the middle of a journal changes unseen", _damage("J7")),
    Invariant("J7", Change, "nor in the audit of the host", _trail_grows),
    Invariant("J8", Sent, "new business leaves room for reversals", _room_for_reversals),
    Invariant("J9", Booted, "recovery ends what was under way, once", _recovered),
)
