"""The rows of both books as a run left them: what tills hold beside what the host holds, and what cashiers heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pos_lab.sim.checker.evidence import Evidence, Name

HOSTS_OWN: Final = "late_"
"""So begin the kinds by which the host adjusts a closed batch."""


@dataclass(frozen=True, slots=True)
class BookRow:
    """One transaction. An end that does not know it has no state; amounts are fen; ``told`` is what a cashier heard."""

    terminal_id: str
    batch: str
    stan: str
    kind: str
    till_state: str
    till_fen: int
    host_state: str
    host_fen: int
    told: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Is it captured at both ends with one amount, or at neither? What the host adjusts by itself no till knows."""
        if self.kind.startswith(HOSTS_OWN):
            return True
        captured = [state == "captured" for state in (self.till_state, self.host_state)]
        return not any(captured) or (all(captured) and self.till_fen == self.host_fen)


def both_books(evidence: Evidence) -> Iterator[BookRow]:
    """Every transaction that either end knows, by terminal id, batch and STAN."""
    at_host = dict(evidence.rows())
    at_tills: set[Name] = {(terminal_id, *key) for terminal_id, till in evidence.tills.items() for key in till.rows}
    for name in sorted(at_host.keys() | at_tills):
        entry, row = evidence.till_row(name), at_host.get(name)
        yield BookRow(
            *name,
            kind=entry.kind if entry else str(row["kind"]) if row else "",
            till_state=entry.state if entry else "",
            till_fen=entry.amount_fen if entry else 0,
            host_state=str(row["state"]) if row else "",
            host_fen=int(row["amount_fen"]) if row else 0,
            told=tuple(evidence.told.get(name, ())),
        )
