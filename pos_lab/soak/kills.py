"""TABLE KILLS: who is killed, and when."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple


class Kill(NamedTuple):
    """A row of KILLS. ``instant`` is one of INSTANTS, "" for any time, "boot" for the start after another death.

    ``within_s`` is how long after the instant it may come.
    """

    victim: Literal["host", "terminal"]
    instant: str
    within_s: float
    weight: int
    english: str


KILLS: Final[Mapping[str, Kill]] = MappingProxyType(
    {
        "host": Kill("host", "", 0.05, 2, "at any time"),
        "host_deciding": Kill("host", "request", 0.02, 6, "while it decides and commits what was asked"),
        "host_committed": Kill("host", "held_reply", 0.0, 4, "after the commit, the reply is lost with it"),
        "host_replying": Kill("host", "half_reply", 0.0, 3, "in the middle of its reply"),
        "host_replied": Kill("host", "reply", 0.01, 1, "after its reply"),
        "host_booting": Kill("host", "boot", 1.0, 2, "as it starts again"),
        "terminal": Kill("terminal", "", 0.05, 2, "at any time"),
        "terminal_asking": Kill("terminal", "half_request", 0.0, 3, "in the middle of its request"),
        "terminal_waiting": Kill("terminal", "request", 0.02, 3, "while it waits for the reply"),
        "terminal_deaf": Kill("terminal", "held_reply", 0.0, 3, "before the reply has reached it"),
        "terminal_hearing": Kill("terminal", "half_reply", 0.0, 2, "in the middle of the reply"),
        "terminal_told": Kill("terminal", "reply", 0.02, 6, "as it writes down the reply"),
        "terminal_booting": Kill("terminal", "boot", 1.0, 2, "as it recovers"),
    }
)
"""Name -> row."""
