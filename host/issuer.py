"""TABLE ISSUERS: the simulated issuers behind the host, by the leading digits of the card.

Every number and key here is invented. A row answers for its cards. Rules owned here: TABLE MAGIC_AMOUNTS, how the last
two digits of an amount force field 39; how a card number spells the answer that it forces; when a PIN locks a card;
what proves a chip, and what proves the issuer to it (EMV Book 2, 8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from host.refusals import ISSUER_CODES, Refused
from host.value import value
from protocol.checks import luhn_ok
from protocol.crypto.cryptogram import arpc_1, card_key, session_key, verify_cryptogram
from protocol.crypto.key import IssuerKey, SessionKey
from protocol.crypto.keys import odd_parity
from protocol.emv import cryptogram_data
from protocol.errors import DecodeError
from protocol.responses import RESPONSES
from protocol.tlv import Node, encode, value_of

MASTER_KEY: Final = IssuerKey(odd_parity(b"issuers of a lab"))
"""From which the keys of all their chips are made; it protects nothing."""

WRONG_PINS_MAX: Final = 3
"""So many wrong PINs one after the other lock a card."""

MAGIC_AMOUNTS: Final[Mapping[int, str]] = MappingProxyType({int(code): code for code in ISSUER_CODES if code.isdigit()})
"""Last two digits of the amount in fen -> field 39, at an issuer ``by_amount``: 10.51 yuan gets 51; others are good."""

SCRIPT: Final = encode([Node(0x72, (Node(0x9F18, b"\x00\x00\x00\x01"), Node(0x86, bytes.fromhex("04DA9F580105"))))])
"""An issuer's script after an approval: put data, the lower limit of consecutive offline transactions."""


KEYED_MAX_FEN: Final = 9_999_999_999
"""The largest amount that can be keyed (CUP 7.21)."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A row of ISSUERS: ``limit_fen`` is what every card of it has, ``refusal`` its constant answer.

    The number of a card ``by_number`` spells the answer, in digits 9 to 12: two for each character, its value in base
    36. At ``by_amount`` MAGIC_AMOUNTS answers. ``script`` goes back with every approval of a chip.
    """

    prefix: str
    name: str
    card_type: str
    limit_fen: int = KEYED_MAX_FEN
    foreign: bool = False
    organisation: str = "CUP"
    refusal: str = ""
    by_number: bool = False
    by_amount: bool = False
    script: bytes = b""
    pin: str = field(default="123456", repr=False)

    @property
    def keeps_accounts(self) -> bool:
        """Does every card have so much and no more? Then what it paid counts against its limit."""
        return self.limit_fen < KEYED_MAX_FEN


ISSUERS: Final = (
    Issuer("62000001", "Lab Debit Bank", "debit"),
    Issuer("62000002", "Lab Credit Bank", "credit"),
    Issuer("62000003", "Lab Savings Bank", "debit", limit_fen=1_00),
    Issuer("62000004", "Lab Debit Bank, stolen", "debit", refusal="card.stolen"),
    Issuer("62000005", "Lab Credit Bank, expired", "credit", refusal="card.expired"),
    Issuer("62000006", "Lab Debit Bank, lost", "debit", refusal="card.lost"),
    Issuer("62000007", "Lab Debit Bank, PIN locked", "debit", refusal="card.pin_locked"),
    Issuer("62000008", "Lab Bank of Answers", "credit", by_number=True),
    Issuer("62000009", "Lab Bank Abroad", "credit", foreign=True, organisation="VIS"),
    Issuer("62000010", "Lab Bank of Magic", "credit", by_amount=True),
    Issuer("62000011", "Lab Bank of Scripts", "credit", script=SCRIPT),
)
WALLETS: Final = (
    Issuer("6200", "Lab UnionPay Wallet", "unionpay_qr"),
    Issuer("2800", "Lab Scan Wallet", "scan"),
    Issuer("2801", "Lab Scan Wallet, empty", "scan", limit_fen=1_00),
    Issuer("2899", "Lab Scan Wallet, code expired", "scan", refusal="qr.expired"),
)
"""TABLE WALLETS: the partners behind the codes that customers show, by the leading digits of the code."""

_CARD_NUMBER: Final = re.compile(r"[0-9]{13,19}")
_CODE: Final = re.compile(r"[0-9]{16,24}")
_SPELT: Final = slice(8, 12)
_ARQC: Final = b"\x80"
_TC: Final = b"\x40"


