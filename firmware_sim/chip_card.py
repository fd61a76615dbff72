"""The chip of a card: simplified data objects, an application transaction counter, and real cryptograms.

Rules owned here: TABLES OBJECTS and SCRIPTS of the chip, its data object lists, and when it says yes. A request to go
online is answered by an ARQC over CDOL 1, or over the PDOL of a tap, and the chip's own AIP, ATC and verification
results, so that who knows the issuer's key can prove it (EMV Book 2, 8.1; PBOC 3.0). The second answer is a TC only
where the host approved and its ARPC, if one came, is right. Records are read without a file locator, all at once;
scripts have no MAC of their own: the chip obeys them once it has proved the issuer. Whether a chip proves itself, and
how, its interchange profile says; a tap that stays offline is a TC with the signature of fDDA (PBOC 3.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq

from firmware_sim.cards import Card, CardKind, Proof
from firmware_sim.chip_proof import ChipProof, proof_of
from protocol.crypto.certificate import digest, sign_dynamic, static_data
from protocol.crypto.cryptogram import application_cryptogram, arpc_1, session_key
from protocol.crypto.key import SessionKey
from protocol.tlv import Node, encode

ATC_MAX: Final = 0xFFFF
APPROVAL: Final = b"00"
"""The authorisation response code, in the ARPC and in 8A, on which the chip agrees."""

APPLICATIONS: Final[Mapping[CardKind, tuple[bytes, bytes]]] = {
    CardKind.DEBIT: (bytes.fromhex("A000000333010101"), b"LAB DEBIT"),
    CardKind.CREDIT: (bytes.fromhex("A000000333010102"), b"LAB CREDIT"),
}
"""Application identifier and label."""

CVM_LISTS: Final[Mapping[CardKind, bytes]] = {
    CardKind.DEBIT: bytes(8) + bytes.fromhex("0203"),
    CardKind.CREDIT: bytes(8) + bytes.fromhex("42031E031F03"),
}
"""How the cardholder is verified: an online PIN or not at all; an online PIN, else a signature, else nothing."""

QUALIFIERS_BYTES: Final = 4
PDOL: Final = (
    (0x9F66, QUALIFIERS_BYTES),
    (0x9F02, 6),
    (0x9F03, 6),
    (0x9F1A, 2),
    (0x95, 5),
    (0x5F2A, 2),
    (0x9A, 3),
    (0x9C, 1),
    (0x9F37, 4),
)
CDOL_1: Final = PDOL[1:]
CDOL_2: Final = ((0x91, 10), (0x8A, 2), (0x95, 5), (0x9F37, 4))
_ARPC_BYTES: Final = 8
_CVM_REQUIRED: Final = 0x40
_ONLINE_PIN: Final = 0x80
_SIGNATURE: Final = 0x40

AIP_CHIP: Final = bytes.fromhex("1C00")
AIP_TAP: Final = bytes.fromhex("0000")
PROOFS: Final[Mapping[Proof, int]] = {Proof.NONE: 0, Proof.STATIC: 0x40, Proof.DYNAMIC: 0x20, Proof.COMBINED: 0x21}
"""Bits of the first byte of the interchange profile (EMV Book 3, C1)."""
ACTION_CODES: Final[Mapping[int, bytes]] = {
    0x9F0D: bytes.fromhex("D86000A800"),
    0x9F0E: bytes.fromhex("0010000000"),
    0x9F0F: bytes.fromhex("D86804F800"),
}
"""The issuer's action codes: default, denial, online."""
_ONLINE_ONLY: Final = 0x80
_FDDA_VERSION: Final = b"\x01"
_TAPPED_TAGS: Final = (0x9F37, 0x9F02, 0x5F2A)
"""What the terminal gave that the signature of a tap is over, before 9F69 (PBOC 3.0, fDDA)."""
DONE: Final = b"\x90\x00"
UNKNOWN_COMMAND: Final = b"\x6d\x00"
SCRIPTS: Final[Mapping[int, str]] = {0xDA: "put data", 0xE2: "append record"}
"""Instruction byte -> what the issuer may have the chip do; every other instruction is refused."""


class Cryptogram(IntEnum):
    """Tag 9F27, and what the terminal asks for."""

    AAC = 0x00
    TC = 0x40
    ARQC = 0x80


