"""Takes a till over from another device, with everything that it backed up (product X1, X2, X6).

Rules owned here: the claim proves which device asks, and comes before any sign-on; the backup is taken in with one
write, after its last byte was verified, and a broken download begins anew; tables that this model does not take are
left out. Whoever is cut off starts the same flow again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from firmware_sim.errors import NvramFull, NvramWorn
from protocol.crypto.derived import Purpose
from protocol.errors import DecodeError, KeyLoadError
from protocol.fields import F
from protocol.private import number_tag, text_tag
from protocol.swap import BACKUP_BYTES_MAX, Report, Role, SwapState, backup_context, claim_statement
from terminal import backup
from terminal.book import Swap
from terminal.explain import unapproved
from terminal.flows.download import keep
from terminal.flows.sign_in import sign_in
from terminal.flows.standing import Standing, ask_standing, report
from terminal.outcome import Outcome, done, local
from terminal.records import Restored
from terminal.session import Reply, Session

FLOW: Final = "take_over"


async def take_over(session: Session) -> Outcome:
    """Claim the till for this new device, and take in what the old one backed up."""
    standing = await ask_standing(session, FLOW)
    if isinstance(standing, Outcome):
        return standing
    if standing.role is not Role.NEW:
        return local(FLOW, "swap.not_new")
    kept = session.book.swap
    kept = kept if kept and kept.number == standing.number else None
    if kept and standing.state is not SwapState.BOUND:
        return local(FLOW, "swap.restored_already")
    if standing.state in _TOO_EARLY:
        return local(FLOW, _TOO_EARLY[standing.state], peer=standing.peer)
    if not kept and (session.book.rows or session.book.settling):
        return local(FLOW, "swap.not_empty")
    if standing.state is SwapState.BACKED_UP:
        claimed = await _claim(session, standing)
        if isinstance(claimed, Outcome):
            return claimed
    if not session.is_signed_on and not (outcome := await sign_in(session)).is_good:
        return outcome.of(FLOW)
    swap = kept or await _restore(session, standing)
    return await _tell_restored(session, swap) if isinstance(swap, Swap) else swap


_TOO_EARLY: Final[Mapping[SwapState, str]] = MappingProxyType(
    {
        **dict.fromkeys((SwapState.ORDERED, SwapState.DRAINING, SwapState.SETTLED), "swap.old_not_ready"),
        SwapState.CANCELLED: "swap.cancelled",
    }
)


async def _claim(session: Session, standing: Standing) -> Standing | Outcome:
    """Ask for the till, with the proof that this is the device which was ordered."""
    statement = claim_statement(session.board.serial_number, standing.peer, standing.number)
    proof = session.board.secure_module.prove(Purpose.CLAIM, statement)
    return await ask_standing(session, FLOW, ("CL", proof))


async def _restore(session: Session, standing: Standing) -> Swap | Outcome:
    """Fetch the backup, verify all of it, then let it count; the refusal where that fails, and nothing has changed."""
    sealed = await _fetch(session)
    if isinstance(sealed, Outcome):
        return sealed
    context = backup_context(session.board.serial_number, standing.number)
    try:
        content = session.board.secure_module.open_backup(sealed, context)
        come = backup.unpack(content)
    except KeyLoadError:
        return local(FLOW, "swap.backup_foreign")
    except DecodeError:
        return local(FLOW, "swap.backup_unreadable")
    kept = {table.name: keep(session, table) for table in come.downloads}
    swap = Swap(
        number=standing.number, peer=standing.peer, stage="taken_over", sha256=hashlib.sha256(content).hexdigest()
    )
    try:
        session.journal.append(Restored(swap=swap, backup=come.model_copy(update={"downloads": ()})))
    except NvramFull:
        return local(FLOW, "terminal.journal_full")
    except NvramWorn:
        return local(FLOW, "terminal.memory_worn")
    session.note("take over", f"swap {standing.number}, from {standing.peer}")
    for name, reason in kept.items():
        if reason:  # it can be downloaded, once there is room for it
            session.note("download refused", f"{name}: {reason}")
    return swap


async def _fetch(session: Session) -> bytes | Outcome:
    """The sealed backup, in chunks; a broken one begins anew, for nothing was changed yet."""
    session.show("正在恢复", "fetching the backup")
    come = b""
    while True:
        answer = await session.ask(
            "swap_report", {F.PAYLOAD: session.pack([("OP", Report.FETCH.encode()), ("OF", str(len(come)).encode())])}
        )
        if not isinstance(answer, Reply) or not answer.response.approved:
            return await unapproved(session, FLOW, answer)
        try:
            tags = answer.tags()
            offset, size, sha256 = number_tag(tags, "OF"), number_tag(tags, "SZ"), text_tag(tags, "SH")
        except DecodeError:
            return local(FLOW, "terminal.bad_reply")
        data = tags.get("DA", b"")
        fits = 0 < offset + len(data) <= size <= BACKUP_BYTES_MAX
        if not session.believes(answer) or offset != len(come) or not data or not fits:
            return local(FLOW, "terminal.bad_reply")
        come += data
        if len(come) == size:
            return come if hashlib.sha256(come).hexdigest() == sha256 else local(FLOW, "swap.digest")


async def _tell_restored(session: Session, swap: Swap) -> Outcome:
    told = await report(session, FLOW, Report.RESTORED, ("SH", swap.sha256.encode()))
    if isinstance(told, Outcome):
        return told
    return done(
        FLOW,
        f"已接替{swap.peer}，请在旧终端上再次交机以擦除",
        f"took over from {swap.peer}: hand over there once more, which wipes it",
        peer=swap.peer,
    )
