"""The bank examiner: it reads what is there, and says what is wrong with it in a sentence."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace

import pytest

from firmware_sim.chip import Chip
from firmware_sim.nvram import RECORD_OVERHEAD_BYTES, Nvram
from firmware_sim.power import Power
from host.store.schema import TABLES
from pos_lab.sim.checker.evidence import Quiet, Told
from pos_lab.sim.checker.examiner import Examiner
from pos_lab.sim.checker.invariants import INVARIANTS
from pos_lab.sim.checker.journal import CLEARED_NOTE, UNDOES, JournalReader, Row, Step
from pos_lab.sim.checker.ledger import WATCHED, Change, LedgerReader
from pos_lab.sim.checker.privacy import SPELLINGS, leaks
from pos_lab.sim.checker.signature import NOT_TAKEN, RESENDS_MAX
from pos_lab.sim.checker.wire import fact_of, frames_of
from protocol.codec import seal
from protocol.elements import Value
from protocol.fields import F
from protocol.framing.stx_frame import stx_frame
from protocol.message import Message
from terminal.book import Book, ClosedBatch, Happening, Signature
from terminal.records import (
    BatchClosed,
    Happened,
    Moved,
    Opened,
    SignatureGivenUp,
    SignatureTaken,
    SignatureTried,
    StanTaken,
    compacted,
    fold,
    spell,
)
from terminal.transaction import Event, Signing, Transaction

SIZE_BYTES = 64 * 1024
BATCH = "000001"
TILL = "20000001"
CARD_NUMBER = "6200000500000000"

SUMMARY = ClosedBatch(
    batch=BATCH, debit_fen=6_000, debit_count=1, credit_fen=0, credit_count=0, digest="", balanced=True, at=0
)


class Bench:
    """A journal that the product writes and the examiner reads."""

    def __init__(self) -> None:
        power = Power()
        power.switch_on()
        self.chip = Chip(SIZE_BYTES)
        self.nvram = Nvram(self.chip, power)
        self.reader = JournalReader(self.chip.read, SIZE_BYTES)
        self.book = Book()

    def write(self, *records: object) -> list[Step]:
        """Append as the terminal does, and look."""
        for record in records:
            self.nvram.append(spell(record))  # type: ignore[arg-type]
            self.book = fold([record], self.book)  # type: ignore[list-item]
        return self.reader.look()


def _row(stan: str, kind: str = "sale", **changes: object) -> Opened:
    row = Transaction(kind=kind, batch=BATCH, stan=stan, amount_fen=6_000, entry_mode="022", **changes)  # type: ignore[arg-type]
    return Opened(row=row)


def _moved(stan: str, event: Event) -> Moved:
    return Moved(batch=BATCH, stan=stan, event=event)


def _noted(what: str, detail: str) -> Happened:
    return Happened(event=Happening(at=0, what=what, detail=detail))


def test_it_reads_what_the_terminal_writes() -> None:
    """The examiner would look at another journal than the terminal has."""
    bench = Bench()
    assert bench.write(StanTaken(stan="000001")) == []
    key = (BATCH, "000002")
    assert bench.write(_row("000002")) == [Step(key, "", "pending")]
    assert bench.write(_moved("000002", Event.DOUBT)) == [Step(key, "pending", "must_reverse")]
    assert bench.reader.till.unresolved == [key]
    assert bench.write(_moved("000002", Event.REVERSE)) == [Step(key, "must_reverse", "reversed")]
    assert bench.reader.till.rows[key] == Row("sale", 6_000, "reversed")
    assert not bench.reader.faults


def test_a_void_moves_its_original() -> None:
    """A voided sale would be looked for in the host's book."""
    bench = Bench()
    void = _row("000003", "sale_void", original_batch=BATCH, original_stan="000002")
    bench.write(_row("000002"), _moved("000002", Event.APPROVE), void)
    assert bench.write(_moved("000003", Event.APPROVE))[1] == Step((BATCH, "000002"), "captured", "voided")


def test_a_rewritten_journal_is_the_same_and_remembers_what_was_settled() -> None:
    """Sales of a settled batch would be forgotten, and never be compared."""
    bench = Bench()
    bench.write(_row("000002"), _moved("000002", Event.APPROVE))
    bench.write(BatchClosed(summary=SUMMARY))
    bench.nvram.rewrite(spell(record) for record in compacted(bench.book))
    assert bench.reader.look() == []
    assert bench.reader.till.rows[BATCH, "000002"].state == "captured"
    assert bench.reader.till.closed[BATCH]["debit_fen"] == 6_000
    assert not bench.reader.faults


