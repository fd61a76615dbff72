"""What passed between one device and the host besides money: keys, commands, proofs, answers to why.

Rules owned here: keys of a sign-on count where every check value is right, by the layouts of ``protocol.crypto.keys``;
a command is what stands in tag CM of an answer, whoever put it there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from pos_lab.sim.checker.device import DeviceReader, Ring, is_mac
from pos_lab.sim.checker.wire import APPROVALS, APPROVED, Fact
from protocol.crypto import signing
from protocol.crypto.cipher import SM4
from protocol.crypto.keys import KEY_CIPHERS, open_keys
from protocol.errors import DecodeError, KeyLoadError
from protocol.fields import F
from protocol.image import version_from_digits
from protocol.private import DeviceInfo, RefusalText, unpack_tags

SIGN_IN: Final = "00"
"""60.1 of what is no money; with it the codes of KEY_CIPHERS in 60.3 ask for keys."""
FETCH, ACKNOWLEDGE, WHY, CHUNK = "910", "911", "902", "931"
CHINA_TIME: Final = timezone(timedelta(hours=8))
"""What fields 12 and 13 are in."""
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Issued:
    """Working keys that the host told: for MACs and for PINs, and by which algorithm."""

    mak: bytes = field(repr=False)
    pik: bytes = field(repr=False)
    algorithm: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command document as it came: what it states, and whether the host signed it."""

    stated: dict[str, Any]
    is_signed: bool


@dataclass(slots=True)
class Talk:
    """Of one device. ``issued`` are the keys of its sign-ons in the order in which the host told them, ``heard`` those
    that reached it; ``proven`` is the newest whose use the host has seen. ``commands`` are those that came, ``counter``
    the highest that it took, ``done`` the last that it carried out. ``authentic`` are answers under a good MAC.
    ``knows_s`` is the latest time of the host that it can know, in epoch seconds: it sets its clock by such answers,
    where they are dated.
    """

    device: DeviceReader
    issued: list[Issued] = field(default_factory=list)
    heard: list[Issued] = field(default_factory=list)
    proven: int = -1
    commands: list[Command] = field(default_factory=list)
    counter: int = 0
    done: int = 0
    versions: set[str] = field(default_factory=set)
    authentic: set[tuple[tuple[str, str, str], str, str]] = field(default_factory=set)
    knows_s: int = 0
    why: str | None = None

    def keys_in(self, fact: Fact) -> Issued | None:
        """The working keys of an approved sign-on, where every check value is right."""
        network = network_of(fact)
        is_sign_on = (fact.mti, fact.type_code) == ("0810", SIGN_IN) and fact.code in APPROVALS
        if not is_sign_on or network not in KEY_CIPHERS:
            return None
        cipher = KEY_CIPHERS[network]
        try:
            opened = open_keys(self.device.ring.keys.get("tmk", b""), payload_of(fact), cipher)
        except KeyLoadError:
            return None
        if not all(each.is_right for each in opened):
            return None
        by_use = {each.key.use.value.lower(): bytes(each.key) for each in opened}
        return Issued(by_use["mak"], by_use["pik"], "sm4" if cipher is SM4 else "3des")

    def version_of_keys(self, fact: Fact) -> int:
        """By how many sign-ons the MAC of a message was made, the newest first; -1 where it is nobody's."""
        mac_input, mac = fact.unsealed.mac_input, fact.unsealed.mac
        for number in range(len(self.issued) - 1, -1, -1):
            if mac and is_mac(self.issued[number].mak, self.issued[number].algorithm, mac_input, mac):
                return number
        return -1

    def tell(self, fact: Fact) -> None:
        """The host lets an answer go."""
        keys = self.keys_in(fact)
        if keys and keys not in self.issued:
            self.issued.append(keys)

    def say(self, fact: Fact) -> None:
        """The device lets a request go."""
        told = device_of(fact)
        if told.model and told.version and proves(self.device.ring, fact):
            self.versions.add(told.version)

    def hear(self, fact: Fact, said_at: int) -> None:
        """An answer has reached the device; the host let it go at ``said_at`` by its own clock, 0 if it never did."""
        is_proven = proves(self.device.ring, fact)
        if keys := self.keys_in(fact):
            self.heard.append(keys)
        if is_proven:
            self.authentic.add((fact.key, fact.mti, fact.code))
        if (keys or is_proven) and _is_dated(fact, said_at):
            self.knows_s = max(self.knows_s, said_at)
        if fact.mti == "0810" and network_of(fact) == FETCH and (document := tags_of(fact).get("CM")):
            self.commands.append(self._command(document))
        if fact.mti == "0810" and network_of(fact) == WHY and fact.code == APPROVED:
            self.why = tags_of(fact).get("RC", b"").decode("ascii", "replace")

    def _command(self, document: bytes) -> Command:
        signed, signature = document[: -signing.SIGNATURE_BYTES], document[-signing.SIGNATURE_BYTES :]
        key = self.device.ring.keys.get("host_public", b"")
        try:
            stated = json.loads(signed)
        except ValueError:
            stated = {}
        return Command(stated, bool(key) and signing.verify(key, signed, signature))


def proves(ring: Ring, fact: Fact) -> bool:
    """Is the MAC of a message that of this ring?"""
    return bool(fact.unsealed.mac) and ring.made(fact.unsealed.mac_input, fact.unsealed.mac)


def network_of(fact: Fact) -> str:
    """60.3."""
    return fact.unsealed.message.text(F.CONTROL)[8:11]


def payload_of(fact: Fact) -> bytes:
    """Field 62."""
    return fact.unsealed.message.octets(F.PAYLOAD)


def tags_of(fact: Fact) -> dict[str, bytes]:
    """The tags of field 62, none where it holds none."""
    try:
        return unpack_tags(payload_of(fact), field=F.PAYLOAD)
    except DecodeError:
        return {}


def reason_of(fact: Fact) -> str:
    """Why a request was refused, by field 63."""
    return RefusalText.parse(fact.unsealed.message.text(F.TEXT)).reason


def told_of(fact: Fact) -> str:
    """The same in Chinese words."""
    return RefusalText.parse(fact.unsealed.message.text(F.TEXT)).chinese


def device_of(fact: Fact) -> DeviceInfo:
    """Who sent a request, by field 59; nobody where that cannot be read."""
    try:
        return DeviceInfo.parse(fact.unsealed.message.octets(F.DEVICE))
    except DecodeError:
        return DeviceInfo()


def firmware_of(fact: Fact) -> str:
    """The firmware that a device of ours names in a request, which others do not; "" where it cannot be read."""
    told = device_of(fact)
    try:
        return version_from_digits(told.version) if told.model else ""
    except DecodeError:
        return ""


def _is_dated(fact: Fact, said_at: int) -> bool:
    """Is the day in field 13 that on which the host let it go, or the day before? One that it decided, and could let go
    only when its clock had been moved on, tells nothing of the new time.
    """
    days = (datetime.fromtimestamp(at, CHINA_TIME) for at in (said_at, said_at - _DAY_S))
    return fact.unsealed.message.text(F.LOCAL_DATE) in {f"{day:%m%d}" for day in days}
