"""Asks whether the line works, and tells the host how the device is, and who works at it (CUP 3.2, 3.7)."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.errors import NotRecorded
from firmware_sim.self_test import GOOD, self_test
from protocol.codes import PARTS
from protocol.fields import F
from protocol.private import pack_parameters
from terminal.downloads import told
from terminal.explain import unapproved
from terminal.flows.sign_in import sign_in
from terminal.outcome import Outcome, done
from terminal.session import Reply, Session


async def echo(session: Session) -> Outcome:
    """Test the line."""
    answer = await session.ask("echo")
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, "echo", answer)
    return done("echo", "线路正常", "the line works")


async def status(session: Session) -> Outcome:
    """Test and upload the state of the parts; ``detail`` tells of the terminal as well, and all ``faults``."""
    results = self_test(session.board)
    payload = part_states(results).encode("ascii")
    answer = await session.ask("status_upload", {F.PAYLOAD: payload}, stan=_number(session))
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, "status", answer)
    faults = ", ".join(f"{part} {result}" for part, result in results.items() if result != GOOD)
    return done("status", "状态已上送", "the status was uploaded", **summary(session), faults=faults)


async def configuration(session: Session) -> Outcome:
    """Upload the state of the parts and the parameters in force (CUP 1.9, D)."""
    payload = part_states(self_test(session.board)).encode("ascii") + pack_parameters(told(session.settings))
    answer = await session.ask("status_upload", {F.PAYLOAD: payload}, stan=_number(session))
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, "configuration", answer)
    return done("configuration", "配置已上送", "the configuration was uploaded")


async def cashier_sign_in(session: Session) -> Outcome:
    """Tell the host which cashier works here, the one of field 63 (CUP 3.2)."""
    if not session.is_signed_on and not (outcome := await sign_in(session)).is_good:
        return outcome.of("cashier_sign_in")
    answer = await session.ask("cashier_sign_in")
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, "cashier_sign_in", answer)
    operator = session.operator or session.settings.operator.strip()
    return done("cashier_sign_in", "收银员已签到", "the cashier is signed on", operator=operator)


def summary(session: Session) -> dict[str, str]:
    """The terminal in a few words."""
    book, board = session.book, session.board
    return {
        "serial_number": board.serial_number,
        "model": board.model.id,
        "firmware": board.running.version,
        "signed_on": "yes" if session.is_signed_on else "no",
        "batch": book.batch,
        "next_stan": book.next_stan,
        "transactions": str(len(book.rows)),
        "net_fen": str(book.net_fen),
        "unresolved": str(len(book.unresolved)),
        "clock": board.clock.now().isoformat(timespec="seconds"),
    }


def part_states(results: Mapping[str, str]) -> str:
    """Two digits for each part that the host knows and the device has, then 1 for good or 0 for bad (CUP 3.7)."""
    return "".join(f"{code}{int(results[part] == GOOD)}" for code, part in PARTS.items() if part in results)


def _number(session: Session) -> str:
    """The STAN by which the host tells a status from a later one; none where the memory takes nothing more, of which it
    is to hear all the same.
    """
    try:
        return session.take_stan()
    except NotRecorded:
        return ""
