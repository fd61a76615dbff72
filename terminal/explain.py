"""Asks the host why it refused, so that the cashier hears the remedy as well (product decision 12)."""

from __future__ import annotations

from dataclasses import replace

from protocol.errors import DecodeError
from protocol.private import text_tag
from terminal.outcome import LOCAL, Outcome
from terminal.session import Reply, Session


async def explain(session: Session, outcome: Outcome) -> Outcome:
    """The outcome with the English text and the remedy, where the host named a reason and still gives the same one."""
    if outcome.result != "refused" or not outcome.reason or outcome.reason in LOCAL:
        return outcome
    answer = await session.ask("why")
    if not isinstance(answer, Reply) or not answer.response.approved:
        return outcome
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
