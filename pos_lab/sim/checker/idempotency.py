"""Invariants I: a question has one answer, and an answer one question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pos_lab.sim.checker.evidence import Answered, Evidence, Moved, Name, Quiet, Replied
from pos_lab.sim.checker.invariant import Invariant, name_of, spelt
from pos_lab.sim.checker.ledger import Change
from pos_lab.sim.checker.talk import device_of, reason_of
from pos_lab.sim.checker.wire import APPROVALS, APPROVED, Fact

REPLIES: Final = ("0110", "0210", "0230")
DECISIONS: Final = frozenset({*REPLIES, "0410"})
OPEN: Final = ("pending", "offline", "must_reverse", "cleared")
"""Where an effect is in order; what a supervisor dropped may be under way still."""
SIGN_ON: Final = "77"
"""What decides nothing for good, and is kept until the terminal has signed on."""
SIGN_ON_FIRST: Final = frozenset({SIGN_ON, "A0"})
UNDECIDED: Final = frozenset({"96", "98"})
UNDECIDED_BY: Final = frozenset({"", "host.failure", "terminal.superseded"})
"""Refusals that decide nothing about the question itself: who asks has to sign on, to try later or to hang up. 96 and
98 may be an issuer's word too, and are told apart by their reasons."""
NOT_KEPT: Final = frozenset({"terminal.replaced", "request.key_reused"})
"""Refusals that a host must not keep: the number that is asked under may be, or is, that of another request."""
SPEAKS_FOR: Final = frozenset({"0210", "0110", "0230", "0410", "0510"})
"""Replies to what only a terminal with keys may ask."""


def _same_answer(evidence: Evidence, event: Replied) -> Iterator[str]:
    fact = event.fact
    if fact.mti in REPLIES and fact.code == APPROVED and fact.amount_fen:
        before = evidence.answers.setdefault((fact.key, fact.mti), fact)
        if (before.rrn, before.auth_id, before.amount_fen) != (fact.rrn, fact.auth_id, fact.amount_fen):
            yield f"{spelt(fact.key)} was approved as {before.rrn}, and as {fact.rrn} the next time"


def _same_decision(evidence: Evidence, event: Answered) -> Iterator[str]:
    """A question that came under the terminal's keys is decided once, for yes or no: code, RRN and authorisation id.

    A device whose till another has is refused anew each time, as is another question under a used number, and each such
    refusal has an RRN of its own. Where the examiner knows no keys, a reply under a MAC tells that the host does.
    """
    asked, reply = event.question.fact, event.fact
    if reply.mti not in DECISIONS or not asked.stan or _is_undecided(reply):
        return
    if not (evidence.is_proven(asked) if evidence.talks else reply.unsealed.mac):
        return
    before = evidence.decided.setdefault((asked.key, asked.content), reply)
    if _decision_of(before) != _decision_of(reply):
        yield (
            f"the {asked.mti} {spelt(asked.key)} was answered {before.code} {before.rrn}, "
            f"and {reply.code} {reply.rrn} the next time"
        )


def _decision_of(reply: Fact) -> tuple[str, str, str]:
    return reply.code, "" if reason_of(reply) in NOT_KEPT else reply.rrn, reply.auth_id


def _is_undecided(reply: Fact) -> bool:
    return reply.code in SIGN_ON_FIRST or (reply.code in UNDECIDED and reason_of(reply) in UNDECIDED_BY)


def _other_body(evidence: Evidence, event: Answered) -> Iterator[str]:
    """The same key with another content is an error, never an approval; and it changes nothing."""
    asked, reply = event.question.fact, event.fact
    if reply.mti not in REPLIES or reply.code not in APPROVALS or not asked.stan:
        return
    first = evidence.approved.setdefault(asked.key, asked)
    if first.body != asked.body:
        yield (
            f"{spelt(asked.key)} of {first.amount_fen} fen was approved, "
            f"and so is another request under this key, of {asked.amount_fen} fen"
        )


def _row_stays(evidence: Evidence, event: Change) -> Iterator[str]:
    if event.table != "transactions" or not event.before or not event.after:
        return
    if any(event.before[name] != event.after[name] for name in ("kind", "amount_fen", "rrn", "serial_number")):
        yield f"{spelt(name_of(event.after))} was {_told(event.before)} and is {_told(event.after)} now"


def _told(row: Mapping[str, Any]) -> str:
    return f"{row['kind']} of {row['amount_fen']} fen"


def _kept(evidence: Evidence, event: Change) -> Iterator[str]:
    """An answer is kept for as long as the question may come again: here for ever, whatever a clock says."""
    if event.table == "replies" and event.before and not event.after:
        yield f"the answer to {event.before['mti']} {spelt(name_of(event.before))} is forgotten"


