"""Settlement, batch upload and its end (CUP 7.12, 7.13; invariants S2 to S5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from host.decision import Update
from protocol.elements import Value
from protocol.fields import F
from protocol.kinds import KINDS
from protocol.private import Totals
from tests.host.wire import CREDIT, FOREIGN, Lab, Wire, refusal, totals_of

pytestmark = pytest.mark.feature("M")


def ledger(wire: Wire) -> list[dict[str, Any]]:
    """The captured sales and refunds of the open batch."""
    rows = wire.lab.rows("transactions", terminal_id=wire.terminal_id, batch=wire.batch, state="captured")
    return [row for row in rows if row["kind"] in ("sale", "refund")]


def digest_rows(rows: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """What the terminal's digest is made of."""
    return [(row["stan"], KINDS[row["kind"]].type_code, row["amount_fen"]) for row in rows]


def busy(wire: Wire) -> list[dict[str, Any]]:
    """A batch with everything in it: domestic and foreign, voided, reversed, declined, refunded."""
    first = wire.sell(10_000)
    wire.sell(2_500, CREDIT)
    wire.sell(700, FOREIGN)
    wire.send(wire.refund(first, 1_500))
    wire.send(wire.void(wire.sell(333)))
    wire.send(wire.reversal(444, wire.sell(444).stan))
    wire.send(wire.sale(100, "6200000400000001"))
    return ledger(wire)


def test_totals_that_agree_close_the_batch(active: Wire) -> None:
    """The shop could not close its day."""
    rows = busy(active)
    reply = active.send(active.settlement(totals_of(rows), digest_rows=digest_rows(rows)))
    assert reply.text(F.RESPONSE_CODE) == "00"
    told = Totals.parse(reply.text(F.TOTALS))
    assert (told.domestic.result, told.foreign.result) == (1, 1)
    assert (told.domestic.debit_fen, told.domestic.credit_fen, told.foreign.debit_fen) == (12_500, 1_500, 700)
    assert active.lab.terminal(active.serial_number)["batch"] == "000003"
    [batch] = active.lab.rows("batches", batch="000002")
    assert (batch["state"], batch["balanced"]) == ("closed", True)


@pytest.mark.parametrize(
    ("group", "field", "results"),
    [
        ("domestic", "debit_fen", (2, 1)),
        ("domestic", "debit_count", (2, 1)),
        ("domestic", "credit_fen", (2, 1)),
        ("domestic", "credit_count", (2, 1)),
        ("foreign", "debit_fen", (1, 2)),
        ("foreign", "debit_count", (1, 2)),
    ],
)
def test_every_figure_that_differs_is_noticed(active: Wire, group: str, field: str, results: tuple[int, int]) -> None:
    """A missing sale would be found by the merchant on the bank statement."""
    totals = totals_of(busy(active))
    part = getattr(totals, group)
    changes: dict[str, Any] = {field: getattr(part, field) + 1}
    wrong = replace(totals, **{group: replace(part, **changes)})
    reply = active.send(active.settlement(wrong))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("95", "settlement.unbalanced")
    told = Totals.parse(reply.text(F.TOTALS))
    assert (told.domestic.result, told.foreign.result) == results
    assert active.lab.rows("batches", batch=active.batch)[0]["state"] == "uploading"
    assert active.lab.terminal(active.serial_number)["batch"] == active.batch


def test_errors_that_cancel_out_in_the_sums_show_in_the_digest(active: Wire) -> None:
    """One sale booked a yuan too high and one a yuan too low would pass as balanced for ever."""
    for amount_fen in (1_000, 2_000):
        active.sell(amount_fen)
    rows = ledger(active)
    swapped = [rows[0] | {"amount_fen": 1_100}, rows[1] | {"amount_fen": 1_900}]
    assert totals_of(swapped) == totals_of(rows)
    assert active.code(active.settlement(totals_of(swapped), digest_rows=digest_rows(swapped))) == "95"


