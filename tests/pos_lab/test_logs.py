"""The host's log: no secrets, no characters that a screen obeys, and never in the way."""

from __future__ import annotations

import io
import json
import logging
import threading
import time

import pytest

from pos_lab.logs import LINES_MAX, logging_to

pytestmark = pytest.mark.feature("K")
log = logging.getLogger("poslab.test")
PAN = "6200000100000004"
HOSTILE = [
    "\x1b]0;owned\x07", "two\nlines", "carriage\rreturn", "nul\x00", "\u202egnp.exe", "<img onerror=alert(1)>",
    "=HYPERLINK()", "x" * 10_000, "\ud800",
]  # fmt: skip


def logged(*messages: str, as_json: bool = False) -> list[str]:
    """What stands in the log."""
    stream = io.StringIO()
    with logging_to(stream, level=logging.INFO, as_json=as_json):
        for message in messages:
            log.info("%s", message)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_is_one_line_of_text(text: str, as_json: bool) -> None:
    """A merchant's name would forge lines of the log or take over the operator's screen (faults X10)."""
    [line] = logged(text, as_json=as_json)
    assert line.isprintable()
    if as_json:
        assert json.loads(line)["level"] == "info"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"card {PAN} refused", PAN),
        (f"track {PAN}D30122010000000000000", "D3012201"),
        (f"track {PAN}=30122010000000000000", "=3012201"),
        ("key 00112233445566778899AABBCCDDEEFF", "00112233445566778899"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_looks_like_a_secret_is_hidden(text: str, hidden: str, as_json: bool) -> None:
    """A card number in an error text would lie in every backup of the log (invariant P1)."""
    [line] = logged(text, as_json=as_json)
    assert hidden not in line


@pytest.mark.parametrize("text", ["10000001 000001/000042", "RRN 260301000042", "898100000000001", "10.0.0.9:51234"])
def test_numbers_that_are_no_cards_stay(text: str) -> None:
    """Nobody could find a sale in the log by its reference number."""
    [line] = logged(text)
    assert line.endswith(text)


def test_a_traceback_keeps_its_lines_and_hides_its_secrets() -> None:
    """A defect could not be found, or would print the card that was in the message."""
    stream = io.StringIO()
    with logging_to(stream, level=logging.INFO, as_json=False):
        try:
            raise ValueError(f"bad {PAN}")
        except ValueError:
            log.exception("failed")
    lines = stream.getvalue().splitlines()
    assert len(lines) > 3
    assert "ValueError" in lines[-1]
    assert PAN not in stream.getvalue()


class Blocked(io.StringIO):
    """A pipe that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def write(self, text: str) -> int:
        self.go.wait(20)
        return super().write(text)


def test_a_blocked_log_costs_lines_and_nothing_else() -> None:
    """Sales would stop because somebody pressed Ctrl-S in the window of the log (faults H22)."""
    stream = Blocked()
    with logging_to(stream, level=logging.INFO, as_json=False) as lines:
        began = time.perf_counter()
        for number in range(LINES_MAX + 100):
            log.info("line %d", number)
        assert time.perf_counter() - began < 15
        assert 90 <= lines.lost <= 100
        stream.go.set()
        while not lines._queue.empty():
            time.sleep(0.01)
        log.info("the last")
    written = stream.getvalue().splitlines()
    assert f"{lines.lost} lines of the log were lost before this one" in written
    assert written[-1].endswith("the last") or written[-2].endswith("the last")


class Full(io.StringIO):
    """A disk without room."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_under_the_log_costs_lines_and_nothing_else() -> None:
    """The same, where the disk of the log is full."""
    with logging_to(Full(), level=logging.INFO, as_json=True) as lines:
        for _ in range(100):
            log.info("a line")
        while not lines._queue.empty():
            time.sleep(0.01)
    assert lines.lost == 100
