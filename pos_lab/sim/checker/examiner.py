"""The examiner: hears of every durable event, keeps the evidence, and writes down every predicate that fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pos_lab.sim.checker.evidence import Evidence, Moved, Name, Quiet, Replied, Sent, Told
from pos_lab.sim.checker.invariants import INVARIANTS, SCHEME, Invariant
from pos_lab.sim.checker.journal import JournalReader
from pos_lab.sim.checker.ledger import Change, Driver, LedgerReader
from pos_lab.sim.checker.privacy import leaks
from pos_lab.sim.checker.wire import fact_of, frames_of


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, and the sentence that says where."""

    id: str
    rule: str
    finding: str


class Examiner:
    """Reads the database behind ``driver``, and journals once they are ``watch``ed; ``violations`` is what it found."""

    def __init__(self, driver: Driver) -> None:
        self.violations: list[Violation] = []
        self._ledger = LedgerReader(driver)
        self.evidence = Evidence(self._ledger.ledger)
        self._journals: dict[str, JournalReader] = {}
        self._asked: dict[type[Any], list[Invariant]] = defaultdict(list)
        for invariant in INVARIANTS:
            self._asked[invariant.event].append(invariant)

    def watch(self, terminal_id: str, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        """Read the journal on this chip from now on."""
        reader = self._journals[terminal_id] = JournalReader(read, size_bytes)
        self.evidence.tills[terminal_id] = reader.till

    def look_at(self, terminal_id: str) -> list[Moved]:
        """See what a terminal wrote since the last time."""
        reader = self._journals[terminal_id]
        steps = reader.look()
        self.evidence.tills[terminal_id] = reader.till
        for fault in reader.faults:
            self._found(fault.partition(":")[0], "the journal keeps what it was given", fault)
        reader.faults.clear()
        moves = [Moved(terminal_id, step) for step in steps]
        for move in moves:
            self._ask(move)
        return moves

    def look_at_ledger(self) -> list[Change]:
        """See what the host committed since the last time."""
        changes = []
        for change in self._ledger.look():
            self._account(change)
            self._ask(change)
            changes.append(change)
        return changes

    def sent(self, terminal_id: str, payload: bytes) -> None:
        """A terminal lets a request go: its journal is read first."""
        self.look_at(terminal_id)
        if fact := fact_of(payload):
            self._ask(Sent(terminal_id, fact))

    def received(self, terminal_id: str, payload: bytes) -> None:
        """A payload has reached a terminal."""
        if fact := fact_of(payload):
            self.evidence.got[fact.key, fact.mti].append(fact)

    def replied(self, data: bytes) -> None:
        """The host lets bytes go, whole frames."""
        for payload in frames_of(data):
            if fact := fact_of(payload):
                self._ask(Replied(fact))

    def told(self, event: Told) -> None:
        """The cashier was told something: the terminal's journal is read first."""
        self.look_at(event.terminal_id)
        if event.stan and event.result != "unknown":
            self.evidence.told[self.evidence.name_of(event.terminal_id, event.stan)].append(event.result)
        self._ask(event)

    def search(self, places: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> None:
        """Look for secrets, by name, wherever something was left."""
        for finding in leaks(places, secrets):
            self._found("P1", "no card number and no key stands anywhere", finding)

    def quiet(self) -> None:
        """Everything is healed and settled."""
        for terminal_id in self._journals:
            self.look_at(terminal_id)
        self.look_at_ledger()
        self._ask(Quiet())

    def _account(self, change: Change) -> None:
        row = change.after
        if change.table != "postings" or change.before:
            return
        name: Name = (row["terminal_id"], row["batch"], row["stan"])
        for side, sign in (("debit", -1), ("credit", 1)):
            self.evidence.accounts[row[side]] += sign * row["amount_fen"]
            if row["reason"] == "payout":
                continue
            if row[side] == SCHEME:
                self.evidence.scheme_fen[name] -= sign * row["amount_fen"]
            if row[side].startswith("merchant:"):
                self.evidence.merchant_fen[name] += sign * row["amount_fen"]

    def _ask(self, event: Any) -> None:
        for invariant in self._asked[type(event)]:
            for finding in invariant.test(self.evidence, event):
                self._found(invariant.id, invariant.english, finding)

    def _found(self, invariant: str, rule: str, finding: str) -> None:
        self.violations.append(Violation(invariant, rule, finding))
