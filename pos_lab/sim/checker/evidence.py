"""What the examiner has seen so far: journals, ledger, wire and what cashiers were told, side by side."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

from pos_lab.sim.checker.journal import Row as Entry
from pos_lab.sim.checker.journal import Step, Till
from pos_lab.sim.checker.ledger import Change, Ledger, Row
from pos_lab.sim.checker.talk import Talk
from pos_lab.sim.checker.wire import Fact
from protocol.fields import F

SETTLED: Final = "0510"
DROPPED: Final = "cleared"
COMPLETION_PERCENT: Final = 115
"""The share by which a hold may be completed where nobody says another one."""
TOTALS_DIGITS: Final = 62
Name = tuple[str, str, str]
"""What names a transaction at both ends: terminal id, batch, STAN."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A terminal lets a request go."""

    terminal_id: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class Replied:
    """The host lets a reply go, on the connection ``line``."""

    fact: Fact
    line: str = ""


@dataclass(slots=True, eq=False)
class Question:
    """What the host was given on a line. ``is_doubtful`` once the commit failed that would have held its answer;
    ``is_copy`` where it had come before.
    """

    line: str
    fact: Fact
    is_doubtful: bool = False
    is_copy: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The reply to a question leaves the host, on its line."""

    question: Question
    fact: Fact


@dataclass(frozen=True, slots=True)
class Damage:
    """What a chip holds of a journal is not what it held, or makes no sense: the invariant, and where."""

    invariant: str
    words: str


@dataclass(frozen=True, slots=True)
class Searched:
    """Everything that is left of a world, by place, and what must stand nowhere in it, by name."""

    places: Mapping[str, bytes] = field(repr=False)
    secrets: Mapping[str, bytes] = field(repr=False)
    harmless: Set[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Booted:
    """A terminal has recovered and does nothing yet: what its recovery did to rows, how many records it wrote.

    ``records`` leaves out an alarm about keys that are others than before. ``is_again`` tells that it did nothing else
    since it recovered the last time.
    """

    terminal_id: str
    steps: Sequence[Step]
    records: int
    is_again: bool


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
class Printed:
    """A slip is on paper, or its first lines: there is one of what is approved only. ``name`` stands on it."""

    name: Name


@dataclass(frozen=True, slots=True)
class Received:
    """An answer has reached a device."""

    terminal_id: str
    serial_number: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class Entered:
    """A record is new in a journal, be it about a transaction or not."""

    terminal_id: str
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Committed:
    """The host has committed; all of it was told as ``changes``."""

    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How much there is at an instant of what may pile up; ``dead`` are lines whose other end went without a word."""

    shops: int
    guests: int
    connections: int
    tasks: int
    is_quiet: bool = False
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Quiet:
    """Everything is healed, resolved and settled: the two books must agree. ``lines`` are still open at the host."""

    lines: frozenset[str] = frozenset()


@dataclass(slots=True)
class Moves:
    """What postings moved for one transaction: how often it was captured and undone, and what is left of it in fen."""

    captured: int = 0
    undone: int = 0
    scheme_fen: int = 0
    merchant_fen: int = 0
    fee_fen: int = 0


@dataclass(slots=True)
class Seat:
    """Which line speaks for a terminal, those on which it was answered, those of them that others took over from, and
    what was approved on any of them. ``before`` has, of lines that may speak since the last one took over, those that
    had been served by then.
    """

    line: str = ""
    served: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    before: dict[str, frozenset[str]] = field(default_factory=dict)
    heard: set[tuple[Name, str]] = field(default_factory=set)