def test_a_rewrite_that_loses_a_reversal_is_found() -> None:
    """A reversal that is lost with a compaction would leave the customer charged for ever."""
    bench = Bench()
    bench.write(_row("000002"), _moved("000002", Event.DOUBT))
    bench.nvram.rewrite([])
    bench.reader.look()
    assert bench.reader.faults == ["M12: 000001/000002 was must_reverse and is not in the rewritten journal"]


def test_a_record_that_changes_is_found() -> None:
    """A chip that forgets what it said that it has would be trusted."""
    bench = Bench()
    bench.write(StanTaken(stan="000001"))
    bench.chip._image[24:30] = bytes(6)
    bench.reader.look()
    assert bench.reader.faults == ["J4: a record that was durable has changed"]


def test_a_record_in_the_middle_that_changes_is_found_at_the_next_boot() -> None:
    """Who edits a journal between two boots would be believed, if only the last record is as it was."""
    bench = Bench()
    bench.write(StanTaken(stan="000001"), StanTaken(stan="000002"))
    bench.chip._image[26] ^= 1
    assert bench.reader.look() == []
    assert not bench.reader.faults
    bench.reader.check()
    assert [fault[:3] for fault in bench.reader.faults] == ["J7:"]


def test_room_and_open_ends_are_those_of_the_product() -> None:
    """A terminal that sells with a full journal, or with something unresolved, would be let go on."""
    bench = Bench()
    bench.write(_row("000002"), _row("000003", "refund"), _moved("000002", Event.APPROVE))
    assert bench.reader.till.unresolved == [(BATCH, "000003")]
    assert bench.reader.till.room_bytes == bench.nvram.room_bytes + RECORD_OVERHEAD_BYTES
    bench.write(_moved("000003", Event.DECLINE))
    assert bench.reader.till.unresolved == []


def test_both_books_stand_side_by_side() -> None:
    """Whoever reads a verdict would have to look up three books to see what it says."""
    bench, driver = Bench(), _database()
    examiner = Examiner(driver)
    examiner.watch("20000001", bench.chip.read, SIZE_BYTES)
    bench.write(_row("000002"))
    examiner.told(Told("20000001", "sale", "approved", "000002", 6_000))
    columns, row = WATCHED["transactions"][1], {"terminal_id": "20000001", "batch": BATCH, "stan": "000002"}
    row |= {"kind": "preauth", "state": "captured", "amount_fen": 6_001, "original_stan": ""}
    values = [row.get(name, 0) for name in columns]
    driver.execute(f"INSERT INTO transactions VALUES ({', '.join('?' * len(columns))})", values)
    examiner.look_at_ledger()
    found = {violation.id: violation.books for violation in examiner.violations}
    assert found["M2"] == (
        "20000001/000001/000002  terminal: sale 60.00 pending  |  host: preauth 60.01 captured fee 0.00"
        "  |  cashier: approved",
    )
    driver.close()


def test_it_goes_on_until_it_has_found_what_it_looks_for() -> None:
    """A bug would be told by whatever finds it first, and nobody would know whether the others can."""
    bench, driver = Bench(), _database()
    examiner = Examiner(driver, until=frozenset({"M5", "P1"}))
    examiner.watch("20000001", bench.chip.read, SIZE_BYTES)
    bench.write(_row("000002"))
    examiner.told(Told("20000001", "sale", "approved", "000002", 6_000))
    examiner.told(Told("20000001", "sale", "refused", "000002", 6_000))
    assert examiner.violations
    assert not examiner.has_seen_enough
    examiner.search({"the slip": b"6200000100000004"}, {"the number": b"6200000100000004"})
    assert examiner.has_seen_enough
    driver.close()


