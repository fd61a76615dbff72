"""What the terminal finds out about itself for the host: TABLE COLLECTED, section of a diagnosis to its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from firmware_sim.board import Board
from firmware_sim.self_test import self_test
from protocol.diagnosis import Diagnosis


def _firmware(board: Board) -> dict[str, str]:
    """What runs, and what was refused most often in the life of the device."""
    running, refused = board.running, sorted(board.update.refused.items(), key=lambda item: -item[1])
    return {
        "version": running.version,
        "boot": running.outcome.value,
        "trial": "yes" if board.update.on_trial else "no",
        **{f"refused.{code}": str(count) for code, count in refused},
    }


def _power(board: Board) -> dict[str, str]:
    """``restarts`` since the laboratory holds the device, and why the last one came."""
    power = board.power
    battery = {"battery_percent": f"{power.battery_percent:.0f}"} if power.has_battery else {}
    plugged = "yes" if power.is_plugged else "no"
    return {**battery, "plugged": plugged, "restarts": str(power.epoch // 2), "last_cut": str(power.last_cut)}


def _fail_counters(board: Board) -> dict[str, str]:
    return {name: str(count) for name, count in board.secure_module.counters.items()}


def _faults(board: Board) -> dict[str, str]:
    """The faults that happened most often."""
    return {name: str(count) for name, count in board.faults.fired.most_common()}


COLLECTED: Final[Mapping[str, Callable[[Board], Mapping[str, str]]]] = MappingProxyType(
    {
        "self_test": self_test,
        "firmware": _firmware,
        "power": _power,
        "wear": lambda board: {chip: str(erasures) for chip, erasures in board.wear().items()},
        "fail_counters": _fail_counters,
        "faults": _faults,
    }
)


def diagnose(board: Board) -> Diagnosis:
    """Everything that there is to tell; raises PowerLost."""
    return {section: collect(board) for section, collect in COLLECTED.items()}
