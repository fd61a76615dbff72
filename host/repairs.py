"""The repair of a device: TABLE TRANSITIONS, TABLE CAUSES, what a repair costs, how long it took (product X7).

Rules owned here: a device is repaired for nothing while its warranty lasts, if what is wrong is not the user's doing;
the warranty begins with the first delivery, and a repair never shortens it. Whether a repair is covered is decided when
it is reported and stays so, however long the depot takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from host.records import Terminal


class RepairState(StrEnum):
    """Where a repair stands."""

    REPORTED = "reported"
    RECEIVED = "received"
    REPAIRED = "repaired"
    RETURNED = "returned"
    SCRAPPED = "scrapped"
    CANCELLED = "cancelled"


class Move(StrEnum):
    """What moves a repair."""

    RECEIVE = "receive"
    REPAIR = "repair"
    RETURN = "return"
    SCRAP = "scrap"
    CANCEL = "cancel"


TRANSITIONS: Final[Mapping[RepairState, Mapping[Move, RepairState]]] = MappingProxyType(
    {
        RepairState.REPORTED: {Move.RECEIVE: RepairState.RECEIVED, Move.CANCEL: RepairState.CANCELLED},
        RepairState.RECEIVED: {Move.REPAIR: RepairState.REPAIRED, Move.SCRAP: RepairState.SCRAPPED},
        RepairState.REPAIRED: {Move.RETURN: RepairState.RETURNED},
        RepairState.RETURNED: {},
        RepairState.SCRAPPED: {},
        RepairState.CANCELLED: {},
    }
)
CHINESE_STATES: Final[Mapping[RepairState, str]] = MappingProxyType(
    {
        RepairState.REPORTED: "已报修",
        RepairState.RECEIVED: "已收件",
        RepairState.REPAIRED: "已修复",
        RepairState.RETURNED: "已归还",
        RepairState.SCRAPPED: "已报废",
        RepairState.CANCELLED: "已撤销",
    }
)
OPEN: Final = frozenset(state for state, row in TRANSITIONS.items() if row)
AT_DEPOT: Final = frozenset({RepairState.RECEIVED, RepairState.REPAIRED})
"""The device is not in the shop."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A row of CAUSES: what is wrong with a device, and whether a warranty ``covers`` it."""

    name: str
    chinese: str
    english: str
    covers: bool


CAUSES: Final[Mapping[str, Cause]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Cause("defect", "质量问题", "a defect of the device", covers=True),
            Cause("wear", "自然老化", "worn out", covers=True),
            Cause("drop", "跌落损坏", "it was dropped", covers=False),
            Cause("liquid", "进水", "liquid came in", covers=False),
            Cause("misuse", "使用不当", "it was used wrongly", covers=False),
        )
    }
)


def step(state: RepairState, move: Move) -> RepairState | None:
    """The next state, or None where the move has no place in this state."""
    return TRANSITIONS[state].get(move)


def is_covered(terminal: Terminal, cause: str, at: int) -> bool:
    """Is a device repaired for nothing? Raises KeyError for no cause of CAUSES."""
    return CAUSES[cause].covers and terminal.warranty_until is not None and at < terminal.warranty_until


def repair_s(row: Mapping[str, Any], at: int) -> int:
    """How long a device has been away from its shop, or was: from its report to its end."""
    return int((at if row["closed_at"] is None else row["closed_at"]) - row["reported_at"])
