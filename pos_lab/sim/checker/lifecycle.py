"""Invariants L: what a terminal may do while, who moves it, and that both ends know how it stands.

The states and the set of holds are the product's: "suspended" is at least one hold. Nothing of a life is stored at a
terminal: the host decides, and says so with every answer (product decision 10).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pos_lab.sim.checker.evidence import Committed, Entered, Evidence, Quiet, Replied
from pos_lab.sim.checker.invariant import Invariant, is_new_business, name_of, spelt
from pos_lab.sim.checker.ledger import Change
from pos_lab.sim.checker.talk import firmware_of, reason_of, told_of
from pos_lab.sim.checker.wire import FINANCIAL
from protocol.image import parse_version
from protocol.money import yuan

IN_SERVICE: Final = frozenset({"registered", "activated", "retiring"})
GONE: Final = frozenset({"replaced", "retired", "lost", "tampered"})
"""States of which other invariants speak: W2 of those that were replaced, L1 of all."""
ACTIVATION_FEN: Final = 10_000
EDGES: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"ordered", "delivered", "submitted", "registered"}),
    "ordered": frozenset({"shipped"}),
    "shipped": frozenset({"delivered"}),
    "delivered": frozenset({"submitted", "registered"}),
    "submitted": frozenset({"rejected", "registered"}),
    "rejected": frozenset({"submitted"}),
    "registered": frozenset({"activated", "retiring", "stopped", "replaced", "lost", "tampered"}),
    "activated": frozenset({"retiring", "stopped", "replaced", "lost", "tampered"}),
    "retiring": frozenset({"registered", "activated", "stopped", "replaced", "lost", "tampered"}),
    "stopped": frozenset({"retired", "replaced", "lost", "tampered"}),
    "lost": frozenset({"replaced"}),
    "tampered": frozenset({"replaced"}),
}
"""State -> those that may follow it; "" is that of a device nobody knew."""
DRAINED: Final = frozenset({"0410", "0510", "0330", "0830"})
"""What answers a reversal, a settlement, an upload: product decision 5 lets them pass whatever holds."""
HELD: Final = ("terminal.stopped", "hold.", "partial.")
NOT_ACTIVATED: Final = "terminal.not_activated"
TURNOVER_TOLD: Final = "累计{}元"
STOPPED: Final = frozenset({"terminal.stopped", "host.reconcile"})
"""What a stopped terminal is told: that, or what goes before every other refusal."""
STORED: Final = frozenset({"arrears", "fraud", "dispute", "abnormal", "policy", "fault", "security", "merchant"})
"""Reasons of holds that are rows; others follow from a date alone."""
PAUSE: Final = "merchant"
"""The reason of the hold by which a merchant pauses."""


def standing_holds(evidence: Evidence, serial_number: str, at: int) -> list[Mapping[str, Any]]:
    """The holds of a device at an instant."""
    return [
        hold
        for hold in evidence.rows_of("holds")
        if hold["serial_number"] == serial_number
        and hold["released_at"] is None
        and hold["since"] <= at
        and (hold["until"] is None or at < hold["until"])
    ]


def _legal_edge(evidence: Evidence, event: Committed) -> Iterator[str]:
    """Several commits may be seen at once, so a move is looked for among all that the audit says of the device."""
    for change in event.changes:
        if change.table != "terminals" or not change.after:
            continue
        before, after = change.before.get("state", ""), change.after["state"]
        serial_number = change.after["serial_number"]
        if before == after:
            continue
        if after not in EDGES.get(before, ()):
            yield f"{serial_number} goes from {before or 'nowhere'} to {after}"
        told = f"{before} -> {after}" if before else ""
        if not any(_is_told(line, serial_number, told) for line in event.changes):
            yield f"{serial_number} goes from {before or 'nowhere'} to {after}, and the audit does not say who did it"


def _is_told(change: Change, serial_number: str, told: str) -> bool:
    row = change.after
    if change.table != "audit" or not row:
        return False
    return row["serial_number"] == serial_number and bool(row["actor"]) and row["detail"].startswith(told)


def _activated_in_time(evidence: Evidence, event: Committed) -> Iterator[str]:
    for serial_number in _touched(event):
        terminal = evidence.ledger.tables["terminals"].get((serial_number,), {})
        fen = evidence.turnover_fen[serial_number]
        if (
            terminal
            and terminal["activated_at"] is None
            and terminal["state"] == "registered"
            and fen >= ACTIVATION_FEN
        ):
            yield f"{serial_number} has a turnover of {fen} fen and is not activated"


def _activated_once(evidence: Evidence, event: Change) -> Iterator[str]:
    """By what was written before it: one commit may hold the sale that activates a device, and the reversal of it."""
    if event.table != "terminals" or not event.before or not event.after:
        return
    serial_number, was, now = event.after["serial_number"], event.before["activated_at"], event.after["activated_at"]
    if was == now:
        return
    if was is not None:
        yield f"{serial_number} was activated, and is so again or no longer"
    elif event.before["state"] != "delivered" and event.before["terminal_id"]:
        taken_over = any(row["replaced_by"] == serial_number for row in evidence.rows_of("terminals"))
        fen = evidence.turnover_fen[serial_number]
        if fen < ACTIVATION_FEN and not taken_over:
            yield f"{serial_number} is activated by a turnover of {fen} fen"


def _touched(event: Committed) -> set[str]:
    return {
        change.after["serial_number"] for change in event.changes if change.table == "transactions" and change.after
    }


def _turnover_is_ledger(evidence: Evidence, event: Replied) -> Iterator[str]:
    """No counter is kept: whoever is refused for want of turnover is told it, and that must be the ledger's.

    It is what the ledger held when the answer was written down. Whenever that is told again it is so word for word,
    whatever was sold since, and whichever device has the terminal id by then.
    """
    fact = event.fact
    serial_number = evidence.serial_of.get(fact.terminal_id, "")
    if not serial_number or reason_of(fact) != NOT_ACTIVATED:
        return
    said = told_of(fact)
    fen = evidence.answered_at_fen.get((*fact.key, fact.request_mti), evidence.turnover_fen[serial_number])
    if TURNOVER_TOLD.format(yuan(fen)) not in said:
        yield f"{spelt(fact.key)} was refused at a turnover of {fen} fen, and is told {said!r}"


def _gate(evidence: Evidence, event: Change) -> Iterator[str]:
    row = event.after
    if not is_new_business(event):
        return
    terminal = evidence.ledger.tables["terminals"].get((row["serial_number"],), {})
    state = terminal.get("state", "unknown")
    if state not in IN_SERVICE and state not in GONE and state != "stopped":
        yield f"{spelt(name_of(row))} is captured while its terminal is {state}"
    for hold in standing_holds(evidence, row["serial_number"], row["at"]):
        if not hold["kinds"] or row["kind"] in hold["kinds"].split():
            yield f"{spelt(name_of(row))} is captured while its terminal is on hold for {hold['reason']}"
    model = evidence.ledger.tables["models"].get((terminal.get("model", ""),), {})
    if model.get("retired_at") is not None and row["at"] >= model["retired_at"]:
        yield f"{spelt(name_of(row))} is captured by a {model['model']}, which may not sell any more"
    firmware = _runs(evidence, row) or {terminal.get("firmware", "")} - {""}
    if firmware and model and all(_is_barred(version, model) for version in firmware):
        versions = " or ".join(sorted(firmware))
        yield f"{spelt(name_of(row))} is captured under firmware {versions}, which {model['model']} may not run"


def _runs(evidence: Evidence, row: Mapping[str, Any]) -> set[str]:
    """The firmware that a device names with the request of a row: what it proved before may be what it ran before, and
    is put right in the same commit. Several where what it sent before an update was not answered, and came again.
    """
    asked = (question.fact for waiting in evidence.questions.values() for question in waiting)
    theirs = (fact for fact in asked if fact.key == name_of(row) and fact.mti in FINANCIAL)
    return {firmware_of(fact) for fact in theirs if evidence.is_proven(fact)} - {""}


def _is_barred(firmware: str, model: Mapping[str, Any]) -> bool:
    least = model["min_firmware"]
    too_old = bool(least) and parse_version(firmware) < parse_version(least)
    return too_old or firmware in model["blocked_firmware"].split()


def _barrier(evidence: Evidence, event: Change) -> Iterator[str]:
    """Whatever the state: a stop that was ordered, and one whose date has come though nobody has carried it out."""
    row = event.after
    if not is_new_business(event):
        return
    terminal = evidence.ledger.tables["terminals"].get((row["serial_number"],), {})
    if terminal.get("state") in ("stopped", "retired"):
        yield f"{spelt(name_of(row))} is captured though its terminal is {terminal['state']}"
    plan = evidence.ledger.tables["plans"].get((row["serial_number"],), {})
    if plan and plan["done_at"] is None and plan["stop_at"] <= row["at"]:
        yield f"{spelt(name_of(row))} is captured though its terminal was to stop before"


def _drain(evidence: Evidence, event: Replied) -> Iterator[str]:
    fact = event.fact
    if fact.mti in DRAINED and reason_of(fact).startswith(HELD):
        yield f"{spelt(fact.key)} is to drain the terminal, and {fact.mti} refuses it: {reason_of(fact)}"


def _both_know(evidence: Evidence, event: Quiet) -> Iterator[str]:
    """A terminal asks why once everything is quiet; what it is told last must be how the host has it."""
    for serial_number, talk in evidence.talks.items():
        terminal = evidence.ledger.tables["terminals"].get((serial_number,), {})
        if talk.why is None or not terminal or evidence.serial_of.get(terminal["terminal_id"]) != serial_number:
            continue
        held = [hold for hold in standing_holds(evidence, serial_number, evidence.now_s()) if not hold["kinds"]]
        if terminal["state"] == "stopped" and talk.why not in STOPPED:
            yield f"{serial_number} is stopped, and is told {talk.why or 'that it may sell'}"
        if terminal["state"] in IN_SERVICE and held and not talk.why:
            yield f"{serial_number} is on hold for {held[0]['reason']}, and is told that it may sell"
        if terminal["state"] in IN_SERVICE and talk.why == "terminal.stopped":
            yield f"{serial_number} is {terminal['state']}, and is told that it is stopped"
        if terminal["state"] in IN_SERVICE and talk.why.removeprefix("hold.") in STORED - {
            row["reason"] for row in held
        }:
            yield f"{serial_number} is on no such hold, and is told {talk.why}"


def _order_of_commands(evidence: Evidence, event: Entered) -> Iterator[str]:
    """There is no command to suspend or to resume; what is ordered of a device is done in the order of counters."""
    talk = evidence.talk(event.terminal_id)
    if talk is None or event.record["record"] != "done":
        return
    counter = event.record["counter"]
    if counter < talk.done:
        yield f"{talk.device.serial_number} carries out command {counter} after command {talk.done}"
    talk.done = max(talk.done, counter)


def _pause_is_last(evidence: Evidence, event: Quiet) -> Iterator[str]:
    """The one hold that a terminal puts on and takes off itself: the last word counts, not the last that arrived.

    A device that was given the till of a paused one by order has said nothing of it yet: there the host's word stands.
    """
    for terminal_id, till in evidence.tills.items():
        serial_number = evidence.serial_of.get(terminal_id, "")
        held = any(hold["reason"] == PAUSE for hold in standing_holds(evidence, serial_number, evidence.now_s()))
        if till.pause_known and till.pause_told and till.paused is not held:
            yield f"{serial_number} {_pauses(till.paused)}, and at the host it {_pauses(held)}"


def _pauses(paused: bool) -> str:
    return "pauses" if paused else "does not pause"


def _campaign_total(evidence: Evidence, event: Committed) -> Iterator[str]:
    numbers = {
        change.after["number" if change.table == "campaigns" else "campaign"]
        for change in event.changes
        if change.table in ("campaigns", "campaign_items") and change.after
    }
    for number in numbers:
        campaign = evidence.ledger.tables["campaigns"].get((number,), {})
        items = [row for row in evidence.rows_of("campaign_items") if row["campaign"] == number]
        if campaign and len(items) != campaign["scope"]:
            yield f"campaign {number} is about {campaign['scope']} terminals, and has {len(items)}"
    if any(change.table == "notices" for change in event.changes):
        told = Counter(
            (row["campaign"], row["serial_number"], row["step"], row["stop_at"])
            for row in evidence.rows_of("notices")
            if row["campaign"]
        )
        for (number, serial_number, step, _), times in told.items():
            if times > 1:
                yield f"campaign {number} tells {serial_number} of step {step} {times} times"


LIFECYCLE: Final = (
    Invariant("L1", Committed, "a terminal moves by legal steps only, and the audit says who moved it", _legal_edge),
    Invariant("L2", Change, "activation comes with the turnover, not earlier, and once", _activated_once),
    Invariant("L2", Committed, "nor later", _activated_in_time),
    Invariant("L3", Replied, "the turnover that a terminal is told is that of the ledger", _turnover_is_ledger),
    Invariant(
        "L4", Change, "only a terminal in service, on no hold, of a model and firmware that may, captures", _gate
    ),
    Invariant("L5", Change, "behind a stop nothing is captured", _barrier),
    Invariant("L6", Replied, "what drains a stopped or suspended terminal passes", _drain),
    Invariant("L7", Quiet, "a terminal that asks is told how it stands", _both_know),
    Invariant("L8", Entered, "commands are carried out in the order of their counters", _order_of_commands),
    Invariant("L8", Quiet, "a merchant's last word on a pause counts", _pause_is_last),
    Invariant(
        "L9", Committed, "a campaign's terminals add up to its scope, and each hears of a step once", _campaign_total
    ),
)
