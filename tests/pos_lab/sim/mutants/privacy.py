"""Bugs that break invariants of privacy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.pos_lab.sim.mutants.mutant import Mutant


def _with_track(session: Any, pan: str, expiry: str) -> str:
    return str(session.board.secure_module.seal(json.dumps([pan, f"{pan}D{expiry}101"]).encode()).hex())


PRIVACY: Final[Mapping[str, Mutant]] = {
    "number_in_journal": Mutant(
        "the journal keeps a card's number", "calm", "P1", {"terminal.flows.purchase.mask_pan": lambda pan: pan}
    ),
    "track_in_journal": Mutant(
        "the journal keeps a card's track, if only sealed", "calm", "P2",
        {"terminal.flows.purchase.seal_card": _with_track},
    ),
    "number_in_ledger": Mutant(
        "the ledger keeps a card's number", "calm", "P1", {"host.handlers.purchase.mask_pan": lambda pan: pan}
    ),
}  # fmt: skip
