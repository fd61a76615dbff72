"""The examiner on lines and devices that speak late: which are still served, and what they may still undo."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from pos_lab.sim.checker.evidence import Answered, Question
from pos_lab.sim.checker.examiner import Examiner
from pos_lab.sim.checker.invariants import INVARIANTS
from pos_lab.sim.checker.ledger import WATCHED
from pos_lab.sim.checker.wire import fact_of
from protocol.codec import seal
from protocol.elements import Value
from protocol.fields import F
from protocol.message import Message
from protocol.private import DeviceInfo, RefusalText

TILL, BATCH = "20000001", "000001"
OLD, NEW = "SIM000000001", "SIM000000002"
SALE, REVERSAL = "0200", "0400"


class Scene:
    """An examiner, and a host that is told what to say."""

    def __init__(self) -> None:
        self.driver = sqlite3.connect(":memory:", isolation_level=None)
        for table, (size, columns) in WATCHED.items():
            key = ", ".join(columns[:size])
            self.driver.execute(f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY ({key}))")
        self.examiner = Examiner(self.driver)

    def write(self, table: str, **row: object) -> None:
        """The host commits a row."""
        columns = WATCHED[table][1]
        values = [row.get(name, 0) for name in columns]
        self.driver.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(columns))})", values)
        self.examiner.look_at_ledger()

    def decide(self, stan: str, mti: str = SALE) -> None:
        """The host decides a question, and keeps the answer."""
        self.write("replies", terminal_id=TILL, batch=BATCH, stan=stan, mti=mti)

    def found(
        self,
        line: str,
        stan: str,
        *,
        mti: str = SALE,
        serial_number: str = OLD,
        is_decided: bool = True,
        code: str = "00",
    ) -> int:
        """A question comes on a line, and is answered there, as soon as it is decided: how often I6 is broken then."""
        question = self.ask(line, stan, mti, serial_number)
        if is_decided:
            self.decide(stan, mti)
        return self.answered(question, code)

    def ask(self, line: str, stan: str, mti: str = SALE, serial_number: str = OLD) -> Question:
        """A question comes on a line."""
        question = self.examiner.asked(line, asking(mti, stan, serial_number))
        assert question is not None
        return question

    def answered(self, question: Question, code: str = "00") -> int:
        """It is answered there: how often I6 is broken then."""
        control = {F.TERMINAL_ID: TILL, F.CONTROL: f"22{BATCH}"}
        fields: dict[int, Value] = {**control, F.STAN: question.fact.stan, F.RESPONSE_CODE: code}
        reply = fact_of(seal(Message(f"{question.fact.mti[:2]}10", fields)))
        assert reply is not None
        asked = next(row for row in INVARIANTS if row.id == "I6")
        return len(list(asked.test(self.examiner.evidence, Answered(question, reply))))

    def answer(self, *, code: str, reason: str, rrn: str) -> None:
        """A sale is asked for, always the same, and the host answers it."""
        assert self.examiner.asked("line", asking(SALE, "000008"))
        fields: dict[int, Value] = {F.STAN: "000008", F.TERMINAL_ID: TILL, F.CONTROL: f"22{BATCH}", F.RRN: rrn}
        fields |= {F.RESPONSE_CODE: code, F.TEXT: str(RefusalText(reason, "", "CUP"))}
        payload = seal(Message("0210", fields), lambda data: bytes(8))
        self.examiner.replied(len(payload).to_bytes(2, "big") + payload, "line")

    def ids(self) -> list[str]:
        """What does not hold."""
        return sorted({violation.id for violation in self.examiner.violations} & {"C1", "I1", "L4", "L5", "W1", "W2"})


def asking(mti: str, stan: str, serial_number: str = OLD, amount_fen: int = 6_000, version: str = "01000000") -> bytes:
    """What a device asks."""
    device = DeviceInfo(serial_number, version, "PX-E90").pack()
    fields: dict[int, Value] = {
        F.AMOUNT: f"{amount_fen:012d}",
        F.STAN: stan,
        F.TERMINAL_ID: TILL,
        F.CONTROL: f"22{BATCH}",
    }
    return seal(Message(mti, {**fields, F.DEVICE: device}))


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Nothing has happened."""
    made = Scene()
    yield made
    made.driver.close()


def test_a_line_that_another_took_over_from_is_served_no_more(scene: Scene) -> None:
    """Two devices could sell as one terminal, and nobody would see it."""
    assert not scene.found("first", "000001")
    assert not scene.found("second", "000002")
    assert scene.found("first", "000003")
    assert not scene.found("second", "000004")


