"""Bugs that break invariants of liveness and of bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.pos_lab.sim.mutants.mutant import Mutant

LIVENESS: Final[Mapping[str, Mutant]] = {
    "lines_pile_up": Mutant(
        "the host keeps every line whose other end has hung up", "network", "D2",
        {"host.server.HostConnection.eof_received": lambda self: True},
        seed=51,
    ),
    "never_done": Mutant(
        "no answer ends a reversal", "network", "D3",
        {"terminal.flows.resolve._is_done": lambda session, reply: False},
        seed=2,
    ),
    "unexplained": Mutant("a refusal has no reason", "calm", "D4", {"host.reply.refusal_text": lambda refused: ""}),
}  # fmt: skip
