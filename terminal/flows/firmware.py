"""Asks for new firmware, downloads it in chunks and stages it (product F1 to F4).

Rules owned here: the image goes to the flash chunk by chunk and a broken download goes on where it stopped; nothing is
staged while money is in flight (F4); the restart is the device's, after the flow.
"""

from __future__ import annotations

import re
from typing import Final

from firmware_sim.errors import NvramWorn, UpdateRefused
from protocol.errors import DecodeError, SignatureError
from protocol.fields import F
from protocol.image import SHA256, VERSION
from protocol.private import text_tag
from terminal.explain import unapproved
from terminal.flows.resolve import resolve
from terminal.flows.sign_in import sign_in
from terminal.outcome import Outcome, done, local
from terminal.records import UpdateStaged
from terminal.session import Reply, Session, Silence, refused, silent

FLOW: Final = "update"


async def update(session: Session) -> Outcome:
    """Ask for newer firmware; where there is some, download and stage it for the next boot."""
    if not session.profile.extensions:
        return local(FLOW, "terminal.no_extension")
    if not session.is_signed_on and not (outcome := await sign_in(session)).is_good:
        return outcome.of(FLOW)
    answer = await session.ask("firmware_query")
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, FLOW, answer)
    try:
        tags = answer.tags()
        version, size, sha256 = (text_tag(tags, tag) for tag in ("VN", "SZ", "SH"))
    except DecodeError:
        return local(FLOW, "terminal.bad_reply")
    if not version:
        return done(FLOW, "没有可用固件", "no firmware is offered")
    if not (VERSION.admits(version) and re.fullmatch(r"[0-9]{1,9}", size) and SHA256.admits(sha256)):
        return local(FLOW, "terminal.bad_reply")
    return await fetch_image(session, version, int(size), sha256)


async def fetch_image(session: Session, version: str, size: int, sha256: str) -> Outcome:
    """Download the image of ``version`` and stage it; ``size`` in bytes, ``sha256`` in hex."""
    flash, running = session.board.update, session.board.running.version
    if version == running:
        return done(FLOW, "固件已是最新", "the firmware is up to date", version=running)
    if pending := await resolve(session, FLOW):
        return pending
    session.show(f"下载固件{version}", f"downloading firmware {version}")
    try:
        download = flash.begin(sha256, size)
        while download.offset < download.size:
            chunk = await _chunk(session, version, download.offset)
            if isinstance(chunk, Outcome):
                return chunk
            download = flash.write(download.offset, chunk)
        session.journal.append(UpdateStaged(version=version))
        book = session.book
        flash.stage(money_in_flight=bool(book.unresolved), batch_open=bool(book.rows or book.settling))
    except (UpdateRefused, SignatureError, NvramWorn) as error:
        session.note("update refused", f"{version}: {error.code}")
        session.journal.append(UpdateStaged(version=""))
        return await _report(session, version, local(FLOW, f"update.{error.code}", version=version))
    session.reboot_due = True
    return Outcome(
        FLOW,
        "done",
        "staged",
        "",
        f"固件{version}待启动",
        f"firmware {version} starts next",
        detail={"version": version},
    )


async def _chunk(session: Session, version: str, offset: int) -> bytes | Outcome:
    """The bytes at ``offset``; an outcome where none came."""
    answer = await session.ask(
        "firmware_chunk", {F.PAYLOAD: session.pack([("VN", version.encode()), ("OF", str(offset).encode())])}
    )
    if isinstance(answer, Silence):
        return silent(FLOW, answer)
    if not answer.response.approved:
        return refused(FLOW, answer)
    try:
        tags = answer.tags()
    except DecodeError:
        return local(FLOW, "terminal.bad_reply")
    if tags.get("OF") != str(offset).encode() or not tags.get("DA"):
        return local(FLOW, "terminal.bad_reply")
    return tags["DA"]


async def _report(session: Session, version: str, outcome: Outcome) -> Outcome:
    """Tell the host of a failed update, as far as it hears it; how a staged one went is told after its boot."""
    tags = [("VN", version.encode()), ("RS", outcome.reason.encode())]
    await session.ask("firmware_report", {F.PAYLOAD: session.pack(tags)}, stan=session.take_stan())
    return outcome
