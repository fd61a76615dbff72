"""Asks why the host refuses, fetches its signed commands and carries them out (decisions 10 and 12).

Rules owned here: a command is believed for its signature alone, and only for this device, once and in time (C1, C2,
C3); its counter is durable before its effect; what was carried out is acknowledged until the host knows it.
"""

from __future__ import annotations

from typing import Final

from protocol.command import RemoteCommand, open_command
from protocol.errors import DecodeError, SignatureError
from protocol.fields import F
from protocol.private import pack_tags, text_tag
from terminal.book import Accepted, Notice
from terminal.explain import explain
from terminal.flows.firmware import fetch_image
from terminal.flows.sign_in import sign_in
from terminal.outcome import Outcome, done, local
from terminal.records import CommandAccepted, CommandAcknowledged, CommandDone, NoticesRead
from terminal.session import Reply, Session, Silence, refused, silent

FETCHED_MAX: Final = 20
LATER: Final = frozenset(
    {"terminal.no_line", "terminal.no_answer", "terminal.reversal_pending", "terminal.refund_pending"}
    | {"terminal.settlement_pending", "terminal.no_master_key"}
)
"""Why a command is tried again later, as it is where the host wants a sign-on first; anything else is its result."""


async def why(session: Session) -> Outcome:
    """Ask what a sale would be told now, and show it in full."""
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
    if not session.is_signed_on and not (outcome := await sign_in(session)).is_good:
        return outcome.of("commands")
    carried_out = 0
    for _ in range(FETCHED_MAX):
        if stopped := await _finish_accepted(session):
            return stopped
        answer = await session.ask("command_fetch")
        if isinstance(answer, Silence):
            return silent("commands", answer)
        if not answer.response.approved:
            return await explain(session, refused("commands", answer))
        try:
            document = answer.tags().get("CM", b"")
        except DecodeError:
            return local("commands", "terminal.bad_reply")
        if not document:
            break
        if forged := _accept(session, document):
            return forged
        carried_out += 1
    if stopped := await _finish_accepted(session):
        return stopped
    return done(
        "commands",
        f"已处理{carried_out}条指令",
        f"{carried_out} command{'s' * (carried_out != 1)} carried out",
        count=str(carried_out),
    )


async def notices(session: Session) -> Outcome:
    """Show all notices, newest first; they count as read then."""
    stored = session.book.notices
    for notice in reversed(stored):
        _show_notice(session, notice)
    if any(not notice.read for notice in stored):
        session.journal.append(NoticesRead(counter=stored[-1].counter))
    detail = {str(notice.counter): notice.title_zh for notice in stored}
    return done("notices", f"共{len(stored)}条通知", f"{len(stored)} notices", **detail)


def _accept(session: Session, document: bytes) -> Outcome | None:
    """Write down a command that is good; the refusal where it is not, which is noted."""
    board = session.board
    try:
        command = open_command(
            document,
            board.secure_module.host_public_key,
            serial_number=board.serial_number,
            last_counter=session.book.counter,
            now_s=int(board.clock.now().timestamp()),
        )
    except SignatureError as error:
        session.note("command refused", error.code)
        return local("commands", f"command.{error.code}", fault=error.message)
    session.journal.append(CommandAccepted(command=_accepted(command)))
    return None


def _accepted(command: RemoteCommand) -> Accepted:
    return Accepted(counter=command.counter, kind=command.kind, body=dict(command.body))


async def _finish_accepted(session: Session) -> Outcome | None:
    """Carry out and acknowledge every accepted command, also those of an earlier power epoch."""
    for command in session.book.commands:
        result = command.result
        if not result:
            outcome = await _carry_out(session, command)
            if outcome.reason in LATER or session.sign_on_again:
                return outcome
            result = outcome.code or "done" if outcome.is_good else outcome.reason or outcome.code
            session.journal.append(CommandDone(counter=command.counter, result=result))
        tags = [("CN", str(command.counter).encode()), ("RS", result.encode())]
        answer = await session.ask("command_ack", {F.PAYLOAD: pack_tags(tags)})
        if not isinstance(answer, Reply) or not answer.response.approved:
            return silent("commands", answer) if isinstance(answer, Silence) else refused("commands", answer)
        session.journal.append(CommandAcknowledged(counter=command.counter))
    return None


async def _carry_out(session: Session, command: Accepted) -> Outcome:
    """TABLE COMMAND_KINDS has two kinds: a notice was stored when it was accepted, an update begins now."""
    if command.kind == "update_firmware":
        body = command.body
        return session.tell(await fetch_image(session, body["version"], int(body["size"]), body["sha256"]))
    notice = next(notice for notice in session.book.notices if notice.counter == command.counter)
    _show_notice(session, notice)
    return session.tell(
        Outcome(
            "notice",
            "done",
            reason=notice.reason,
            text_zh=notice.title_zh,
            text_en=notice.title_en,
            detail={"stop_at": notice.stop_at, "counter": str(notice.counter)},
        )
    )


def _show_notice(session: Session, notice: Notice) -> None:
    session.show(f"{notice.title_zh}\n{notice.text_zh}", f"{notice.title_en}\n{notice.text_en}")
