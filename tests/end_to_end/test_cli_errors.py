"""What the program says when the environment, the call or a file is wrong: one clear error, the right exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from protocol.codec import seal
from protocol.framing import Len2Framer
from tests.end_to_end.shop import (
    POSLAB,
    WAIT_S,
    HostCommand,
    Till,
    call,
    environment,
    free_port,
    joined,
    poslab,
    serving,
    until,
)
from tests.protocol.samples import ECHO, SALE

LOCAL = "tcp://127.0.0.1:0"


def complaint(*words: str, cwd: Path, status: int) -> str:
    """Run the program, which has nothing to say but one line on standard error; return that line."""
    done = poslab(*words, cwd=cwd)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


# the environment: 3


def test_two_hosts_on_one_port(tmp_path: Path) -> None:
    """Half of the terminals would talk to one host and half to the other."""
    with serving(tmp_path) as first:
        line = complaint("host", "--listen", first.url, "--db", "second.db", cwd=tmp_path, status=3)
        assert str(first.port) in line
        assert "in use" in line
        assert first.is_alive


def _text_file(place: Path) -> Path:
    (place / "notes.txt").write_text("milk, bread\n" * 100)
    return place / "notes.txt"


def _text_file_with_a_key(place: Path) -> Path:
    file = _text_file(place)
    file.with_name("notes.txt.key").write_bytes(bytes(32))
    return file


def _below_a_file(place: Path) -> Path:
    return _text_file(place) / "host.db"


def _no_file(place: Path) -> Path:
    return Path("/proc/none/host.db")


DATABASES = {
    "a text file": (_text_file, "it is no SQLite file"),
    "a text file with a key": (_text_file_with_a_key, "it is no SQLite file"),
    "below a file": (_below_a_file, "cannot be used"),
    "where nothing can be written": (_no_file, "cannot be used"),
}


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_that_cannot_be_one(tmp_path: Path, name: str) -> None:
    """An operator who mistypes --db would see a page of Python."""
    make, why = DATABASES[name]
    database = make(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    line = complaint("host", "--listen", LOCAL, "--db", str(database), cwd=tmp_path, status=3)
    assert str(database) in line
    assert why in line
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("words", [("terminals",), ("show", "PX0000000001"), ("clock", "advance", "1d")])
def test_an_act_on_a_database_that_is_not_there(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A typing error would make a new, empty database, and the act would seem done."""
    assert "nowhere.db" in complaint("admin", *words, "--db", "nowhere.db", cwd=tmp_path, status=3)
    assert list(tmp_path.iterdir()) == []


SCENARIO = str(Path(__file__).parents[2] / "scenarios/money/refund_and_void.yaml")
TOLD = (("--version",), ("--help",), ("check", SCENARIO), ("check", SCENARIO, "--json"), ("run", SCENARIO, "--json"),
        ("check", "nowhere.yaml", "--json"), ("decode", "zz", "--json"))  # fmt: skip
"""Calls that say something on standard output: well, ill, before a command is loaded."""


@pytest.mark.parametrize("words", TOLD, ids=" ".join)
def test_a_full_disk_behind_the_output_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A CI job would keep half a report and go on, or show pages of Python."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*POSLAB, *words], cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (3, b"poslab: standard output: No space left on device\n")


@pytest.mark.parametrize("words", TOLD, ids=" ".join)
def test_a_reader_who_has_gone_is_told_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Who looks at the first lines only would read of a broken pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [*POSLAB, *words], cwd=tmp_path, env=environment(), stdout=gone, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode != 0
    assert done.stderr == b""


@pytest.mark.parametrize("words", ["--version", "--help", "check nowhere.yaml", "check nowhere.yaml --json"])
def test_a_closed_output_is_none(words: str) -> None:
    """Whoever starts it without a standard output would find pages of Python in his log."""
    command = f'exec "$@" {words} >&-'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *POSLAB], env=environment(), stderr=subprocess.PIPE, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if "nowhere" in words else 0)


# the call: 2


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostCommand]:
    """A host that everybody maltreats."""
    with serving(tmp_path_factory.mktemp("errors")) as host:
        yield host


