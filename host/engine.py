"""The acquirer's mind, pure: ``old_keys_die`` is asked about every request, ``repeats`` knows one that came before,
``told_again`` what follows from that one, ``decide`` turns any other into a Decision.

Order: identity gates, the stored reply of a repeated request, permission gates, the kind's handler, and what follows
from every decision: activation, the update command for a refused firmware, what the device told under a good MAC.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from host.activation import READINGS, activation
from host.books_ahead import raise_alarm
from host.case import SENT_AGAIN, Case
from host.decision import Decision, Insert, Update, Write
from host.downloads import answered
from host.gates import Stage, refusal_at
from host.handlers import HANDLERS
from host.handlers.commands import enqueue_update
from host.handlers.firmware import INSTALLED
from host.holds import is_mended
from host.keys import MacCheck
from host.last_word import NO_WORDS
from host.lifecycle import NEW_BUSINESS
from host.partners import delay_s
from host.refusals import Refused
from host.retirement import audit
from host.risk import SUSPECTED, risk_writes
from host.suspension import lift
from host.transactions import SIGNS
from protocol.fields import F
from protocol.header import SIGN_ON_AGAIN
from protocol.message import Message

NEEDS_UPDATE: Final = frozenset({"firmware.too_old", "firmware.blocked", "firmware.incompatible", "protocol.too_old"})
"""Refusals after which a terminal is commanded to update."""
RENEWED: Final = frozenset({"sign_in"})
"""Kinds that may come under a used key: a device that replaced another, or lost its memory, counts from one again."""
FORMAT_ERROR: Final = "30"


def decide(case: Case) -> Decision:
    """The answer to a request that no stored reply answers. Changes nothing itself."""
    if refused := refusal_at(case, Stage.IDENTITY):
        return Decision(refused, remember=_may_come_again(case, refused))
    if case.stored and case.request.kind.name not in RENEWED:
        alarm = audit("host", case.terminal.serial_number, "alarm", f"STAN {case.request.stan} reused", case.at)
        return Decision(Refused("request.key_reused"), writes=(alarm,), remember=False)
    refused = refusal_at(case, Stage.PERMISSION)
    decision = Decision(refused, remember=_ends_it(case)) if refused else HANDLERS[case.request.kind.name](case)
    follows = _consequences(case, decision, refused)
    wait_s = delay_s(case)
    if not follows and not wait_s:
        return decision
    return replace(decision, writes=(*decision.writes, *follows), delay_s=wait_s)


def _ends_it(case: Case) -> bool:
    """Is the refusal of a gate the last word about a request?

    Not about what a terminal sends under one STAN until it is done, a reversal, a settlement, a signature: it would be
    refused for ever, whatever has changed since.
    """
    return case.request.kind.name in NEW_BUSINESS


def _may_come_again(case: Case, refused: Refused) -> bool:
    """Must the refusal of who it is be remembered, so that a copy of the request gets nothing else on another day?

    Of a device that has the terminal id and proves its keys: else it could use up another's numbers. A line that was
    superseded is left in doubt, and reverses. What is malformed stays so, and leaves its number free.
    """
    terminal, snapshot = case.snapshot.terminal, case.snapshot
    if terminal is None or case.stored or not case.mac.good or refused.reason == "terminal.superseded":
        return False
    if refused.code == FORMAT_ERROR or not _ends_it(case):
        return False
    return snapshot.tenant is None and terminal.terminal_id == case.request.terminal_id


def repeats(case: Case) -> bytes:
    """The stored reply of a request that came before with the same content, else nothing."""
    stored = case.stored
    if stored is None or not case.is_repeated or refusal_at(case, Stage.IDENTITY):
        return b""
    return stored.reply


def old_keys_die(case: Case) -> list[Write]:
    """The first good frame under the newer keys ends the older ones, whatever it is answered: a terminal that repeats
    what was decided before its sign-on, and gets the stored reply, has the new keys all the same (invariant K2).

    What it said of itself under the older ones cannot come any more, and need not be told from what came later.
    """
    if not case.ends_old_keys:
        return []
    changes = {"previous_keys": b"", "missed_sign_on": False, **NO_WORDS}
    return [Update("terminals", {"serial_number": case.terminal.serial_number}, changes)]


def told_again(case: Case, reply: Message) -> list[Write]:
    """What a copy is good for that is told once more to sign on first: it may be the terminal itself, which has heard
    nothing of the keys that it was issued then.
    """
    return _miss_sign_on(case) if reply.text(F.RESPONSE_CODE) in SENT_AGAIN else []


def _miss_sign_on(case: Case) -> list[Write]:
    if case.mac is not MacCheck.PREVIOUS or case.terminal.missed_sign_on:
        return []
    return [Update("terminals", {"serial_number": case.terminal.serial_number}, {"missed_sign_on": True})]


def _consequences(case: Case, decision: Decision, refused: Refused | None) -> list[Write]:
    """What is written besides; ``refused`` is by a gate, the decision may be a refusal by its handler."""
    writes: list[Write] = []
    if refused is None or refused.reason == SUSPECTED:
        writes += risk_writes(case)
    if refused:
        writes += _lost_sale(case, refused)
    writes += _learn(case)
    writes += _activate(case, decision)
    writes += _keep_refusal(case, decision)
    writes += raise_alarm(case) if case.snapshot.terminal else []
    if case.request.kind.name == "sign_in" and not decision.refused:
        writes += answered(case.terminal, SIGN_ON_AGAIN)
    writes += enqueue_update(case, is_refused=bool(decision.refused and decision.refused.reason in NEEDS_UPDATE))
    return writes


def _lost_sale(case: Case, refused: Refused) -> list[Write]:
    """A payment that a gate turned away: the impact report counts it."""
    if not case.mac.good or SIGNS.get(case.request.kind.name) != 1:
        return []
    row = {"kind": case.request.kind.name, "amount_fen": case.request.amount_fen, "reason": refused.reason}
    ids = {"serial_number": case.terminal.serial_number, "merchant_id": case.merchant.merchant_id}
    return [Insert("lost_sales", {**ids, **row, "at": case.at})]


def _learn(case: Case) -> list[Write]:
    """The firmware that an authenticated device says it runs, that it knows our extensions, by which keys it goes."""
    if case.snapshot.terminal is None or not case.mac.good:
        return []
    terminal, changes = case.terminal, dict[str, object]()
    cleared: list[Write] = []
    if case.firmware != terminal.firmware:
        changes["firmware"] = case.firmware
        cleared = _updated(case)
    if case.is_extended and not terminal.extended:
        changes["extended"] = True
    learnt = [Update("terminals", {"serial_number": terminal.serial_number}, changes)] if changes else []
    return [*learnt, *_miss_sign_on(case), *cleared]


def _updated(case: Case) -> list[Write]:
    """What other firmware brings: security holds that it mends are released (product U3), an update is done (G8)."""
    writes: list[Write] = []
    for hold in case.snapshot.holds:
        if is_mended(hold, case.firmware):
            writes += lift(hold, "host", case.at)
    progress = case.snapshot.progress
    if progress and progress.version == case.firmware:
        key = {"serial_number": progress.serial_number}
        writes.append(Update("updates", key, {"state": INSTALLED, "at": case.at}))
    return writes


def _keep_refusal(case: Case, decision: Decision) -> list[Write]:
    """The last refusal that a terminal was told, with its words, for the why query that follows."""
    if not decision.refused or not case.mac.good:
        return []
    refused = {"reason": decision.refused.reason, "words": json.dumps(dict(decision.refused.words)), "at": case.at}
    return [Insert("refusals", {"serial_number": case.terminal.serial_number, **refused}, replace=True)]


def _activate(case: Case, decision: Decision) -> list[Write]:
    """The turnover that counts activates once and for ever (product decision 1)."""
    figures = case.policy.activation
    if decision.turnover_fen <= 0 or case.terminal.activated_at is not None:
        return []
    undone = case.snapshot.original if case.request.kind.undoes else None
    kind = undone.kind if undone else case.request.kind.name
    counts = READINGS[figures.reading].counts(kind, restored=undone is not None)
    turnover_fen = case.snapshot.turnover_fen + (decision.turnover_fen if counts else 0)
    return activation(case.terminal, case.snapshot.merchant, turnover_fen, figures, case.at)