def _looked_at(bench: Bench, *rows: Mapping[str, object], batch_state: str = "open") -> Examiner:
    """An examiner who has seen the journal of a till, and a host with these rows in a batch."""
    driver = _database()
    examiner = Examiner(driver)
    examiner.watch(TILL, bench.chip.read, SIZE_BYTES)
    examiner.look_at(TILL)
    usual = {"terminal_id": TILL, "batch": BATCH, "amount_fen": 6_000, "card_type": "debit", "original_stan": ""}
    usual |= {"original_terminal_id": TILL, "original_batch": BATCH}
    whole = {"terminal_id": TILL, "batch": BATCH, "state": batch_state}
    before: list[tuple[str, Mapping[str, object]]] = [("merchants", {}), ("batches", whole)]
    for table, row in [*before, *(("transactions", {**usual, **row}) for row in rows)]:
        columns = WATCHED[table][1]
        values = [row.get(name, 0) for name in columns]
        driver.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", values)
    examiner.look_at_ledger()
    driver.close()
    return examiner


def _when_quiet(examiner: Examiner, invariant: str) -> list[str]:
    """What an invariant finds once everything is quiet."""
    asked = next(each for each in INVARIANTS if (each.id, each.event) == (invariant, Quiet))
    return list(asked.test(examiner.evidence, Quiet()))


def _one_truth(examiner: Examiner) -> list[str]:
    return _when_quiet(examiner, "M1")


SALE = {"stan": "000002", "kind": "sale"}
VOID = {"stan": "000003", "kind": "sale_void", "original_stan": "000002"}
VOID_ROW = _row("000003", "sale_void", original_batch=BATCH, original_stan="000002")


@pytest.mark.parametrize("kind", sorted(UNDOES))
def test_what_a_lost_device_was_undoing_is_undone(kind: str) -> None:
    """A host that voided as it was asked would be accused when the device is lost that could have reversed the void."""
    bench = Bench()
    undoing = _row("000003", kind, original_batch=BATCH, original_stan="000002")
    bench.write(_row("000002"), _moved("000002", Event.APPROVE), undoing)
    examiner = _looked_at(bench, SALE | {"state": UNDOES[kind]}, VOID | {"kind": kind, "state": "captured"})
    assert len(_one_truth(examiner)) == 2, "as long as the device is there, it has to say how its request ended"
    examiner.write_off(TILL)
    assert not _one_truth(examiner)


@pytest.mark.parametrize("ends", [[Event.DECLINE], [Event.DOUBT, Event.REVERSE], []])
def test_a_sale_that_nobody_lost_is_in_both_books(ends: list[Event]) -> None:
    """A host could take any sale of a lost device back, and nobody would ask who had wanted it."""
    bench = Bench()
    bench.write(_row("000002"), _moved("000002", Event.APPROVE), VOID_ROW, *(_moved("000003", end) for end in ends))
    stands = {"state": "captured" if ends else "reversed"}
    examiner = _looked_at(bench, SALE | {"state": "voided"}, VOID | stands)
    examiner.write_off(TILL)
    assert f"{TILL}/{BATCH}/000002 is captured at the terminal and voided at the host" in _one_truth(examiner)


def test_nobody_can_sign_at_a_device_that_is_lost() -> None:
    """A till would be accused of a signature that its customer was to give when the power went for good.

    Seed 87127 (everything): the power went as a sale was approved, and the device was reported lost.
    """
    bench = Bench()
    bench.write(_row("000002", signature=Signing.DUE), _moved("000002", Event.APPROVE))
    examiner = _looked_at(bench, SALE | {"state": "captured"})
    unsigned = f"{TILL}/{BATCH}/000002 needs a signature, and has none on the pad and none on paper"
    assert _when_quiet(examiner, "G1") == [unsigned]
    examiner.write_off(TILL)
    assert not _when_quiet(examiner, "G1")


def _signed() -> tuple[Bench, Examiner]:
    """A sale with a signature that waits, and an examiner who has seen it."""
    bench, driver = Bench(), _database()
    bench.write(_row("000002", signature=Signing.DUE), _moved("000002", Event.APPROVE))
    signature = Signature(batch=BATCH, stan="000002", amount_fen=6_000, rrn="000000000001", image="AAAA")
    bench.write(SignatureTaken(signature=signature))
    examiner = Examiner(driver)
    examiner.watch(TILL, bench.chip.read, SIZE_BYTES)
    examiner.look_at(TILL)
    driver.close()
    return bench, examiner


