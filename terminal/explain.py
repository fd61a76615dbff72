"""Asks the host why it refused, so that the cashier hears the remedy as well (product decision 12)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from protocol.errors import DecodeError
from protocol.fields import F
from protocol.private import TEXT_CHARSET, text_tag
from terminal.outcome import LOCAL, Outcome
from terminal.session import Reply, Session, Silence, refused, silent

_KINDS: Final = {
    "download_master_key": "master_key",
    "void": "sale_void",
    "status": "status_upload",
    "settle": "settlement",
}
"""Flow to kind, where the names differ."""


async def explain(session: Session, outcome: Outcome) -> Outcome:
    """The outcome with the English text and the remedy, where the host named a reason and still gives the same one."""
    if outcome.result != "refused" or not outcome.reason or outcome.reason in LOCAL or not session.profile.extensions:
        return outcome
    asked = [("AK", _KINDS.get(outcome.flow, outcome.flow).encode()), ("RC", outcome.reason.encode(TEXT_CHARSET))]
    answer = await session.ask("why", {F.PAYLOAD: session.pack(asked)})
    if not isinstance(answer, Reply) or not answer.response.approved:
        return outcome
    if session.can_seal and not session.believes(answer):
        return outcome  # a remedy that anybody may have written
    try:
        tags = answer.tags()
        reason, zh, en, remedy_zh, remedy_en = (text_tag(tags, tag) for tag in ("RC", "ZH", "EN", "RZ", "RE"))
    except DecodeError:
        return outcome  # a foreign host's field 62; the refusal stands without a remedy
    if reason != outcome.reason:
        return outcome
    return replace(
        outcome,
        text_zh=zh or outcome.text_zh,
        text_en=en or outcome.text_en,
        remedy_zh=remedy_zh,
        remedy_en=remedy_en,
    )


async def unapproved(session: Session, flow: str, answer: Reply | Silence) -> Outcome:
    """What ``flow``, which moves no money, tells without an approval: that nobody answered, or why the host refused."""
    if isinstance(answer, Silence):
        return silent(flow, answer)
    return await explain(session, refused(flow, answer))
