"""What a device finds out about itself: every result of every part, and no fault set off by looking."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from firmware_sim.board import Board, Hardware
from firmware_sim.errors import LineDown
from firmware_sim.faults import FAULT_POINTS
from firmware_sim.key_memory import BAD_LOADS_MAX
from firmware_sim.models import MODELS
from firmware_sim.self_test import FITTED, GOOD, SELF_TESTS, self_test
from protocol.errors import KeyLoadError

pytestmark = pytest.mark.feature("F")

Spoil = Callable[[Hardware, Board], None]


def _worn(hardware: Hardware, board: Board) -> None:
    hardware.faults.arm("journal.erase_fails")
    board.nvram.rewrite([])


def _full(hardware: Hardware, board: Board) -> None:
    while room := board.nvram.reserved_room_bytes:
        board.nvram.append(bytes(room), reserved=True)


def _opened(hardware: Hardware, board: Board) -> None:
    hardware.open_case()


def _locked(hardware: Hardware, board: Board) -> None:
    for _ in range(BAD_LOADS_MAX):
        with pytest.raises(KeyLoadError):
            board.secure_module.load_working_keys(bytes(40))


def _dead_cell(hardware: Hardware, board: Board) -> None:
    hardware.crystal.forget()


def _ten_years_later(hardware: Hardware, board: Board) -> None:
    hardware.crystal.step(timedelta(days=3650))


def _drained(hardware: Hardware, board: Board) -> None:
    hardware.power.drain(90)


def _holding(fault: str) -> Spoil:
    return lambda hardware, board: hardware.faults.arm(fault, times=None)


# part and code -> how the device comes to it
SPOILT: dict[tuple[str, str], Spoil] = {
    ("memory", "worn"): _worn,
    ("memory", "full"): _full,
    ("keys", "tampered"): _opened,
    ("pin_pad", "tampered"): _opened,
    ("keys", "locked"): _locked,
    ("clock", "not_set"): _dead_cell,
    ("clock", "frozen"): _holding("clock.frozen"),
    ("certificate", "expired"): _ten_years_later,
    ("battery", "low"): _drained,
    ("keyboard", "flooded"): _holding("keypad.key_flood"),
    ("pin_pad", "removed"): _holding("keypad.pin_pad_removed"),
    ("card_reader", "stripe"): _holding("reader.swipe_error"),
    ("card_reader", "chip"): _holding("reader.chip_mute"),
    ("card_reader", "antenna"): _holding("reader.torn"),
    ("printer", "out_of_paper"): _holding("printer.out_of_paper"),
    ("printer", "jam"): _holding("printer.jam"),
    ("printer", "overheated"): _holding("printer.overheated"),
    ("signature_pad", "no_touch"): _holding("pad.no_touch"),
    ("line", "no_signal"): _holding("line.no_signal"),
}
ELSEWHERE = {("keys", "missing"), ("line", "down")}


@pytest.fixture
def complete(make_hardware: Callable[..., Hardware], make_image: Callable[..., bytes]) -> Hardware:
    """A smart device, which has every part."""
    model = MODELS["PX-A920"]
    return make_hardware(model=model, factory_image=make_image(model.factory_firmware, model=model.id))


@pytest.fixture
def board(complete: Hardware) -> Board:
    board = complete.power_on()
    board.secure_module.inject_tmk(bytes(range(16)), b"H" * 32)
    return board


def test_every_result_has_a_case() -> None:
    """A part could not be found broken."""
    known = {(part, check.code) for part, checks in SELF_TESTS.items() for check in checks}
    assert known == SPOILT.keys() | ELSEWHERE
    assert FITTED.keys() <= SELF_TESTS.keys()


@pytest.mark.parametrize(("part", "code"), SPOILT, ids=".".join)
def test_a_broken_part_is_found(complete: Hardware, board: Board, part: str, code: str) -> None:
    """A shop would be told that its terminal is in order while nobody can pay."""
    assert set(self_test(board).values()) == {GOOD}
    SPOILT[part, code](complete, board)
    found = self_test(board)
    assert found[part] == code
    allowed = {"keys", "pin_pad"} if code == "tampered" else {part}
    assert {name for name, result in found.items() if result != GOOD} == allowed


def test_looking_sets_nothing_off(complete: Hardware, board: Board) -> None:
    """The self test of the morning would use up the fault that was meant for the first customer."""
    for name, point in FAULT_POINTS.items():
        if point.takes(None):
            complete.faults.arm(name)
    before = complete.faults.armed
    assert set(self_test(board).values()) == {GOOD}
    assert complete.faults.armed == before
    assert not complete.faults.fired


async def test_keys_and_line(complete: Hardware) -> None:
    """A device from the box would look as if it were ready."""
    board = complete.power_on()
    assert self_test(board)["keys"] == "missing"
    with pytest.raises(LineDown):
        await board.line.open(0.01)
    assert self_test(board)["line"] == "down"


def test_parts_that_a_model_has_not_are_left_out(hardware: Hardware, board: Board) -> None:
    """A device without a printer would be sent in because its printer does not work."""
    parts = set(self_test(hardware.power_on()))
    assert "printer" not in parts
    assert parts <= set(self_test(board))


def test_a_clock_that_was_never_set_expires_no_certificate(complete: Hardware, board: Board) -> None:
    """Every device with a dead cell would be sent in for its certificate."""
    complete.crystal.step(timedelta(days=3650))
    complete.crystal.is_set = False
    assert self_test(board)["certificate"] == GOOD
