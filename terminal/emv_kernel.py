"""The EMV kernel: one transaction of one chip, from the choice of its application to its second cryptogram.

Rules owned here: the card's word counts after the host's: what the chip does not agree to is not sold. A tap ends with
its one cryptogram (qPBOC). Whatever a chip sends that is no data object ends the transaction. Every chip that can is
authenticated; one that cannot prove itself goes online, unless the action codes decline it, and is never sold to
offline, and no chip makes more of a refusal (EMV Book 3, 9.3).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import reduce
from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq

from firmware_sim.card_reader import ChipLink
from firmware_sim.cards import Proof
from firmware_sim.chip_card import Cryptogram
from firmware_sim.errors import CardError
from protocol.crypto.certificate import digest, open_dynamic
from protocol.crypto.rsa import PublicKey
from protocol.errors import DecodeError, SignatureError
from protocol.tlv import Node, decode, decode_dol, encode, value_of, walk
from terminal.authentication import DEFAULT_DDOL, Chip, authenticate, forged, proof_for
from terminal.chip_objects import KEPT_TAGS, LENGTHS, REQUEST_TAGS, SCRIPT_TAGS
from terminal.chip_results import (
    AUTHENTICATED_DATA,
    CARD_RISK,
    EXPIRED,
    ISSUER,
    NO_DATA,
    OVER_FLOOR,
    PIN_ONLINE,
    TERMINAL_RISK,
    UNAUTHENTICATED,
    UNPROVEN,
    VERIFIED_HOLDER,
    did,
    mark,
)
from terminal.chip_rules import ISSUERS_DEFAULT, RESULTS_BYTES, ActionCodes, ChipRules, is_denied, may_stay_offline
from terminal.chip_scripts import run_scripts

log = logging.getLogger("poslab.terminal")

TAP_QUALIFIERS: Final = bytes.fromhex("26000080")
"""Tag 9F66: qPBOC and contact chips, online PIN, fDDA."""
_ONLINE: Final = bytes.fromhex("00800000")
_VERIFY: Final = bytes.fromhex("00400000")
_APPROVED: Final = b"00"
_OFFLINE: Final = b"Z3"
"""Tag 8A where there was no answer: unable to go online."""
_OFFLINE_APPROVED: Final = b"Y1"
_OFFLINE_DECLINED: Final = b"Z1"

_NO_VERIFICATION: Final = 0x1F
_ONLINE_PIN: Final = 0x02
_FAILS_WITHOUT: Final = 0x40
"""Bit of a cardholder verification rule: the next one may be tried."""

TRACK2: Final = re.compile(r"(?=.{19,37}$)([0-9]{12,19})D([0-9]{4})([0-9])[0-9]([0-9])[0-9]*")
"""Number, expiry YYMM, first and third digit of the service code (ISO 7813)."""
_DATE_AND_NUMBER: Final = re.compile(r"[0-9]{6}/[0-9]{1,2}")


class PinRule(Enum):
    """Whether a PIN is asked for, and whether the cardholder may go on without one."""

    NEVER = "never"
    ASKED = "asked"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Completion:
    """How a chip took the host's answer: for the journal, in hex, what to keep and a script result, empty without."""

    agreed: bool
    chip: str
    script: str


