"""What the cashier and the cardholder enter.

Rules owned here: an amount is yuan with no or two decimals, at most 99999999.99 (CUP 7.21), and only the digits 0 to 9
are digits; a PIN is never seen here, only how long it is.
"""

from __future__ import annotations

import re

from firmware_sim.cards import Card
from terminal.session import Session

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,7})(?:\.([0-9]{2}))?")


def parse_amount(text: str) -> int:
    """Yuan as they are keyed, in fen; 0 for what is no amount."""
    match = _AMOUNT.fullmatch(text)
    return int(match[1]) * 100 + int(match[2] or 0) if match else 0


async def ask_amount(session: Session) -> int:
    """The amount in fen, 0 for what is no amount; raises EntryTimeout, EntryCancelled."""
    session.show("请输入金额", "enter the amount")
    return parse_amount(await session.board.keypad.read(session.settings.entry_timeout_s))


async def ask_digits(session: Session, zh: str, en: str, form: str) -> str:
    """An entry that matches ``form``, "" for one that does not; raises as ``ask_amount``."""
    session.show(zh, en)
    text = await session.board.keypad.read(session.settings.entry_timeout_s)
    return text if re.fullmatch(form, text) else ""


async def ask_card(session: Session) -> Card:
    """The card that is presented; raises EntryTimeout."""
    session.show("请刷卡、插卡或挥卡", "present the card")
    return await session.board.card_reader.read_card(session.settings.entry_timeout_s)


async def ask_pin(session: Session) -> bool:
    """Whether a PIN waits in the secure entry; raises as ``ask_amount``."""
    session.show("请输入密码，无密码请按确认", "enter the PIN, or only enter for none")
    return await session.board.keypad.read_pin(session.settings.entry_timeout_s) > 0