def test_a_line_on_which_only_copies_came_takes_over_from_none_and_is_left(scene: Scene) -> None:
    """A host would be accused that lets a terminal speak on, where somebody has said again what it had said.

    The answer to what was decided need not have been given: its connection, or the certainty of its commit, was gone.
    """
    assert not scene.found("first", "000001")
    scene.decide("000002")
    assert not scene.found("second", "000002", is_decided=False)
    assert not scene.found("first", "000003"), "nobody has taken over from it"
    assert not scene.found("second", "000002", is_decided=False), "nor has the first one from the second"
    assert not scene.found("third", "000004")
    assert scene.found("second", "000002", is_decided=False), "but from both of them now"
    assert scene.found("first", "000005")


@pytest.mark.parametrize("code", ["58", "77"])
def test_a_line_that_was_refused_first_has_spoken(scene: Scene, code: str) -> None:
    """A host would be accused that answers a copy behind a till whose sales it refuses.

    Seed 301426 (adversary, 3 shops of 60): a till on hold was refused, somebody said again what it had sold, and then
    it was released.
    """
    assert not scene.found("first", "000001")
    assert not scene.found("till", "000002", code=code)
    assert not scene.found("stranger", "000001", is_decided=False)
    assert not scene.found("till", "000003")
    assert not scene.found("stranger", "000001", is_decided=False)
    assert scene.found("first", "000004"), "which it took over from, whenever that was"


def test_a_line_on_which_nothing_was_proven_has_not_spoken(scene: Scene) -> None:
    """A host could serve somebody who came before the till did, and is left by it."""
    assert not scene.found("first", "000001")
    assert not scene.found("till", "000002", code="A0", is_decided=False)
    assert not scene.found("stranger", "000001", is_decided=False)
    assert not scene.found("till", "000003")
    assert scene.found("stranger", "000001", is_decided=False)


def test_a_line_on_which_a_refused_question_came_again_has_spoken(scene: Scene) -> None:
    """A host would be accused that answers a copy behind a till which signed on as it was told, and asked once more."""
    assert not scene.found("first", "000001")
    assert not scene.found("first", "000002", code="77")
    assert not scene.found("till", "000002", is_decided=False)
    assert not scene.found("stranger", "000001", is_decided=False)
    assert not scene.found("till", "000003")
    assert not scene.found("stranger", "000001", is_decided=False)
    assert scene.found("first", "000004")


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_copy_that_comes_before_the_commit_is_one(scene: Scene, is_committed: bool) -> None:
    """A host with a slow disk would be accused of a till that begins anew, while somebody says again what it had said:
    one commit decides the sale, whose line is gone, its reversal on the next line, and the copy on a third.
    """
    assert not scene.found("first", "000001")
    asked = scene.ask("first", "000002")
    if not is_committed:
        asked.is_doubtful = True
    reversal, copy = scene.ask("till", "000002", REVERSAL), scene.ask("stranger", "000002")
    for mti in (SALE, REVERSAL):
        scene.decide("000002", mti)
    assert not scene.answered(reversal)
    assert not scene.answered(copy)
    assert bool(scene.found("till", "000003")) is not is_committed, "what nobody decided is no copy"


def test_a_cable_begins_anew_in_place(scene: Scene) -> None:
    """A host would be accused of serving a cable on which somebody begins again: it cannot be hung up."""
    scene.examiner.lay_cable("cable")
    assert not scene.found("cable", "000001")
    assert not scene.found("second", "000002")
    assert not scene.found("cable", "000003")


def test_a_replaced_device_takes_no_line_from_its_successor(scene: Scene) -> None:
    """A host would be accused that lets an old device undo what it began, while the new one sells."""
    assert not scene.found("new", "000002", serial_number=NEW)
    assert not scene.found("old", "000001", mti=REVERSAL)
    assert not scene.found("new", "000003", serial_number=NEW)


