"""Host processes whose store fails under them: no wrong answer, a clear state, and recovery, examined in the end.

What a store does in these cases, error by error, is tested in tests/host/store.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pos_lab.host_process import HostProcess
from pos_lab.soak.shops import Setting, Shops
from pos_lab.soak.troubles import TROUBLES
from protocol.errors import TransportError
from tests.postgresql import Server

SALE = ("sale", "60.00", "debit", "123456", "")
PAGE_BYTES = 4096
LIFE_S = 300
AWAY_S = 1.0


def take(database: Path, place: Path) -> Path:
    """Copy a database to which nobody writes, and its key; returns the copy.

    By another program: whoever has the file open here would lose his locks on it.
    """
    place.mkdir()
    files = [path for path in database.parent.glob(f"{database.name}*") if not path.name.endswith(("-shm", ".host"))]
    subprocess.run(["cp", *files, place], check=True)
    return place / database.name


async def told(shops: Shops) -> Mapping[str, Any]:
    """What the cashier hears of a sale."""
    await shops.cashiers[0].play(*SALE)
    outcome = shops.cashiers[0].told[-1]
    assert outcome["result"] != "approved", outcome
    return outcome


def _old_copy(database: Path, old: Path) -> None:
    for path in (database, log_of(database)):
        path.unlink(missing_ok=True)
    for path in (old, log_of(old)):
        if path.exists():
            shutil.copy(path, database.with_name(path.name))


def _no_log(database: Path, old: Path) -> None:
    log_of(database).unlink()


def _bad_pages(database: Path, old: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:  # most pages are in the log alone
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(database.read_bytes())
    middle = len(content) // 2 // PAGE_BYTES * PAGE_BYTES
    for at in range(middle - 8 * PAGE_BYTES, middle + 8 * PAGE_BYTES):
        content[at] ^= 0xFF
    database.write_bytes(content)


def log_of(database: Path) -> Path:
    """What is committed and not in the file yet."""
    return database.with_name(f"{database.name}-wal")


SPOILT: Mapping[str, tuple[Callable[[Path, Path], None], str]] = {
    "an old copy in its place": (_old_copy, "host.reconcile"),
    "its log deleted": (_no_log, ""),
    "pages in its middle overwritten": (_bad_pages, ""),
}
"""What befell the file while no host ran -> how, and the reason that a host gives; "" where it may not even start, or
knows the terminal no more."""


@pytest.mark.timeout(LIFE_S)
async def test_spoilt_files_are_noticed_and_a_good_one_goes_on(tmp_path: Path) -> None:
    """A host would sell from books that have forgotten sales, or that say anything (H08, H09)."""
    database = tmp_path / "host.db"
    shops = Shops(Setting(tmp_path, 0, 1, database, terminals=1))
    async with shops.open():
        (cashier,) = shops.cashiers
        assert await cashier.play(*SALE)
        await shops.hosts.kill(0)
        old = take(database, tmp_path / "old")
        await shops.hosts.boot(0)
        for number, (name, (spoil, reason)) in enumerate(SPOILT.items()):
            assert await cashier.play(*SALE)
            await shops.hosts.kill(0)
            copy = take(database, tmp_path / f"copy{number}")
            spoil(copy, old)
            await _serve_nothing(shops, copy, name, reason)
            await shops.hosts.boot(0)
            assert await cashier.insist("reverse"), name
        await shops.finish()
    assert shops.witness.violations == []


async def _serve_nothing(shops: Shops, database: Path, name: str, reason: str) -> None:
    """A host on a spoilt file does not start and says why, or refuses everything."""
    host = await _started(shops, database)
    if isinstance(host, TransportError):
        assert not reason, f"{name}: {host}"
        assert "damaged" in str(host) or "malformed" in str(host), host
        return
    shops.hosts.adopt(0, host)
    heard = await told(shops)
    assert heard["reason"] == reason if reason else heard["code"] in ("96", "97", ""), f"{name}: {heard}"
    await shops.hosts.kill(0)


async def _started(shops: Shops, database: Path) -> HostProcess | TransportError:
    """A host on a file as it is, or why there is none."""
    try:
        return await HostProcess.start(database, listen=shops.door())
    except TransportError as error:
        return error


@pytest.mark.timeout(LIFE_S)
async def test_a_full_disk_and_a_lock_pass(tmp_path: Path) -> None:
    """The host would have to be started again by somebody at night, or approve what is nowhere (H05, H06)."""
    shops = Shops(Setting(tmp_path, 0, 1, tmp_path / "host.db", terminals=2))
    async with shops.open():
        shops.work()
        await shops.trade(4)
        pids = shops.hosts.pids
        for name in ("disk_full", "locked"):
            assert TROUBLES[name].fits(shops.setting)
            await TROUBLES[name].bring(shops)
            await shops.trade(4)
        assert shops.hosts.pids == pids
        await shops.finish()
    assert shops.witness.told["approved"] > 4
    assert shops.witness.violations == []


@pytest.mark.timeout(LIFE_S)
async def test_a_server_that_goes_and_comes_back(tmp_path: Path, postgresql: Server) -> None:
    """Every restart of the database would need one of every host, or cost a sale (H13, J6)."""
    db = postgresql.database()
    shops = Shops(Setting(tmp_path, 0, 1, tmp_path / "host.db", db=db, hosts=2, terminals=2))
    async with shops.open():
        shops.work()
        await shops.trade(4)
        pids = shops.hosts.pids
        await asyncio.to_thread(postgresql.stop)
        await asyncio.sleep(AWAY_S)
        postgresql.launch()
        await asyncio.to_thread(postgresql.wait)
        await shops.trade(4)
        assert shops.hosts.pids == pids
        await shops.finish()
    assert shops.witness.told["approved"] > 4
    assert shops.witness.violations == []
    postgresql.drop(db)