def test_an_upload_closes_the_batch_and_names_the_differences(active: Wire) -> None:
    """Two books would differ and nobody would know in which row."""
    for amount_fen in range(100, 1_200, 100):
        active.sell(amount_fen)
    rows = ledger(active)
    kept = {row["stan"]: row["amount_fen"] for row in rows}
    lost, wrong = rows[0]["stan"], rows[1]["stan"]
    kept.pop(lost)
    kept[wrong] += 5
    kept["000999"] = 42
    assert active.code(active.settlement(Totals())) == "95"
    items = list(kept.items())
    for rows_of_message in (items[at : at + 8] for at in range(0, len(items), 8)):
        reply = active.send(active.upload(rows_of_message))
        assert (reply.text(F.RESPONSE_CODE), reply.text(F.TOTALS)) == ("00", f"{len(rows_of_message):02d}")
    assert active.code(active.upload_end(len(kept))) == "00"
    differences = {
        row["stan"]: (row["host_fen"], row["terminal_fen"]) for row in active.lab.act("batches")["differences"]
    }
    assert differences == {lost: (100, None), wrong: (200, 205), "000999": (None, 42)}
    [batch] = active.lab.rows("batches", batch="000002")
    assert (batch["state"], batch["balanced"]) == ("closed", False)
    assert active.lab.terminal(active.serial_number)["batch"] == "000003"
    assert active.lab.violations() == []


def test_an_upload_that_agrees_closes_the_batch_as_balanced(active: Wire) -> None:
    """A shop would be asked about differences that are none."""
    active.sell(100)
    rows = [(row["stan"], row["amount_fen"]) for row in ledger(active)]
    assert active.code(active.settlement(Totals())) == "95"
    for _ in range(2):  # the upload was cut short and began again
        assert active.code(active.upload(rows)) == "00"
    assert active.code(active.upload_end(1)) == "00"
    assert active.lab.act("batches")["differences"] == []
    assert active.lab.rows("batches", batch="000002")[0]["balanced"] is True


def test_an_upload_that_lacks_rows_is_asked_for_again(active: Wire) -> None:
    """Half an upload would close the batch, and the other half never be compared."""
    for _ in range(3):
        active.sell(100)
    rows = [(row["stan"], row["amount_fen"]) for row in ledger(active)]
    assert active.code(active.settlement(Totals())) == "95"
    assert active.code(active.upload(rows[:2])) == "00"
    reply = active.send(active.upload_end(3))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("95", "upload.incomplete")
    assert "2/3" in refusal(reply).chinese
    assert active.code(active.upload(rows)) == "00"
    assert active.code(active.upload_end(3)) == "00"


@pytest.mark.parametrize("network", ["202", "207"])
def test_an_end_without_a_settlement_closes_nothing(active: Wire, network: str) -> None:
    """An open batch would be closed by a message that belongs to yesterday's."""
    active.sell(100)
    assert active.reason(active.upload_end(0, network=network)) == "upload.uncalled"
    assert active.lab.terminal(active.serial_number)["batch"] == active.batch
    assert active.lab.rows("batches", batch=active.batch) == []


def test_an_upload_is_no_capture(active: Wire) -> None:
    """Rows that only the terminal has would be paid out without anybody having approved them."""
    active.send(active.settlement(Totals()))
    active.send(active.upload([("000500", 99_999)]))
    assert ledger(active) == []
    assert active.lab.violations() == []


@pytest.mark.parametrize("kind", ["sale", "settlement"])
def test_another_batch_is_refused_with_the_one_that_is_open(active: Wire, kind: str) -> None:
    """A sale would land in a batch that was settled yesterday."""
    payload = active.sale(100, batch="000001") if kind == "sale" else active.settlement(Totals(), batch="000001")
    reply = active.send(payload)
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("77", "terminal.wrong_batch")
    assert active.batch in refusal(reply).chinese


BOOKS = ("batches", "terminals", "uploads", "differences", "transactions", "postings")


def closed(wire: Wire, *, batches_ago: int = 1) -> tuple[str, list[dict[str, Any]]]:
    """A batch whose two sales were settled, and its rows."""
    batch = wire.batch
    wire.sell(1_000)
    wire.sell(2_000, FOREIGN)
    rows = ledger(wire)
    for _ in range(batches_ago):
        assert wire.settle().text(F.RESPONSE_CODE) == "00"
    return batch, rows


