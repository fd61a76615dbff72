"""Where a device stands: damp, dust, interference and age, as levels that make its parts fail by chance.

Rules owned here: TABLE ENVIRONMENT. A level is 0 for none to 1 for the worst counter that we know; several causes of
one fault are independent. What they come to is handed to ``Faults.expose`` with the chance that decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

from firmware_sim.errors import DeviceError

# cause -> fault point -> share of its uses in which it happens at level 1
ENVIRONMENT: Final[Mapping[str, Mapping[str, float]]] = {
    "damp": {
        "printer.jam": 0.05,
        "reader.chip_mute": 0.03,
        "reader.malformed_tlv": 0.01,
        "pad.no_touch": 0.02,
        "keypad.key_flood": 0.01,
        "clock.frozen": 0.001,
    },
    "dust": {
        "reader.swipe_error": 0.10,
        "reader.chip_mute": 0.05,
        "printer.overheated": 0.02,
        "printer.jam": 0.03,
    },
    "interference": {
        "line.drop_request": 0.05,
        "line.drop_reply": 0.05,
        "line.no_signal": 0.10,
        "line.breaks": 0.05,
        "reader.torn": 0.05,
    },
    "ageing": {
        "journal.stuck_bit": 0.0001,
        "clock.dead_cell": 0.20,
        "power.brown_out": 0.02,
        "printer.overheated": 0.01,
        "reader.swipe_error": 0.03,
    },
}


@dataclass(frozen=True, slots=True)
class Environment:
    """The levels, 0 to 1; raises DeviceError for another one."""

    damp: float = 0.0
    dust: float = 0.0
    interference: float = 0.0
    ageing: float = 0.0

    def __post_init__(self) -> None:
        for cause in fields(self):
            if not 0 <= getattr(self, cause.name) <= 1:
                raise DeviceError(f"{cause.name} is a level from 0 to 1")

    def rates(self) -> dict[str, float]:
        """Fault point -> share of its uses in which it happens here; empty in a good place."""
        spared: dict[str, float] = {}
        for cause, level in asdict(self).items():
            for name, rate in ENVIRONMENT[cause].items():
                if level:
                    spared[name] = spared.get(name, 1.0) * (1 - rate * level)
        return {name: 1 - share for name, share in spared.items()}
