"""The EMV kernel: one transaction of one chip, from the choice of its application to its second cryptogram.

Rules owned here: TABLES of the data objects that go out (field 55 of a request, of a reversal, of a script result) and
that the journal keeps: none of them tells number, track or PIN (CUP 7.3, 7.22). The card's word counts after the
host's: what the chip does not agree to is not sold. A tap ends with its one cryptogram (qPBOC). Whatever a chip sends
that is no data object ends the transaction.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from firmware_sim.card_reader import ChipLink
from firmware_sim.errors import CardError
from protocol.errors import DecodeError
from protocol.tlv import Node, decode, decode_dol, encode, value_of, walk

log = logging.getLogger("poslab.terminal")

REQUEST_TAGS: Final = (
    0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x82, 0x9F1A, 0x9F03, 0x9F33, 0x9F34,
    0x9F35, 0x9F1E, 0x84, 0x9F09, 0x9F41,
)  # fmt: skip
"""Field 55 of a request."""
REVERSAL_TAGS: Final = (0x95, 0x9F1E, 0x9F10, 0x9F36, 0xDF31)
"""Field 55 of a reversal (CUP 7.3)."""
SCRIPT_TAGS: Final = (0x9F33, 0x95, 0x9F37, 0x9F1E, 0x9F10, 0x9F26, 0x9F36, 0x82, 0xDF31, 0x9F1A, 0x9A)
"""Field 55 of a script result (CUP 7.22)."""
KEPT_TAGS: Final = (*REQUEST_TAGS, 0x50, 0xDF31)
"""What the journal keeps, also for the slip."""

TRANSACTION_TYPE: Final = b"\x00"
APPLICATION_VERSION: Final = b"\x00\x30"
TAP_QUALIFIERS: Final = bytes.fromhex("26000080")
"""Tag 9F66: qPBOC and contact chips, online PIN."""
_VERIFY: Final = bytes.fromhex("00400000")
_APPROVED: Final = b"00"
_OFFLINE: Final = b"Z3"
"""Tag 8A where there was no answer: unable to go online."""

_NO_VERIFICATION: Final = 0x1F
_ONLINE_PIN: Final = 0x02
_FAILS_WITHOUT: Final = 0x40
"""Bit of a cardholder verification rule: the next one may be tried."""
_TC: Final = 0x40
_ARQC: Final = 0x80

# terminal verification results, tag 95: byte and bit (EMV Book 3, C5)
_UNAUTHENTICATED: Final = (0, 0x80)
_EXPIRED: Final = (1, 0x40)
_PIN_ONLINE: Final = (2, 0x04)
_OVER_FLOOR: Final = (3, 0x80)
_SCRIPT_FAILED: Final = {0x71: (4, 0x20), 0x72: (4, 0x10)}

TRACK2: Final = re.compile(r"(?=.{19,37}$)([0-9]{12,19})D([0-9]{4})([0-9])[0-9]([0-9])[0-9]*")
"""Number, expiry YYMM, first and third digit of the service code (ISO 7813)."""
_DATE_AND_NUMBER: Final = re.compile(r"[0-9]{6}/[0-9]{1,2}")

LENGTHS: Final = {
    0x84: range(5, 17), 0x50: range(1, 17), 0x82: range(2, 3), 0x9F26: range(8, 9), 0x9F27: range(1, 2),
    0x9F36: range(2, 3), 0x9F10: range(1, 33),
}  # fmt: skip
"""How long the objects of a chip are that go into a message, in bytes (EMV Book 3, A)."""

SCRIPTS_MAX: Final = 8
"""So many scripts of one reply are run, of each template."""

_SCRIPT_DONE: Final = 0x20
_SCRIPT_FAILED_AT: Final = 0x10
_COMMAND_DONE: Final = b"\x90\x00"


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
    ``admits`` says whether the terminal knows an application by its name. Raises PowerLost, and CardError as the link
    does, "chip_aid" for an application that it does not know, or "chip_data" where the chip sends nonsense.
    """

    def __init__(
        self,
        link: ChipLink,
        objects: Mapping[int, bytes],
        *,
        tapped: bool,
        verify: bool,
        admits: Callable[[bytes], bool],
    ) -> None:
        self._link = link
        self._tapped = tapped
        self._objects = {0x95: bytes(5), 0x9F34: bytes((_NO_VERIFICATION, 0, 0)), **objects}
        file = self._read(link.select(), 0x6F)
        self._keep(file, 0x84, 0x50)
        if not admits(self._objects[0x84]):
            raise CardError("the card's application is on no list", hint="use another card", code="chip_aid")
        self._objects[0x9F66] = _either(TAP_QUALIFIERS, _VERIFY) if verify else TAP_QUALIFIERS
        if not tapped:
            self._mark(_UNAUTHENTICATED)
            self._mark(_OVER_FLOOR)
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
            self._mark(_EXPIRED)

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
        """Get the cryptogram that goes to the host; a tap has made its own. CardError "card_refused" for an AAC."""
        self._objects[0x9F41] = bytes.fromhex(f"{stan:0>8}")
        if with_pin:
            self._objects[0x9F34] = bytes((_ONLINE_PIN, 0, 0))
        if not self._tapped:
            if with_pin:
                self._mark(_PIN_ONLINE)
            answer = self._read(self._link.request(self._listed(self._told(self._card, 0x8C))), 0x77)
            self._keep(answer, 0x9F26, 0x9F27, 0x9F36, 0x9F10)
        if self._objects[0x9F27][:1] != bytes((_ARQC,)):
            raise CardError("the chip refuses", hint="use another card", code="card_refused")

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

    def _agrees(self, told: tuple[Node, ...], *, approved: bool, answered: bool) -> bool:
        self._objects[0x91] = next((node.octets for node in told if node.tag == 0x91), b"")
        self._objects[0x8A] = (_APPROVED if approved else b"05") if answered else _OFFLINE
        self._run(told, 0x71)
        asked = self._listed(self._told(self._card, 0x8D))
        second = self._read(self._link.complete(asked, approved=approved), 0x77)
        self._keep(second, 0x9F10)
        agreed = self._told(second, 0x9F27)[:1] == bytes((_TC,))
        if agreed:
            self._keep(second, 0x9F26, 0x9F27)
        self._run(told, 0x72)
        return agreed

    def _run(self, told: Iterable[Node], template: int) -> None:
        """Have the chip obey the scripts of a template; DF31 gets a line of five bytes for each (PBOC 3.0)."""
        for script in [node.children for node in told if node.tag == template][:SCRIPTS_MAX]:
            number = next((node.octets for node in script if node.tag == 0x9F18), b"").rjust(4, b"\0")[-4:]
            commands = [node.octets for node in walk(script) if node.tag == 0x86]
            done = _SCRIPT_DONE
            for place, command in enumerate(commands, 1):
                if not self._obeys(command):
                    done = _SCRIPT_FAILED_AT | min(place, 0x0F)
                    self._mark(_SCRIPT_FAILED[template])
                    break
            self._objects[0xDF31] = self._objects.get(0xDF31, b"") + bytes((done,)) + number

    def _obeys(self, command: bytes) -> bool:
        try:
            return self._link.run(command) == _COMMAND_DONE
        except CardError as error:
            log.warning("a script was not run: %s", error)
            return False

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

    def _mark(self, result: tuple[int, int]) -> None:
        place, bit = result
        results = bytearray(self._objects[0x95])
        results[place] |= bit
        self._objects[0x95] = bytes(results)


