"""``poslab sim`` that is broken off: at once, with what it knows, and with nobody left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from pos_lab.commands.jobs import interruptible
from pos_lab.commands.sim import app
from tests.end_to_end.shop import POSLAB, ROOT, environment, until

RUN = CliRunner()
ENDS_WITHIN_S: Final = 10
"""On a machine with more to do; the worlds that are asked for here would take minutes."""
LONG: Final = ("--seeds", "100000", "--intents", "200", "--json")
SHRINKING: Final = """
import sys
from pos_lab import cli
from pos_lab.sim import shrink
from tests.pos_lab.sim.mutants import MUTANTS

def told(*words, shrinks=shrink.shrink):
    print("shrinking", file=sys.stderr, flush=True)
    while True:
        shrinks(*words)

shrink.shrink = told
with MUTANTS["silence_is_no"].at_work():
    cli.main()
"""


@contextmanager
def _started(*words: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A command in a session of its own."""
    process = subprocess.Popen(
        words,
        cwd=cwd,
        env=environment(PYTHONPATH=str(ROOT)),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            for number in _session(process.pid):
                os.kill(number, signal.SIGKILL)


def _session(number: int) -> list[int]:
    """The processes of a session, those aside that only wait to be buried."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = entry.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if state != "Z" and int(session) == number:
            found.append(int(entry.parent.name))
    return found


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The last line of one that ends by itself, as one does that was broken off."""
    stdout, stderr = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, stderr) == (130, "")
    told: dict[str, Any] = json.loads(stdout.splitlines()[-1])
    return told


def _press(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def _press_twice_in_a_terminal(process: subprocess.Popen[str]) -> None:
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)


def _terminate(process: subprocess.Popen[str]) -> None:
    process.terminate()


@pytest.mark.parametrize(
    ("broken_off", "jobs"),
    [(_press, "2"), (_press_twice_in_a_terminal, "1"), (_press_twice_in_a_terminal, "2"), (_terminate, "2")],
)
def test_it_ends_at_once_with_its_totals(broken_off: Any, jobs: str, tmp_path: Path) -> None:
    """A night of seeds could only be ended by killing it, and what it had found would be lost."""
    totals = tmp_path / "totals.json"
    with _started(*POSLAB, "sim", *LONG, "--jobs", jobs, "--resume", str(totals), cwd=tmp_path) as process:
        if jobs == "2":
            until(lambda: len(_session(process.pid)) == 3, "no seed is lived")
        else:
            until(lambda: _handles(process.pid), "no seed is lived")
        broken_off(process)
        told = _told(process)
        assert _session(process.pid) == []
    assert told["interrupted"]
    assert told["passed"]
    assert [path.name for path in tmp_path.iterdir()] == ["totals.json"]
    assert json.loads(totals.read_text(encoding="utf-8"))["seeds"] == told["seeds"]


def _handles(number: int) -> bool:
    """Has a process said what it does when it is terminated?"""
    caught = next(line for line in Path(f"/proc/{number}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


def test_a_seed_that_is_being_shrunk_is_lived_again(tmp_path: Path) -> None:
    """A failing seed would be counted without anybody having been told of it."""
    totals = tmp_path / "totals.json"
    words = ["sim", "--seeds", "100000", "--profile", "network", "--jobs", "2", "--resume", str(totals), "--json"]
    shrunk = [*words, "--shrink", "--html", str(tmp_path / "story.html")]
    with _started(sys.executable, "-c", SHRINKING, *shrunk, cwd=tmp_path) as process:
        assert process.stderr
        assert process.stderr.readline() == "shrinking\n"
        _press(process)
        told = _told(process)
        assert _session(process.pid) == []
    assert (told["interrupted"], told["failed"]) == (True, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["totals.json"]
    went_on = RUN.invoke(app, ["--seeds", str(told["seeds"] + 1), *words[3:5], *words[7:]])
    assert (json.loads(went_on.stdout)["seeds"], went_on.exit_code) == (told["seeds"] + 1, 0)


def test_who_kills_it_leaves_no_process(tmp_path: Path) -> None:
    """A build server would be kept busy for ever by seeds that nobody waits for."""
    with _started(*POSLAB, "sim", *LONG, "--jobs", "2", cwd=tmp_path) as process:
        until(lambda: len(_session(process.pid)) == 3, "no seed is lived")
        process.kill()
        process.wait()
        until(lambda: not _session(process.pid), "a seed is still lived")


@pytest.fixture
def _unheard() -> Iterator[None]:
    """Handlers as they were, afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_unheard")
def test_what_swallows_an_interruption_delays_it_only() -> None:
    """A world that was torn in the middle would be judged, and its end be told as a finding."""
    heard = []
    with pytest.raises(KeyboardInterrupt), interruptible() as interruption:  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            heard.append("at once")
        try:
            interruption.heed()
        except KeyboardInterrupt:
            heard.append("again")
        raise RuntimeError("everybody waits")
    assert heard == ["at once", "again"]


@pytest.mark.usefixtures("_unheard")
def test_what_is_held_is_done_whole() -> None:
    """Totals would count a seed whose faults they do not know."""
    done = []
    with pytest.raises(KeyboardInterrupt), interruptible() as interruption:  # noqa: PT012
        with interruption.held():
            signal.raise_signal(signal.SIGTERM)
            done.append("whole")
        interruption.heed()
        done.append("more")
    assert done == ["whole"]


@pytest.mark.usefixtures("_unheard")
def test_what_runs_in_the_background_of_a_script_is_not_for_ctrl_c() -> None:
    """Ctrl-C at a script would end what the script had sent to the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible():
        signal.raise_signal(signal.SIGINT)