class ChipTransaction:
    """One transaction with the chip behind ``link``.

    ``objects`` are the terminal's own, tag to value; ``verify`` tells a tap that the cardholder is to be verified;
    ``offline`` that the host will not be asked, and the amount is below the floor limit. ``fault`` is why the chip is
    not believed, a code of ``terminal.authentication``, "" where it is, or was not asked. Raises PowerLost, and
    CardError as the link does, "chip_aid" for an application that ``rules`` do not know, or "chip_data" where the chip
    sends nonsense.
    """

    def __init__(
        self,
        link: ChipLink,
        objects: Mapping[int, bytes],
        *,
        now: datetime,
        tapped: bool,
        verify: bool,
        rules: ChipRules,
        offline: bool = False,
    ) -> None:
        self._link = link
        self._tapped = tapped
        self._offline = offline
        self._rules = rules
        self.fault = ""
        self._proof, self._is_forged = Proof.NONE, False
        self._key: PublicKey | None = None
        self._objects = {0x95: bytes(5), 0x9B: bytes(2), 0x9F34: bytes((_NO_VERIFICATION, 0, 0)), **objects}
        file = self._read(link.select(), 0x6F)
        self._keep(file, 0x84, 0x50)
        if not rules.admits(self._objects[0x84]):
            raise CardError("the card's application is on no list", hint="use another card", code="chip_aid")
        self._objects[0x9F66] = reduce(
            _either, (TAP_QUALIFIERS, *([_VERIFY] if verify else []), *([] if offline else [_ONLINE]))
        )
        if not tapped and not offline:
            mark(self._objects, OVER_FLOOR)
        options = next((node.octets for node in file if node.tag == 0x9F38), b"")
        started = self._read(link.start(self._listed(options)), 0x77)
        self._keep(started, 0x82)
        self._card = started if tapped else self._read(link.records(), 0x70)
        if tapped:
            self._keep(started, 0x9F26, 0x9F27, 0x9F36, 0x9F10)
        self.track2, self.pan, expiry, sequence = (
            self._told(self._card, tag).hex().upper().rstrip("F") for tag in (0x57, 0x5A, 0x5F24, 0x5F34)
        )
        self.expiry, self.sequence = expiry[:4], f"{sequence:0>3}"
        track = TRACK2.fullmatch(self.track2)
        if not (track and track[1] == self.pan and _DATE_AND_NUMBER.fullmatch(f"{expiry}/{sequence}")):
            raise _nonsense("no card")
        if not tapped and self.expiry < self._objects[0x9A].hex()[:4]:
            mark(self._objects, EXPIRED)
        if not tapped or offline:
            self._authenticate(now)

    @property
    def pin(self) -> PinRule:
        """What the card wants of its holder: by its first rule, or by the qualifiers of a tap."""
        if self._tapped:
            asks = int.from_bytes(self._told(self._card, 0x9F6C)[:1], "big")
            return PinRule.REQUIRED if asks & 0x80 else PinRule.ASKED if asks else PinRule.NEVER
        first = self._told(self._card, 0x8E)[8:9]
        if not first or first[0] & 0x3F != _ONLINE_PIN:
            return PinRule.ASKED
        return PinRule.ASKED if first[0] & _FAILS_WITHOUT else PinRule.REQUIRED

    def request(self, stan: str, *, with_pin: bool) -> None:
        """Get the cryptogram that goes to the host; a tap has made its own.

        Raises CardError "card_refused" for an AAC, the chip's or by the action codes, and "card_forged" for a
        cryptogram that somebody else signed.
        """
        self._objects[0x9F41] = bytes.fromhex(f"{stan:0>8}")
        if with_pin:
            self._objects[0x9F34] = bytes((_ONLINE_PIN, 0, 0))
        if not self._tapped:
            if with_pin:
                mark(self._objects, PIN_ONLINE)
            self._first(Cryptogram.AAC if is_denied(self._objects[0x95], *self._codes) else Cryptogram.ARQC)
        if self._is_forged:
            self._decline()
            raise CardError("the chip's signature is wrong", hint="use another card", code="card_forged")
        if not self._made(Cryptogram.ARQC):
            raise CardError("the chip refuses", hint="use another card", code="card_refused")

    def approves(self, stan: str) -> bool:
        """Whether chip and terminal agree to a sale without the host: a TC, else an AAC is what is kept."""
        self._objects[0x9F41] = bytes.fromhex(f"{stan:0>8}")
        if self._tapped:
            return self._made(Cryptogram.TC) and not self.fault
        good = may_stay_offline(self._objects[0x95], *self._codes)
        self._objects[0x8A] = _OFFLINE_APPROVED if good else _OFFLINE_DECLINED
        self._first(Cryptogram.TC if good else Cryptogram.AAC)
        if self._made(Cryptogram.ARQC) or self._is_forged:  # there is nobody to ask
            self._decline()
            return False
        return self._made(Cryptogram.TC)

    def field_55(self, tags: Iterable[int] = REQUEST_TAGS) -> bytes:
        """The objects that there are, of ``tags`` and in their order."""
        return encode(Node(tag, self._objects[tag]) for tag in tags if tag in self._objects)

    @property
    def kept(self) -> str:
        """What the journal keeps, hex."""
        return self.field_55(KEPT_TAGS).hex().upper()

    def complete(self, answer: bytes, *, approved: bool, answered: bool) -> Completion:
        """Tell the chip the host's ``answer``, field 55 of the reply, and whether it ``approved``; run its scripts.

        Never raises CardError: a chip that is gone, or that sends nonsense, did not agree.
        """
        try:
            told = decode(answer)
            agreed = self._tapped or self._agrees(told, approved=approved, answered=answered)
        except (CardError, DecodeError) as error:
            log.warning("the chip was not completed: %s", error)
            agreed = False
        return Completion(agreed, self.kept, self._script_result())

    @property
    def _codes(self) -> tuple[ActionCodes, ActionCodes]:
        """The acquirer's action codes and the issuer's."""
        told = {node.tag: node.octets for node in self._card if len(node.octets) == RESULTS_BYTES}
        default, denial, online = (
            told.get(tag, value)
            for tag, value in (
                (0x9F0D, ISSUERS_DEFAULT.default),
                (0x9F0E, ISSUERS_DEFAULT.denial),
                (0x9F0F, ISSUERS_DEFAULT.online),
            )
        )
        return self._rules.codes(self._objects[0x84]), ActionCodes(default, denial, online)

    def _made(self, kind: Cryptogram) -> bool:
        return self._objects[0x9F27][:1] == bytes((kind,))

    def _authenticate(self, now: datetime) -> None:
        """Let the chip prove itself as well as it and the terminal can; a tap that stays offline by fDDA."""
        objects = {node.tag: node.octets for node in self._card}
        profile = self._objects[0x82]
        if self._tapped:
            self._proof = Proof.DYNAMIC
        else:
            self._proof = proof_for(profile, self._objects[0x9F33])
        if self._proof is Proof.NONE:
            mark(self._objects, UNAUTHENTICATED)
            return
        did(self._objects, AUTHENTICATED_DATA)
        chip = Chip(objects, profile, self._objects[0x84], self.pan)
        try:
            self._key = authenticate(chip, self._proof, self._rules, now, lambda: self._signed(objects))
        except SignatureError as error:
            self._distrust(error)

    def _signed(self, objects: Mapping[int, bytes]) -> tuple[bytes, bytes]:
        """Tag 9F4B of the chip, and what it was given to sign (PBOC 3.0 for a tap)."""
        if self._tapped:
            given = b"".join(self._objects[tag] for tag in (0x9F37, 0x9F02, 0x5F2A)) + objects.get(0x9F69, b"")
            return objects.get(0x9F4B, b""), given
        given = self._listed(objects.get(0x9F49, DEFAULT_DDOL))
        return self._told(self._read(self._link.authenticate(given), 0x77), 0x9F4B), given

    def _distrust(self, error: SignatureError) -> None:
        log.warning("the chip is not believed: %s", error)
        self.fault = error.code
        mark(self._objects, UNPROVEN[self._proof])
        if error.code == "no_data":
            mark(self._objects, NO_DATA)

    def _first(self, asked: Cryptogram) -> None:
        """The first cryptogram, with the chip's signature where it is to prove itself so (EMV Book 2, 6.6)."""
        did(self._objects, CARD_RISK | TERMINAL_RISK | VERIFIED_HOLDER)
        combined = self._key is not None and self._proof is Proof.COMBINED
        given = self._listed(self._told(self._card, 0x8C))
        raw = self._link.request(given, asked, combined=combined)
        answer = self._read(raw, 0x77)
        self._keep(answer, 0x9F26, 0x9F27, 0x9F36, 0x9F10)
        if asked is Cryptogram.AAC and not self._made(Cryptogram.AAC):
            raise _nonsense("another cryptogram than the AAC that was asked for")
        if combined and not self._made(Cryptogram.AAC):
            try:
                self._check_combined(answer, given)
            except SignatureError as error:
                self._is_forged = True
                self._distrust(forged(error))

    def _check_combined(self, answer: tuple[Node, ...], given: bytes) -> None:
        """Is the signature over this cryptogram, and over all that the chip was asked and answered?"""
        assert self._key is not None
        signed = next((node.octets for node in answer if node.tag == 0x9F4B), b"")
        dynamic = open_dynamic(self._key, signed, self._objects[0x9F37])
        over = digest(given + encode(node for node in answer if node.tag != 0x9F4B))
        if not bytes_eq(dynamic[1 + dynamic[0] :], self._objects[0x9F27] + self._objects[0x9F26] + over):
            raise SignatureError("a signature of another cryptogram", code="hash")

    def _decline(self) -> None:
        """End with an AAC what the chip was ready for."""
        self._objects |= {0x91: b"", 0x8A: _OFFLINE_DECLINED}
        asked = self._listed(self._told(self._card, 0x8D))
        second = self._read(self._link.complete(asked, approved=False), 0x77)
        self._keep(second, 0x9F26, 0x9F27, 0x9F10)

    def _agrees(self, told: tuple[Node, ...], *, approved: bool, answered: bool) -> bool:
        self._objects[0x91] = next((node.octets for node in told if node.tag == 0x91), b"")
        self._objects[0x8A] = (_APPROVED if approved else b"05") if answered else _OFFLINE
        run_scripts(self._link, self._objects, told, 0x71)
        if self._objects[0x91]:
            did(self._objects, ISSUER)
        asked = self._listed(self._told(self._card, 0x8D))
        second = self._read(self._link.complete(asked, approved=approved), 0x77)
        self._keep(second, 0x9F10)
        agreed = self._told(second, 0x9F27)[:1] == bytes((Cryptogram.TC,))
        if agreed:
            self._keep(second, 0x9F26, 0x9F27)
        run_scripts(self._link, self._objects, told, 0x72)
        return agreed

    def _script_result(self) -> str:
        return self.field_55(SCRIPT_TAGS).hex().upper() if 0xDF31 in self._objects else ""

    def _listed(self, dol: bytes) -> bytes:
        """What a data object list asks for; what the terminal does not have is zeros (EMV Book 3, 5.4)."""
        try:
            entries = decode_dol(dol)
        except DecodeError as error:
            raise _nonsense(error) from error
        return b"".join(self._objects.get(tag, b"")[:length].rjust(length, b"\0") for tag, length in entries)

    def _read(self, answer: bytes, template: int) -> tuple[Node, ...]:
        """Every object of an answer, those of the templates in it included."""
        try:
            objects = decode(value_of(decode(answer), template))
        except DecodeError as error:
            raise _nonsense(error) from error
        return tuple(node for node in walk(objects) if not node.children)

    def _told(self, objects: tuple[Node, ...], tag: int) -> bytes:
        try:
            return value_of(objects, tag)
        except DecodeError as error:
            raise _nonsense(error) from error

    def _keep(self, objects: tuple[Node, ...], *tags: int) -> None:
        """Take over what the chip tells, if it has a length that a message can carry."""
        kept = {tag: self._told(objects, tag) for tag in tags}
        if wrong := [tag for tag, value in kept.items() if len(value) not in LENGTHS[tag]]:
            raise _nonsense(f"{len(kept[wrong[0]])} bytes of tag {wrong[0]:02X}")
        self._objects |= kept


def _either(one: bytes, other: bytes) -> bytes:
    return bytes(a | b for a, b in zip(one, other, strict=True))


def _nonsense(what: DecodeError | str) -> CardError:
    return CardError(f"the chip sends nonsense: {what}", hint="use another card", code="chip_data")
