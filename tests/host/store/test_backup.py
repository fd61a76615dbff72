"""Copies of a database that is in use, and what a host knows after one was brought back."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from host.errors import AdminError, StoreError
from host.store.backup import NUMBERS_SKIPPED, backup, restore
from host.store.database import open_store
from tests.host.wire import Lab, Wire, fresh_bytes, refusal
from tests.postgresql import Server

pytestmark = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
TABLES = ("transactions", "postings", "replies", "terminals", "merchants", "audit", "secrets")


def quiet(done: int, total: int) -> None:
    """Nobody looks."""
    assert 0 <= done <= total


def rows(lab: Lab) -> dict[str, list[dict[str, object]]]:
    """What must come back."""
    return {table: lab.rows(table) for table in TABLES}


def test_a_copy_is_brought_back_whole(active: Wire, tmp_path: Path) -> None:
    """After a fire the merchants' money would be gone, or half of it."""
    lab, file = active.lab, tmp_path / "copy"
    active.sell(1_234)
    before = rows(lab)
    backup(lab.url, file, quiet)
    active.sell(5_678)
    lab.store.close()
    restore(lab.url, file, quiet, force=True)
    lab.reopen()
    assert rows(lab) == before
    assert lab.violations() == []
    assert lab.act("verify_audit")["whole"]


def test_a_restored_host_sells_nothing_until_it_is_accepted(active: Wire, tmp_path: Path) -> None:
    """Sales that the host has forgotten would be doubled or lost, and nobody notice (H09)."""
    lab, file = active.lab, tmp_path / "copy"
    backup(lab.url, file, quiet)
    lost = active.sell(1_000)
    lab.store.close()
    restore(lab.url, file, quiet, force=True)
    lab.reopen()
    refused = active.send(active.sale(2_000))
    assert refusal(refused).reason == "host.reconcile"
    assert active.code(active.reversal(1_000, lost.stan)) == "00"
    lab.act("accept_books", note="compared with the slips")
    assert int(active.sell(2_000).rrn) > int(lost.rrn) + NUMBERS_SKIPPED // 2
    with pytest.raises(AdminError, match="was not restored"):
        lab.act("accept_books", note="again")


def test_a_copy_is_of_one_instant(active: Wire, tmp_path: Path) -> None:
    """A copy would hold a sale without its postings, because it was made while terminals sold."""
    lab, file = active.lab, tmp_path / "copy"
    over = threading.Event()

    def sell() -> None:
        while not over.is_set():
            active.sell(100)

    seller = threading.Thread(target=sell)
    seller.start()
    try:
        for number in range(3):
            backup(lab.url, tmp_path / f"copy{number}", quiet)
    finally:
        over.set()
        seller.join()
    with closing(sqlite3.connect(tmp_path / "copy2")) as copy:
        [sales] = copy.execute("SELECT count(*) FROM transactions WHERE kind = 'sale'").fetchone()
        [posted] = copy.execute("SELECT count(*) FROM postings WHERE credit LIKE 'merchant:%'").fetchone()
    assert sales == posted
    assert not file.exists()


def test_nothing_is_overwritten_unasked(active: Wire, tmp_path: Path) -> None:
    """The only good copy would be replaced by one of a broken database."""
    file = tmp_path / "copy"
    file.write_text("mine")
    with pytest.raises(StoreError, match="exists"):
        backup(active.lab.url, file, quiet)
    assert file.read_text() == "mine"
    backup(active.lab.url, file, quiet, force=True)
    active.lab.store.close()
    with pytest.raises(StoreError, match=r"exists|holds a host's data"):
        restore(active.lab.url, file, quiet)
    active.lab.reopen()
    assert active.code(active.sale(100)) == "00"


@pytest.mark.parametrize(
    ("content", "told"), [(None, "no file"), (b"a shopping list" * 90, "cannot be used|no SQLite|not a database")]
)
def test_what_is_no_backup_is_refused(active: Wire, tmp_path: Path, content: bytes | None, told: str) -> None:
    """A wrong file name would empty the database."""
    file = tmp_path / "copy"
    if content is not None:
        file.write_bytes(content)
    before = rows(active.lab)
    active.lab.store.close()
    with pytest.raises(StoreError, match=told):
        restore(active.lab.url, file, quiet, force=True)
    active.lab.reopen()
    assert rows(active.lab) == before


def test_a_copy_moves_to_the_other_kind_of_database(active: Wire, tmp_path: Path, postgresql: Server) -> None:
    """Who outgrows one file would have to begin anew."""
    lab, file = active.lab, tmp_path / "copy"
    sold = active.sell(1_234)
    before = rows(lab)
    backup(lab.url, file, quiet)
    other = str(tmp_path / "moved.db") if lab.store.is_shared else postgresql.database()
    restore(other, file, quiet)
    lab.store.close()
    lab.url = other
    lab.reopen()
    assert rows(lab) == before
    lab.act("accept_books", note="moved")
    assert active.code(active.void(sold)) == "00"
    assert lab.violations() == []
    lab.store.close()
    if not other.endswith(".db"):
        postgresql.drop(other)
    lab.store = open_store(str(tmp_path / "unused.db"), fresh_bytes())
