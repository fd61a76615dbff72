"""What a rehearsal writes down while it happens: a row a day, a row an hour with swaps, and sums.

Rules owned here: TABLE COLUMNS, what a row of a day holds and in what order; amounts are fen, and what happens on the
wire is counted from the till's side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from host.campaign import ItemState
from host.notices import CHANNELS


@dataclass(slots=True)
class Day:
    """One day. ``states`` are those of the campaign's terminals at its end, ``notices`` those sent by channel.

    ``unsettled_fen`` and ``unpaid_fen`` are what waits at its end: sold and not settled, settled and not paid.
    """

    day: str
    states: Mapping[str, int] = field(default_factory=dict)
    notices: Counter[str] = field(default_factory=Counter)
    read: int = 0
    swaps: int = 0
    missed: int = 0
    losses: int = 0
    sales: int = 0
    sales_fen: int = 0
    refused: int = 0
    refused_fen: int = 0
    unsettled_fen: int = 0
    unpaid_fen: int = 0
    paid_fen: int = 0
    alarms: int = 0

    def row(self) -> dict[str, Any]:
        """The day as it stands in CSV and JSON, by COLUMNS."""
        states = {state: self.states.get(state, 0) for state in STATES}
        return {
            "day": self.day,
            **states,
            **{f"notices_{name}": self.notices[name] for name in CHANNELS},
            **{name: getattr(self, name) for name in _FIGURES},
        }


STATES: Final = tuple(state.value for state in ItemState)
_FIGURES: Final = tuple(each.name for each in fields(Day) if each.name not in ("day", "states", "notices"))
COLUMNS: Final = tuple(Day("").row())


@dataclass(slots=True)
class Chronicle:
    """Everything that was written down.

    ``hours`` counts swaps and missed appointments by the hour's begin; ``refusals`` what tills were told by reason;
    ``exchanges`` the requests on the wire; ``surprises`` the answers that nobody expected.
    """

    days: list[Day] = field(default_factory=list)
    hours: dict[int, Counter[str]] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    exchanges: int = 0
    surprises: list[str] = field(default_factory=list)

    @property
    def today(self) -> Day:
        """The day that is being written."""
        return self.days[-1]

    def hour(self, at: int) -> Counter[str]:
        """The counts of the hour in which an instant lies."""
        return self.hours.setdefault(at - at % 3600, Counter())
