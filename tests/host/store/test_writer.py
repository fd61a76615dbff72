"""Group commit: what a failing unit may take with it, and when a future may speak (invariants J3, J4)."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import psycopg
import pytest

from host.decision import Insert
from host.errors import StoreError
from host.store import sqlite
from host.store.books import Books
from host.store.database import Store, open_store
from host.store.groups import Job
from protocol.codec import unseal
from protocol.fields import F
from tests.host.wire import Lab, Wire, fresh_bytes

FILE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def note(detail: str) -> Callable[[Books], str]:
    """A unit that writes one audit row."""

    def unit(books: Books) -> str:
        books.write(Insert("audit", {"at": 1, "actor": "t", "serial_number": "", "act": "test", "detail": detail}))
        return detail

    return unit


def in_one_group(store: Store, units: list[Callable[[Books], Any]]) -> list[Future[Any]]:
    """Submit units while the writer is held up, so that they share a commit."""
    go = threading.Event()
    first = store.submit(lambda books: go.wait(10))
    futures = [store.submit(unit) for unit in units]
    go.set()
    first.result(10)
    return futures


def details(lab: Lab) -> list[str]:
    """What was noted, as another connection sees it."""
    connection: Any = psycopg.connect(lab.url) if lab.store.is_shared else sqlite3.connect(lab.path)
    try:
        return [row[0] for row in connection.execute("SELECT detail FROM audit WHERE act = 'test' ORDER BY number")]
    finally:
        connection.close()


def test_a_unit_that_fails_takes_nobody_with_it(lab: Lab) -> None:
    """One odd request would take fifty sales of other shops with it."""

    def odd(books: Books) -> None:
        note("half")(books)
        raise ValueError("odd")

    def twice(books: Books) -> None:
        for _ in range(2):
            books.write(Insert("counters", {"name": "same", "value": 1}))

    futures = in_one_group(lab.store, [note("one"), odd, note("two"), twice, note("three")])
    assert [future.result(10) for future in futures[::2]] == ["one", "two", "three"]
    with pytest.raises(ValueError, match="odd"):
        futures[1].result(10)
    with pytest.raises(StoreError, match=r"UNIQUE|duplicate key"):
        futures[3].result(10)
    assert details(lab) == ["one", "two", "three"]


def test_a_future_speaks_only_of_what_is_durable(lab: Lab) -> None:
    """A sale would be approved that a power cut takes back."""
    seen: list[list[str]] = []
    future = lab.store.submit(note("durable"))
    future.add_done_callback(lambda done: seen.append(details(lab)))
    future.result(10)
    lab.store.run(lambda books: None)
    assert seen == [["durable"]]


def test_nothing_is_seen_before_the_commit(lab: Lab) -> None:
    """Another program would act on a sale that may still vanish."""
    written, go = threading.Event(), threading.Event()

    def unit(books: Books) -> None:
        note("early")(books)
        written.set()
        go.wait(10)

    future = lab.store.submit(unit)
    assert written.wait(10)
    assert details(lab) == []
    assert not future.done()
    go.set()
    future.result(10)
    assert details(lab) == ["early"]


def test_what_was_submitted_cannot_be_cancelled(lab: Lab) -> None:
    """A caller who goes away would kill the writer, and with it every terminal's host."""
    go = threading.Event()
    lab.store.submit(lambda books: go.wait(10))
    future = lab.store.submit(note("done"))
    assert not future.cancel()
    go.set()
    assert future.result(10) == "done"


def test_closing_finishes_what_was_submitted_and_takes_no_more(lab: Lab) -> None:
    """Sales that were accepted while the host was stopped would be lost."""
    futures = in_one_group(lab.store, [note(str(number)) for number in range(300)])
    lab.store.close()
    assert all(future.done() for future in futures)
    with pytest.raises(StoreError, match="closed"):
        lab.store.run(note("late"))
    assert len(details(lab)) == 300


def test_a_reopened_file_has_everything(active: Wire) -> None:
    """A restart would lose the morning."""
    sold = active.sell(1_234)
    before = {table: active.lab.rows(table) for table in ("transactions", "postings", "replies", "terminals", "audit")}
    active.lab.reopen()
    assert before == {table: active.lab.rows(table) for table in before}
    assert active.code(active.reversal(1_234, sold.stan)) == "00"


