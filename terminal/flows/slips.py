"""Hands out slips where the model has a printer; one without shows them.

Rules owned here: the merchant's copy comes first; what became of the paper never changes money, and is told apart.
"""

from __future__ import annotations

import logging

from firmware_sim.errors import NotRecorded, PrinterError
from terminal.outcome import Outcome, local
from terminal.receipts import GOOD, Copy, Slip, slips
from terminal.records import SlipPrinted
from terminal.session import Session
from terminal.transaction import Transaction

log = logging.getLogger("poslab.terminal")


def hand_out(session: Session, outcome: Outcome) -> None:
    """Print what belongs to an outcome: both copies of a transaction's slip, or the slip as it was told."""
    if session.board.printer is None or not outcome.receipt_zh:
        return
    row = session.book.find(outcome.stan)
    if row is None or row.state not in GOOD:
        _print(session, (outcome.receipt_zh, outcome.receipt_en))
    elif all(_print(session, slips(row, session.settings, copy)) for copy in Copy):
        try:
            session.journal.append(SlipPrinted(batch=row.batch, stan=row.stan))
        except NotRecorded as error:  # a reprint is offered that nobody needs
            log.warning("the slip of %s is printed, and that is not written down: %s", row.stan, error)


def print_paper_slip(session: Session, row: Transaction) -> None:
    """Print the merchant's copy once more, now with a line to sign on."""
    if session.board.printer is not None and row.state in GOOD:
        _print(session, slips(row, session.settings, Copy.MERCHANT, duplicate=True))


def offer_reprint(session: Session) -> None:
    """Say at power-on that the last slip did not come out whole."""
    row = session.book.last_good
    if session.board.printer is not None and row is not None and not row.printed:
        session.show(f"签购单{row.stan}未打印完，可重打印", f"the slip of {row.stan} may not be whole: reprint it")


def _print(session: Session, slip: Slip) -> bool:
    """Whether a slip came out whole, where there is a printer."""
    printer, (chinese, english) = session.board.printer, slip
    if printer is None:
        return True
    try:
        printer.print(chinese if session.settings.slip_language == "zh" else english)
    except PrinterError as error:
        session.tell(local("print", f"terminal.{error.code}"))
        return False
    return True
