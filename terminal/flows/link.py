"""Asks whether the line works, and tells the host how the device is (CUP 3.2, 3.7)."""

from __future__ import annotations

from protocol.fields import F
from terminal.explain import explain
from terminal.outcome import Outcome, done
from terminal.session import Session, Silence, refused, silent


async def echo(session: Session) -> Outcome:
    """Test the line."""
    answer = await session.ask("echo")
    if isinstance(answer, Silence):
        return silent("echo", answer)
    if not answer.response.approved:
        return await explain(session, refused("echo", answer))
    return done("echo", "线路正常", "the line works")


async def status(session: Session) -> Outcome:
    """Upload the state of the parts; ``detail`` tells the state of the terminal as well."""
    answer = await session.ask("status_upload", {F.PAYLOAD: _parts(session).encode("ascii")})
    if isinstance(answer, Silence):
        return silent("status", answer)
    if not answer.response.approved:
        return await explain(session, refused("status", answer))
    return done("status", "状态已上送", "the status was uploaded", **summary(session))


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


def _parts(session: Session) -> str:
    """Two digits for each part that there is, then 1 for good (CUP 3.7)."""
    model = session.board.model
    parts = {"01": True, "02": True, "03": True, "04": model.printer, "05": True}
    return "".join(f"{code}1" for code, fitted in parts.items() if fitted)
