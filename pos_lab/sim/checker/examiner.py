"""The examiner: hears of every durable event, keeps the evidence, and writes down every predicate that fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pos_lab.sim.checker.device import DeviceReader
from pos_lab.sim.checker.evidence import (
    COMPLETION_PERCENT,
    Answered,
    Booted,
    Committed,
    Damage,
    Entered,
    Evidence,
    Loaded,
    Moved,
    Name,
    Printed,
    Question,
    Quiet,
    Received,
    Replied,
    Searched,
    Sent,
    Told,
)
from pos_lab.sim.checker.invariant import FEES, SCHEME, Invariant, fee_of, name_of, original_of, turnover_of, worth_of
from pos_lab.sim.checker.invariants import INVARIANTS
from pos_lab.sim.checker.journal import JournalReader
from pos_lab.sim.checker.ledger import Change, Changes, Driver, LedgerReader
from pos_lab.sim.checker.paper import transactions_on
from pos_lab.sim.checker.privacy import leaks, squeezed
from pos_lab.sim.checker.side_by_side import both_books
from pos_lab.sim.checker.talk import Talk
from pos_lab.sim.checker.wire import FINANCIAL, Fact, fact_of, frames_of

REVERSAL: Final = "0400"
TOLD_MAX: Final = 20
"""How many violations are told with the rows of both books."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, the sentence that says where, and what both books have of what it names."""

    id: str
    rule: str
    finding: str
    books: tuple[str, ...] = ()


