"""What a terminal downloaded, and what it does then (CUP 3.7, 7.9).

Rules owned here: TABLE PARSERS, how a reply becomes items; TABLES EFFECTS, which values become settings and within
which bounds: one value that is out of them and nothing of the download counts. Without a download what is built in
holds: the applications of UnionPay, its CA keys, and its BINs as table B.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from protocol.crypto.lab_ca import CA_KEYS, RID
from protocol.crypto.rsa import PublicKey
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.private import unpack_contactless, unpack_rates, unpack_status
from protocol.tlv import decode, value_of
from terminal.book import Book, Downloaded
from terminal.chip_rules import RESULTS_BYTES, ActionCodes, CaPublicKey, ChipRules
from terminal.settings import REPLY_TIMEOUT_MAX_S, Settings

log = logging.getLogger("poslab.terminal")
BUILT_IN_APPLICATIONS: Final = ("A000000333",)
"""The applications of UnionPay: every one whose name begins so."""
BUILT_IN_CODES: Final = ActionCodes(*map(bytes.fromhex, ("D84000A800", "0010000000", "D84004F800")))
"""The acquirer's action codes: default, denial, online."""
BUILT_IN_BINS: Final = ("62",)
"""Table B of what may be sold without PIN (CUP 7.9)."""
AMOUNT_MAX_FEN: Final = 9_999_999_999
_ACTION_CODES: Final = (0xDF11, 0xDF12, 0xDF13)
_NAME, _SELECTION, _WHOLE_NAME = 0x9F06, 0xDF01, b"\x01"


def _parameters(raw: bytes) -> dict[str, str]:
    states, parameters = unpack_status(raw)
    if states:
        raise DecodeError("states among parameters", field=F.PAYLOAD, code="status")
    return {code: value.rstrip() for code, value in parameters.items()}


PARSERS: Final[Mapping[str, Callable[[bytes], dict[str, str]]]] = MappingProxyType(
    {
        "parameters": _parameters,
        "tms_parameters": _parameters,
        "contactless": unpack_contactless,
        "rates": unpack_rates,
    }
)
"""Download that comes in one reply -> its items by code. Raises DecodeError."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A row of EFFECTS: the setting that a value becomes, read with ValueError where it is out of bounds; and back."""

    setting: str
    read: Callable[[str], object]
    tell: Callable[[Settings], str]