@pytest.mark.parametrize("rewritten_after", [None, 1, 3])
@pytest.mark.parametrize("tries", [2, 3])
def test_what_was_tried_counts_in_a_rewritten_journal(tries: int, rewritten_after: int | None) -> None:
    """A till would be accused of giving a signature up too soon, or get away with it.

    Seed 148723 (everything): the journal was compacted between the third try and the next request (G3).
    """
    bench, examiner = _signed()
    for tried in range(1, tries + 1):
        bench.write(SignatureTried(batch=BATCH, stan="000002"))
        if tried == rewritten_after:
            bench.nvram.rewrite(spell(record) for record in compacted(bench.book))
            examiner.look_at(TILL)
    bench.write(SignatureGivenUp(batch=BATCH, stan="000002", reason=NOT_TAKEN))
    examiner.look_at(TILL)
    said = [violation.finding for violation in examiner.violations if violation.id == "G3"]
    too_soon = [f"the signature of {TILL}/{BATCH}/000002 is given up after {tries + 1} tries"]
    assert said == ([] if tries == RESENDS_MAX else too_soon)


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_rewritten_journal_says_who_signed_on_paper(is_closed: bool) -> None:
    """A till would be accused of a lost signature that its journal gave up and took up before anybody looked."""
    bench, examiner = _signed()
    assert not _when_quiet(examiner, "G5")
    bench.nvram.rewrite(spell(record) for record in compacted(replace(bench.book, signatures=())))
    examiner.look_at(TILL)
    assert _when_quiet(examiner, "G5") == [
        f"the signature of {TILL}/{BATCH}/000002 is not at the host, waits nowhere, is on no paper"
    ]
    if is_closed:
        bench.write(BatchClosed(summary=SUMMARY))
    bench.write(_noted("signature on paper", f"{BATCH}/000002: {NOT_TAKEN}"))
    bench.write(SignatureGivenUp(batch=BATCH, stan="000002", reason=NOT_TAKEN))
    bench.nvram.rewrite(spell(record) for record in compacted(bench.book))
    examiner.look_at(TILL)
    assert not _when_quiet(examiner, "G5")


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_rewritten_journal_says_what_a_supervisor_dropped(is_noted: bool) -> None:
    """A till would be accused of a reversal that nobody dropped: its journal was full between note and end (M12)."""
    bench = Bench()
    bench.write(_row("000002"), _moved("000002", Event.DOUBT))
    examiner = _looked_at(bench, SALE | {"state": "captured"})
    if is_noted:
        bench.write(_noted(CLEARED_NOTE, f"sale {BATCH}/000002 6000 fen, was must_reverse"))
    bench.nvram.rewrite(spell(record) for record in compacted(bench.book))
    bench.write(_moved("000002", Event.CLEAR))
    examiner.look_at(TILL)
    assert ("M12" in _ids(examiner)) is not is_noted


def test_what_a_device_wrote_last_is_not_lost_with_it() -> None:
    """A hold that was let go at the next device would count as taken back in a batch that was never closed.

    Seed 2728 (power): the settlement was the last thing that the old device wrote; nothing was sent after it.
    """
    bench = Bench()
    bench.write(_row("000002", "preauth"), _moved("000002", Event.APPROVE))
    examiner = _looked_at(bench, SALE | {"kind": "preauth", "state": "voided"})
    assert _one_truth(examiner)
    summary = ClosedBatch(
        batch=BATCH, debit_fen=0, debit_count=0, credit_fen=0, credit_count=0, digest="", balanced=True, at=0
    )
    bench.nvram.append(spell(BatchClosed(summary=summary)))
    examiner.write_off(TILL)
    assert not _one_truth(examiner)


@pytest.mark.parametrize("state", ["expired", "voided"])
@pytest.mark.parametrize(
    ("kind", "batch_state", "finds"), [("preauth", "closed", 0), ("preauth", "open", 1), ("sale", "closed", 1)]
)
def test_a_hold_ends_after_the_batch_that_the_host_closed_alone(
    state: str, kind: str, batch_state: str, finds: int
) -> None:
    """A host would be accused of a hold that ran out, where the device that had taken it was replaced by force.

    Seed 31080 (power): a device forgot everything, and the next one wanted to complete its hold five weeks later.
    """
    bench = Bench()
    bench.write(_row("000002", kind), _moved("000002", Event.APPROVE))
    examiner = _looked_at(bench, SALE | {"kind": kind, "state": state}, batch_state=batch_state)
    examiner.write_off(TILL)
    assert len(_one_truth(examiner)) == finds


