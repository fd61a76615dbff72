"""Hosts and terminals as processes, killed again and again while shops sell, and examined in the end.

POSLAB_KILLS=200 makes the long form of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pos_lab import cli
from pos_lab.soak.report import Report
from pos_lab.soak.shops import Setting, Shops
from tests.end_to_end.shop import POSLAB, ROOT, WAIT_S, environment, until
from tests.postgresql import Server

KILLS = int(os.environ.get("POSLAB_KILLS", "3"))
KILL_S = 20
LIFE_S = 240
OURS = frozenset("MSJILCKG")
"""The sections of invariants that are asked of real processes."""
HOW = {
    "sqlite": ("--tls",),
    "postgresql": ("--hosts", "2"),
    "serial": ("--serial",),
}


@contextmanager
def soaking(place: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A soak, whose own files lie in ``place``; nothing of it outlives the block."""
    process = subprocess.Popen(
        [*POSLAB, "soak", "--terminals", "2", *words],
        cwd=ROOT, env=environment(TMPDIR=str(place)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def processes_in(place: Path) -> list[int]:
    """Processes that were started on something in ``place``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(place).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.timeout(LIFE_S + KILLS * KILL_S)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.feature("F")
def test_no_money_is_lost_or_doubled_whoever_is_killed(
    how: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """After a power failure a merchant would be paid twice, or not at all, and nobody would know."""
    words = ["--kills", str(KILLS), "--seed", str(20260301 + len(how)), "--json", *HOW[how]]
    if how == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        db = server.database()
        words += ["--db", db]
    with soaking(tmp_path, *words) as process:
        said, wrong = process.communicate(timeout=LIFE_S + KILLS * KILL_S)
    report: dict[str, Any] = json.loads(said)
    assert (process.returncode, report["verdict"], report["violations"]) == (0, "passed", []), wrong
    assert sum(report["kills"].values()) == KILLS
    assert report["told"]["approved"] > KILLS
    asked = {name for name, count in report["invariants"]["asked"].items() if count}
    not_asked = set(report["invariants"]["asked"]) - asked
    assert not [name for name in not_asked if name[0] in OURS], "an invariant was never asked"
    assert processes_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    if how == "postgresql":
        assert server.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", _name(db)) == []
        server.drop(db)


def _name(db: str) -> str:
    return db.partition("@/")[2].partition("?")[0]


@pytest.mark.timeout(LIFE_S)
async def test_a_host_that_lies_is_found_out(tmp_path: Path) -> None:
    """The soak would pass whatever happens, and every merchant would believe it."""
    shops = Shops(Setting(tmp_path, 0, 1, tmp_path / "host.db", terminals=1))
    async with shops.open():
        cashier = shops.cashiers[0]
        assert await cashier.play("sale", "60.00", "debit", "123456", "")
        assert shops.witness.violations == []
        with shops.table.locked() as driver:
            driver.execute("UPDATE transactions SET amount_fen = amount_fen + 1")
            driver.commit()
        await shops.finish()
    assert {row.id for row in shops.witness.violations} >= {"I2", "M7", "S2"}
    report = Report.of(shops, 1.0)
    assert report.document()["verdict"] == "failed"
    assert list(report.lines("en"))[-1].startswith("FAILED")
    chinese = list(report.lines("zh"))
    assert chinese[-1] == f"未通过：{len(report.violations)}项发现"
    assert any("告知收银员：" in line and "批准" in line for line in chinese)


@pytest.mark.timeout(LIFE_S)
@pytest.mark.parametrize("started", [0, 3])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_it_keeps_nothing(how: signal.Signals, started: int, tmp_path: Path) -> None:
    """Hosts would go on in the background, hold ports, and fill the disk."""
    with soaking(tmp_path, "--kills", "1000") as process:
        until(lambda: len(processes_in(tmp_path)) >= started and list(tmp_path.iterdir()), "it never started")
        process.send_signal(how)
        _, wrong = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130, wrong
    assert "Traceback" not in wrong
    assert processes_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(LIFE_S)
def test_who_kills_it_leaves_no_process(tmp_path: Path) -> None:
    """After a build server's timeout hosts and terminals would sell to each other for ever."""
    with soaking(tmp_path, "--kills", "1000") as process:
        until(lambda: len(processes_in(tmp_path)) >= 3, "host and terminals never started")
        process.kill()
        process.wait(WAIT_S)
    until(lambda: not processes_in(tmp_path), "a host or a terminal goes on")


WRONG = {
    "hosts on a file": (("--hosts", "2"), 2, "postgresql://"),
    "a cable to two": (("--serial", "--tls"), 2, "--serial"),
    "a used file": (("--db", "used.db"), 2, "is there already"),
    "a used key": (("--db", "used"), 2, "used.db is there already"),
    "a used log": (("--db", "other.db"), 2, "other.log is there already"),
    "no folder": (("--db", "nowhere/new.db"), 2, "there is no folder nowhere"),
    "a used folder": (("--keep", "."), 2, "is not empty"),
    "no server": (("--db", "postgresql://nobody@127.0.0.1:1/nothing"), 3, "cannot be used"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_soak_touches_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's books would be overwritten by a test of ours."""
    words, status, hint = WRONG[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("other.log", "used.db"):
        (tmp_path / name).write_text("books", encoding="utf-8")
    done = CliRunner().invoke(cli.app, ["soak", *words])
    assert done.exit_code == status, done.stderr
    assert hint in done.stderr
    left = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert left == {"other.log": "books", "used.db": "books"}


def test_a_database_with_books_is_left_alone(postgresql: Server) -> None:
    """The soak empties what it used: a real lab's database would be gone."""
    db = postgresql.database()
    postgresql.sql("CREATE TABLE books (page integer)", _name(db))
    done = CliRunner().invoke(cli.app, ["soak", "--db", db])
    assert (done.exit_code, "needs an empty database" in done.stderr) == (3, True)
    assert postgresql.sql("SELECT count(*) FROM books", _name(db)) == [(0,)]
    postgresql.drop(db)