@pytest.mark.parametrize("batches_ago", [1, 2])
def test_a_settled_batch_is_settled_again_under_any_stan(active: Wire, batches_ago: int) -> None:
    """A till whose settlement arrived under another trace number than it was sent could settle and sell no more."""
    batch, rows = closed(active, batches_ago=batches_ago)
    before = [active.lab.rows(table) for table in BOOKS]
    again = active.settlement(totals_of(rows), batch=batch, digest_rows=digest_rows(rows))
    reply = active.send(again)
    told = Totals.parse(reply.text(F.TOTALS))
    assert (reply.text(F.RESPONSE_CODE), told.domestic.result, told.foreign.result) == ("00", 1, 1)
    assert active.send(again) == reply
    assert active.code(active.settlement(totals_of(rows), batch=batch)) == "00"
    assert [active.lab.rows(table) for table in BOOKS] == before
    _set_batch(active.lab, active.serial_number, batch)  # a million batches later
    assert active.code(active.settlement(totals_of(rows), batch=batch)) == "00"
    assert active.lab.terminal(active.serial_number)["batch"] == f"{int(batch) + 1:06d}"


@pytest.mark.parametrize("what", ["nothing", "a row less", "another amount", "another row"])
def test_a_settled_batch_is_not_settled_as_another(active: Wire, what: str) -> None:
    """Whoever sends an old batch number could open books that were paid out, or read in the reply what was sold."""
    batch, rows = closed(active)
    first, second = rows
    claimed = {
        "nothing": [],
        "a row less": [first],
        "another amount": [first | {"amount_fen": 1_001}, second],
        "another row": [first | {"stan": "000900"}, second],
    }[what]
    assert active.code(active.settlement(totals_of(rows), batch=batch)) == "00"
    before = [active.lab.rows(table) for table in BOOKS]
    payload = active.settlement(totals_of(claimed), batch=batch, digest_rows=digest_rows(claimed))
    for _ in range(2):
        reply = active.send(payload)
        assert (refusal(reply).reason, reply.has(F.TOTALS)) == ("terminal.wrong_batch", False)
        assert active.batch in refusal(reply).chinese
    assert [active.lab.rows(table) for table in BOOKS] == before


def test_a_batch_that_was_closed_as_balanced_takes_an_upload_of_what_the_ledger_has(active: Wire) -> None:
    """A till whose settlement's answer was changed on the way to say "not balanced" could settle and sell no more."""
    batch, rows = closed(active)
    before = [active.lab.rows(table) for table in BOOKS]
    first, second = ((row["stan"], row["amount_fen"]) for row in rows)
    for items, code in (
        ([first, second], "00"),
        ([second], "00"),
        ([], "12"),
        ([first, ("000900", 1)], "12"),
        ([(first[0], 1_001), second], "12"),
    ):
        reply = active.send(active.upload(items, batch=batch))
        assert reply.text(F.RESPONSE_CODE) == code
        assert code != "00" or reply.text(F.TOTALS) == f"{len(items):02d}"
    assert active.code(active.upload_end(2, batch=batch)) == "00"
    assert [active.lab.rows(table) for table in BOOKS] == before


@pytest.mark.parametrize(("batch", "following"), [("000001", "000002"), ("999998", "999999"), ("999999", "000001")])
def test_batches_are_counted_and_wrap(wire: Wire, batch: str, following: str) -> None:
    """The terminal after its millionth batch would never settle again."""
    _set_batch(wire.lab, wire.serial_number, batch)
    wire.sign_on()
    assert wire.batch == batch
    wire.sell(100)
    assert wire.settle().text(F.RESPONSE_CODE) == "00"
    assert wire.batch == following
    wire.sell(100)


def _set_batch(lab: Lab, serial_number: str, batch: str) -> None:
    lab.store.run(lambda books: books.write(Update("terminals", {"serial_number": serial_number}, {"batch": batch})))


def test_a_reversal_after_the_close_is_taken_off_the_next_payout(active: Wire) -> None:
    """A reversal that came overnight would be refused, or the payout be wrong by a sale."""
    sold = active.sell(5_000, CREDIT)
    active.sell(7_000, CREDIT)
    active.settle()
    assert active.code(active.reversal(5_000, sold.stan, batch=sold.batch, pan=CREDIT)) == "00"
    assert active.lab.violations() == []
    owed = active.lab.act("payout", merchant_id=active.merchant_id)
    assert owed["total_fen"] == (10_000 - 50) + (5_000 - 30) + (7_000 - 42)
    active.sell(6_000, CREDIT)
    active.settle()
    assert active.lab.act("payout", merchant_id=active.merchant_id)["total_fen"] == (6_000 - 36) - (5_000 - 30)


