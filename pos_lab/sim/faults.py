"""The ledger of faults of one run: what may happen, what happened, how often; and which were taken out to shrink it.

Rules owned here: a fault is named by kind, place and how many of its kind came there before, so that it keeps its name
when others are taken out; after ``heal`` nothing happens any more. TABLE KINDS: every kind that a world can bring
about, and the rows of the fault catalogue that it stands for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pos_lab.sim import uart
from pos_lab.sim.attack import ON_PATH
from pos_lab.sim.device import CUT_AGAIN, DEVICE_FAULTS
from pos_lab.sim.plots import PLOTS
from pos_lab.sim.weather import CONNECTING, FAULTS


class Kind(NamedTuple):
    """Rows of the catalogue, and what happens."""

    rows: str
    english: str


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        **{name: Kind(row.rows, row.english) for table in (FAULTS, ON_PATH) for name, row in table.items()},
        **{name: Kind(row.rows, row.english) for name, row in CONNECTING.items()},
        **{name: Kind(row.rows, row.english) for name, row in uart.FAULTS.items()},
        uart.STUCK: Kind("U13", "flow control lets nothing through for a while"),
        **{name: Kind(row.rows, row.english) for name, row in DEVICE_FAULTS.items()},
        **{name: Kind(row.rows, row.english) for name, row in PLOTS.items()},
        "operator.clears": Kind("O14", "a supervisor drops a reversal that waits, and leaves it to the settlement"),
        CUT_AGAIN: Kind("T08 T17 A11", "the plug is pulled again while the device recovers"),
        "host.crash_before_commit": Kind("H01 H04", "the host dies before a commit"),
        "host.crash_after_commit": Kind("H02", "the host dies behind a commit, before the replies"),
        "host.crash_in_job": Kind("H20 O11", "the host dies in a commit of one of its own jobs"),
        "host.exception": Kind("H14", "a defect of the host's code in the middle of a request"),
        "host.out_of_memory": Kind("H12", "there is no memory in the middle of a request"),
        "disk.commit_fails": Kind("H07", "the disk fails in a commit, and nothing is kept"),
        "disk.commit_unknown": Kind("H07", "the disk fails behind a commit, and everything is kept"),
        "disk.busy": Kind("H06", "another process holds the database"),
        "disk.slow": Kind("H11", "a commit takes seconds"),
    }
)
INTENT: Final = "intent"
"""What cashiers mean to do is named as faults are, so that a story can be shrunk by it."""


class FaultLedger:
    """What may happen and what did. ``suppressed`` names faults that must not happen in this run."""

    def __init__(self, note: Callable[[str, str, str], None], suppressed: frozenset[str] = frozenset()) -> None:
        self.fired: Counter[str] = Counter()
        self.names: list[str] = []
        self._note = note
        self._suppressed = suppressed
        self._seen: Counter[tuple[str, str]] = Counter()
        self._healed = False

    def happens(self, kind: str, where: str) -> bool:
        """Whether a fault that chance wants may happen; it is counted then."""
        if self._healed:
            return False
        name = self._named(kind, where)
        if name in self._suppressed:
            return False
        self.fired[kind] += 1
        self.names.append(name)
        self._note(where, "fault", name)
        return True

    def intends(self, where: str) -> str:
        """The name of the next thing that is meant to be done there, "" where it is taken out."""
        name = self._named(INTENT, where)
        return "" if name in self._suppressed else name

    def _named(self, kind: str, where: str) -> str:
        self._seen[kind, where] += 1
        return f"{kind}@{where}#{self._seen[kind, where]}"

    def heal(self) -> None:
        """From here on nothing fails."""
        self._healed = True