def terminal_objects(
    *,
    amount_fen: int,
    now: datetime,
    serial_number: str,
    unpredictable: bytes,
    country: str,
    currency: str,
    terminal_type: str,
    capabilities: str,
) -> dict[int, bytes]:
    """The terminal's own data objects; ``country`` and ``currency`` are 3 digits, the others as they are set up."""
    return {
        0x9F02: bytes.fromhex(f"{amount_fen:012d}"),
        0x9F03: bytes(6),
        0x9F1A: bytes.fromhex(f"{country:0>4}"),
        0x5F2A: bytes.fromhex(f"{currency:0>4}"),
        0x9A: bytes.fromhex(f"{now:%y%m%d}"),
        0x9C: TRANSACTION_TYPE,
        0x9F37: unpredictable,
        0x9F33: bytes.fromhex(capabilities),
        0x9F35: bytes.fromhex(terminal_type),
        0x9F1E: f"{serial_number:0>8}"[-8:].encode("ascii"),
        0x9F09: APPLICATION_VERSION,
    }


def subset(kept: str, tags: Iterable[int]) -> bytes:
    """The objects of ``tags``, in their order, out of what the journal keeps."""
    objects = {node.tag: node for node in decode(bytes.fromhex(kept))}
    return encode(objects[tag] for tag in tags if tag in objects)


def _either(one: bytes, other: bytes) -> bytes:
    return bytes(a | b for a, b in zip(one, other, strict=True))


def _nonsense(what: DecodeError | str) -> CardError:
    return CardError(f"the chip sends nonsense: {what}", hint="use another card", code="chip_data")
