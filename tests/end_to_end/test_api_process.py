"""The API of a host process: on a port, by a token from the command line, and gone with the host."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.shop import POSLAB, environment, poslab, serving


def api_of(directory: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """A host with an API, and its URL."""
    words = [*POSLAB, "host", "--json", "--listen", "tcp://127.0.0.1:0", "--db", "host.db", *options]
    process = subprocess.Popen(
        words, cwd=directory, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline() or "{}").get("api", "")


def test_the_api_lives_and_dies_with_the_host(tmp_path: Path) -> None:
    """Ctrl-C would leave a port behind, or be taken by the web server from the host."""
    process, url = api_of(tmp_path, "--api", "127.0.0.1:0", "--log-json")
    try:
        made = poslab("admin", "token", "create", "li", "operator", "--db", "host.db", "--json", cwd=tmp_path)
        headers = {"authorization": f"Bearer {json.loads(made.stdout)['token']}"}
        assert httpx.get(f"{url}/health/ready").json()["ready"] is True
        assert httpx.get(f"{url}/v1/terminals", headers=headers).json() == {"items": [], "next_offset": None}
        assert httpx.post(f"{url}/v1/models", headers={**headers, "origin": "http://evil.example"}).status_code == 403
        assert "poslab_commits_total" in httpx.get(f"{url}/metrics").text
        assert httpx.get(url, headers={"host": "evil.example"}).status_code == 403
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in said
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--api", "0.0.0.0:0"], "can be reached from afar"),
        (["--api", "0.0.0.0:0", "--api-public"], "nobody has a token"),
        (["--api", "nonsense"], "is no address"),
        (["--api", "127.0.0.1:99999"], "is no address"),
    ],
)
def test_an_api_that_must_not_be_is_one_line(tmp_path: Path, options: list[str], told: str) -> None:
    """A host of a laboratory would stand open to the whole building."""
    done = poslab("host", "--listen", "tcp://127.0.0.1:0", "--db", "host.db", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_api_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    """Two hosts on one port would both seem to run."""
    with serving(tmp_path) as other:
        busy = f"127.0.0.1:{other.port}"
        (tmp_path / "second").mkdir()
        done = poslab("host", "--listen", "tcp://127.0.0.1:0", "--api", busy, cwd=tmp_path / "second")
    assert done.returncode == 2
    assert f"cannot listen on {busy}" in done.stderr


def test_a_broken_audit_stops_the_start_and_names_the_row(tmp_path: Path) -> None:
    """A host would serve from a book that somebody has worked on (faults H08)."""
    import sqlite3

    with serving(tmp_path) as host:
        host.admin("add-model", "M1", "b", "mpos")
        host.admin("add-model", "M2", "b", "mpos")
    with sqlite3.connect(tmp_path / "host.db") as database:
        number = database.execute("SELECT max(number) FROM audit").fetchone()[0]
        database.execute("UPDATE audit SET actor = 'somebody' WHERE number = ?", (number,))
    database.close()
    done = poslab("host", "--listen", "tcp://127.0.0.1:0", "--db", "host.db", cwd=tmp_path)
    assert done.returncode == 3
    assert f"audit row {number}" in done.stderr
    found = poslab("admin", "audit", "verify", "--db", "host.db", "--json", cwd=tmp_path)
    assert [row["number"] for row in json.loads(found.stdout)["breaches"]] == [number]


def test_the_master_key_is_rotated_under_a_host_that_runs(tmp_path: Path) -> None:
    """A key that leaked would stay until the next night without sales."""
    with serving(tmp_path) as host:
        before = (tmp_path / "host.db.key").read_bytes()
        host.admin("register", "10000001", "898100000000001")
        assert host.admin("keys", "rotate-master")["rotated"] is True
        assert (tmp_path / "host.db.key").read_bytes() != before
        host.admin("show", "TID10000001")
    with serving(tmp_path) as host:
        assert host.admin("audit", "verify")["whole"] is True


def test_help_does_not_load_the_web(tmp_path: Path) -> None:
    """Every command would start a third of a second later."""
    code = "import sys, pos_lab.commands.host, pos_lab.commands.admin; print([m for m in sys.modules if m in %r])"
    heavy = ["fastapi", "uvicorn", "prometheus_client", "structlog", "sqlalchemy"]
    done = subprocess.run(
        [sys.executable, "-c", code % heavy[:4]], cwd=tmp_path, env=environment(), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


NAME = "\u202eEvil\x1b]0;owned\x07<img onerror=alert(1)>"


def test_a_hostile_name_is_text_on_the_screen(tmp_path: Path) -> None:
    """A merchant's name would take over the terminal window of the operator (invariant P3)."""
    import sqlite3

    with serving(tmp_path) as host:
        host.admin("register", "10000001", "898100000000001")
    with sqlite3.connect(tmp_path / "host.db") as database:
        database.execute("UPDATE merchants SET name = ?", (NAME,))
    database.close()
    for act in (("page", "merchants"), ("merchants",)):
        shown = poslab("admin", *act, "--db", "host.db", cwd=tmp_path).stdout
        assert "<img onerror=alert(1)>" in shown
        assert all(line.isprintable() for line in shown.splitlines())
        told = poslab("admin", *act, "--db", "host.db", "--json", cwd=tmp_path).stdout
        assert "\x1b" not in told
        assert NAME in [row["name"] for rows in json.loads(told).values() if rows for row in rows]
