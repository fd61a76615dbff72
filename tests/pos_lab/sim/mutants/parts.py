"""What several sections put in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from host import acquirer as _acquirer
from host import gates as _gates
from host.case import Case, Request
from host.decision import Insert
from host.gates import Gate
from pos_lab.sim.office import ERRANDS
from pos_lab.sim.shop import INTENTS
from terminal.session import Session


class GatesWithout:
    """The gates of every request, without some."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __call__(self, case: Case) -> tuple[tuple[Gate, ...], ...]:
        """Those of each stage that a request is asked."""
        return tuple(tuple(gate for gate in gates if gate.name not in self._names) for gates in _asked(case))


def busy_with(*flows: str) -> dict[str, Any]:
    """Cashiers who do nothing else."""
    return {flow: (1, INTENTS[flow][1]) for flow in flows}


def case_with(case: Case, **changes: Any) -> Case:
    """The same case but for this."""
    names = ("request", "snapshot", "mac", "policy", "keys", "now", "fenced", "policy_version")
    return Case(**{name: getattr(case, name) for name in names} | changes)


def message_with(case: Case, fields: Mapping[int, str]) -> Case:
    """The same case, had its request had these fields."""
    asked = case.request
    message = asked.message.with_fields(fields)
    request = Request(asked.kind, message, asked.control, asked.device, asked.fingerprint, asked.firmware)
    return case_with(case, request=request)


async def nothing_pending(session: Session, flow: str) -> None:
    """Instead of looking whether something waits for its reversal."""


def world_of(intents: str, errands: str) -> Mapping[str, Any]:
    """A world in which cashiers and the office do these things and no others: what is rare comes sooner."""
    return {
        "pos_lab.sim.shop.INTENTS": {name: INTENTS[name] for name in intents.split()},
        "pos_lab.sim.office.ERRANDS": {name: ERRANDS[name] for name in errands.split()},
        "pos_lab.sim.office.IN_OFFICE": 1.0,
    }


def remembered_again(request: Any, payload: bytes, *, again: bool) -> Insert:
    """The newest answer is kept in the place of the first."""
    return dataclasses.replace(_remembered(request, payload, again=again), replace=True)


_remembered = _acquirer._remembered
_asked = _gates._asked