@pytest.mark.parametrize(("debit_fen", "is_found"), [(6_000, False), (12_000, True), (5_999, True)])
def test_what_a_supervisor_dropped_excuses_no_other_row(debit_fen: int, is_found: bool) -> None:
    """A merchant's report of a batch with one dropped sale in it could say any sum, and nobody would look."""
    bench = Bench()
    bench.write(_row("000002"), _moved("000002", Event.APPROVE), _row("000003"), _moved("000003", Event.CLEAR))
    summary = ClosedBatch(
        batch=BATCH, debit_fen=debit_fen, debit_count=1, credit_fen=0, credit_count=0, digest="", balanced=False, at=0
    )
    bench.nvram.append(spell(BatchClosed(summary=summary)))
    captured = {"kind": "sale", "state": "captured"}
    examiner = _looked_at(bench, captured | {"stan": "000002"}, captured | {"stan": "000003"})
    difference = {"terminal_id": TILL, "batch": BATCH, "stan": "000003", "host_fen": 6_000, "terminal_fen": None}
    examiner.evidence.ledger.tables["differences"][TILL, BATCH, "000003"] = difference
    asked = next(each for each in INVARIANTS if each.id == "S2" and each.event is Quiet)
    assert bool(list(asked.test(examiner.evidence, Quiet()))) is is_found


def _ids(examiner: Examiner) -> list[str]:
    return [violation.id for violation in examiner.violations]


def _booted(examiner: Examiner, bench: Bench, *records: object) -> None:
    """The terminal is switched on, and its recovery writes these records."""
    examiner.look_at(TILL)
    for record in records:
        bench.nvram.append(spell(record))  # type: ignore[arg-type]
    examiner.booted(TILL)


def test_a_boot_is_held_against_those_of_the_same_device() -> None:
    """A new device that recovers what a cut left pending would be accused, if the old one had written as many records.

    Seed 2984 (power): six records each, and the old device had been switched on behind its sixth.
    """
    old, new, driver = Bench(), Bench(), _database()
    examiner = Examiner(driver)
    examiner.watch(TILL, old.chip.read, SIZE_BYTES)
    examiner.look_at(TILL)
    for number in range(6):
        old.nvram.append(spell(StanTaken(stan=f"{number + 1:06d}")))
    _booted(examiner, old)
    examiner.watch(TILL, new.chip.read, SIZE_BYTES)
    examiner.look_at(TILL)
    for number in range(5):
        new.nvram.append(spell(StanTaken(stan=f"{number + 1:06d}")))
    new.nvram.append(spell(_row("000006")))
    _booted(examiner, new, _moved("000006", Event.DOUBT))
    assert _ids(examiner) == []
    _booted(examiner, new, StanTaken(stan="000007"))
    assert _ids(examiner) == ["J9"], "behind a boot that has recovered, another one has nothing to write"
    driver.close()


def test_a_journal_that_was_rewritten_has_been_at_work() -> None:
    """A terminal that cleared up before a sale, and was cut in it, would be accused of recovering twice."""
    bench, driver = Bench(), _database()
    examiner = Examiner(driver)
    examiner.watch(TILL, bench.chip.read, SIZE_BYTES)
    bench.nvram.append(spell(StanTaken(stan="000001")))
    _booted(examiner, bench)
    bench.nvram.rewrite([spell(StanTaken(stan="000001"))])
    bench.nvram.append(spell(_row("000002")))
    _booted(examiner, bench, _moved("000002", Event.DOUBT))
    bench.nvram.rewrite(bench.nvram.records())
    examiner.booted(TILL)
    assert _ids(examiner) == [], "a memory that mends a torn write in a boot recovers nothing"
    driver.close()


