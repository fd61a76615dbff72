"""Who works at the terminal: TABLE ROLES, what a flow asks of who starts it, and how passwords are kept (product O09).

Rules owned here: no operator has a password that nobody chose: the first supervisor chooses one, and a cashier's first
log-on changes the one that the supervisor gave; of a password only its scrypt hash is kept, with a salt of its own.
Until a supervisor is set up nobody is asked for anything, unless the settings say otherwise; whoever logs on as
SUPERVISOR first is the one, so a shop does so on its first day, and the audit trail says when it was.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from terminal.book import Book, Operator
from terminal.settings import Settings

SUPERVISOR: Final = "00"
OPERATOR: Final = r"[0-9]{2}"
DIGITS_OF_CHOICE: Final = r"[0-9]{6,12}"
SALT_BYTES: Final = 16
TRIES_MAX: Final = 3
"""Wrong passwords of one operator; after that none is taken until the power goes."""
_COST: Final = {"n": 1 << 12, "r": 8, "p": 1, "dklen": 32}
_IN_ORDER: Final = ("0123456789012345678901", "9876543210987654321098")


class Role(IntEnum):
    """Who may start a flow; each may do all that those before may."""

    ANYBODY = 0
    CASHIER = 1
    SUPERVISOR = 2


# flow -> least role; whatever has no row is business, for a cashier who has logged on
ROLES: Final[Mapping[str, Role]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("sign_in", "sign_off", "echo", "status", "configuration", "cashier_sign_in", "why", "commands"),
            Role.ANYBODY,
        ),
        **dict.fromkeys(("reverse", "settle", "notices", "acknowledge", "register"), Role.ANYBODY),
        **dict.fromkeys(("log_on", "log_off", "take_over"), Role.ANYBODY),
        **dict.fromkeys(("clear_reversal", "refund", "training", "pause", "resume", "audit"), Role.SUPERVISOR),
        **dict.fromkeys(("download", "download_master_key", "update"), Role.SUPERVISOR),
        **dict.fromkeys(("add_operator", "remove_operator", "hand_over"), Role.SUPERVISOR),
    }
)


def role_of(flow: str) -> Role:
    """The least role of a flow."""
    return ROLES.get(flow, Role.CASHIER)


def is_enforced(book: Book, settings: Settings) -> bool:
    """Whether roles count: once a supervisor is set up, or always; nobody is left to ask at a wiped device."""
    return not book.is_wiped and (settings.supervisor == "always" or SUPERVISOR in book.operators)


def is_enough(flow: str, operator: str) -> bool:
    """May ``operator``, "" for nobody, start the flow without another password?"""
    held = Role.SUPERVISOR if operator == SUPERVISOR else Role.CASHIER if operator else Role.ANYBODY
    return held >= role_of(flow)


def is_fit(password: str) -> bool:
    """Is it 6 to 12 digits, and neither one digit only nor a run like 123456?"""
    of_form = re.fullmatch(DIGITS_OF_CHOICE, password) is not None
    return of_form and len(set(password)) > 1 and all(password not in run for run in _IN_ORDER)


def made(number: str, password: str, salt: bytes, *, must_change: bool) -> Operator:
    """The operator as it is kept; ``salt`` is SALT_BYTES that nobody had before."""
    return Operator(number=number, salt=salt.hex(), digest=_digest(password, salt), must_change=must_change)


def is_password(operator: Operator, password: str) -> bool:
    """Is it this operator's?"""
    return hmac.compare_digest(_digest(password, bytes.fromhex(operator.salt)), operator.digest)


def _digest(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, **_COST).hex()
