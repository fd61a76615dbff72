"""Bugs that break invariants of swaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from terminal.session import Session
from tests.pos_lab.sim.mutants.mutant import Mutant
from tests.pos_lab.sim.mutants.parts import GatesWithout


async def _drained_at_once(session: Session) -> None:
    """Whatever is open goes with the device."""


def _nothing_undrained(*about: Any) -> None:
    return None


def _from_the_beginning(batch: str) -> str:
    return "000001"


SWAP: Final[Mapping[str, Mutant]] = {
    "swapped_unsettled": Mutant(
        "a till changes hands with money in it", "calm", "W1", {
            "terminal.flows.hand_over._drain": _drained_at_once,
            "host.handlers.swap.undrained": _nothing_undrained,
        },
        seed=7,
    ),
    "old_device_sells": Mutant(
        "a device that was replaced goes on selling", "adversary", "W2",
        {
            "host.gates._asked": GatesWithout(
                "bound elsewhere", "replaced, retired, lost or tampered", "not signed on", "wrong batch", "stopped",
            ),
        },
        seed=37,
    ),
    "successor_from_one": Mutant(
        "the next device begins at batch one again", "calm", "W3",
        {"host.replacement._following": _from_the_beginning},
        seed=5,
    ),
}  # fmt: skip
