"""Gives out a slip again, the last one or one by its STAN, marked as a duplicate."""

from __future__ import annotations

from dataclasses import replace

from terminal.outcome import Outcome, done, local
from terminal.receipts import GOOD, Copy, slips
from terminal.session import Session

FLOW = "reprint"
_DIGITS = frozenset("0123456789")


async def reprint(session: Session) -> Outcome:
    """Show and print a slip of the open batch again. Raises EntryTimeout, EntryCancelled."""
    session.show("请输入凭证号，最后一笔请按确认", "enter the STAN, or only enter for the last one")
    stan = await session.board.keypad.read(session.settings.entry_timeout_s)
    if not _DIGITS.issuperset(stan):
        return local(FLOW, "terminal.entry")
    row = session.book.find(stan.zfill(6)) if stan else session.book.last_good
    if row is None or row.state not in GOOD:
        return local(FLOW, "terminal.nothing_to_print")
    chinese, english = slips(row, session.settings, Copy.MERCHANT, duplicate=True)
    told = done(FLOW, f"重打印{row.stan}", f"{row.stan} once more", batch=row.batch, stan=row.stan)
    return replace(told, receipt_zh=chinese, receipt_en=english)