def test_a_terminal_that_there_is_not(host: HostCommand, tmp_path: Path) -> None:
    """A clerk would suspend nothing, or guess at the right serial number."""
    host.admin("register", "10000001", "898000000000001", "--serial-number", "PX0000000001")
    wrong = ("PX000000001", "--db", str(host.database))
    line = complaint("admin", "hold", wrong[0], "dispute", *wrong[1:], cwd=tmp_path, status=2)
    assert "did you mean PX0000000001?" in line
    told = poslab("admin", "show", *wrong, "--json", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (2, "")
    document = json.loads(told.stdout)
    assert document["ok"] is False
    assert document["error"]["code"] == "unknown_terminal"


@pytest.mark.parametrize(
    "words",
    [
        ("hots",),
        ("host", "--lisen", LOCAL),
        ("demo", "--lang", "xx"),
        ("run",),
        ("admin", "registr"),
        ("admin", "register", "10000001"),
        ("check", "--jsn", "x.yaml"),
    ],
    ids=" ".join,
)
def test_a_call_that_is_wrong(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A script would go on as if its command had been carried out."""
    done = poslab(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["tcp:/127.0.0.1:1", "tpc://127.0.0.1:0", "tcp://127.0.0.1:99999", LOCAL + "?bad=1"])
def test_an_endpoint_that_is_none(tmp_path: Path, url: str) -> None:
    """A host would listen somewhere else than the operator believes."""
    line = complaint("host", "--listen", url, "--db", "host.db", cwd=tmp_path, status=2)
    assert url in line


TEN_MISTAKES = """\
scenario: ten mistakes
title: {zh: 十处错误, en: Ten mistakes}
policy: {activasion: 100.00}
terminals:
  old: {serial_number: px1, model: PX-E90, firmware: 2.1.0, terminal_id: 10000001, merchant_id: 898000000000001}
  new: {serial_number: NX0000000002, model: NX-E21, firmware: one, terminal_id: 10000001, merchant_id: 898000000000001}
steps:
  - sale: {terminal: odl, amount: 60.00}
  - sael: {terminal: old, amount: 60.00}
  - sale: {terminal: old, amount: -1}
  - sale: {terminal: old, amount: 1.00, card: gold}
  - advance: {by: 3 weeks}
  - settle: {terminal: old}
    expect: {balanced: maybe}
  - hold: {terminal: old}
"""
MISTAKEN = (
    (3, "activasion"),
    (5, "px1"),
    (6, "one"),
    (8, "odl"),
    (9, "sael"),
    (10, "-1"),
    (11, "gold"),
    (12, "3 weeks"),
    (14, "maybe"),
    (15, "{terminal"),
)
"""The line and what is wrong in it."""


@pytest.mark.parametrize("command", ["check", "run"])
def test_ten_mistakes_of_a_scenario_are_told_at_once(tmp_path: Path, command: str) -> None:
    """An author would mend one mistake, start again and meet the next, ten times."""
    (tmp_path / "wrong.yaml").write_text(TEN_MISTAKES, encoding="utf-8")
    done = poslab(command, "wrong.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    found = re.findall(r"^(?:poslab: )?wrong\.yaml:(\d+):(\d+): .+$", done.stderr, re.MULTILINE)
    lines = TEN_MISTAKES.splitlines()
    assert [(int(line), int(column)) for line, column in found] == [
        (number, lines[number - 1].index(word) + 1) for number, word in MISTAKEN
    ]
    assert done.stderr.count("\n") == 10


# what comes over the wire

STRANGERS = {
    "random bytes": bytes.fromhex("9f3c77e1d00b4a6628"),
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a TLS hello": bytes.fromhex("160301008b0100008703035b90"),
    "an SSH banner": b"SSH-2.0-x\r\n",
    "noise for long": b"\xff" * 100_000,
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_dropped_with_one_line(host: HostCommand, name: str) -> None:
    """A port scanner in the shop's network would stop the sales, or fill the disk with log."""
    before = host.log.count(" closed: ")
    with socket.create_connection(("127.0.0.1", host.port), WAIT_S) as line:
        line.settimeout(WAIT_S)
        try:
            line.sendall(STRANGERS[name])
            assert line.recv(1) == b""
        except ConnectionError:
            pass  # reset instead of closed, as our bytes were not all read
    until(lambda: host.log.count(" closed: ") == before + 1, "one line in the log")
    assert _answers(host)


def test_half_a_frame_harms_nobody(host: HostCommand) -> None:
    """A terminal whose line breaks in the middle of a sale would take the others with it."""
    frame = Len2Framer().wrap(seal(SALE))
    with socket.create_connection(("127.0.0.1", host.port), WAIT_S) as half:
        half.sendall(frame[: len(frame) // 2])
        assert _answers(host)
    assert _answers(host)


def _answers(host: HostCommand) -> bool:
    return call(host.port, seal(ECHO))[11:13] == b"\x08\x30"


async def test_the_host_goes_on_selling(host: HostCommand) -> None:
    """Whoever knocks at the port once would close the shop."""
    for stranger in STRANGERS.values():
        with socket.create_connection(("127.0.0.1", host.port), WAIT_S) as line:
            line.sendall(stranger[:64])
    async with joined(host.url, host.database) as world:
        till = await Till.open(world, 1)
        assert (await till.sell(60_00)).is_good
        await till.assert_sound()
    assert "Traceback" not in host.log


# its end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_host_that_is_told_to_end_ends_well(tmp_path: Path, number: signal.Signals) -> None:
    """A service manager would report a failure at every restart."""
    with serving(tmp_path) as host, socket.create_connection(("127.0.0.1", host.port), WAIT_S) as line:
        line.sendall(b"\x00")
        assert host.end(number) == 0


def test_an_operator_reads_where_the_host_listens(tmp_path: Path) -> None:
    """Nobody would know to which port the terminals must go."""
    port = free_port(Random(3))
    words = [*POSLAB, "host", "--listen", f"tcp://127.0.0.1:{port}", "--db", "host.db"]
    with subprocess.Popen(words, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"listening on tcp://127.0.0.1:{port}\n"
        assert process.stdout.readline() == "database host.db, Ctrl-C ends\n"
        process.terminate()
    assert process.returncode == 0