@pytest.mark.parametrize(("fee_fen", "found"), [(36, []), (27, ["S7"])])
def test_a_sale_that_is_given_back_costs_what_it_cost(fee_fen: int, found: list[str]) -> None:
    """A merchant could be charged a rate for a sale that he signed after it, or an honest host be accused."""
    bench, driver = Bench(), _database()
    bench.write(_row("000002"), _moved("000002", Event.APPROVE))
    examiner = Examiner(driver)
    examiner.watch(TILL, bench.chip.read, SIZE_BYTES)
    examiner.look_at(TILL)
    row = {"terminal_id": TILL, "batch": BATCH, "card_type": "credit", "amount_fen": 6_000, "fee_fen": 36}
    row |= SALE | {"state": "captured", "original_stan": ""}
    columns = WATCHED["transactions"][1]
    driver.execute("INSERT INTO merchants VALUES (0, 60, 50, 2500, 38, 60)")
    driver.execute(
        f"INSERT INTO transactions VALUES ({', '.join('?' * len(columns))})", [row.get(name, 0) for name in columns]
    )
    examiner.look_at_ledger()
    driver.execute("UPDATE merchants SET credit_bp = 45")
    driver.execute("UPDATE transactions SET state = 'voided', fee_fen = 0")
    examiner.look_at_ledger()
    driver.execute("UPDATE transactions SET state = 'captured', fee_fen = ?", [fee_fen])
    examiner.look_at_ledger()
    assert [violation.id for violation in examiner.violations if violation.id == "S7"] == found
    driver.close()


@pytest.mark.parametrize(
    ("told", "is_found"),
    [
        (("unknown", "unknown", "approved", "approved"), False),
        (("unknown", "reversed"), False),
        (("paper", "approved", "paper"), False),
        (("approved", "unknown"), True),
        (("refused", "reversed"), True),
        (("paper", "reversed"), True),
        (("unknown", "refused", "paper"), True),
    ],
)
def test_an_end_is_told_once_and_for_good(told: tuple[str, ...], is_found: bool) -> None:
    """A customer would leave with a slip, and the cashier be told later that nothing was paid."""
    bench, driver = Bench(), _database()
    examiner = Examiner(driver)
    examiner.watch("20000001", bench.chip.read, SIZE_BYTES)
    bench.write(_row("000002"))
    for result in told:
        if result == "paper":
            examiner.printed("20000001", ["消费", f"批次号: {BATCH}", "凭证号: 000002", "原凭证号: 000001"])
        else:
            examiner.told(Told("20000001", "sale", result, "000002", 6_000))
    assert ("M5" in {violation.id for violation in examiner.violations}) is is_found
    driver.close()


@pytest.mark.parametrize(("percent", "is_found"), [("", False), ("110", True), ("115", False)])
def test_a_completion_is_held_against_the_rules_in_force(percent: str, is_found: bool) -> None:
    """A guest would pay more than is allowed since yesterday, and the examiner go by what was allowed before."""
    driver = _database()
    examiner = Examiner(driver)
    _insert(driver, "merchants", merchant_id="898000000000001")
    _insert(driver, "transactions", kind="preauth", stan="000002", amount_fen=10_000)
    for version, share in enumerate(filter(None, ("115", percent)), 1):
        content = json.dumps({"preauth": {"completion_percent": int(share)}})
        _insert(driver, "policies", version=version, content=content)
    _insert(
        driver, "transactions", kind="completion", stan="000003", amount_fen=11_500,
        original_terminal_id="20000001", original_batch=BATCH, original_stan="000002",
    )  # fmt: skip
    examiner.look_at_ledger()
    assert ("M9" in {violation.id for violation in examiner.violations}) is is_found
    driver.close()


def _insert(driver: sqlite3.Connection, table: str, **values: object) -> None:
    columns = WATCHED[table][1]
    known = {"terminal_id": "20000001", "batch": BATCH, "merchant_id": "898000000000001", "card_type": "credit"}
    known |= {"state": "captured", "original_stan": ""}
    row = [{**known, **values}.get(name, 0) for name in columns]
    driver.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", row)


def _database() -> sqlite3.Connection:
    driver = sqlite3.connect(":memory:", isolation_level=None)
    for table, (size, columns) in WATCHED.items():
        driver.execute(f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY ({', '.join(columns[:size])}))")
    return driver


def test_it_watches_columns_that_there_are() -> None:
    """The examiner would be blind to a table that was renamed."""
    for table, (size, columns) in WATCHED.items():
        known = TABLES[table]
        assert set(columns) <= {column.name for column in known.c}
        assert columns[:size] == tuple(column.name for column in known.primary_key)