@pytest.mark.parametrize(("asked_fen", "finds"), [(0, ["C1"]), (5_000, ["C1"]), (6_000, [])])
def test_a_replaced_device_may_undo_what_it_began(scene: Scene, asked_fen: int, finds: list[str]) -> None:
    """A host would be accused that takes back a sale of a settled batch; or could take back what nobody asked it to.

    Seed 4134 (adversary): a device that was replaced was switched on again, and reversed what it had not heard of.
    """
    row = {"terminal_id": TILL, "batch": BATCH, "stan": "000008", "serial_number": OLD, "amount_fen": 6_000}
    scene.write("merchants")
    scene.write("terminals", serial_number=OLD, terminal_id=TILL, state="replaced")
    scene.write("transactions", **row, kind="sale", state="tombstone", original_stan="")
    if asked_fen:
        scene.examiner.aside(OLD, asking(REVERSAL, "000008", amount_fen=asked_fen), is_sent=True)
    original = {"original_terminal_id": TILL, "original_batch": BATCH, "original_stan": "000008"}
    new = {**row, "batch": "000002", "stan": "H00017", **original}
    scene.write("transactions", **new, kind="late_reversal", state="captured", card_type="debit")
    assert scene.ids() == finds


@pytest.mark.parametrize(("asked", "finds"), [(False, ["C1"]), (True, [])])
def test_what_a_void_took_is_given_back_for_the_reversal_of_the_void(
    scene: Scene, asked: bool, finds: list[str]
) -> None:
    """A host that gives back a sale whose void is reversed late would be accused of inventing it."""
    row = {"terminal_id": TILL, "batch": BATCH, "serial_number": OLD, "amount_fen": 6_000, "card_type": "debit"}
    about = {"original_terminal_id": TILL, "original_batch": BATCH, "original_stan": "000008"}
    scene.write("merchants")
    scene.write("transactions", **row, stan="000008", kind="sale", state="voided", original_stan="")
    scene.write("transactions", **row, **about, stan="000009", kind="sale_void", state="declined")
    if asked:
        scene.examiner.aside(OLD, asking(REVERSAL, "000009"), is_sent=True)
    restored = {**row, **about, "batch": "000002", "stan": "H00018"}
    scene.write("transactions", **restored, kind="late_restoration", state="captured")
    assert scene.ids() == finds


@pytest.mark.parametrize("kind", ["late_reversal", "late_restoration", "sale"])
@pytest.mark.parametrize(
    ("table", "row", "finds"),
    [
        ("holds", {"number": 1, "serial_number": OLD, "reason": "arrears", "released_at": None, "until": None}, "L4"),
        ("models", {"model": "PX-E90", "retired_at": 0}, "L4"),
        ("plans", {"serial_number": OLD, "done_at": None}, "L5"),
    ],
)
def test_what_stands_against_a_device_does_not_keep_it_from_undoing(
    scene: Scene, table: str, row: dict[str, object], finds: str, kind: str
) -> None:
    """A host would be accused that gives a customer his money back, where the terminal owes some; or one that sells.

    Seed 21325 (adversary): a device on hold for arrears was lost, its batch was closed, and then it reversed.
    """
    scene.write("merchants")
    scene.write("terminals", serial_number=OLD, terminal_id=TILL, state="lost" if kind != "sale" else "activated",
                model="PX-E90", firmware="")  # fmt: skip
    about = {"original_terminal_id": TILL, "original_batch": BATCH, "original_stan": "000008", "amount_fen": 6_000}
    new = {"terminal_id": TILL, "batch": "000002", "stan": "000001", "serial_number": OLD, "at": 1}
    scene.write(table, **{"kinds": "", "min_firmware": "", "blocked_firmware": "", **row})
    scene.write("transactions", **new, **about, kind=kind, state="captured", card_type="debit")
    assert set(scene.ids()) - {"C1"} == ({finds} if kind == "sale" else set())


@pytest.mark.parametrize(
    ("known", "barred", "asked", "finds"),
    [
        ("0.9.0", "0.9.0", True, []), ("0.9.0", "1.0.0", True, ["L4"]), ("1.0.0", "1.0.0", True, ["L4"]),
        ("0.9.0", "0.9.0", False, ["L4"]), ("0.9.0", "1.0.0", False, []),
    ],
)  # fmt: skip
def test_a_device_sells_under_the_firmware_that_it_names(
    scene: Scene, known: str, barred: str, asked: bool, finds: list[str]
) -> None:
    """A host would be accused that lets a device sell which has just updated; or not, where the old one was better.

    Seed 303064 (network, 3 shops of 60): the report of a new firmware came late, and the next sale was the first that
    named it.
    """
    scene.write("merchants")
    scene.write("terminals", serial_number=OLD, terminal_id=TILL, state="activated", model="PX-E90", firmware=known)
    scene.write("models", model="PX-E90", retired_at=None, min_firmware="", blocked_firmware=barred)
    if asked:
        scene.ask("line", "000001")
        scene.ask("line", "000001", REVERSAL)
    row = {"terminal_id": TILL, "batch": BATCH, "stan": "000001", "serial_number": OLD, "amount_fen": 6_000, "at": 1}
    scene.write("transactions", **row, kind="sale", state="captured", card_type="debit", original_stan="")
    assert [each for each in scene.ids() if each == "L4"] == finds


