"""Tells the host how the scripts of issuers went, before anything else is sent (CUP 7.4, 7.22)."""

from __future__ import annotations

from protocol.fields import F
from protocol.private import Original
from terminal.flows.sign_in import sign_in
from terminal.money import NORMAL, RENMINBI
from terminal.records import ScriptTold
from terminal.session import Session, Silence
from terminal.transaction import Transaction


async def tell_scripts(session: Session) -> None:
    """Send each script result once, whatever is answered; those that cannot be sent now stay for the next time."""
    for row in session.book.scripts_due:
        if not session.is_signed_on and not (await sign_in(session)).is_good:
            return
        if not await _tell(session, row):
            return
        session.journal.append(ScriptTold(batch=row.batch, stan=row.stan))


async def _tell(session: Session, row: Transaction) -> bool:
    """Whether it left this device."""
    answer = await session.ask(
        "script_result",
        {
            F.PROCESSING_CODE: row.row.processing_code,
            F.AMOUNT: f"{row.amount_fen:012d}",
            F.ENTRY_MODE: row.entry_mode,
            F.PAN_SEQUENCE: row.sequence,
            F.CONDITION_CODE: row.row.condition_code or NORMAL,
            F.CURRENCY: RENMINBI,
            F.ICC: bytes.fromhex(row.script),
            F.ORIGINAL: str(Original(row.batch, row.stan, row.date)),
        },
        stan=session.take_stan(),
        capability=row.capability or "50",
    )
    return not isinstance(answer, Silence) or answer.sent
