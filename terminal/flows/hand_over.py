"""Hands a till over to another device (product X1, X2, X6; decision 6).

Rules owned here: TABLE HAND_OVER, what the old device does next, as the host says how far the swap has come; from its
first step on it takes no new business, until the host says that the swap was cancelled; reversals are resolved,
signatures with the host and the batch settled before anything is backed up; the backup is sealed under a key of its own
and goes up in chunks from where the host has it. Whoever is cut off starts the same flow again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from protocol.errors import EncodeError
from protocol.swap import CHUNK_BYTES, Report, Role, SwapState, backup_context
from terminal import backup
from terminal.book import Swap
from terminal.flows.resolve import resolve
from terminal.flows.settle import settle
from terminal.flows.sign_in import sign_in
from terminal.flows.signature import flush
from terminal.flows.standing import Standing, ask_standing, report
from terminal.flows.wipe import obey, show_certificate
from terminal.outcome import Outcome, done, local
from terminal.records import SwapKept
from terminal.session import Session

FLOW: Final = "hand_over"


async def hand_over(session: Session) -> Outcome:
    """Do this old device's part of its swap, as far as it can be done now; a wiped one shows its certificate."""
    if session.book.is_wiped:
        return await show_certificate(session, FLOW)
    standing = await ask_standing(session, FLOW)
    if isinstance(standing, Outcome):
        return standing
    if standing.role is not Role.OLD:
        return local(FLOW, "swap.not_old")
    return await HAND_OVER[standing.state](session, standing)


async def _go_on(session: Session, standing: Standing) -> Outcome:
    """Drain, settle, back up: what was done before is found done."""
    _keep(session, standing)
    if not session.is_signed_on and not (outcome := await sign_in(session)).is_good:
        return outcome.of(FLOW)
    if standing.state is SwapState.ORDERED:
        told = await report(session, FLOW, Report.DRAIN)
        if isinstance(told, Outcome):
            return told
    if stopped := await _drain(session):
        return stopped
    if standing.state is not SwapState.SETTLED:
        told = await report(session, FLOW, Report.SETTLED)
        if isinstance(told, Outcome):
            return told
        standing = told
    return await _back_up(session, standing)


async def _drain(session: Session) -> Outcome | None:
    """Bring to its end what is open here; the refusal where that fails (product decisions 5, 6, invariant G5)."""
    if pending := await resolve(session, FLOW):
        return pending
    await flush(session)
    if session.book.signatures or session.book.signatures_due:
        return local(FLOW, "swap.signatures_waiting")
    if not session.book.rows and not session.book.settling:
        return None
    settled = await settle(session)
    if settled.is_good:
        session.tell(settled)
        return None
    return settled.of(FLOW)


async def _back_up(session: Session, standing: Standing) -> Outcome:
    """Send what the host does not have of the backup; its digest is durable before its first byte leaves."""
    session.show("正在备份", "sending the backup")
    context = backup_context(session.board.serial_number, standing.number)
    try:
        packed = backup.pack(backup.take(session.book, session.settings))
    except EncodeError:
        return local(FLOW, "swap.too_large")
    sealed = session.board.secure_module.seal_backup(packed, context)
    sha256 = hashlib.sha256(sealed).hexdigest()
    _keep(session, standing, sha256)
    at = standing.received if standing.sha256 == sha256 else 0
    while at < len(sealed):
        chunk = [
            ("OF", str(at).encode()),
            ("SZ", str(len(sealed)).encode()),
            ("SH", sha256.encode()),
            ("DA", sealed[at : at + CHUNK_BYTES]),
        ]
        told = await report(session, FLOW, Report.BACKUP, *chunk)
        if isinstance(told, Outcome):
            return told
        if told.state is SwapState.BACKED_UP:
            return await _wait(session, told)
        if told.received <= at:
            return local(FLOW, "terminal.bad_reply")
        at = told.received
    return _waiting(standing)


async def _wait(session: Session, standing: Standing) -> Outcome:
    """The host has a whole backup of this device: an earlier one, where the end of that came late."""
    _keep(session, standing, standing.sha256)
    return _waiting(standing)


def _waiting(standing: Standing) -> Outcome:
    return done(
        FLOW,
        f"已交机，请在新终端{standing.peer}上接机",
        f"handed over: take over on the new device {standing.peer}, then hand over here again",
        peer=standing.peer,
    )


async def _obey(session: Session, standing: Standing) -> Outcome:
    _keep(session, standing, standing.sha256)
    return await obey(session, FLOW, standing.order)


async def _release(session: Session, standing: Standing) -> Outcome:
    """The swap is off: this device goes on selling."""
    if session.book.swap:
        session.note("swap cancelled", str(standing.number))
        session.journal.append(SwapKept(swap=None))
    return local(FLOW, "swap.cancelled")


def _keep(session: Session, standing: Standing, sha256: str = "") -> None:
    """Write down that the till goes and to whom; what was backed up stays known until another takes its place."""
    kept = session.book.swap
    if kept is None or kept.number != standing.number:
        session.note("hand over", f"swap {standing.number}, to {standing.peer}")
        kept = Swap(number=standing.number, peer=standing.peer, stage="handing_over")
    kept = kept.model_copy(update={"peer": standing.peer, "sha256": sha256 or kept.sha256})
    if kept != session.book.swap:
        session.journal.append(SwapKept(swap=kept))


HAND_OVER: Final[Mapping[SwapState, Callable[[Session, Standing], Awaitable[Outcome]]]] = MappingProxyType(
    {
        SwapState.ORDERED: _go_on,
        SwapState.DRAINING: _go_on,
        SwapState.SETTLED: _go_on,
        SwapState.BACKED_UP: _wait,
        SwapState.BOUND: _wait,
        SwapState.RESTORED: _obey,
        SwapState.WIPED: _obey,
        SwapState.CANCELLED: _release,
    }
)
"""State of the swap at the host -> what the old device does."""