def _is_kept(evidence: Evidence, event: Replied) -> Iterator[str]:
    fact = event.fact
    is_approval = fact.mti in REPLIES and fact.code in APPROVALS and fact.amount_fen
    if is_approval and (*fact.key, fact.request_mti) not in evidence.ledger.tables["replies"]:
        yield f"{spelt(fact.key)} is approved, and nothing is kept for when it is asked again"


def _answer_belongs(evidence: Evidence, event: Moved) -> Iterator[str]:
    """An approval of this key and amount has come, and under a MAC where the examiner has the keys."""
    step = event.step
    if step.after != "captured" or step.before == "captured":
        return
    name = (event.terminal_id, *step.key)
    row = evidence.tills[event.terminal_id].rows[step.key]
    answers = [fact for mti in REPLIES for fact in evidence.got.get((name, mti), ())]
    fits = [fact for fact in answers if fact.code in APPROVALS and fact.amount_fen == row.amount_fen]
    talk = evidence.talk(event.terminal_id)
    if not fits:
        yield f"{spelt(name)} counts as approved at the terminal, and no approval of {row.amount_fen} fen for it came"
    elif talk and not any((fact.key, fact.mti, fact.code) in talk.authentic for fact in fits):
        yield f"{spelt(name)} counts as approved at the terminal, and nobody proved the approval that came"


def _in_its_time(evidence: Evidence, event: Change) -> Iterator[str]:
    """The effect of a request falls between its question and its end at the terminal, which asks one at a time: so
    there is an order of all effects that is that of the questions.
    """
    row = event.after
    was_so = event.before.get("state") in ("captured", "voided", "adjusted")
    if event.table != "transactions" or was_so or row.get("state") != "captured":
        return
    name: Name = name_of(row)
    theirs = evidence.till_row(name)
    if theirs and theirs.state not in OPEN:
        yield f"{spelt(name)} is captured at the host, and was {theirs.state} at the terminal before"


def _one_line(evidence: Evidence, event: Answered) -> Iterator[str]:
    """A line that another has taken over from is served no more: the newest that proves the keys speaks.

    With a question that was decided before it proves nothing, be it answered or not: whoever has heard one can say it
    again. Such a line takes over from none, and is left like any other once one does. What is refused, or was asked
    before and never approved, may be such a question or a new one, unless the refusal decides nothing: should its line
    turn out to speak, it has done so since then, and who came behind is not left. A device that was replaced and undoes
    what it began takes nothing from the one that has its till. A cable cannot be cut: a session ends there, and the
    next one begins, in place.
    """
    reply, line = event.fact, event.question.line
    if reply.mti not in SPEAKS_FOR:
        return
    seat, said = evidence.seats[_speaker(evidence, event.question.fact)], (reply.key, reply.mti)
    if said not in seat.heard and (reply.code == SIGN_ON or not _is_undecided(reply)):
        seat.before.setdefault(line, frozenset(seat.served))
    if reply.code not in APPROVALS:
        return
    if line in seat.left:
        yield f"{spelt(reply.key)} is answered on {line}, and {seat.line} had taken over from it"
    elif line != seat.line and not event.question.is_copy and said not in seat.heard:
        seat.left |= seat.before[line] - {line} - evidence.cables
        seat.line = line
        seat.before.clear()
    seat.served.add(line)
    seat.heard.add(said)


def _speaker(evidence: Evidence, asked: Fact) -> str:
    """Which device says that it asks; where it names none, the one that has the till."""
    return device_of(asked).serial_number or evidence.serial_of.get(asked.terminal_id, asked.terminal_id)


def _everybody_is_answered(evidence: Evidence, event: Quiet) -> Iterator[str]:
    """Everything is quiet for long: no question waits any more on a line that is open."""
    for line in sorted(event.lines):
        for question in evidence.questions.get(line, ()):
            if not question.is_doubtful:
                fact: Fact = question.fact
                yield f"the {fact.mti} {spelt(fact.key)} came on {line}, and was never answered"


IDEMPOTENCY: Final = (
    Invariant("I1", Replied, "the same question has the same answer", _same_answer),
    Invariant("I1", Answered, "be it yes or no", _same_decision),
    Invariant("I2", Answered, "another question under the same key is refused", _other_body),
    Invariant("I2", Change, "and changes nothing", _row_stays),
    Invariant("I3", Change, "an answer is kept for as long as its question may come again", _kept),
    Invariant("I3", Replied, "and from the beginning", _is_kept),
    Invariant("I4", Moved, "an approval is the one that was asked for", _answer_belongs),
    Invariant("I5", Change, "what a request does falls between its question and its end", _in_its_time),
    Invariant("I6", Answered, "one line at a time speaks for a terminal", _one_line),
    Invariant("I7", Quiet, "every question has an outcome", _everybody_is_answered),
)
