"""Asks why the host refuses, fetches its signed commands and carries them out (decisions 10 and 12).

Rules owned here: a command is believed for the host's signatures alone, and only for this device, once, in time and in
answer to the fetch that is under way (C1, C2, C3); its counter is durable before its effect; what was carried out is
acknowledged until the host proves that it knows it, and once more where it gives it out again. A command that the host
gives out now has not expired there: it tells the year, which its replies leave out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from firmware_sim.self_test import GOOD, self_test
from protocol.command import NONCE_BYTES, RemoteCommand, check_answer, open_command
from protocol.diagnosis import pack_diagnosis
from protocol.errors import DecodeError, SignatureError
from protocol.fields import F
from protocol.private import text_tag
from terminal.book import Accepted, Notice
from terminal.explain import unapproved
from terminal.flows.diagnose import diagnose
from terminal.flows.firmware import fetch_image
from terminal.flows.sign_in import sign_in
from terminal.outcome import Outcome, done, local
from terminal.records import (
    CommandAccepted,
    CommandAcknowledged,
    CommandDone,
    NoticeConfirmed,
    NoticeReadTold,
    NoticesRead,
)
from terminal.session import Reply, Session, Silence, refused, silent

FETCHED_MAX: Final = 20
_WAS_HERE: Final = "command.replayed"
LATER: Final = frozenset(
    {"terminal.no_line", "terminal.no_answer", "terminal.reversal_pending", "terminal.refund_pending"}
    | {"terminal.settlement_pending", "terminal.offline_pending", "terminal.no_master_key"}
    | {"update.money_in_flight", "update.battery_low", "update.batch_open"}
)
"""Why a command is tried again later, as it is where the host wants a sign-on first; anything else is its result."""


async def why(session: Session) -> Outcome:
    """Ask what a sale would be told now, and show it in full."""
    if not session.profile.extensions:
        return local("why", "terminal.no_extension")
    answer = await session.ask("why")
    if isinstance(answer, Silence):
        return silent("why", answer)
    if not answer.response.approved:
        return refused("why", answer)
    if session.can_seal and not session.believes(answer):
        return local("why", "terminal.bad_reply")
    try:
        tags = answer.tags()
        said = {tag: text_tag(tags, tag) for tag in ("RC", "CD", "ZH", "EN", "RZ", "RE", "CZ", "CE")}
    except DecodeError:
        return local("why", "terminal.bad_reply")
    if not said["RC"]:
        return done("why", "终端可以交易", "the terminal may sell")
    return Outcome(
        "why", "done", said["CD"], said["RC"], said["ZH"], said["EN"], said["RZ"], said["RE"],
        detail={"contact_zh": said["CZ"], "contact_en": said["CE"]},
    )  # fmt: skip


async def commands(session: Session) -> Outcome:
    """Fetch, verify, carry out and acknowledge until none waits; stops at the first that is not good."""
    if not session.profile.extensions:
        return local("commands", "terminal.no_extension")
    if not session.is_signed_on and not (outcome := await sign_in(session)).is_good:
        return outcome.of("commands")
    carried_out = 0
    for _ in range(FETCHED_MAX):
        if stopped := await _finish_accepted(session):
            return stopped
        nonce = session.board.fresh(NONCE_BYTES)
        answer = await session.ask("command_fetch", {F.PAYLOAD: session.pack([("NC", nonce)])})
        if not isinstance(answer, Reply) or not answer.response.approved:
            return await unapproved(session, "commands", answer)
        try:
            tags = answer.tags()
        except DecodeError:
            return local("commands", "terminal.bad_reply")
        if not tags.get("CM"):
            break
        taken = _open(session, tags["CM"], nonce, tags.get("AP", b""))
        if isinstance(taken, Outcome):
            return taken
        if not _was_here(session, taken):
            session.journal.append(CommandAccepted(command=_accepted(taken)))
            carried_out += 1
        else:
            session.note("command again", str(taken.counter))
            if stopped := await _acknowledge(session, taken.counter, _WAS_HERE):
                return stopped
    if stopped := await _finish_accepted(session):
        return stopped
    return done(
        "commands",
        f"已处理{carried_out}条指令",
        f"{carried_out} command{'s' * (carried_out != 1)} carried out",
        count=str(carried_out),
    )


async def notices(session: Session) -> Outcome:
    """Show all notices, newest first; they count as read then, but for announcements."""
    stored = session.book.notices
    for notice in reversed(stored):
        _show_notice(session, notice)
    if any(not notice.read and not notice.must_confirm for notice in stored):
        session.journal.append(NoticesRead(counter=stored[-1].counter, at=session.now_s))
    detail = {str(notice.counter): notice.title_zh for notice in stored}
    return done("notices", f"共{len(stored)}条通知", f"{len(stored)} notices", **detail)


async def acknowledge(session: Session) -> Outcome:
    """Show the oldest unconfirmed announcement and wait for enter. Raises EntryTimeout, EntryCancelled."""
    waiting = session.book.announcements
    if not waiting:
        return done("acknowledge", "没有待确认的公告", "no announcement waits", left="0")
    notice = waiting[0]
    _show_notice(session, notice)
    await session.board.keypad.read(session.settings.entry_timeout_s)
    session.journal.append(NoticeConfirmed(counter=notice.counter, at=session.now_s))
    left = len(session.book.announcements)
    return done("acknowledge", notice.title_zh, notice.title_en, counter=str(notice.counter), left=str(left))


async def tell_read(session: Session) -> None:
    """Tell the host which notices were read and when, where there is a sign-on, until it proves that it knows."""
    untold = {command.counter for command in session.book.commands}
    for notice in session.book.notices:
        if not notice.read or notice.read_told or notice.counter in untold or not session.is_signed_on:
            continue
        tags = [("CN", str(notice.counter).encode()), ("RS", b"read"), ("RT", str(notice.read_at).encode())]
        answer = await session.ask("command_ack", {F.PAYLOAD: session.pack(tags)})
        if not isinstance(answer, Reply) or not answer.response.approved or not session.believes(answer):
            return
        session.journal.append(NoticeReadTold(counter=notice.counter))


def _open(session: Session, document: bytes, nonce: bytes, proof: bytes) -> RemoteCommand | Outcome:
    """The command that the host gives this device now; the refusal of any other document, which is noted.

    The counter says that it did not come before, as far as this memory knows; the proof says so if the memory is an old
    one, for the host hands out nothing that it knows to be done.
    """
    key = session.board.secure_module.host_public_key
    try:
        command = open_command(document, key, serial_number=session.board.serial_number)
        check_answer(document, nonce, proof, key)
        session.adopt_year(command.issued_at, command.expires_at)
        if _has_expired(session, command):
            raise SignatureError(f"command {command.counter} has expired", code="expired")
    except SignatureError as error:
        session.note("command refused", error.code)
        return local("commands", f"command.{error.code}", fault=error.message)
    return command


def _was_here(session: Session, command: RemoteCommand) -> bool:
    """Did it come before? The host has not heard so, or has forgotten it."""
    return command.counter <= session.book.counter


def _has_expired(session: Session, command: RemoteCommand) -> bool:
    """Is it too late for it, by the clock of this device?"""
    return session.now_s >= command.expires_at


def _accepted(command: RemoteCommand) -> Accepted:
    return Accepted(counter=command.counter, kind=command.kind, body=dict(command.body))


async def _finish_accepted(session: Session) -> Outcome | None:
    """Carry out and acknowledge every accepted command, also those of an earlier power epoch."""
    for command in session.book.commands:
        result = command.result
        if not result:
            outcome = session.tell(await OBEYED[command.kind](session, command))
            if outcome.reason in LATER or session.sign_on_again:
                return outcome
            result = outcome.code or "done" if outcome.is_good else outcome.reason or outcome.code
            session.journal.append(CommandDone(counter=command.counter, result=result))
        # as the device is now, if it has to be said again
        diagnosis = pack_diagnosis(diagnose(session.board)) if command.kind == "diagnose" else []
        if stopped := await _acknowledge(session, command.counter, result, *diagnosis):
            return stopped
        session.journal.append(CommandAcknowledged(counter=command.counter))
    return None


async def _acknowledge(session: Session, counter: int, result: str, *more: tuple[str, bytes]) -> Outcome | None:
    """Tell what became of a command; an outcome where the host does not prove that it knows."""
    tags = [("CN", str(counter).encode()), ("RS", result.encode()), *more]
    answer = await session.ask("command_ack", {F.PAYLOAD: session.pack(tags)})
    if isinstance(answer, Silence):
        return silent("commands", answer)
    if not answer.response.approved:
        return refused("commands", answer)
    return None if session.believes(answer) else local("commands", "terminal.bad_reply")


async def _notice(session: Session, command: Accepted) -> Outcome:
    """It was stored when it was accepted."""
    notice = next(notice for notice in session.book.notices if notice.counter == command.counter)
    _show_notice(session, notice)
    return Outcome(
        "notice",
        "done",
        reason=notice.reason,
        text_zh=notice.title_zh,
        text_en=notice.title_en,
        detail={"stop_at": notice.stop_at, "counter": str(notice.counter)},
    )


async def _update(session: Session, command: Accepted) -> Outcome:
    body = command.body
    return await fetch_image(session, body["version"], int(body["size"]), body["sha256"])


async def _diagnose(session: Session, command: Accepted) -> Outcome:
    """What is found goes with the acknowledgement."""
    results = self_test(session.board)
    faults = ", ".join(f"{part} {result}" for part, result in results.items() if result != GOOD)
    return done("diagnose", "自检完成", "the device was diagnosed", faults=faults)


OBEYED: Final[Mapping[str, Callable[[Session, Accepted], Awaitable[Outcome]]]] = MappingProxyType(
    {"notice": _notice, "announcement": _notice, "update_firmware": _update, "diagnose": _diagnose}
)
"""Kind of command of COMMAND_KINDS -> what is done on it."""


def _show_notice(session: Session, notice: Notice) -> None:
    session.show(f"{notice.title_zh}\n{notice.text_zh}", f"{notice.title_en}\n{notice.text_en}")
