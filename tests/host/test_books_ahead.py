"""A host on an old copy of its books, told so by its terminals alone: the witness went with the disk (faults H09)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from host.books_ahead import follows
from host.errors import AdminError
from protocol.fields import F
from tests.host.wire import Lab, Wire, refusal, totals_of


@pytest.fixture
def old_copy(active: Wire, tmp_path: Path) -> Wire:
    """A terminal that settled two batches since the copy was made on which its host stands now."""
    lab = active.lab
    lab.store.close()
    shutil.copy(lab.path, tmp_path / "old.db")
    lab.reopen()
    for _ in range(2):
        active.sell(1_000)
        active.settle()
    lab.store.close()
    for beside in ("-wal", "-shm"):
        lab.path.with_name(lab.path.name + beside).unlink(missing_ok=True)
    shutil.copy(tmp_path / "old.db", lab.path)
    lab.path.with_name(lab.path.name + ".mark").unlink()
    lab.reopen()
    return active


def alarms(lab: Lab) -> list[str]:
    """The alarms of the audit about old books."""
    return [row["detail"] for row in lab.rows("audit", act="alarm") if "old copy" in row["detail"]]


def holds(wire: Wire) -> list[str]:
    return list(wire.lab.act("show", serial_number=wire.serial_number)["holds"])


@pytest.mark.feature("F")
def test_a_terminal_in_a_later_batch_is_not_taken_back_silently(old_copy: Wire) -> None:
    """Two days of sales would be missing, and the first to notice is the merchant's bookkeeper."""
    lab = old_copy.lab
    before = lab.rows("transactions")
    reply = old_copy.send(old_copy.sale(2_000))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("91", "terminal.books_ahead")
    assert "000004" in refusal(reply).chinese
    assert lab.rows("transactions") == before
    assert holds(old_copy) == ["books"]
    old_copy.send(old_copy.sale(2_000))
    assert len(alarms(lab)) == 1


@pytest.mark.feature("F")
def test_a_terminal_that_took_the_older_number_over_is_found_as_well(old_copy: Wire) -> None:
    """A terminal that signs on first would sell on in a batch that it has settled before."""
    lab = old_copy.lab
    old_copy.sign_on()
    assert old_copy.batch == "000002"
    assert holds(old_copy) == [], "a sign-on proves nothing: anybody can send one"
    assert old_copy.code(old_copy.management("command_fetch")) == "00"
    assert (len(alarms(lab)), holds(old_copy)) == (1, ["books"])
    old_copy.sign_on()
    assert old_copy.reason(old_copy.sale(2_000)) in ("hold.books", "terminal.books_ahead")


def test_a_forged_sign_on_holds_nobody(active: Wire) -> None:
    """Anybody on the line could stop every till with one message each."""
    active.sell(100)
    active.send(active.build("sign_in", {F.STAN: "000999"}, network="003", batch="000500"))
    active.sell(100)
    active.sign_on()
    active.sell(100)
    assert (alarms(active.lab), holds(active)) == ([], [])


def test_books_that_were_compared_are_accepted_and_the_terminal_goes_on_where_it_was(old_copy: Wire) -> None:
    """The shop would stay shut, or write into a batch that it has settled."""
    lab, about = old_copy.lab, {"serial_number": old_copy.serial_number, "note": "compared with the slips"}
    old_copy.send(old_copy.sale(2_000))
    assert lab.act("accept_books", **about)["batch"] == "000004"
    old_copy.sell(2_000)
    assert old_copy.settle().text(F.RESPONSE_CODE) == "00"
    assert (holds(old_copy), lab.violations()) == ([], [])
    with pytest.raises(AdminError) as refused:
        lab.act("accept_books", **about)
    assert refused.value.code == "not_ahead"


def test_a_settlement_that_came_too_early_is_taken_once_the_books_are_accepted(old_copy: Wire) -> None:
    """A till asks to settle under one STAN until it is answered: it could never settle again."""
    lab = old_copy.lab
    settlement = old_copy.settlement(totals_of([]))
    assert old_copy.reason(settlement) == "terminal.books_ahead"
    lab.act("accept_books", serial_number=old_copy.serial_number, note="compared with the slips")
    assert old_copy.code(settlement) == "00"


def test_what_ends_old_business_goes_through_meanwhile(old_copy: Wire) -> None:
    """A customer's money would stay taken until the books are compared."""
    stan = old_copy.stan()
    assert old_copy.reason(old_copy.sale(2_000, stan=stan)) == "terminal.books_ahead"
    assert old_copy.code(old_copy.reversal(2_000, stan)) == "00"
    assert old_copy.code(old_copy.management("echo")) == "00"


def test_a_lost_write_ahead_log_is_told_by_the_terminal(active: Wire, tmp_path: Path) -> None:
    """A host whose log was deleted after a crash would begin again at its last checkpoint (H09)."""
    lab = active.lab
    lab.store.close()
    lab.reopen()
    for _ in range(2):
        active.sell(1_000)
        active.settle()
    shutil.copy(lab.path, tmp_path / "without_log.db")  # as kill -9 leaves it, but for the log
    lab.store.close()
    shutil.copy(tmp_path / "without_log.db", lab.path)
    mark = lab.path.with_name(lab.path.name + ".mark")
    seen = mark.read_text()
    lab.reopen()
    assert active.reason(active.sale(2_000)) in ("host.reconcile", "terminal.books_ahead")
    mark.write_text("0\n")
    assert seen != "0\n"
    lab.store.close()
    shutil.copy(tmp_path / "without_log.db", lab.path)
    lab.reopen()
    assert active.reason(active.sale(2_000)) == "terminal.books_ahead"


def test_a_terminal_that_does_not_know_our_extensions_is_sent_to_sign_on(lab: Lab) -> None:
    """A foreign terminal that counts its batches by itself would be stopped for a reason that is none."""
    foreign = Wire(lab, extended=False).activated()
    assert foreign.reason(foreign.sale(100, batch="000900")) == "terminal.wrong_batch"


def test_a_device_that_comes_from_elsewhere_begins_with_the_hosts_number(wire: Wire) -> None:
    """A till with a history at another host could never be attached to this one."""
    assert wire.reason(wire.sale(100, batch="000900")) == "terminal.wrong_batch"
    wire.sell(100)


@pytest.mark.parametrize(
    ("batch", "known", "later"),
    [
        ("000002", "000001", True), ("000001", "000001", False), ("000001", "000002", False),
        ("000001", "999999", True), ("999999", "000001", False), ("      ", "000001", False),
        ("٠٠٠٠٠٢", "000001", False),
    ],
)  # fmt: skip
def test_the_numbers_go_round(batch: str, known: str, *, later: bool) -> None:
    """A till would be stopped on the day of its millionth batch."""
    assert follows(batch, known) is later
