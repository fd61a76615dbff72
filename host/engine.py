"""The acquirer's mind, pure: ``repeats`` knows a request that came before, ``decide`` turns any other into a Decision.

Order: identity gates, the stored reply of a repeated request, permission gates, the kind's handler, and what follows
from every decision: activation, the update command for a refused firmware, what the device told under a good MAC.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from host.case import Case
from host.decision import Decision, Insert, Update, Write
from host.downloads import answered
from host.gates import Stage, first_refusal, gates_of
from host.handlers import HANDLERS
from host.handlers.commands import enqueue_update
from host.keys import MacCheck
from host.lifecycle import Event, State, step
from host.refusals import Refused
from host.retirement import audit
from protocol.header import SIGN_ON_AGAIN

_IDENTITY: Final = gates_of(Stage.IDENTITY)
_PERMISSION: Final = gates_of(Stage.PERMISSION)
RENEWED: Final = frozenset({"sign_in"})
"""Kinds that may come under a used key: a device that replaced another, or lost its memory, counts from one again."""


def decide(case: Case) -> Decision:
    """The answer to a request that no stored reply answers. Changes nothing itself."""
    if refused := first_refusal(case, _IDENTITY):
        return Decision(refused, remember=False)
    if case.snapshot.stored and case.request.kind.name not in RENEWED:
        alarm = audit("host", case.terminal.serial_number, "alarm", f"STAN {case.request.stan} reused", case.at)
        return Decision(Refused("request.key_reused"), writes=(alarm,), remember=False)
    if refused := first_refusal(case, _PERMISSION):
        decision = Decision(refused)
    else:
        decision = HANDLERS[case.request.kind.name](case)
    return _with_consequences(case, decision)


def repeats(case: Case) -> bytes:
    """The stored reply of a request that came before with the same content, else nothing."""
    stored = case.snapshot.stored
    if stored is None or not case.is_repeated or first_refusal(case, _IDENTITY):
        return b""
    return stored.reply


def _with_consequences(case: Case, decision: Decision) -> Decision:
    writes: list[Write] = [*_learn(case), *_activate(case, decision), *_keep_refusal(case, decision)]
    if case.request.kind.name == "sign_in" and not decision.refused:
        writes += answered(case.terminal, SIGN_ON_AGAIN)
    if decision.refused and decision.refused.reason == "firmware.too_old":
        writes += enqueue_update(case)
    return replace(decision, writes=(*decision.writes, *writes)) if writes else decision


def _learn(case: Case) -> list[Write]:
    """The firmware that an authenticated device says it runs; old keys die at the first good frame under the new."""
    if case.snapshot.terminal is None or not case.mac.good:
        return []
    terminal, changes = case.terminal, dict[str, object]()
    if case.firmware != terminal.firmware:
        changes["firmware"] = case.firmware
    if case.is_extended and not terminal.extended:
        changes["extended"] = True
    if case.mac is MacCheck.CURRENT and terminal.previous_keys:
        changes["previous_keys"] = b""
    return [Update("terminals", {"serial_number": terminal.serial_number}, changes)] if changes else []


def _keep_refusal(case: Case, decision: Decision) -> list[Write]:
    """The last refusal that a terminal was told, with its words, for the why query that follows."""
    if not decision.refused or not case.mac.good:
        return []
    refused = {"reason": decision.refused.reason, "words": json.dumps(dict(decision.refused.words)), "at": case.at}
    return [Insert("refusals", {"serial_number": case.terminal.serial_number, **refused}, replace=True)]


def _activate(case: Case, decision: Decision) -> list[Write]:
    """Net captured turnover activates once and for ever (product decision 1)."""
    if decision.turnover_fen <= 0 or case.terminal.activated_at is not None:
        return []
    if case.snapshot.turnover_fen + decision.turnover_fen < case.policy.activation_fen:
        return []
    state = step(case.terminal.state, Event.ACTIVATE) or case.terminal.state
    changes: dict[str, object] = {"activated_at": case.at, "state": State(state)}
    return [Update("terminals", {"serial_number": case.terminal.serial_number}, changes)]