def test_it_sees_what_is_committed_and_nothing_else() -> None:
    """A sale that was rolled back would be held against the host."""
    driver = _database()
    reader = LedgerReader(driver)
    driver.execute("INSERT INTO holds VALUES (1, 'SN1', 'arrears', NULL, 3, NULL, '')")
    row = {"number": 1, "serial_number": "SN1", "reason": "arrears", "released_at": None}
    row |= {"since": 3, "until": None, "kinds": ""}
    assert list(reader.look()) == [Change("holds", {}, row)]
    driver.execute("BEGIN")
    driver.execute("INSERT INTO holds VALUES (2, 'SN1', 'fault', NULL, 3, NULL, '')")
    driver.execute("ROLLBACK")
    assert list(reader.look()) == []
    driver.execute("UPDATE holds SET released_at = 5")
    driver.execute("DELETE FROM holds")
    changed, gone = reader.look()
    assert (changed.before, changed.after["released_at"]) == (row, 5)
    assert (gone.before["released_at"], gone.after) == (5, {})
    driver.close()


def test_facts_are_keys_and_amounts_and_never_a_card() -> None:
    """The story of a failing seed would show a card number."""
    pan = "6200000100000004"
    message = Message(
        "0200",
        {F.PAN: pan, F.AMOUNT: "000000006000", F.STAN: "000007", F.TERMINAL_ID: "20000001", F.CONTROL: "22000001"},
    )
    payload = seal(message)
    fact = fact_of(payload)
    assert fact is not None
    assert (fact.key, fact.amount_fen) == (("20000001", "000001", "000007"), 6_000)
    assert pan not in repr(fact)
    assert fact_of(b"no message") is None
    framed = len(payload).to_bytes(2, "big") + payload
    assert frames_of(framed * 2) == [payload, payload]
    assert frames_of(framed[:-1]) == []
    looks_serial = b"\x02\x00" + bytes(510) + b"\x03\x07"
    assert frames_of(looks_serial) == [looks_serial[2:]]
    assert frames_of(stx_frame(payload)) == [payload]


def test_a_cashier_who_is_told_two_ends_is_heard() -> None:
    """A slip would say approved, and the next screen refused."""
    bench, driver = Bench(), _database()
    examiner = Examiner(driver)
    examiner.watch("20000001", bench.chip.read, SIZE_BYTES)
    bench.write(_row("000002"))
    examiner.told(Told("20000001", "sale", "unknown", "000002", 6_000))
    examiner.told(Told("20000001", "sale", "approved", "000002", 6_000))
    assert not examiner.violations
    examiner.told(Told("20000001", "sale", "refused", "000002", 6_000))
    assert [violation.id for violation in examiner.violations] == ["M5"]
    driver.close()


def test_a_number_is_found_in_every_spelling() -> None:
    """A card's number would stand in a backup in BCD, where nobody looks for digits."""
    blank = b"\xff" * 4096
    for secret in (b"6200000100000004", bytes(range(160, 176))):
        for written in SPELLINGS.values():
            places = {"the chip": blank + b"x" + written(secret) + blank}
            assert [finding[:23] for finding in leaks(places, {"the number": secret})] == ["the chip holds the numb"]
    assert not list(leaks({"the slip": b"620000******0004" + blank}, {"the number": b"6200000100000004"}))


@pytest.mark.parametrize(
    ("mti", "fields"),
    [
        ("0510", {F.TOTALS: f"{CARD_NUMBER[2:]}2{'0' * 47}"}),
        ("0210", {F.RRN: f"00{CARD_NUMBER[:5:-1]}", F.AUTH_ID: CARD_NUMBER[5::-1]}),
    ],
    ids=["totals", "RRN and authorisation"],
)
def test_what_looks_like_a_card_number_and_is_none(mti: str, fields: dict[int, Value]) -> None:
    """A batch of 50,000 yuan, or the 50th sale, would be taken for a card of issuer 62 that somebody wrote down.

    Seed 25 (network) of the totals; 600353 (power), of three shops and sixty intents.
    """
    driver, number = _database(), CARD_NUMBER
    examiner = Examiner(driver)
    payload = seal(Message(mti, {**fields, F.STAN: "000007", F.TERMINAL_ID: "20000001"}))
    assert bytes.fromhex(number) in payload or number[::-1].encode() in payload
    examiner.replied(len(payload).to_bytes(2, "big") + payload)
    examiner.search({"the database": payload}, {"the number": number.encode()})
    assert not examiner.violations
    examiner.search({"the database": payload + bytes.fromhex(number)}, {"the number": number.encode()})
    assert [violation.id for violation in examiner.violations] == ["P1"]
    driver.close()
