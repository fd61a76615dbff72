"""What the examiner has seen so far: journals, ledger, wire and what cashiers were told, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from pos_lab.sim.checker.journal import Step, Till
from pos_lab.sim.checker.ledger import Ledger, Row
from pos_lab.sim.checker.wire import Fact

Name = tuple[str, str, str]
"""What names a transaction at both ends: terminal id, batch, STAN."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A terminal lets a request go."""

    terminal_id: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class Replied:
    """The host lets a reply go."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Moved:
    """A row of a journal appeared or changed its state."""

    terminal_id: str
    step: Step


@dataclass(frozen=True, slots=True)
class Told:
    """The cashier was told how ``stan`` ended: "approved", "refused", "unknown", or "reversed"."""

    terminal_id: str
    flow: str
    result: str
    stan: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """Everything is healed, resolved and settled: the two books must agree."""


@dataclass(slots=True)
class Evidence:
    """State of the examination. ``told`` are the results by transaction, without those that were unknown."""

    ledger: Ledger
    tills: dict[str, Till] = field(default_factory=dict)
    asked: dict[Name, Fact] = field(default_factory=dict)
    answers: dict[tuple[Name, str], Fact] = field(default_factory=dict)
    got: dict[tuple[Name, str], list[Fact]] = field(default_factory=lambda: defaultdict(list))
    told: dict[Name, list[str]] = field(default_factory=lambda: defaultdict(list))
    scheme_fen: dict[Name, int] = field(default_factory=lambda: defaultdict(int))
    merchant_fen: dict[Name, int] = field(default_factory=lambda: defaultdict(int))
    accounts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    buried: set[Name] = field(default_factory=set)

    def row(self, name: Name) -> Row:
        """The host's row, empty where there is none."""
        return self.ledger.tables["transactions"].get(name, {})

    def rows(self) -> Iterator[tuple[Name, Row]]:
        """All rows of the host."""
        for key, row in self.ledger.tables["transactions"].items():
            yield (str(key[0]), str(key[1]), str(key[2])), row

    def terminal(self, terminal_id: str) -> Row:
        """The host's row of the terminal that has this terminal id."""
        rows = self.ledger.tables["terminals"].values()
        return next((row for row in rows if row["terminal_id"] == terminal_id), {})

    def name_of(self, terminal_id: str, stan: str) -> Name:
        """The transaction that a STAN means at a terminal now."""
        batch, _ = self.tills[terminal_id].latest.get(stan, ("", stan))
        return terminal_id, batch, stan