class Examiner:
    """Reads the database behind ``driver``, and journals once they are ``watch``ed; ``violations`` is what it found.

    ``now_s`` is the world's time in epoch seconds, ``completion_percent`` the share by which a hold may be completed
    until rules are published. It has seen enough once it found a violation, and one of each of ``until``.
    """

    def __init__(
        self,
        driver: Driver | Changes,
        *,
        until: frozenset[str] = frozenset(),
        now_s: Callable[[], int] = lambda: 0,
        completion_percent: int = COMPLETION_PERCENT,
    ) -> None:
        self.violations: list[Violation] = []
        self._until = until
        self._ledger = LedgerReader(driver)
        self.evidence = Evidence(self._ledger.ledger, completion_percent, now_s)
        if not isinstance(driver, Changes):
            self.evidence.image_of = partial(_stored_image, driver)
        self._journals: dict[str, JournalReader] = {}
        self._said_last: dict[str, bytes] = {}
        self._asked: dict[type[Any], list[Invariant]] = defaultdict(list)
        for invariant in INVARIANTS:
            self._asked[invariant.event].append(invariant)

    @property
    def has_seen_enough(self) -> bool:
        """Is there nothing more to be asked?"""
        return bool(self.violations) and self._until <= {violation.id for violation in self.violations}

    def watch(self, terminal_id: str, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        """Read the journal on this chip from now on; what was read of the till before, on another chip, stays known."""
        earlier = self._journals.get(terminal_id)
        reader = self._journals[terminal_id] = JournalReader(read, size_bytes, earlier.till if earlier else None)
        self.evidence.tills[terminal_id] = reader.till

    def write_off(self, terminal_id: str) -> None:
        """The device is gone, or forgets now: what only its journal knew is lost, and nobody can be blamed.

        The journal is read a last time: what it closed and nobody was told of is not lost.
        """
        self.look_at(terminal_id)
        reader = self._journals[terminal_id]
        reader.begin_anew()
        till = reader.till
        self.evidence.lost.update((terminal_id, *key) for key in till.unresolved)
        till.open_rows.clear()
        till.open_ends.clear()
        till.on_paper |= till.waiting | till.unsigned
        till.waiting.clear()

    def leave(self, terminal_id: str) -> None:
        """Nobody uses the till any more, and what its journal says from now on is no evidence."""
        del self._journals[terminal_id]

    def know(self, device: DeviceReader) -> None:
        """Look at the chips of this device from now on."""
        self.evidence.talks[device.serial_number] = Talk(device)
        self.look_at_device(device.serial_number)

    def fit(self, terminal_id: str, serial_number: str) -> None:
        """A device that is known has this terminal id from now on."""
        self.evidence.serial_of[terminal_id] = serial_number

    def lay_cable(self, line: str) -> None:
        """The host cannot hang this line up: it has no connections."""
        self.evidence.cables.add(line)

    def look_at(self, terminal_id: str) -> list[Moved]:
        """See what a terminal wrote since the last time."""
        reader = self._journals[terminal_id]
        steps = reader.look()
        self.evidence.tills[terminal_id] = reader.till
        for fault in reader.faults:
            invariant, _, words = fault.partition(": ")
            self._ask(Damage(invariant, words))
        reader.faults.clear()
        moves = [Moved(terminal_id, step) for step in steps]
        for move in moves:
            self._ask(move)
        for record in reader.entered:
            self._ask(Entered(terminal_id, record))
        reader.entered.clear()
        self.look_at_device(self.evidence.serial_of.get(terminal_id, ""))
        return moves

    def look_at_device(self, serial_number: str) -> None:
        """See what has changed on the other chips of a device."""
        talk = self.evidence.talks.get(serial_number)
        for event in talk.device.look() if talk else ():
            self._ask(event)

    def aside(self, serial_number: str, payload: bytes, *, is_sent: bool) -> None:
        """What a device says or hears that has no till, or none yet."""
        self.look_at_device(serial_number)
        fact, talk = fact_of(payload), self.evidence.talks.get(serial_number)
        if fact and is_sent and fact.mti == REVERSAL:
            self.evidence.reversals[fact.key].append(fact)  # a device that was replaced still ends what it began
        if fact and talk and is_sent:
            talk.say(fact)
        elif fact and talk:
            talk.hear(fact, self.evidence.said_at.get(payload, 0))

    def look_at_ledger(self) -> list[Change]:
        """See what the host committed since the last time."""
        changes = []
        for change in self._ledger.look():
            self._account(change)
            self._ask(change)
            changes.append(change)
        if changes:
            self._ask(Committed(changes))
        return changes

    def sent(self, terminal_id: str, payload: bytes) -> None:
        """A terminal lets a request go: its journal is read first."""
        self.look_at(terminal_id)
        if fact := fact_of(payload):
            self.evidence.remember(fact)
            self._ask(Sent(terminal_id, fact))
            if fact.mti == REVERSAL:
                self.evidence.reversals[fact.key].append(fact)
            elif fact.mti in FINANCIAL and fact.stan:
                self.evidence.asked.setdefault(fact.key, fact)

    def booted(self, terminal_id: str) -> None:
        """A terminal was switched on and has recovered; what another device's boots did is not about it.

        Nor is an alarm about the keys work of the recovery, where somebody has been at them since the boot before.
        """
        reader = self._journals[terminal_id]
        before, alarms, stood_at = reader.count, reader.alarms, reader.stands_at
        reader.check()
        steps = [move.step for move in self.look_at(terminal_id)]
        talk = self.evidence.talk(terminal_id)
        keys_at = talk.device.times_altered if talk else 0
        news = reader.alarms - alarms if keys_at != reader.keys_at else 0
        self._ask(Booted(terminal_id, steps, reader.count - before - news, stood_at == reader.recovered_at))
        reader.recovered_at, reader.keys_at = reader.stands_at, keys_at

    def asked(self, line: str, payload: bytes) -> Question | None:
        """The host was given a payload on a line; the question that it has to answer, None where it is no message."""
        fact = fact_of(payload)
        if fact is None or not fact.reply_mti:
            return None
        question = Question(line, fact, is_copy=self.evidence.has_come(fact))
        waiting = self.evidence.questions[line]
        waiting[:] = [other for other in waiting if not (other.is_doubtful and other.fact.key == fact.key)]
        waiting.append(question)
        return question

    def forget_questions(self) -> None:
        """The host is dead: nobody will answer."""
        self.evidence.questions.clear()

    def received(self, terminal_id: str, payload: bytes, serial_number: str = "") -> None:
        """A payload has reached a device, that which has the terminal id now unless told."""
        if fact := fact_of(payload):
            self.evidence.got[fact.key, fact.mti].append(fact)
            serial_number = serial_number or self.evidence.serial_of.get(terminal_id, "")
            if talk := self.evidence.talks.get(serial_number):
                talk.hear(fact, self.evidence.said_at.get(payload, 0))
            self._ask(Received(terminal_id, serial_number, fact))

    def replied(self, data: bytes, line: str = "") -> None:
        """The host lets bytes go on a connection, whole frames."""
        for payload in frames_of(data):
            if fact := fact_of(payload):
                self.evidence.said_at.setdefault(payload, self.evidence.now_s())
                for talk in self.evidence.talks_at(fact.terminal_id):
                    talk.tell(fact)
                self.evidence.remember(fact)
                self._ask(Replied(fact, line))
                is_repeat = line in self.evidence.cables and self._said_last.get(line) == payload
                self._said_last[line] = payload
                self._answer(line, fact, is_repeat=is_repeat)

    def _answer(self, line: str, fact: Fact, *, is_repeat: bool) -> None:
        """Replies leave in the order of their requests.

        What a cable garbled is said again byte for byte, and is no answer to one whose commit failed before.
        """
        waiting = self.evidence.questions[line]
        names = (fact.mti, fact.terminal_id, fact.stan)
        fits = [
            question
            for question in waiting
            if (question.fact.reply_mti, question.fact.terminal_id, question.fact.stan) == names
        ]
        certain = [question for question in fits if not question.is_doubtful]
        for question in (certain or ([] if is_repeat else fits))[:1]:
            waiting.remove(question)
            self._ask(Answered(question, fact))

    def told(self, event: Told) -> None:
        """The cashier was told something: the terminal's journal is read first."""
        self.look_at(event.terminal_id)
        if event.stan:
            self.evidence.told[self.evidence.name_of(event.terminal_id, event.stan)].append(event.result)
        self._ask(event)

    def printed(self, terminal_id: str, lines: Iterable[str]) -> None:
        """These lines have come out of a printer; the terminal's journal is read first. A slip says approved."""
        for key in transactions_on(lines):
            self.look_at(terminal_id)
            name = (terminal_id, *key)
            told = self.evidence.told[name]
            if told[-1:] != ["approved"]:
                told.append("approved")
            self._ask(Printed(name))

    def search(self, places: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> None:
        """Look for secrets, by name, wherever something was left."""
        places, harmless = {place: squeezed(content) for place, content in places.items()}, self.evidence.harmless
        self._ask(Searched(places, secrets, harmless))
        proofs = {f"proof {number} of a card": each for number, each in enumerate(self.evidence.sensitive)}
        for finding in leaks(places, proofs, harmless):
            self._found("P2", "no track and no PIN block is left anywhere", finding)

    def loaded(self, event: Loaded) -> None:
        """So much there is of what may pile up."""
        self._ask(event)

    def healed(self) -> None:
        """Nothing fails any more: what a device was told of its standing before does not count."""
        for talk in self.evidence.talks.values():
            talk.why = None

    def quiet(self, lines: frozenset[str] = frozenset()) -> None:
        """Everything is healed and settled; ``lines`` are still open at the host."""
        for terminal_id in self._journals:
            self.look_at(terminal_id)
        self.look_at_ledger()
        self._ask(Quiet(lines))

    def _account(self, change: Change) -> None:
        evidence = self.evidence
        if change.table == "transactions":
            evidence.net_fen += worth_of(change.after) - worth_of(change.before)
            evidence.fees_fen += fee_of(change.after) - fee_of(change.before)
            serial_number = (change.after or change.before)["serial_number"]
            evidence.turnover_fen[serial_number] += turnover_of(change.after) - turnover_of(change.before)
            if not change.before:
                name = name_of(change.after)
                evidence.in_batch[name[:2]].append(name)
                if change.after["original_stan"]:
                    evidence.about[original_of(change.after)].append(name)
        elif change.table == "postings" and not change.before:
            self._post(change.after)
        elif change.table == "replies" and change.after:
            row, serial_number = change.after, evidence.serial_of.get(change.after["terminal_id"], "")
            evidence.answered_at_fen[(*name_of(row), row["mti"])] = evidence.turnover_fen[serial_number]

    def _post(self, row: Mapping[str, Any]) -> None:
        name: Name = name_of(row)
        moves, worth = self.evidence.moves[name], self.evidence.worth[name[:2]]
        for side, sign in (("debit", -1), ("credit", 1)):
            account, fen = row[side], sign * row["amount_fen"]
            self.evidence.accounts[account] += fen
            self.evidence.accounts_by_reason[account.split(":")[0], row["reason"]] += fen
            if account.startswith("merchant:"):
                moves.merchant_fen += fen
                worth[row["reason"]] += fen
            elif account == FEES:
                moves.fee_fen += fen
            elif account == SCHEME:
                moves.scheme_fen -= fen
                moves.captured += row["reason"] == "capture"
                moves.undone += row["reason"] == "undo"

    def _ask(self, event: Any) -> None:
        for invariant in self._asked[type(event)]:
            for finding in invariant.test(self.evidence, event):
                self._found(invariant.id, invariant.english, finding)

    def _found(self, invariant: str, rule: str, finding: str) -> None:
        books = both_books(self.evidence, finding) if len(self.violations) < TOLD_MAX else ()
        self.violations.append(Violation(invariant, rule, finding, books))


def _stored_image(driver: Driver, name: Name) -> bytes:
    """The signature of a transaction as it stands in the database, empty where there is none."""
    terminal_id, batch, stan = (f"{int(part):0{len(part)}d}" for part in name)
    key = f"terminal_id = '{terminal_id}' AND batch = '{batch}' AND stan = '{stan}'"
    found = [row[0] for row in driver.execute(f"SELECT image FROM signatures WHERE {key}")]  # noqa: S608
    return bytes(found[0]) if found else b""
