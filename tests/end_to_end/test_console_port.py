"""``poslab terminal --console``: another process presses keys and reads the screen."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.shop import POSLAB, ROOT, WAIT_S, HostCommand, environment, is_closed, port_of, poslab

PIN = "123456"
PAN = "6200000100000004"


class Program:
    """A program at the console; ``seen`` is every line that came."""

    def __init__(self, port: int) -> None:
        self._line = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self._lines = self._line.makefile("r", encoding="utf-8")
        self.seen: list[str] = []

    def ask(self, **request: object) -> dict[str, Any]:
        """One request and its reply."""
        self._line.sendall(json.dumps(request).encode() + b"\n")
        while "ok" not in (document := self.next()):
            pass
        return document

    def next(self) -> dict[str, Any]:
        """The next document."""
        line = self._lines.readline()
        assert line, "the console hung up"
        self.seen.append(line)
        document: dict[str, Any] = json.loads(line)
        return document

    def sees(self, text: str) -> None:
        """Wait for a screen, unless it stands there already."""
        if text in " ".join(self.ask(screen=True)["en"]):
            return
        while (event := self.next()).get("event") != "screen" or text not in " ".join(event["en"]):
            pass

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._line.close()


class Served:
    """A ``poslab terminal`` that serves its console."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log
        assert process.stdout is not None
        self.url = json.loads(process.stdout.readline())["console"]
        self.port = port_of(self.url)
        self.programs: list[Program] = []

    def program(self) -> Program:
        """One more program at the console."""
        self.programs.append(Program(self.port))
        return self.programs[-1]

    def end(self, number: int = signal.SIGINT) -> int:
        """Stop it and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)


@contextmanager
def served(host: HostCommand, place: Path, *words: str) -> Iterator[Served]:
    """A console in front of a host, with no traceback at its end."""
    log = place / "terminal.log"
    command = [*POSLAB, "terminal", "--key-card", "card.json", "--connect", host.url, "--json"]
    with log.open("ab") as said:
        process = subprocess.Popen(
            [*command, "--console", "tcp://127.0.0.1:0", *words],
            cwd=place, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True,
        )  # fmt: skip
    terminal = Served(process, log)
    try:
        yield terminal
        assert "Traceback" not in log.read_text(encoding="utf-8"), log.read_text(encoding="utf-8")
    finally:
        for program in terminal.programs:
            program.close()
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=WAIT_S)


def test_a_sale_by_another_program(host: HostCommand, tmp_path: Path) -> None:
    """A test bench could not play cashier and cardholder, or their PIN would stand in its log."""
    host.commission(tmp_path, 1)
    with served(host, tmp_path) as terminal:
        program, watcher = terminal.program(), terminal.program()
        watcher.ask(screen=True)
        program.ask(id=1, do="sale")
        program.sees("enter the amount")
        program.ask(press="1500.00")
        program.ask(key="enter")
        program.sees("present the card")
        program.ask(present="debit:tap")
        program.sees("enter the PIN")
        assert program.ask(state=True)["asks_pin"] is True
        program.ask(pin=PIN)
        program.sees("please sign")
        program.ask(sign=[[[20, 40], [50, 15], [80, 60]], [[110, 20], [140, 60]]])
        ended = program.ask(id="end", wait=True)
        assert (ended["id"], ended["good"]) == ("end", True)
        (sale,) = (outcome for outcome in ended["outcomes"] if outcome["flow"] == "sale")
        assert (sale["result"], sale["amount_fen"]) == ("approved", 1500_00)
        assert "amount: RMB 1500.00" in sale["receipt_en"]
        while watcher.next().get("event") != "idle":
            pass
        assert any('"outcome"' in line for line in watcher.seen)
        assert terminal.end() == 0
        assert is_closed(terminal.port)
    assert host.captured(1) == [1500_00]
    assert host.admin("missing-signatures", "--terminal-id", "40000001")["missing"] == []
    files = b"".join(file.read_bytes() for file in (tmp_path / "till-SHP000000001").rglob("*") if file.is_file())
    said = "".join(program.seen + watcher.seen) + terminal.log.read_text(encoding="utf-8") + host.log
    for secret in (PIN, PAN):
        assert secret not in said
        assert secret.encode() not in files


def test_the_power_is_cut_in_the_middle(host: HostCommand, tmp_path: Path) -> None:
    """A sale that was cut off while the host answered would stay in the books of one side only."""
    host.commission(tmp_path, 2)
    with served(host, tmp_path) as terminal:
        program = terminal.program()
        program.ask(do="sign_in")
        assert program.ask(wait=True)["good"] is True
        program.ask(fault="line.drop_reply")
        program.ask(do="sale", words=["60.00", "debit:tap"])
        program.sees("processing")
        assert program.ask(power="cut")["on"] is False
        assert program.ask(do="echo")["error"]["code"] == "power_off"
        assert program.ask(wait=True)["good"] is False
        program.ask(fault="line.drop_reply", times=0)  # in case the cut was quicker than the host
        assert program.ask(power="on")["on"] is True
        assert program.ask(state=True)["unresolved"] == 1
        assert program.ask(do="reverse")["ok"] is True
        assert program.ask(wait=True)["good"] is True
        assert program.ask(state=True)["unresolved"] == 0
        program.ask(do="sale", words=["40.00", "debit:tap"])
        assert program.ask(wait=True)["good"] is True
        assert terminal.end(signal.SIGTERM) == 0
    with served(host, tmp_path) as terminal:  # the memory outlives the process
        program = terminal.program()
        program.ask(do="settle")
        settled = program.ask(wait=True)
        assert (settled["good"], settled["outcomes"][-1]["detail"]["balanced"]) == (True, "yes")
    assert host.captured(2) == [40_00]


def test_who_means_no_good_harms_nobody(host: HostCommand, tmp_path: Path) -> None:
    """A stray program at the port would end a sale that the cardholder has paid for."""
    host.commission(tmp_path, 3)
    with served(host, tmp_path) as terminal:
        program = terminal.program()
        program.ask(do="sale", words=["60.00"])
        for data in (b"\x00\xff" * 5000 + b"\n", b"x" * (1 << 20) + b"\n", b'{"do": "set', b"[" * 60_000 + b"\n",
                     b'{"id": 1, "state": true}\n' * 20_000, b"GET / HTTP/1.1\r\n\r\n"):  # fmt: skip
            with socket.create_connection(("127.0.0.1", terminal.port), WAIT_S) as hostile:
                hostile.settimeout(0.2)
                try:
                    hostile.sendall(data)
                except OSError:
                    assert len(data) > 100_000  # it never read, so it is not read from
        program.ask(present="debit:tap")
        assert program.ask(wait=True)["good"] is True
        assert terminal.end() == 0
    assert host.captured(3) == [60_00]


def test_the_example_of_the_handbook_sells_as_it_is_written(host: HostCommand, tmp_path: Path) -> None:
    """The first program that somebody copies would not run."""
    host.commission(tmp_path, 4)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/howto.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 10
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    with served(host, tmp_path) as terminal:
        words = [sys.executable, "-W", "ignore", "example.py", str(terminal.port)]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=WAIT_S, check=True)
    assert "amount: RMB 60.00" in done.stdout
    assert host.captured(4) == [60_00]


WRONG = {
    "another machine": (("--console", "tcp://0.0.0.0:0"), 2, "--expose-console"),
    "no TCP": (("--console", "pty:"), 2, "tcp://127.0.0.1:0"),
    "beside --do": (("--console", "tcp://127.0.0.1:0", "--do", "echo"), 2, "--console"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_console_is_a_wrong_call(host: HostCommand, tmp_path: Path, name: str) -> None:
    """Somebody would think that a port is open that is not, or that it is closed to others."""
    words, status, hint = WRONG[name]
    done = poslab("terminal", "--key-card", "card.json", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert hint in done.stderr


def test_a_console_whose_port_is_taken(host: HostCommand, tmp_path: Path) -> None:
    """Two terminals would fight for the same program, or the second one die with a riddle."""
    host.commission(tmp_path, 5)
    done = poslab("terminal", "--key-card", "card.json", "--console", host.url, "--json", cwd=tmp_path)
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "endpoint_in_use"
