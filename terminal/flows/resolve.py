"""Brings what is unresolved to an end: reversals, advices that were not answered, offline sales that wait for upload.

Rules owned here: a reversal is sent until it is answered as TABLE DONE says, under a MAC, with the batch and the STAN
of its original (CUP 7.3, 7.5); it never gives up, but after ``reversal_alarm_after`` fruitless tries it alarms
(decision 2). Firmware whose profile gives up forgets it instead, and whatever the customer was charged stays charged.
An advice or an offline sale is sent as it was until it is answered, and an answer that wants a sign-on first decides
nothing (CUP 7.12); an offline sale carries the chip's certificate, and one that the host refuses is lost to the shop,
which the audit trail keeps.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from protocol.elements import Value
from protocol.errors import KeyLoadError
from protocol.fields import F
from terminal.chip_objects import REQUEST_TAGS, REVERSAL_TAGS
from terminal.flows.script_result import tell_scripts
from terminal.flows.sign_in import sign_in
from terminal.money import amount_fields, card_fields, chip_fields, fields_of, take
from terminal.outcome import Outcome, done, local
from terminal.records import Moved, ReversalTried
from terminal.session import Reply, Session
from terminal.transaction import Event, Mac, State, Transaction

log = logging.getLogger("poslab.terminal")
DONE: Final = frozenset({"12", "25", "94"})
"""Refusals of a reversal by which there is nothing left to undo (CUP 7.5); any approval is one too."""


async def resolve(session: Session, flow: str) -> Outcome | None:
    """Tell what scripts did, then try once to resolve everything; the refusal of ``flow`` where that fails, or None."""
    if not session.journal.recover():
        return local(flow, session.journal.no_room)
    await tell_scripts(session)
    for row in session.book.unresolved:
        attempt, reason = _ATTEMPTS[row.state]
        if not await attempt(session, row):
            return local(flow, reason, stan=row.stan, tries=str(_count(session, row)))
    return None


def alarm(session: Session) -> None:
    """Show that a supervisor is needed, if something was tried in vain too often."""
    for row in session.book.unresolved:
        if row.tries >= session.settings.reversal_alarm_after:
            name, what = row.row.chinese, row.row.english
            session.show(f"警报：{name}{row.stan}无法了结，请联系主管", f"alarm: {what} {row.stan} cannot be resolved")


async def _reverse(session: Session, row: Transaction) -> bool:
    session.show(f"冲正{row.stan}", f"reversing {row.stan}")
    fields = {
        **amount_fields(row),
        **_card(session, row),
        **chip_fields(row, REVERSAL_TAGS),
        F.RESPONSE_CODE: row.reason,
    }
    for _ in range(2):
        signed_on = await _sign_on_where_due(session)
        if not session.can_seal:
            return False
        answer = await session.ask(
            f"{row.kind}_reversal", fields, stan=row.stan, batch=row.batch, capability=row.capability
        )
        if isinstance(answer, Reply) and _is_done(session, answer):
            session.journal.append(Moved(batch=row.batch, stan=row.stan, event=Event.REVERSE))
            told = done("reverse", f"已冲正{row.stan}", f"{row.stan} is reversed", batch=row.batch)
            session.tell(replace(told, stan=row.stan))
            return True
        if not (session.sign_on_again and signed_on):
            return False
    return False


def _card(session: Session, row: Transaction) -> dict[int, Value]:
    """PAN and expiry; a device that lost its keys, and with them the card, reverses without them."""
    try:
        return card_fields(session, row)
    except KeyLoadError as error:
        log.warning("reversing %s without its card: %s", row.stan, error)
        return {}


async def _send_again(session: Session, row: Transaction) -> bool:
    session.show(f"重发{row.row.chinese}{row.stan}", f"sending {row.row.english} {row.stan} again")
    outcome = await _sent(session, row)
    if outcome is None:
        return False
    session.tell(outcome)
    return True


async def _upload(session: Session, row: Transaction) -> bool:
    """The customer has left with the slip: how the upload went is told for itself."""
    session.show(f"上送{row.row.chinese}{row.stan}", f"uploading {row.row.english} {row.stan}")
    outcome = await _sent(session, row)
    if outcome is None:
        return False
    if outcome.is_good:
        told = done("upload", f"已上送{row.row.chinese}{row.stan}", f"{row.row.english} {row.stan} is uploaded")
        session.tell(replace(told, stan=row.stan))
    else:
        session.note(
            "offline sale refused", f"{row.kind} {row.batch}/{row.stan} {row.amount_fen} fen, code {outcome.code}"
        )
        zh, en = f"{row.row.chinese}{row.stan}被拒：", f"{row.row.english} {row.stan} is refused: "
        told = replace(outcome, text_zh=zh + outcome.text_zh, text_en=en + outcome.text_en)
        session.tell(replace(told, flow="upload"))
    return True


async def _sent(session: Session, row: Transaction) -> Outcome | None:
    """How a row ends that is sent as it was; None where that stays open."""
    try:
        fields = fields_of(session, row)
        if row.state is State.OFFLINE:
            fields |= chip_fields(row, REQUEST_TAGS)
    except KeyLoadError as error:
        log.warning("%s cannot be sent without its card: %s", row.stan, error)
        return None
    for _ in range(2):
        signed_on = await _sign_on_where_due(session)
        if not session.can_seal:
            return None
        answer = await session.ask(row.kind, fields, stan=row.stan, batch=row.batch, capability=row.capability)
        if not session.sign_on_again:
            outcome = take(session, row, answer)
            return None if outcome.result == "unknown" else outcome
        if not signed_on:
            return None
    return None


_ATTEMPTS: Final[Mapping[State, tuple[Callable[[Session, Transaction], Awaitable[bool]], str]]] = {
    State.MUST_REVERSE: (_reverse, "terminal.reversal_pending"),
    State.PENDING: (_send_again, "terminal.refund_pending"),
    State.OFFLINE: (_upload, "terminal.offline_pending"),
}


async def _sign_on_where_due(session: Session) -> bool:
    """Sign on where the host asked for it or there are no keys; whether the terminal may be heard now.

    Why that failed is told for itself: what is pending waits for a key card, say, and not for another try.
    """
    if session.can_seal and not session.sign_on_again:
        return True
    outcome = await sign_in(session)
    if not outcome.is_good:
        session.tell(outcome)
    return outcome.is_good


def _is_done(session: Session, reply: Reply) -> bool:
    """A refusal may come without a MAC from a host whose declines have none; an approval never."""
    approved = reply.response.approved
    believed = reply.mac is Mac.ABSENT and session.settings.decline_mac == "optional" and not approved
    return (approved or reply.response.code in DONE) and (reply.mac is Mac.GOOD or believed)


def _count(session: Session, row: Transaction) -> int:
    """Count one more try in vain, up to the alarm, and alarm when it is due; returns how many there were."""
    tries_max = session.profile.reversal_tries if row.state is State.MUST_REVERSE else 0
    if row.tries < max(session.settings.reversal_alarm_after, tries_max):
        session.journal.append(ReversalTried(batch=row.batch, stan=row.stan))
    tries = session.book.rows[row.key].tries
    if tries_max and tries >= tries_max:
        session.note("reversal given up", f"{row.kind} {row.batch}/{row.stan} {row.amount_fen} fen, {tries} tries")
        session.journal.append(Moved(batch=row.batch, stan=row.stan, event=Event.CLEAR))
    alarm(session)
    return tries