@FILE
def test_a_full_disk_refuses_the_sale_and_the_host_lives_on(active: Wire) -> None:
    """A full disk would stop the host, or worse, approve sales that are nowhere."""
    lab = active.lab
    _limit_pages(lab.store, 0)
    payload, codes = active.sale(1_234), []
    for _ in range(200):
        code = _code(lab, active.sale(1_234))
        codes.append(code)
        if code == "96":
            break
    assert codes[-1] == "96"
    assert _code(lab, payload) == "96"
    _limit_pages(lab.store, 1_000_000)
    assert _code(lab, payload) == "00"
    assert len(lab.rows("transactions", batch=active.batch)) == codes.count("00") + 1
    assert lab.violations() == []


@FILE
def test_a_full_disk_in_a_group_tells_nobody_yes(active: Wire) -> None:
    """A sale before the one that filled the disk would be approved, and SQLite have rolled it back with the rest."""
    lab = active.lab
    _limit_pages(lab.store, 1)
    payloads = [active.sale(1_000 + number) for number in range(300)]
    futures = [lab.acquirer.submit(payload) for payload in payloads]
    told = []
    for payload, future in zip(payloads, futures, strict=True):
        try:
            answer = future.result(10)
        except StoreError as error:
            answer = lab.acquirer.failure(payload, error)
        told.append(unseal(answer.payload).message.text(F.RESPONSE_CODE))
    assert set(told) <= {"00", "96"}
    assert "96" in told
    _limit_pages(lab.store, 1_000_000)
    rows = lab.rows("transactions", batch=active.batch)
    approved = [1_000 + number for number, code in enumerate(told) if code == "00"]
    assert [row["amount_fen"] for row in rows] == approved
    assert lab.violations() == []


def _limit_pages(store: Store, more: int) -> None:
    """Let the file grow by so many pages and no further."""

    def unit(books: Books) -> None:
        driver = books._connection.connection.cursor()
        [pages] = driver.execute("PRAGMA page_count").fetchone()
        driver.execute(f"PRAGMA max_page_count={pages + more}")

    store.run(unit)


def _code(lab: Lab, payload: bytes) -> str:
    try:
        answer = lab.answer(payload)
    except StoreError as error:
        failure = error
    else:
        return unseal(answer.payload).message.text(F.RESPONSE_CODE)
    assert "database or disk is full" in str(failure)
    answer = lab.acquirer.failure(payload, failure)
    return unseal(answer.payload).message.text(F.RESPONSE_CODE)


def test_a_lock_held_by_somebody_else_is_an_error_and_passes(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup tool that holds the file would hang the host for ever, or kill it."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 20)
    path = tmp_path_factory.mktemp("busy") / "host.db"
    store = open_store(str(path), fresh_bytes())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        store.run(note("locked out"))
    other.execute("ROLLBACK")
    other.close()
    assert store.run(note("again")) == "again"
    store.close()


def test_two_programs_share_a_file_without_losing_anything(lab: Lab) -> None:
    """An operator's command would undo what a terminal just did."""
    other = open_store(lab.url, fresh_bytes("other"), key_file=lab.path.with_name(lab.path.name + ".key"))
    futures = [store.submit(note(f"{number}")) for number in range(50) for store in (lab.store, other)]
    for future in futures:
        future.result(20)
    other.close()
    assert len(details(lab)) == 100


def test_nobody_can_cancel_what_was_asked(active: Wire) -> None:
    """One page that is closed while its request waits would end the writer: no shop could sell any more."""
    lab = active.lab
    future = lab.acquirer.submit(active.sale(100))
    assert not future.cancel()
    assert unseal(future.result(10).payload).message.text(F.RESPONSE_CODE) == "00"
    assert lab.store.submit(note("next")).result(10) == "next"


def test_whoever_cannot_be_told_takes_nobody_with_it(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """One line whose loop has gone would end the writer, and leave those behind it waiting for ever."""

    def told(job: Job) -> None:
        raise RuntimeError("the loop is closed")

    with lab.store.gathering():
        lab.store.post(Job(note("gone"), None, told))
        behind = lab.store.submit(note("behind"))
    assert [behind.result(10), lab.store.submit(note("next")).result(10)] == ["behind", "next"]
    assert details(lab) == ["gone", "behind", "next"]
    assert "the loop is closed" in caplog.text