@pytest.mark.parametrize("totals", ["1" * 61, "1" * 63, ""])
def test_totals_of_another_length_are_malformed(active: Wire, totals: str) -> None:
    """A terminal of another make would close batches with totals that nobody read."""
    fields: dict[int, Value] = {F.STAN: active.stan(), F.TOTALS: totals, F.CURRENCY: "156", F.TEXT: "001"}
    reply = active.send(active.build("settlement", fields))
    assert (reply.text(F.RESPONSE_CODE), reply.text(F.STAN)) == ("30", fields[F.STAN])
    assert active.lab.terminal(active.serial_number)["batch"] == active.batch


@pytest.mark.parametrize("stage", ["open", "closed"])
def test_rows_that_nobody_asked_for_are_not_kept(active: Wire, stage: str) -> None:
    """Rows that were planted in the morning would count as the terminal's own in the evening."""
    batch = active.batch
    active.sell(100)
    if stage == "closed":
        active.settle()
    reply = active.send(active.upload([("000500", 1)], batch=batch))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("12", "upload.uncalled")
    assert active.lab.rows("uploads") == []


def test_a_new_comparison_begins_with_no_rows(active: Wire) -> None:
    """Rows of an upload that was given up would stand beside those of the next and pass for differences."""
    active.sell(100)
    [row] = ledger(active)
    assert active.code(active.settlement(Totals())) == "95"
    assert active.code(active.upload([("000500", 1)])) == "00"
    assert active.code(active.settlement(Totals())) == "95"
    assert active.lab.rows("uploads") == []
    assert active.code(active.upload([(row["stan"], row["amount_fen"])])) == "00"
    assert active.code(active.upload_end(1)) == "00"
    assert active.lab.rows("differences") == []


def test_an_upload_that_begins_again_behind_its_own_end_comes_to_that_end(active: Wire) -> None:
    """A terminal that never heard that its batch is closed could settle no more, and sell no more."""
    active.sell(100)
    batch, [row] = active.batch, ledger(active)
    assert active.code(active.settlement(Totals())) == "95"
    items = [(row["stan"], row["amount_fen"])]
    assert active.code(active.upload(items)) == "00"
    assert active.code(active.upload_end(1)) == "00"
    before = [active.lab.rows(table) for table in ("batches", "terminals", "uploads", "differences")]
    reply = active.send(active.upload(items, batch=batch))
    assert (reply.text(F.RESPONSE_CODE), reply.text(F.TOTALS)) == ("00", "01")
    for other in ([(row["stan"], 99)], [("000500", 100)]):
        assert active.reason(active.upload(other, batch=batch)) == "upload.uncalled"
    assert active.code(active.upload_end(1, batch=batch)) == "00"
    assert [active.lab.rows(table) for table in ("batches", "terminals", "uploads", "differences")] == before


def test_an_upload_that_was_changed_on_the_way_may_come_as_it_was(active: Wire) -> None:
    """A till whose row arrived with another amount, and which never heard of the end, could settle and sell no more."""
    active.sell(100)
    batch, [row] = active.batch, ledger(active)
    assert active.code(active.settlement(Totals())) == "95"
    assert active.code(active.upload([(row["stan"], 101)])) == "00"
    assert active.code(active.upload_end(1)) == "00"
    assert active.code(active.upload([(row["stan"], 100)], batch=batch)) == "00"
    [uploaded] = active.lab.rows("uploads")
    assert uploaded["amount_fen"] == 101


def test_the_end_of_an_upload_said_again_changes_nothing(active: Wire) -> None:
    """An end whose reply was lost would close the next batch as well."""
    active.sell(100)
    assert active.code(active.settlement(Totals())) == "95"
    first = active.upload_end(0)
    assert active.code(first) == "00"
    before = active.lab.rows("batches"), active.lab.rows("terminals")
    assert active.code(first) == "00"
    assert active.code(active.upload_end(0)) == "00"
    assert (active.lab.rows("batches"), active.lab.rows("terminals")) == before