@value
class Answer:
    """What an issuer says: a refusal, else the ``code`` of its approval; ``wrong_pins`` stand against the card now."""

    refused: Refused | None = None
    code: str = "00"
    wrong_pins: int = 0


def find_issuer(pan: str) -> Issuer | None:
    """The issuer of a card, or None where no issuer knows it: 13 to 19 digits whose last one checks the others."""
    if not _CARD_NUMBER.fullmatch(pan) or not luhn_ok(pan):
        return None
    return next((row for row in ISSUERS if pan.startswith(row.prefix)), None)


def find_wallet(code: str) -> Issuer | None:
    """The partner behind a customer's code of 16 to 24 digits, or None where nobody knows it."""
    if not _CODE.fullmatch(code):
        return None
    return next((row for row in WALLETS if code.startswith(row.prefix)), None)


def authorise(
    issuer: Issuer, pan: str, amount_fen: int, pin: str | None, wrong_pins: int = 0, spent_fen: int = 0
) -> Answer:
    """The issuer's own answer. ``pin`` is None where no PIN was entered; ``wrong_pins`` came before it, and
    ``spent_fen`` is what the card has paid and holds already.
    """
    if issuer.refusal:
        return Answer(Refused(issuer.refusal), wrong_pins=wrong_pins)
    if wrong_pins >= WRONG_PINS_MAX:
        return Answer(Refused("card.pin_locked"), wrong_pins=wrong_pins)
    if pin is not None and pin != issuer.pin:
        locked = wrong_pins + 1 >= WRONG_PINS_MAX
        return Answer(Refused("card.pin_locked" if locked else "card.wrong_pin"), wrong_pins=wrong_pins + 1)
    left = wrong_pins if pin is None else 0
    code = _forced(issuer, pan, amount_fen)
    if not RESPONSES[code].approved:
        return Answer(Refused(f"issuer.{code.lower()}"), wrong_pins=left)
    if amount_fen > issuer.limit_fen - spent_fen:
        return Answer(Refused("card.no_funds"), wrong_pins=left)
    return Answer(code=code, wrong_pins=left)


def _forced(issuer: Issuer, pan: str, amount_fen: int) -> str:
    """The code that number or amount force, else 00."""
    if issuer.by_number:
        return _BY_NUMBER.get(pan[_SPELT], "00")
    return MAGIC_AMOUNTS.get(amount_fen % 100, "00") if issuer.by_amount else "00"


_BY_NUMBER: Final[Mapping[str, str]] = MappingProxyType(
    {"".join(f"{int(character, 36):02d}" for character in code): code for code in ISSUER_CODES}
)


def proves_chip(pan: str, sequence: str, amount_fen: int, chip: Iterable[Node], *, offline: bool = False) -> bool:
    """Is the cryptogram of field 55 this card's, over this amount: its request to go online, or its word offline?

    ``sequence`` is field 23, empty for none. Raises DecodeError where an object is missing or has a strange length.
    """
    objects = tuple(chip)
    key = _session_key(pan, sequence, objects)
    is_due = value_of(objects, 0x9F27) == (_TC if offline else _ARQC)
    is_over = value_of(objects, 0x9F02).hex() == f"{amount_fen:012d}"
    return is_due and is_over and verify_cryptogram(key, cryptogram_data(objects), value_of(objects, 0x9F26))


def answer_chip(issuer: Issuer, pan: str, sequence: str, chip: Iterable[Node], code: str, *, approved: bool) -> bytes:
    """Field 55 of the reply: the ARPC with its response code, and after an approval perhaps a script (CUP 7.22)."""
    objects = tuple(chip)
    response = b"00" if approved else code.encode("ascii")
    arpc = arpc_1(_session_key(pan, sequence, objects), value_of(objects, 0x9F26), response)
    told = encode([Node(0x9F36, value_of(objects, 0x9F36)), Node(0x91, arpc + response)])
    return told + (issuer.script if approved else b"")


def _session_key(pan: str, sequence: str, chip: tuple[Node, ...]) -> SessionKey:
    atc = value_of(chip, 0x9F36)
    if len(atc) != 2:
        raise DecodeError("tag 9F36 has two bytes", code="emv")
    return session_key(card_key(MASTER_KEY, pan, sequence[-2:] or "00"), atc)
