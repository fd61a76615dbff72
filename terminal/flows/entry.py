"""What the cashier and the cardholder enter.

Rules owned here: an amount is yuan with no or two decimals, at most 99999999.99 (CUP 7.21), and only the digits 0 to 9
are digits; a PIN is never seen here, only how long it is; a card with a chip is swiped only after its chip failed, and
then the request says so (CUP 2.5); TABLE AGAIN, what may be tried once more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from firmware_sim.card_reader import ChipLink
from firmware_sim.cards import EntryMode
from firmware_sim.errors import CardError
from protocol.describe import mask_pan
from terminal.chip_objects import terminal_objects
from terminal.downloads import chip_rules, is_blacklisted, needs_no_pin
from terminal.emv_kernel import TRACK2, ChipTransaction, PinRule
from terminal.money import RENMINBI
from terminal.session import Session

READS_MAX: Final = 3
"""How often one card may be tried."""

AGAIN: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "card_unreadable": ("请重新刷卡", "swipe the card again"),
        "card_torn": ("请重新挥卡", "tap the card again"),
        "chip_mute": ("芯片无法读取，请刷卡", "the chip cannot be read: swipe the card"),
        "chip_first": ("请插卡", "insert the card"),
    }
)
"""CardError code to what is shown before the next try; any other one ends the flow."""

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,7})(?:\.([0-9]{2}))?")
_HAS_CHIP: Final = frozenset("26")
_PIN_REQUIRED: Final = frozenset("03567")
"""Digits 1 and 3 of the service code (ISO 7813)."""

FALLBACK: Final = {False: "51", True: "52"}
"""60.4 and 60.5 of a swipe after a mute chip, by whether the transaction before failed so as well (CUP 2.5)."""


@dataclass(frozen=True, slots=True)
class Presented:
    """What a card told: ``expiry`` YYMM, ``sequence`` 3 digits or "", ``track2`` with "D" as separator.

    ``capability`` is 60.4 and 60.5 where they are not the usual ones.
    """

    entry_mode: EntryMode
    pan: str = field(repr=False)
    expiry: str = field(repr=False)
    sequence: str
    track2: str = field(repr=False)
    pin: PinRule
    capability: str = ""
    chip: ChipTransaction | None = None


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


async def ask_hold(session: Session) -> tuple[str, str]:
    """Authorisation id and date MMDD of a hold, "" for an entry that is neither; raises as ``ask_amount``."""
    auth_id = await ask_digits(session, "请输入原授权码", "enter the authorisation code", r"[0-9A-Z]{6}")
    date = await ask_digits(session, "请输入原交易日期MMDD", "enter the date of the original, MMDD", r"[0-9]{4}")
    return auth_id, date


async def ask_card(session: Session, amount_fen: int, *, exempt: bool = True, offline: bool = False) -> Presented:
    """The card that is presented for ``amount_fen``; raises as ``ask_amount``, and CardError for one that is of no use.

    ``exempt`` says whether a small tap needs no PIN (CUP 7.9), ``offline`` that the host is not asked. A chip that does
    not prove itself is on the audit trail.
    """
    reader, keypad = session.board.card_reader, session.board.keypad
    session.show("请刷卡、插卡或挥卡", "present the card")
    tries, fallback = 0, ""
    while True:
        tries += 1
        try:
            with keypad.escaping(reader.interrupt):
                reading = await reader.read_card(session.settings.entry_timeout_s)
            if reading.chip is None:
                presented = _swiped(session, reading.track2, fallback)
            else:
                presented = _begun(session, reading.entry_mode, reading.chip, amount_fen, exempt, offline)
        except CardError as error:
            if error.code == "chip_mute":
                fallback, session.chip_failed = FALLBACK[session.chip_failed], True
            if error.code not in AGAIN or tries == READS_MAX:
                raise
            session.show(*AGAIN[error.code])
        else:
            session.chip_failed = bool(presented.capability)
            check_taken(session, presented.pan)
            return presented


def check_taken(session: Session, pan: str) -> None:
    """Raise CardError "card_blacklisted" for a number whose BIN the acquirer does not take (CUP 1.9)."""
    if is_blacklisted(session.book, pan):
        raise CardError("cards of this BIN are not taken", hint="use another card", code="card_blacklisted")


async def ask_pin(session: Session, rule: PinRule) -> bool:
    """Whether a PIN waits in the secure entry, where ``rule`` lets it be asked for; raises as ``ask_amount``."""
    if rule is PinRule.NEVER:
        return False
    if rule is PinRule.REQUIRED:
        session.show("请输入密码", "enter the PIN")
    else:
        session.show("请输入密码，无密码请按确认", "enter the PIN, or only enter for none")
    return await session.board.keypad.read_pin(session.settings.entry_timeout_s) > 0


def _swiped(session: Session, track2: str, fallback: str) -> Presented:
    """What a stripe tells; a card with a chip is to be inserted where it can be and has not failed."""
    track = TRACK2.fullmatch(track2)
    if track is None:
        raise CardError("the stripe cannot be read", hint="swipe it again", code="card_unreadable")
    pan, expiry, first, third = track.groups()
    has_chip = first in _HAS_CHIP and EntryMode.CHIP in session.board.card_reader.reads
    if has_chip and not fallback:
        raise CardError("this card has a chip", hint="insert it", code="chip_first")
    rule = PinRule.REQUIRED if third in _PIN_REQUIRED else PinRule.ASKED
    return Presented(EntryMode.MAGNETIC, pan, expiry, "", track2, rule, fallback if has_chip else "")


def _begun(
    session: Session, entry_mode: EntryMode, link: ChipLink, amount_fen: int, exempt: bool, offline: bool
) -> Presented:
    """What a chip tells, and the transaction that it has begun."""
    board, settings = session.board, session.settings
    now = board.clock.now()
    objects = terminal_objects(
        amount_fen=amount_fen,
        now=now,
        serial_number=board.serial_number,
        unpredictable=board.card_reader.unpredictable_number(),
        country=settings.country,
        currency=RENMINBI,
        terminal_type=settings.terminal_type,
        capabilities=settings.terminal_capabilities,
    )
    tapped = entry_mode is EntryMode.CONTACTLESS
    verify = not (exempt and settings.no_pin and amount_fen <= settings.no_pin_limit_fen)
    book = session.book
    chip = ChipTransaction(
        link, objects, now=now, tapped=tapped, verify=verify, rules=chip_rules(book, settings), offline=offline
    )
    if chip.fault:
        session.note("chip not proven", f"{mask_pan(chip.pan)}: {chip.fault}")
    spared = not tapped or verify or needs_no_pin(book, settings, chip.pan)
    rule = chip.pin if spared else PinRule.REQUIRED
    return Presented(entry_mode, chip.pan, chip.expiry, chip.sequence, chip.track2, rule, chip=chip)
