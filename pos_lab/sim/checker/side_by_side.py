"""The rows of both books side by side, of whatever transactions or batches a finding names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pos_lab.sim.checker.evidence import Evidence, Name
from pos_lab.sim.checker.invariant import spelt
from protocol.money import yuan

ROWS_MAX: Final = 6
_NAME: Final = re.compile(r"([0-9A-Za-z]{8})/([0-9]{6})/([0-9A-Z][0-9]{5})")
_ASIDE: Final = "no row"


def both_books(evidence: Evidence, finding: str) -> tuple[str, ...]:
    """A line for each transaction of a finding, and what is about it: both books, and what the cashier was told."""
    names = list(dict.fromkeys((match[1], match[2], match[3]) for match in _NAME.finditer(finding)))
    about = [other for name in names for other in evidence.about.get(name, ()) if other not in names]
    return tuple(_line(evidence, name) for name in [*names, *about][:ROWS_MAX])


def _line(evidence: Evidence, name: Name) -> str:
    return f"{spelt(name)}  terminal: {_theirs(evidence, name)}  |  host: {_ours(evidence, name)}" + "".join(
        _beside(evidence, name)
    )


def _theirs(evidence: Evidence, name: Name) -> str:
    row = evidence.till_row(name)
    return f"{row.kind} {yuan(row.amount_fen)} {row.state}" if row else _ASIDE


def _ours(evidence: Evidence, name: Name) -> str:
    row = evidence.row(name)
    if not row:
        return _ASIDE
    original = "/".join((row["original_batch"], row["original_stan"])) if row["original_stan"] else ""
    told = f"{row['kind']} {yuan(row['amount_fen'])} {row['state']} fee {yuan(row['fee_fen'])}"
    return f"{told} about {original}" if original else told


def _beside(evidence: Evidence, name: Name) -> Iterator[str]:
    moves = evidence.moves.get(name)
    if moves:
        yield f", posted {moves.captured} times, undone {moves.undone}, merchant {yuan(moves.merchant_fen)}"
    if told := evidence.told.get(name):
        yield f"  |  cashier: {', '.join(told)}"
