"""Asks for working keys, and ends the session (CUP 3.2, 5.2, 7.10).

Rules owned here: TABLE ALGORITHMS; keys are asked for that the model and its firmware can use, and loaded all or none,
before the book says that the terminal is signed on; the host's batch is adopted while ours holds no money; no keys are
taken from a host that heard another batch than was told; firmware on trial is confirmed by a sign-on that worked.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from firmware_sim.boot import Outcome as Boot
from firmware_sim.errors import SecureModuleError
from firmware_sim.key_slots import Algorithm
from firmware_sim.secure_module import KeyState
from protocol.errors import DecodeError, KeyLoadError
from protocol.fields import F
from protocol.private import Batches, Control, pack_sequence_number
from terminal.book import FIRST_BATCH
from terminal.explain import unapproved
from terminal.outcome import Outcome, done, local
from terminal.records import SignedOff, SignedOn, UpdateStaged
from terminal.session import Reply, Session, silent
from terminal.transaction import Key

# 60.3 -> the algorithm of the keys that it asks for (CUP 5.2)
ALGORITHMS: Final[Mapping[str, Algorithm]] = MappingProxyType(
    {
        "001": Algorithm.DES,
        "003": Algorithm.TDES,
        "004": Algorithm.TDES,
        "005": Algorithm.SM4,
        "006": Algorithm.SM4,
    }
)
REUSED_CODE: Final = "94"
"""The host has another request under the STAN: one that changed on the way, or of a memory that was set back."""
_NO_SIGN_ON: Final = {KeyState.NONE: "terminal.no_master_key", KeyState.TAMPERED: "terminal.tampered"}


async def sign_in(session: Session) -> Outcome:
    """Sign on; the outcome carries the host's remedy where it refuses."""
    network = session.profile.network or session.settings.network
    if refusal := _without_keys(session, network):
        return local("sign_in", refusal)
    session.sign_on_failed = True
    session.show("签到中", "signing on")
    if unreached := await session.connect():
        return silent("sign_in", unreached)
    answer = await session.ask(
        "sign_in",
        {F.PAYLOAD: pack_sequence_number(session.board.serial_number)},
        stan=session.take_stan(),
        network=network,
    )
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, "sign_in", answer)
    if not _is_whole(answer, told=session.book.batch):
        return local("sign_in", "terminal.bad_reply")
    try:
        session.board.secure_module.load_working_keys(answer.message.octets(F.PAYLOAD), ALGORITHMS[network])
    except KeyLoadError as error:
        return local("sign_in", "terminal.bad_keys", fault=error.message)
    except SecureModuleError as error:
        if error.code != "algorithm":
            raise
        return local("sign_in", "terminal.no_algorithm", fault=error.message)
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
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, "sign_off", answer)
    if not session.believes(answer):
        return local("sign_off", "terminal.bad_reply")
    session.journal.append(SignedOff())
    session.board.secure_module.erase_working_keys()
    return done("sign_off", "已签退", "signed off")


def _without_keys(session: Session, network: str) -> str:
    """Why this device cannot sign on with the keys of ``network`` (60.3), a reason of LOCAL; empty where it can."""
    module = session.board.secure_module
    if module.key_state in _NO_SIGN_ON:
        return _NO_SIGN_ON[module.key_state]
    if module.is_locked:
        return "terminal.keys_locked"
    if ALGORITHMS[network] not in session.board.model.algorithms:
        return "terminal.no_algorithm"
    return "" if session.profile.sm4 or ALGORITHMS[network] is not Algorithm.SM4 else "terminal.no_sm4"


def _is_whole(reply: Reply, *, told: str) -> bool:
    """Did the host hear the batch that was told, and does it say twice which one it has open? A foreign host does not.

    Else it would take this terminal for one that is ahead of its books, or give it a batch that there is not.
    """
    said = reply.message.octets(F.DEVICE)
    return not said.startswith(Batches.TAG) or said == bytes(Batches(told, _open_there(reply)))


def _batch(session: Session, reply: Reply) -> str:
    """The batch to use: the host's, unless ours holds money or is being settled; a foreign host may tell none."""
    book = session.book
    if book.money or book.unresolved or book.settling:
        return book.batch
    batch = _open_there(reply)
    if not batch:
        return book.batch
    return batch if int(batch) else FIRST_BATCH


def _open_there(reply: Reply) -> str:
    """The host's batch, empty where it tells none."""
    try:
        return Control.parse(reply.message.text(F.CONTROL)).batch
    except DecodeError:
        return ""


async def _settle_firmware(session: Session) -> None:
    """Keep firmware that was on trial, and tell the host how its update went, once."""
    board, staged = session.board, session.book.staged
    if board.update.on_trial:
        board.update.confirm()
    if not staged or session.reboot_due:
        return
    is_untold = session.book.report is None
    if is_untold and board.running.version != staged and board.running.outcome is not Boot.REVERT:
        session.journal.append(UpdateStaged(version=""))  # the power went before it was staged
        return
    result = b"confirmed" if board.running.version == staged else b"reverted"
    told = not session.profile.extensions  # by its own version in field 59; it knows no report
    if told or await _report(session, staged, result):
        session.journal.append(UpdateStaged(version=""))


async def _report(session: Session, staged: str, result: bytes) -> bool:
    """Tell the host how an update went; it counts failures, so that it is told under the same number until it heard."""
    report = session.book.report
    if report is None:
        report = Key(session.book.batch, session.take_stan())
        session.journal.append(UpdateStaged(version=staged, report=report))
    tags = session.pack([("VN", staged.encode()), ("RS", result)])
    answer = await session.ask("firmware_report", {F.PAYLOAD: tags}, stan=report.stan, batch=report.batch)
    if not isinstance(answer, Reply) or not session.believes(answer):
        return False
    if answer.response.code == REUSED_CODE:
        session.journal.append(UpdateStaged(version=staged, report=Key(session.book.batch, session.take_stan())))
    return answer.response.approved