def _number(digits: int, low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(rf"[0-9]{{{digits}}}", text) or not low <= int(text) <= high:
            raise ValueError(f"not {digits} digits from {low} to {high}")
        return int(text)

    return read


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("neither 0 nor 1")
    return text == "1"


def _line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not one line of text")
    return text


def _tries(text: str) -> int:
    return _number(1, 0, 9)(text) + 1


def _timeout(settings: Settings) -> str:
    return f"{min(REPLY_TIMEOUT_MAX_S, round(settings.reply_timeout_s)):02d}"


def _switch(name: str) -> Effect:
    return Effect(name, _flag, lambda settings: str(int(getattr(settings, name))))


def _limit(name: str) -> Effect:
    return Effect(name, _number(12, 0, AMOUNT_MAX_FEN), lambda settings: f"{getattr(settings, name):012d}")


def _text(name: str) -> Effect:
    return Effect(name, _line, lambda settings: getattr(settings, name))


_OF_PARAMETERS: Final[Mapping[str, Effect]] = MappingProxyType(
    {
        "12": Effect("reply_timeout_s", _number(2, 5, REPLY_TIMEOUT_MAX_S), _timeout),
        "17": _text("management_phone"),
        "20": _switch("manual_entry"),
        "22": _text("merchant_name"),
        "23": Effect("reversal_alarm_after", _tries, lambda settings: str(min(9, settings.reversal_alarm_after - 1))),
    }
)
EFFECTS: Final[Mapping[str, Mapping[str, Effect]]] = MappingProxyType(
    {
        "parameters": _OF_PARAMETERS,
        "tms_parameters": _OF_PARAMETERS,
        "contactless": MappingProxyType(
            {
                "FF8054": _switch("no_pin"),
                "FF8055": _switch("bin_table_a"),
                "FF8056": _switch("bin_table_b"),
                "FF8058": _limit("no_pin_limit_fen"),
                "FF8059": _limit("no_signature_limit_fen"),
                "FF805A": _switch("no_signature"),
            }
        ),
    }
)
"""Download, code -> what it sets; the other codes are kept and do nothing."""


def changed(settings: Settings, name: str, items: Mapping[str, str]) -> Settings:
    """The settings as a download changes them. Raises ValueError, which quotes no value, for one out of bounds."""
    changes: dict[str, object] = {}
    for code, effect in EFFECTS.get(name, {}).items():
        if code in items:
            try:
                changes[effect.setting] = effect.read(items[code])
            except ValueError as error:
                raise ValueError(f"{code}: {error}") from None
    try:
        return Settings.model_validate(settings.model_dump() | changes)
    except ValidationError as error:
        raise ValueError(", ".join(str(fault["loc"][0]) for fault in error.errors())) from None


def in_effect(settings: Settings, book: Book) -> Settings:
    """The settings with everything that was downloaded; what another firmware stored and this one refuses is left."""
    for name in EFFECTS:
        if name in book.downloads:
            try:
                settings = changed(settings, name, book.downloads[name].items)
            except ValueError as error:
                log.warning("%s of an earlier download are not used: %s", name, error)
    return settings


def told(settings: Settings) -> dict[str, str]:
    """Code to value of the terminal parameters in force, those that are empty left out (CUP 3.7)."""
    values = {code: effect.tell(settings) for code, effect in _OF_PARAMETERS.items()}
    return {code: value for code, value in values.items() if value}


def made(name: str, at: int, items: Mapping[str, str]) -> Downloaded:
    """A download as it is kept; its version is the beginning of the SHA-256 of what is in it."""
    content = json.dumps(items, sort_keys=True, ensure_ascii=False).encode()
    return Downloaded(name=name, at=at, version=hashlib.sha256(content).hexdigest()[:8], items=dict(items))


def admits(book: Book, aid: bytes) -> bool:
    """Whether an application of a chip is on the list (EMV Book 1, 12.3): by its whole name, or by its beginning."""
    name = aid.hex().upper()
    if "applications" not in book.downloads:
        return name.startswith(BUILT_IN_APPLICATIONS)
    return any(
        name == known if _takes_whole_name(objects) else name.startswith(known)
        for known, objects in book.downloads["applications"].items.items()
    )


def _takes_whole_name(objects: str) -> bool:
    """The application selection indicator, DF01."""
    nodes = decode(bytes.fromhex(objects))
    return any(node.tag == _SELECTION for node in nodes) and value_of(nodes, _SELECTION) == _WHOLE_NAME


def chip_rules(book: Book, settings: Settings) -> ChipRules:
    """What is known of chip applications: what was downloaded, else what is built in."""
    return ChipRules(partial(admits, book), partial(_action_codes, book), partial(_ca_key, book), settings.revoked)


def _action_codes(book: Book, aid: bytes) -> ActionCodes:
    """The acquirer's action codes of an application: those of the longest name on the list that it begins with."""
    name, listed = aid.hex().upper(), book.downloads.get("applications")
    known = sorted(filter(name.startswith, listed.items), key=len) if listed else []
    if not listed or not known:
        return BUILT_IN_CODES
    objects = {node.tag: node.octets for node in decode(bytes.fromhex(listed.items[known[-1]]))}
    built_in = (BUILT_IN_CODES.default, BUILT_IN_CODES.online, BUILT_IN_CODES.denial)
    default, online, denial = (
        found if len(found := objects.get(tag, b"")) == RESULTS_BYTES else other
        for tag, other in zip(_ACTION_CODES, built_in, strict=True)
    )
    return ActionCodes(default, denial, online)


def _ca_key(book: Book, rid: bytes, index: int) -> CaPublicKey | None:
    """A CA public key by its name (EMV Book 2, 11.2); the check value of a downloaded one was checked as it came."""
    if "ca_keys" not in book.downloads:
        row = CA_KEYS.get(index) if rid == RID else None
        return CaPublicKey(row.private.public, row.expiry) if row and row.published else None
    spelt = book.downloads["ca_keys"].items.get((rid + bytes((index,))).hex().upper() if index < 256 else "")
    if spelt is None:
        return None
    nodes = decode(bytes.fromhex(spelt))
    modulus, exponent, expiry = (value_of(nodes, tag) for tag in (0xDF02, 0xDF04, 0xDF05))
    key = PublicKey(modulus, int.from_bytes(exponent, "big"))
    return CaPublicKey(key, expiry.decode("ascii") if expiry.isascii() and expiry.isdigit() else expiry.hex())


def needs_no_pin(book: Book, settings: Settings, pan: str) -> bool:
    """Whether the BIN tables let a small tap go without PIN (CUP 7.9); with neither in use they have no say."""
    if _is_listed(book, "no_pin_blacklist", pan):
        return False
    if not (settings.bin_table_a or settings.bin_table_b):
        return True
    in_a = settings.bin_table_a and _is_listed(book, "no_pin_bins", pan)
    return in_a or (settings.bin_table_b and pan.startswith(BUILT_IN_BINS))


def is_blacklisted(book: Book, pan: str) -> bool:
    """Whether no card with this BIN may be taken (CUP 1.9)."""
    return _is_listed(book, "bin_blacklist", pan)


def _is_listed(book: Book, name: str, pan: str) -> bool:
    return name in book.downloads and any(pan.startswith(each) for each in book.downloads[name].items)
