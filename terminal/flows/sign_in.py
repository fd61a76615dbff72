"""Asks for working keys, and ends the session (CUP 3.2, 5.2, 7.10).

Rules owned here: keys are loaded all or none, before the book says that the terminal is signed on; the host's batch is
adopted while ours holds no money; firmware on trial is confirmed by a sign-on that worked.
"""

from __future__ import annotations

from firmware_sim.boot import Outcome as Boot
from firmware_sim.secure_module import KeyState
from protocol.errors import DecodeError, KeyLoadError
from protocol.fields import F
from protocol.private import Control, pack_sequence_number, pack_tags
from terminal.book import FIRST_BATCH
from terminal.explain import explain
from terminal.outcome import Outcome, done, local
from terminal.records import SignedOff, SignedOn, UpdateStaged
from terminal.session import Reply, Session, Silence, refused, silent


async def sign_in(session: Session) -> Outcome:
    """Sign on; the outcome carries the host's remedy where it refuses."""
    if session.board.secure_module.key_state is KeyState.NONE:
        return local("sign_in", "terminal.no_master_key")
    session.sign_on_failed = True
    session.show("签到中", "signing on")
    if not await session.connect():
        return local("sign_in", "terminal.no_line")
    answer = await session.ask(
        "sign_in",
        {F.PAYLOAD: pack_sequence_number(session.board.serial_number)},
        stan=session.take_stan(),
        network=session.settings.network,
    )
    if isinstance(answer, Silence):
        return silent("sign_in", answer)
    if not answer.response.approved:
        return await explain(session, refused("sign_in", answer))
    try:
        session.board.secure_module.load_working_keys(answer.message.octets(F.PAYLOAD))
    except KeyLoadError as error:
        return local("sign_in", "terminal.bad_keys", fault=error.message)
    session.journal.append(SignedOn(batch=_batch(session, answer)))
    session.sign_on_again = session.sign_on_failed = False
    session.has_signed_on = True
    await _settle_firmware(session)
    return done("sign_in", "签到成功", "signed on", batch=session.book.batch)


async def sign_off(session: Session) -> Outcome:
    """End the session; the working keys are erased, so what is unresolved must be resolved first."""
    if session.book.unresolved:
        return local("sign_off", "terminal.reversal_pending")
    answer = await session.ask("sign_off", stan=session.take_stan())
    if isinstance(answer, Silence):
        return silent("sign_off", answer)
    if not answer.response.approved:
        return await explain(session, refused("sign_off", answer))
    if not session.believes(answer):
        return local("sign_off", "terminal.bad_reply")
    session.journal.append(SignedOff())
    session.board.secure_module.erase_working_keys()
    return done("sign_off", "已签退", "signed off")


def _batch(session: Session, reply: Reply) -> str:
    """The batch to use: the host's, unless ours holds money or is being settled; a foreign host may tell none."""
    book = session.book
    if book.money or book.unresolved or book.settling:
        return book.batch
    try:
        batch = Control.parse(reply.message.text(F.CONTROL)).batch
    except DecodeError:
        return book.batch
    return batch if int(batch) else FIRST_BATCH


async def _settle_firmware(session: Session) -> None:
    """Keep firmware that was on trial, and tell the host how its update went, once."""
    board, staged = session.board, session.book.staged
    if board.update.on_trial:
        board.update.confirm()
    if not staged or session.reboot_due:
        return
    if board.running.version != staged and board.running.outcome is not Boot.REVERT:
        session.journal.append(UpdateStaged(version=""))  # the power went before it was staged
        return
    result = b"confirmed" if board.running.version == staged else b"reverted"
    answer = await session.ask("firmware_report", {F.PAYLOAD: pack_tags([("VN", staged.encode()), ("RS", result)])})
    if isinstance(answer, Reply) and answer.response.approved:
        session.journal.append(UpdateStaged(version=""))
