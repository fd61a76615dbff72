"""The self test: what a device can find out about its own parts, without using them up.

Rules owned here: TABLE SELF_TESTS. The checks of a part stand in the order in which they are made, the first that finds
something names the result; a part that the model does not have is not in the results. A test sees conditions, faults
that hold until somebody ends them, and never sets off one that waits for a use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from firmware_sim.board import Board
from firmware_sim.secure_module import KeyState

GOOD: Final = "good"


@dataclass(frozen=True, slots=True)
class Check:
    """``finds`` whether something is wrong; then ``code`` is the result of the part."""

    code: str
    english: str
    finds: Callable[[Board], bool]


def _holds(code: str, english: str, fault: str) -> Check:
    return Check(code, english, lambda board: board.faults.holds(fault))


def _is_tampered(board: Board) -> bool:
    return board.secure_module.key_state is KeyState.TAMPERED


def _is_uncertified(board: Board) -> bool:
    """A clock that was never set cannot tell."""
    return board.clock.is_set and not board.model.is_certified(board.clock.glance().date())


# part -> its checks
SELF_TESTS: Final[Mapping[str, tuple[Check, ...]]] = {
    "memory": (
        Check("worn", "it cannot be erased any more", lambda board: board.nvram.is_worn),
        Check("full", "there is no room, not even the reserve", lambda board: not board.nvram.reserved_room_bytes),
    ),
    "keys": (
        Check("tampered", "the case was opened, the keys are erased", _is_tampered),
        Check("locked", "too many key loads failed", lambda board: board.secure_module.is_locked),
        Check("missing", "no master key", lambda board: board.secure_module.key_state is KeyState.NONE),
    ),
    "clock": (
        Check("not_set", "the cell died and the host has not told the time", lambda board: not board.clock.is_set),
        _holds("frozen", "it stands still", "clock.frozen"),
    ),
    "certificate": (Check("expired", "the model may not be used any more", _is_uncertified),),
    "battery": (Check("low", "charge it", lambda board: board.power.is_low),),
    "keyboard": (_holds("flooded", "keys stick", "keypad.key_flood"),),
    "pin_pad": (
        Check("tampered", "the case was opened", _is_tampered),
        _holds("removed", "it is unplugged", "keypad.pin_pad_removed"),
    ),
    "card_reader": (
        _holds("stripe", "the stripe head is dirty", "reader.swipe_error"),
        _holds("chip", "the chip contacts are dirty", "reader.chip_mute"),
        _holds("antenna", "the antenna reads nothing", "reader.torn"),
    ),
    "printer": (
        _holds("out_of_paper", "put in a new roll", "printer.out_of_paper"),
        _holds("jam", "the paper is jammed", "printer.jam"),
        _holds("overheated", "the print head is too hot", "printer.overheated"),
    ),
    "display": (),
    "signature_pad": (_holds("no_touch", "it does not feel the pen", "pad.no_touch"),),
    "line": (
        Check("down", "the last try to connect failed", lambda board: not board.line.is_working),
        _holds("no_signal", "there is no signal", "line.no_signal"),
    ),
}  # fmt: skip

# part that not every model has -> whether this board has it
FITTED: Final[Mapping[str, Callable[[Board], bool]]] = {
    "battery": lambda board: board.power.has_battery,
    "printer": lambda board: board.printer is not None,
    "signature_pad": lambda board: board.signature_pad is not None,
}


def self_test(board: Board) -> dict[str, str]:
    """Return part -> GOOD or the code of what is wrong; raises PowerLost."""
    return {
        part: next((check.code for check in checks if check.finds(board)), GOOD)
        for part, checks in SELF_TESTS.items()
        if part not in FITTED or FITTED[part](board)
    }
