"""``poslab terminal`` in a shell: somebody types at a terminal of the operating system, or a script is piped in."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.shop import POSLAB, WAIT_S, HostCommand, environment, poslab

PIN = "135790"
PAN = "6200000100000004"
ECHO_FLAGS = 3


class Typist:
    """Somebody who types and reads at a terminal of their own."""

    def __init__(self, process: subprocess.Popen[bytes], line: int) -> None:
        self.process = process
        self.line = line
        self.seen = ""
        self._read = 0

    def type(self, text: str) -> None:
        """Type a line and Enter."""
        os.write(self.line, f"{text}\n".encode())

    def see(self, *texts: str) -> None:
        """Wait until these have come, one after the other, behind what was seen before."""
        for text in texts:
            while (at := self.seen.find(text, self._read)) < 0:
                assert self._listen(), f"{text!r} is not in {self.seen[self._read :]!r}"
            self._read = at + len(text)

    def echoes(self) -> bool:
        """Does the terminal show what is typed?"""
        return bool(termios.tcgetattr(self.line)[ECHO_FLAGS] & termios.ECHO)

    def end(self) -> int:
        """Read to the end and return the exit status."""
        while self._listen():
            pass
        return self.process.wait(WAIT_S)

    def _listen(self) -> bool:
        if not select.select([self.line], [], [], WAIT_S)[0]:
            return False
        try:
            data = os.read(self.line, 65536)
        except OSError:
            return False  # the other end is closed
        self.seen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


@contextmanager
def typing(host: HostCommand, place: Path, *words: str) -> Iterator[Typist]:
    """``poslab terminal`` on a terminal, with no traceback at its end."""
    ours, theirs = pty.openpty()
    command = [*POSLAB, "terminal", "--key-card", "card.json", "--connect", host.url, *words]
    process = subprocess.Popen(
        command, cwd=place, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    typist = Typist(process, ours)
    try:
        yield typist
        assert "Traceback" not in typist.seen, typist.seen
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(WAIT_S)
        os.close(ours)


def test_a_sale_step_by_step(host: HostCommand, tmp_path: Path) -> None:
    """The cashier could not sell without knowing every word in advance, or the PIN would stand on the screen."""
    host.commission(tmp_path, 1)
    with typing(host, tmp_path) as shop:
        shop.see("┌────────────────────┐", "│ready               │", "pos> ")
        shop.type("sale")
        shop.see("enter the amount", "sale> ")
        shop.type("60.00")
        shop.see("present the card", "sale> ")
        shop.type("present debit:insert")
        shop.see("enter the PIN", "PIN> ")
        assert not shop.echoes()
        shop.type(PIN)
        shop.see("signing on", "55 ", "pos> ")  # the wrong PIN, and nobody saw it
        assert shop.echoes()
        shop.type("sale 40.00 credit")
        shop.see("PIN> ")
        shop.type("123456")
        shop.see("✓ 00 sale approved", "amount: RMB 40.00", "please sign", "sale> ")
        shop.type("sign loop")
        shop.see("uploading the signature"[:20], "pos> ")
        shop.type("quit")
        assert shop.end() == 1  # one sale was refused
    assert host.captured(1) == [40_00]
    memory = b"".join(file.read_bytes() for file in (tmp_path / "till-SHP000000001").rglob("*") if file.is_file())
    for secret in (PIN, PAN):
        assert secret not in shop.seen + host.log
        assert secret.encode() not in memory


def test_the_plug_is_pulled_and_the_device_remembers(host: HostCommand, tmp_path: Path) -> None:
    """A sale that was cut off would be lost, or its batch forgotten, and money with it."""
    host.commission(tmp_path, 2)
    with typing(host, tmp_path) as shop:
        shop.see("pos> ")
        shop.type("sale 60.00 debit:insert 123456")
        shop.see("✓ 00 sale approved", "please sign")
        shop.type("cut")
        shop.see("the power is off", "off> ")
        shop.type("sale 5.00")
        shop.see("! the power is off")
        shop.type("on")
        shop.see("the power is on", "pos> ")
        shop.type("sale 10.00")
        shop.see("present the card", "sale> ")
        shop.type("settle")
        shop.see("! sale is under way")
        shop.type("\x04")  # nobody leaves a word: the end of the line is one
        os.write(shop.line, b"\x04")
        assert shop.end() == 1
    with typing(host, tmp_path) as shop:
        shop.see("pos> ")
        shop.type("settle")
        shop.see("✓", "pos> ")
        shop.type("exit")
        assert shop.end() == 0
    assert host.captured(2) == [60_00]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_leaves_in_the_middle_leaves_nothing_behind(host: HostCommand, tmp_path: Path, number: int) -> None:
    """The user's own terminal would stay dumb, or the device's memory locked."""
    host.commission(tmp_path, 10 + number)
    with typing(host, tmp_path) as shop:
        shop.see("pos> ")
        shop.type("sale 60.00")
        shop.see("present the card")
        shop.type("present debit:insert")
        shop.see("PIN> ")
        shop.process.send_signal(number)
        assert shop.end() == 1
        assert shop.echoes()
    done = poslab("terminal", "--key-card", "card.json", "--connect", host.url, "--do", "echo", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pin_is_typed_ahead_unseen(host: HostCommand, tmp_path: Path) -> None:
    """Who types a PIN early would show it to everybody."""
    host.commission(tmp_path, 3)
    with typing(host, tmp_path, "--lang", "zh") as shop:
        shop.see("欢迎使用", "pos> ")
        shop.type("pin")
        shop.see("密码> ")
        assert not shop.echoes()
        shop.type("12")
        shop.see("! a PIN has 4 to 12 digits", "pos> ")
        shop.type("help")
        shop.see("sale AMOUNT CARD", "消费", "断电、上电", "pos> ")
        shop.type("sael 5.00")
        shop.see("did you mean 'sale'?", "pos> ")
        shop.type("present 6200000100000004")
        shop.see("unknown card '****************'", "pos> ")
        shop.type("quit")
        assert shop.end() == 0


def test_a_password_of_an_operator_is_not_shown(host: HostCommand, tmp_path: Path) -> None:
    """Every cashier could read the supervisor's password."""
    host.commission(tmp_path, 7)
    with typing(host, tmp_path) as shop:
        shop.see("pos> ")
        shop.type("log_on")
        shop.see("number", "log_on> ")
        shop.type("00")
        for _ in range(2):
            shop.see("password> ")
            assert not shop.echoes()
            shop.type("864209")
        shop.see("has logged on", "pos> ")
        assert shop.echoes()
        shop.type("log_on")
        shop.see("log_on> ")
        shop.type("00")
        shop.see("password> ")
        shop.type("cut")
        shop.see("off> ")
        assert shop.echoes()
        shop.type("quit")
        assert shop.end() == 1
    assert "864209" not in shop.seen