@dataclass(slots=True)
class Evidence:
    """State of the examination. ``told`` are the results by transaction, on screen and on paper, the newest last.

    ``about`` are the rows that name another as their original, ``in_batch`` those of a batch, ``moves`` what
    postings did for a transaction, ``worth`` what they did for a batch by reason, in fen to the merchant.
    ``reversals`` are what terminals asked to be undone, ``questions`` what the host was given on a line and has not
    answered yet, ``harmless`` what stands in messages and is no secret, whatever it looks like, ``decided`` what
    the host decided of a question that had come under its keys. ``sensitive`` are the last proofs of a card that
    passed. ``net_fen`` and ``fees_fen`` are what all rows say together, ``accounts_by_reason`` what postings say:
    by kind of account and reason. ``fee_due_fen`` is what a row was to cost when it was captured first,
    ``turnover_fen`` the turnover of each device by its rows, ``answered_at_fen`` what that was when the host wrote
    an answer down, by the key of the answer; ``said_at`` is the host's time at which it first let an answer go.
    ``cables`` are lines that nobody hangs up.
    """

    ledger: Ledger
    completion_percent: int = COMPLETION_PERCENT
    now_s: Callable[[], int] = lambda: 0
    image_of: Callable[[Name], bytes] = lambda name: b""
    about: dict[Name, list[Name]] = field(default_factory=lambda: defaultdict(list))
    in_batch: dict[tuple[str, str], list[Name]] = field(default_factory=lambda: defaultdict(list))
    moves: dict[Name, Moves] = field(default_factory=lambda: defaultdict(Moves))
    worth: dict[tuple[str, str], dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    reversals: dict[Name, list[Fact]] = field(default_factory=lambda: defaultdict(list))
    questions: dict[str, list[Question]] = field(default_factory=lambda: defaultdict(list))
    approved: dict[Name, Fact] = field(default_factory=dict)
    settled: dict[Name, str] = field(default_factory=dict)
    harmless: set[bytes] = field(default_factory=set)
    seats: dict[str, Seat] = field(default_factory=lambda: defaultdict(Seat))
    net_fen: int = 0
    fees_fen: int = 0
    fee_due_fen: dict[Name, int] = field(default_factory=dict)
    tills: dict[str, Till] = field(default_factory=dict)
    asked: dict[Name, Fact] = field(default_factory=dict)
    answers: dict[tuple[Name, str], Fact] = field(default_factory=dict)
    decided: dict[tuple[Name, str], Fact] = field(default_factory=dict)
    got: dict[tuple[Name, str], list[Fact]] = field(default_factory=lambda: defaultdict(list))
    told: dict[Name, list[str]] = field(default_factory=lambda: defaultdict(list))
    accounts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    accounts_by_reason: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    turnover_fen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    answered_at_fen: dict[tuple[Any, ...], int] = field(default_factory=dict)
    said_at: dict[bytes, int] = field(default_factory=dict)
    buried: set[Name] = field(default_factory=set)
    lost: set[Name] = field(default_factory=set)
    talks: dict[str, Talk] = field(default_factory=dict)
    serial_of: dict[str, str] = field(default_factory=dict)
    sensitive: deque[bytes] = field(default_factory=lambda: deque(maxlen=8))
    issued_under: dict[bytes, Name] = field(default_factory=dict)
    refused_in_a_row: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    cables: set[str] = field(default_factory=set)

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

    def remember(self, fact: Fact) -> None:
        """Keep what proves a card or its holder: it must stand nowhere when all is over (P2).

        And what may look like a card number and is none (P1): the totals of a settlement, in BCD, and the RRN with the
        authorisation number behind it.
        """
        message = fact.unsealed.message
        if fact.mti == SETTLED and len(fact.totals) == TOTALS_DIGITS:
            self.harmless.add(bytes.fromhex(f"{TOTALS_DIGITS}{fact.totals}"))
        if fact.rrn and fact.auth_id:
            self.harmless.add(f"{fact.rrn}{fact.auth_id}".encode())
        for number in (F.PIN_BLOCK, F.TRACK2, F.TRACK3):
            if message.has(number):
                value = message.fields[number]
                self.sensitive.append(value if isinstance(value, bytes) else value.encode())

    def talk(self, terminal_id: str) -> Talk | None:
        """What passed between the host and the device that has this terminal id now."""
        return self.talks.get(self.serial_of.get(terminal_id, ""))

    def talks_at(self, terminal_id: str) -> list[Talk]:
        """The same of every device that ever had it."""
        serials = {row["serial_number"] for row in self.rows_of("terminals") if row["terminal_id"] == terminal_id}
        return [talk for serial, talk in self.talks.items() if serial in serials | {self.serial_of.get(terminal_id)}]

    def rows_of(self, table: str) -> list[Row]:
        """The rows of a table of the host."""
        return list(self.ledger.tables[table].values())

    def till_row(self, name: Name) -> Entry | None:
        """The terminal's row, None where there is no such terminal or no such row."""
        till = self.tills.get(name[0])
        return till.rows.get(name[1:]) if till else None

    def is_taken_back(self, name: Name) -> bool:
        """Did the host take a captured row back after its batch was closed, by an adjustment in an open one?"""
        return self._has_about(name, "late_reversal")

    def stands(self, name: Name) -> bool:
        """Is it captured at the host, by its row, or by an adjustment that gave back what a void had taken?"""
        state = self.row(name).get("state")
        if state == "voided":
            return self._has_about(name, "late_restoration")
        return state == "captured" and not self.is_taken_back(name)

    def is_dropped(self, name: Name) -> bool:
        """Did a supervisor drop it at the terminal, or what was to undo it, before the host had answered?"""
        rows = self.tills[name[0]].rows if name[0] in self.tills else {}
        return any(row.state == DROPPED and name[1:] in (key, row.original) for key, row in rows.items())

    def is_proven(self, fact: Fact) -> bool:
        """Is its MAC by keys that the host issued to a device of this terminal id? Said of all where none is known."""
        talks = self.talks_at(fact.terminal_id)
        return not self.talks or any(talk.version_of_keys(fact) >= 0 for talk in talks)

    def has_come(self, fact: Fact) -> bool:
        """Did this question come before? Its answer is kept, or waits for its commit, and may never leave."""
        waiting = (each for line in self.questions.values() for each in line if not each.is_doubtful)
        is_asked = any((each.fact.key, each.fact.mti) == (fact.key, fact.mti) for each in waiting)
        return is_asked or (*fact.key, fact.mti) in self.ledger.tables["replies"]

    def _has_about(self, name: Name, kind: str) -> bool:
        return any(row.get("kind") == kind for row in map(self.row, self.about.get(name, ())))

    def name_of(self, terminal_id: str, stan: str) -> Name:
        """The transaction that a STAN means at a terminal now."""
        batch, _ = self.tills[terminal_id].latest.get(stan, ("", stan))
        return terminal_id, batch, stan
