"""Several host processes on one port, and the commands that look after a database, as their users call them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.end_to_end.shop import port_of, poslab, serving, until
from tests.postgresql import Server


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_workers_share_a_port_and_end_together(tmp_path: Path, postgresql: Server) -> None:
    """A process would stay behind and hold the port, or a dead one never be replaced."""
    db = postgresql.database()
    with serving(tmp_path, "--workers", "2", db=db) as host:
        pids = host.told["workers"]
        assert len(pids) == 2
        assert port_of(host.url) > 0
        os.kill(pids[1], signal.SIGKILL)
        until(lambda: "is replaced" in host.log, "the supervisor never noticed")
        assert host.end(signal.SIGINT) == 0
        until(lambda: all(_gone(pid) for pid in pids), "a worker outlived the host")
    postgresql.drop(db)


def test_several_workers_need_a_server(tmp_path: Path) -> None:
    """Two hosts on one file would answer from books that the other one writes."""
    done = poslab("host", "--workers", "2", "--db", "lab.db", "--json", cwd=tmp_path)
    assert done.returncode == 3
    assert "one host only" in json.loads(done.stdout)["error"]["message"]


def test_a_database_is_copied_checked_and_brought_back(tmp_path: Path) -> None:
    """An operator would learn in the night of the fire that the commands do not fit together."""
    with serving(tmp_path) as host:
        host.admin("register", "10000001", "898000000000001")
        made = poslab("db", "backup", "copy.poslab", "--db", "host.db", "--json", cwd=tmp_path)
        assert json.loads(made.stdout)["bytes"] > 0, made.stderr
        taken = poslab("db", "restore", "copy.poslab", "--db", "host.db", "--force", cwd=tmp_path)
        assert taken.returncode == 3
        assert "another host runs" in taken.stderr
    again = poslab("db", "backup", "copy.poslab", "--db", "host.db", cwd=tmp_path)
    assert again.returncode == 3
    assert "--force" in again.stderr
    back = poslab("db", "restore", "copy.poslab", "--db", "host.db", "--force", cwd=tmp_path)
    assert back.returncode == 0, back.stderr
    whole = poslab("db", "check", "--db", "host.db", "--json", cwd=tmp_path)
    assert json.loads(whole.stdout)["whole"], whole.stdout
    same = poslab("db", "upgrade", "--db", "host.db", "--json", cwd=tmp_path)
    answer = json.loads(same.stdout)
    assert answer["before"] == answer["after"]


def test_damage_is_found_by_the_check(tmp_path: Path) -> None:
    """A damaged ledger would be paid out."""
    with serving(tmp_path) as host:
        host.admin("register", "10000001", "898000000000001")
    path = tmp_path / "host.db"
    content = bytearray(path.read_bytes())
    content[8192:12288] = bytes(4096)
    path.write_bytes(content)
    done = poslab("db", "check", "--db", "host.db", cwd=tmp_path)
    assert done.returncode in (1, 3)
    assert done.stdout + done.stderr


def test_a_command_that_names_no_database_says_so(tmp_path: Path) -> None:
    """A spelling mistake would be answered by an empty backup."""
    for words in (("backup", "x"), ("check",), ("upgrade",)):
        done = poslab("db", *words, "--db", "nowhere.db", cwd=tmp_path)
        assert done.returncode == 3
        assert "there is no database" in done.stderr
    done = poslab("db", "restore", "nothing", "--db", "new.db", cwd=tmp_path)
    assert done.returncode == 3
    assert list(tmp_path.iterdir()) == []