SCRIPT = """\
sale 60.00
present debit:swipe+insert
pin 123456
sign cross
sale 40.00 credit 123456 wave
void 000003
settle
"""


def test_a_script_is_piped_in(host: HostCommand, tmp_path: Path) -> None:
    """A script would run into its own sale, or leave before it is made."""
    host.commission(tmp_path, 4, "PX-A920")
    words = ("terminal", "--key-card", "card.json", "--connect", host.url)
    done = poslab(*words, cwd=tmp_path, given=SCRIPT)
    assert (done.returncode, done.stderr) == (0, "")
    steps = ["present the card", "enter the PIN", "sale approved", "RMB 60.00"]
    places = [done.stdout.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)
    assert "-" * 32 in done.stdout  # the paper is cut
    assert host.captured(4) == [60_00]
    assert "123456" not in done.stdout


def test_a_script_for_programs(host: HostCommand, tmp_path: Path) -> None:
    """A program could not read what became of the sale that it typed."""
    host.commission(tmp_path, 5)
    words = ("terminal", "--key-card", "card.json", "--connect", host.url, "--json")
    done = poslab(*words, cwd=tmp_path, given="sale 60.00 debit:tap\nnonsense\nfault x y\nfault printer.jam 1\n")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [one["result"] for one in documents if one.get("flow") == "sale"] == ["approved"]
    assert [one["error"]["code"] for one in documents if not one.get("ok", True)] == ["unknown_name", "value"]
    assert poslab(*words, cwd=tmp_path).stdout == ""  # nothing at all comes in
    closed = f"{shlex.join([*POSLAB, *words])} <&-"
    assert subprocess.run(["sh", "-c", closed], cwd=tmp_path, env=environment(), check=True).returncode == 0
    (tmp_path / "lines").write_text("sale 1.00 debit\n", encoding="utf-8")
    with (tmp_path / "lines").open() as lines:  # a file, which lets nobody wait
        told = subprocess.run(
            [*POSLAB, *words], cwd=tmp_path, env=environment(), stdin=lines, capture_output=True, check=False
        )
    assert b'"approved"' in told.stdout


def test_nobody_reads_what_a_script_does(host: HostCommand, tmp_path: Path) -> None:
    """Who looks at the first lines only would get a traceback, or lose the sale that had begun."""
    host.commission(tmp_path, 6)
    words = shlex.join([*POSLAB, "terminal", "--key-card", "card.json", "--connect", host.url])
    done = subprocess.run(
        ["sh", "-c", f"{words} | head -n 1"], cwd=tmp_path, env=environment(), input=b"echo\nsale 60.00 debit:tap\n",
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stderr == b""
    assert host.captured(6) == [60_00]