@dataclass(slots=True)
class ChipMemory:
    """What a chip remembers between transactions: its counter, and the commands of scripts that it obeyed."""

    atc: int = 0
    scripts: list[bytes] = field(default_factory=list)


class ChipCard:
    """The chip of ``card`` in one transaction; ``memory`` outlives it."""

    def __init__(self, card: Card, memory: ChipMemory, *, tapped: bool) -> None:
        self._card = card
        self._memory = memory
        self._tapped = tapped
        self._arqc = b""
        self._issuer: bool | None = None

    def select(self) -> bytes:
        """The file control information of the one application (6F)."""
        aid, label = APPLICATIONS[self._card.kind]
        options = [Node(0x9F38, spell_dol(PDOL))] if self._tapped else []
        return encode([Node(0x6F, (Node(0x84, aid), Node(0xA5, (Node(0x50, label), Node(0x87, b"\x01"), *options))))])

    def start(self, data: bytes) -> bytes:
        """Count one more transaction; of a tap ``data`` is the PDOL's, and the answer (77) is the whole transaction."""
        self._memory.atc = self._memory.atc % ATC_MAX + 1
        if not self._tapped:
            return _format_2([Node(0x82, self._profile)])
        asked, online = bool(data[1] & _CVM_REQUIRED), bool(data[1] & _ONLINE_ONLY)
        verify = (_ONLINE_PIN if self._card.kind is CardKind.DEBIT else _SIGNATURE) if asked else 0
        told = [*self._identity(), Node(0x9F6C, bytes((verify, 0)))]
        if online or self._card.proof is Proof.NONE:
            answer = self._cryptogram(Cryptogram.ARQC, data[QUALIFIERS_BYTES:], AIP_TAP)
            return _format_2([Node(0x82, AIP_TAP), *answer, *told])
        answer = self._cryptogram(Cryptogram.TC, data[QUALIFIERS_BYTES:], AIP_TAP)
        objects = {node.tag: node.octets for node in told}
        authentication = _FDDA_VERSION + self._number() + bytes((verify, 0))
        proof = proof_of(self._card, static_data(objects, AIP_TAP))
        given = dict(_split(PDOL, data))
        signed = sign_dynamic(
            proof.key, self._dynamic_number(), b"".join(given[tag] for tag in _TAPPED_TAGS) + authentication
        )
        dynamic = (Node(0x9F69, authentication), Node(0x9F4B, signed))
        return _format_2([Node(0x82, AIP_TAP), *answer, *told, *proof.objects, *dynamic])

    def records(self) -> bytes:
        """Everything readable (70)."""
        objects = [
            *self._identity(),
            Node(0x8C, spell_dol(CDOL_1)),
            Node(0x8D, spell_dol(CDOL_2)),
            Node(0x8E, CVM_LISTS[self._card.kind]),
            *(Node(tag, codes) for tag, codes in ACTION_CODES.items()),
        ]
        if self._card.proof is not Proof.NONE:
            objects += self._proof().objects
        return encode([Node(0x70, tuple(objects))])

    def authenticate(self, data: bytes) -> bytes:
        """Sign ``data`` of the DDOL (77)."""
        return _format_2([Node(0x9F4B, sign_dynamic(self._proof().key, self._dynamic_number(), data))])

    def request(self, data: bytes, asked: Cryptogram = Cryptogram.ARQC, *, combined: bool = False) -> bytes:
        """The first cryptogram (77), over ``data`` of CDOL 1, as it is ``asked`` for; ``combined`` with a signature."""
        return _format_2(self._first(asked, data, combined=combined))

    def refuse(self, data: bytes) -> bytes:
        """The first cryptogram of a chip that does not want to go on: an AAC."""
        return self.request(data, Cryptogram.AAC)

    def complete(self, data: bytes, *, approved: bool) -> bytes:
        """The second cryptogram (77), over ``data`` of CDOL 2: a TC where the chip agrees to what was ``approved``."""
        authentication, code = data[:10], data[10:12]
        self._issuer = self._proves(authentication) if any(authentication) else None
        agrees = approved and self._issuer is not False and code == APPROVAL
        return _format_2(self._cryptogram(Cryptogram.TC if agrees else Cryptogram.AAC, data[12:], self._profile))

    def run(self, command: bytes) -> bytes:
        """Obey a command of the issuer's script; two bytes of status."""
        if not self._issuer or len(command) < 2 or command[1] not in SCRIPTS:
            return UNKNOWN_COMMAND
        self._memory.scripts.append(command)
        return DONE

    @property
    def _profile(self) -> bytes:
        """Tag 82 of the contact chip."""
        return bytes((AIP_CHIP[0] | PROOFS[self._card.proof], AIP_CHIP[1]))

    def _proof(self) -> ChipProof:
        objects = {
            node.tag: node.octets
            for node in (*self._identity(), Node(0x8E, CVM_LISTS[self._card.kind]), Node(0x8C, spell_dol(CDOL_1)))
        }
        objects |= {0x8D: spell_dol(CDOL_2), **ACTION_CODES}
        return proof_of(self._card, static_data(objects, self._profile))

    def _first(self, kind: Cryptogram, data: bytes, *, combined: bool) -> tuple[Node, ...]:
        objects = self._cryptogram(kind, data, self._profile)
        if not combined or kind is Cryptogram.AAC:
            return objects
        told = {node.tag: node.octets for node in objects}
        over = digest(data + encode(objects))
        dynamic = self._dynamic_number() + told[0x9F27] + told[0x9F26] + over
        signed = sign_dynamic(self._proof().key, dynamic, dict(_split(CDOL_1, data))[0x9F37])
        return (*objects, Node(0x9F4B, signed))

    def _number(self) -> bytes:
        """4 bytes that no other transaction of this chip has."""
        return self._session_key()[:4]

    def _dynamic_number(self) -> bytes:
        """Tag 9F4C behind its length."""
        number = digest(self._number() + self._memory.atc.to_bytes(2, "big"))[:8]
        return bytes((len(number),)) + number

    def _proves(self, authentication: bytes) -> bool:
        """Is it the ARPC of this ARQC and of the response code behind it?"""
        arpc, code = authentication[:_ARPC_BYTES], authentication[_ARPC_BYTES:]
        return bytes_eq(arpc_1(self._session_key(), self._arqc, code), arpc)

    def _cryptogram(self, kind: Cryptogram, data: bytes, aip: bytes) -> tuple[Node, ...]:
        atc = self._memory.atc.to_bytes(2, "big")
        results = b"\x03" + bytes((self._verdict(kind), 0, 0))
        made = application_cryptogram(self._session_key(), data + aip + atc + results)
        self._arqc = self._arqc or made
        iad = b"\x07\x01\x01" + results + b"\x01"
        return Node(0x9F27, bytes((kind,))), Node(0x9F36, atc), Node(0x9F26, made), Node(0x9F10, iad)

    def _verdict(self, kind: Cryptogram) -> int:
        """The first byte of the verification results: second and first cryptogram, and an issuer that proved false."""
        second = int(kind) if self._arqc else int(Cryptogram.ARQC)
        first = int(Cryptogram.ARQC if self._arqc else kind) >> 2
        return second | first | (0x08 if self._issuer is False else 0)

    def _session_key(self) -> SessionKey:
        return session_key(self._card.chip_key, self._memory.atc.to_bytes(2, "big"))

    def _identity(self) -> tuple[Node, ...]:
        """Number, expiry, sequence number and track 2 of the card."""
        card = self._card
        return (
            Node(0x57, bytes.fromhex(card.track2 + "F")),
            Node(0x5A, bytes.fromhex(card.pan)),
            Node(0x5F24, bytes.fromhex(card.expiry + "31")),
            Node(0x5F34, bytes.fromhex(card.sequence[-2:])),
        )


def spell_dol(entries: Iterable[tuple[int, int]]) -> bytes:
    """A data object list: each tag and the length in bytes that is wanted of it (EMV Book 3, 5.4)."""
    return b"".join(tag.to_bytes(2 if tag > 0xFF else 1, "big") + bytes((length,)) for tag, length in entries)


def _split(entries: Iterable[tuple[int, int]], data: bytes) -> Iterator[tuple[int, bytes]]:
    """What stands for each tag in the values of a data object list."""
    for tag, length in entries:
        yield tag, data[:length]
        data = data[length:]


def _format_2(objects: Iterable[Node]) -> bytes:
    return encode([Node(0x77, tuple(objects))])
