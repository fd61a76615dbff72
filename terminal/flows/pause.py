"""Lets the merchant pause the terminal and resume (product U8), and tells the host.

Rules owned here: the pause is durable before anybody hears of it and holds without the host; what drains the terminal
goes on; what the host was not told is told with the next business, until it proves that it knows. A till that goes to
another device is neither paused nor resumed here any more: its backup may be with the host, and the merchant's word
would not be in it.
"""

from __future__ import annotations

from protocol.fields import F
from terminal.flows.sign_in import sign_in
from terminal.outcome import Outcome, done, local
from terminal.records import PauseSet, PauseTold
from terminal.session import Reply, Session


async def pause(session: Session) -> Outcome:
    """Take no new business from here on."""
    if session.book.is_handing_over:
        return local("pause", "swap.under_way")
    told = await _set(session, on=True)
    return done("pause", "已暂停营业", "paused: no new business is taken", told=told)


async def resume(session: Session) -> Outcome:
    """Take business again."""
    if session.book.is_handing_over:
        return local("resume", "swap.under_way")
    told = await _set(session, on=False)
    return done("resume", "已恢复营业", "business goes on", told=told)


async def tell_pause(session: Session) -> None:
    """Tell the host whether the terminal pauses, where it does not know and there is a sign-on."""
    if session.book.pause_told or not session.profile.extensions or not session.is_signed_on:
        return
    on = session.book.paused
    said = session.pack([("PA", b"1" if on else b"0")])
    answer = await session.ask("pause", {F.PAYLOAD: said}, stan=session.take_stan())
    if isinstance(answer, Reply) and answer.response.approved and session.believes(answer):
        session.journal.append(PauseTold(on=on))


async def _set(session: Session, *, on: bool) -> str:
    session.note("merchant's pause", "on" if on else "off")
    session.journal.append(PauseSet(on=on))  # as it may be already: the host may hold the pause of the device before
    if session.profile.extensions and not session.is_signed_on:
        await sign_in(session)
    await tell_pause(session)
    return "yes" if session.book.pause_told else "no"