@pytest.mark.parametrize(("barred", "finds"), [("0.9.0", []), ("1.0.0", []), ("0.9.0 1.0.0", ["L4"])])
def test_a_device_that_was_updated_between_two_tries_sells_under_either(
    scene: Scene, barred: str, finds: list[str]
) -> None:
    """A host would be accused for what a device ran when it asked the first time, and heard no answer."""
    scene.write("merchants")
    scene.write("terminals", serial_number=OLD, terminal_id=TILL, state="activated", model="PX-E90", firmware="0.9.0")
    scene.write("models", model="PX-E90", retired_at=None, min_firmware="", blocked_firmware=barred)
    assert scene.examiner.asked("dead", asking(SALE, "000001", version="00090000"))
    assert scene.examiner.asked("line", asking(SALE, "000001"))
    row = {"terminal_id": TILL, "batch": BATCH, "stan": "000001", "serial_number": OLD, "amount_fen": 6_000, "at": 1}
    scene.write("transactions", **row, kind="sale", state="captured", card_type="debit", original_stan="")
    assert [each for each in scene.ids() if each == "L4"] == finds


@pytest.mark.parametrize(
    ("kind", "batch_state", "finds"),
    [
        ("late_reversal", "closed", []),
        ("late_restoration", "closed", []),
        ("late_reversal", "open", ["W1"]),
        ("sale", "closed", ["W1"]),
    ],
)
def test_a_till_is_handed_on_with_what_the_host_itself_has_put_into_its_batch(
    scene: Scene, kind: str, batch_state: str, finds: list[str]
) -> None:
    """A till could not be handed on for what no device can settle; or money be left in a batch that nobody closes.

    Seed 700115 (adversary): a device that was lost reversed a sale between the settlement of its successor and the
    exchange of that for a third one.
    """
    old = {"serial_number": OLD, "terminal_id": TILL, "batch": BATCH}
    scene.write("merchants")
    scene.write("terminals", **old, state="activated")
    about = {"original_terminal_id": TILL, "original_batch": "000009", "original_stan": "000008", "amount_fen": 6_000}
    row = {"terminal_id": TILL, "batch": BATCH, "stan": "000001", "serial_number": NEW, "card_type": "debit"}
    scene.write("transactions", **row, **about, kind=kind, state="captured")
    scene.write("batches", terminal_id=TILL, batch=BATCH, state=batch_state)
    scene.write("terminals", **old, state="replaced")
    assert [violation for violation in scene.ids() if violation == "W1"] == finds


REPLACED, REUSED = ("97", "terminal.replaced"), ("94", "request.key_reused")


@pytest.mark.parametrize(
    ("before", "after", "finds"),
    [
        (REPLACED, REPLACED, []),
        (REUSED, REUSED, []),
        (REPLACED, ("00", ""), ["I1"]),
        (("00", ""), REPLACED, ["I1"]),
        (("61", "limit.single"), ("61", "limit.single"), ["I1"]),
    ],
)
def test_a_refusal_under_the_number_of_another_is_not_kept(
    scene: Scene, before: tuple[str, str], after: tuple[str, str], finds: list[str]
) -> None:
    """A host would be accused that spares the numbers of a new device; or a refusal become an approval by a copy.

    Seed 21325 (adversary): somebody said again what a device asked that was replaced, and each refusal had its RRN.
    """
    for rrn, (code, reason) in enumerate((before, after)):
        scene.answer(code=code, reason=reason, rrn=f"{rrn:012d}")
    assert [violation for violation in scene.ids() if violation == "I1"] == finds


def test_a_replaced_device_captures_nothing(scene: Scene) -> None:
    """A device that was sold on could sell under its old name."""
    scene.write("merchants")
    scene.write("terminals", serial_number=OLD, terminal_id=TILL, state="replaced")
    asked = fact_of(asking(SALE, "000008"))
    assert asked is not None
    scene.examiner.evidence.asked[asked.key] = asked
    row = {"terminal_id": TILL, "batch": BATCH, "stan": "000008", "serial_number": OLD, "amount_fen": 6_000}
    scene.write("transactions", **row, kind="sale", state="captured", card_type="debit", original_stan="")
    assert scene.ids() == ["W2"]
