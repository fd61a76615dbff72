"""Wipes a device that gave its till away, and shows the certificate of it ever after (product X12, invariant K4).

Rules owned here: only an order that the host signed for this device, this swap and this backup is obeyed, wherever it
comes from; the certificate is made while there is a key to make it, and is durable before the first key goes; then the
keys are erased, for ever, and then the journal, down to the certificate. A cut anywhere is finished at the next boot,
before anything else. What is left refuses everything but showing the certificate.
"""

from __future__ import annotations

from typing import Final

from firmware_sim.errors import NvramWorn
from protocol.crypto.derived import Purpose
from protocol.errors import SignatureError
from protocol.fields import F
from protocol.wipe import WipeCertificate, make_certificate, open_order
from terminal.book import Swap
from terminal.explain import unapproved
from terminal.outcome import Outcome, done, local
from terminal.records import SwapKept
from terminal.session import Reply, Session

ERASED: Final = "all keys and their fuse; the journal: batches, operators, parameters, notices, audit trail"
AFTER_WIPE: Final = frozenset({"hand_over"})
"""Flows that are left: it shows the certificate."""


async def obey(session: Session, flow: str, order: bytes) -> Outcome:
    """Wipe this device if the host orders it, and show the certificate."""
    kept, board = session.book.swap, session.board
    why = why_refused(session, kept, order) if kept else "other_swap"
    if kept is None or why:
        session.note("wipe refused", why)
        return local(flow, "swap.wipe_order")
    if session.book.unresolved or session.book.rows or session.book.signatures:
        return local(flow, "swap.not_empty")
    if board.nvram.is_worn:
        return local(flow, "terminal.memory_worn")
    stated = WipeCertificate(board.serial_number, kept.peer, kept.number, kept.sha256, session.now_s, ERASED)
    certificate = make_certificate(stated, lambda statement: board.secure_module.prove(Purpose.CERTIFICATE, statement))
    begun = kept.model_copy(update={"stage": "wiping", "certificate": certificate.hex()})
    session.journal.append(SwapKept(swap=begun))
    if not finish(session):
        return local(flow, "terminal.memory_worn")
    return await show_certificate(session, flow)


def why_refused(session: Session, swap: Swap, order: bytes) -> str:
    """Why an order is not obeyed: "signature", "malformed", "other_swap"; "" where the host wants this device wiped."""
    try:
        ordered = open_order(order, session.board.secure_module.host_public_key)
    except SignatureError as error:
        return error.code
    meant = (session.board.serial_number, swap.number, swap.peer, swap.sha256)
    is_meant = (ordered.serial_number, ordered.swap, ordered.successor, ordered.sha256) == meant
    return "" if is_meant else "other_swap"


def finish(session: Session) -> bool:
    """Erase what a wipe that has begun has left; whether nothing is left now. Doing it again does nothing."""
    kept = session.book.swap
    if kept is not None and kept.stage == "wiping":
        session.show("正在擦除，请勿断电", "wiping: leave it plugged in")
        session.board.secure_module.tamper()  # the erasure that the switch under the case does
        try:
            session.journal.forget(SwapKept(swap=kept.model_copy(update={"stage": "wiped"})))
        except NvramWorn:
            return False
        session.operator, session.settings = "", session.own_settings
    return True


def after_wipe(session: Session, flow: str) -> Outcome | None:
    """The refusal of a flow on a wiped device, else None."""
    return local(flow, "swap.wiped") if session.book.is_wiped and flow not in AFTER_WIPE else None


async def show_certificate(session: Session, flow: str) -> Outcome:
    """Hand the certificate to the host, which verifies its proof; nobody has a key here to prove anything else."""
    kept = session.book.swap
    if kept is None or not finish(session):
        return local(flow, "terminal.memory_worn")
    certificate = bytes.fromhex(kept.certificate)
    answer = await session.ask("swap_query", {F.PAYLOAD: session.pack([("CE", certificate)])})
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, flow, answer)
    return done(
        flow,
        f"本机已擦除，由{kept.peer}接替，证书已上送",
        f"this device is wiped, {kept.peer} has its place; the host has the certificate",
        peer=kept.peer,
    )
