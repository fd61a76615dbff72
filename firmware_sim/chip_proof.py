"""What the chips of the laboratory prove themselves with: certificates of the lab's authority and keys of their own.

Rules owned here: which objects a kind of proof takes (EMV Book 2, 5.1 and 6.1); all issuers have one key, every card
has its own; what is wrong with a card is wrong in what it carries, never in how the terminal is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from firmware_sim.cards import Card, Proof
from protocol.crypto.certificate import CARD, ISSUER, STATIC_LIST, certify, sign_static
from protocol.crypto.lab_ca import CA_KEYS
from protocol.crypto.rsa import PrivateKey, lab_key
from protocol.tlv import Node

ISSUER_KEY_BYTES: Final = 112
CARD_KEY_BYTES: Final = 96
AUTHENTICATION_CODE: Final = b"\xda\xc0"
_DDOL: Final = bytes.fromhex("9F3704")


@dataclass(frozen=True, slots=True)
class ChipProof:
    """``objects`` are what the records hold, ``key`` what the chip signs with."""

    objects: tuple[Node, ...]
    key: PrivateKey = field(repr=False)


@lru_cache(maxsize=512)
def proof_of(card: Card, static: bytes) -> ChipProof:
    """What a card carries, given its ``static`` data, as it was personalised, and perhaps tampered with since."""
    ca, issuer = CA_KEYS[card.ca_index], lab_key(b"issuers of a lab", ISSUER_KEY_BYTES)
    signed = bytes(byte ^ card.altered for byte in static)  # altered: what was signed is not what is there
    certified = certify(
        ca.private, ISSUER, issuer.public, holder=card.pan[:8], expiry=card.certified_until, serial=card.serial
    )
    objects = (
        Node(0x8F, bytes((ca.index,))),
        Node(0x90, certified.certificate),
        *([Node(0x92, certified.remainder)] if certified.remainder else []),
        Node(0x9F32, issuer.public.exponent_bytes),
        Node(0x9F4A, STATIC_LIST),
    )
    own = lab_key(b"card " + card.pan.encode("ascii"), CARD_KEY_BYTES)
    if card.proof is Proof.STATIC:
        return ChipProof((*objects, Node(0x93, sign_static(issuer, signed, AUTHENTICATION_CODE))), own)
    made = certify(
        issuer, CARD, own.public, holder=card.pan, expiry=card.certified_until, serial=b"\0\0\1", static=signed
    )
    certificates = (
        Node(0x9F46, made.certificate),
        Node(0x9F48, made.remainder),
        Node(0x9F47, own.public.exponent_bytes),
        Node(0x9F49, _DDOL),
    )
    return ChipProof((*objects, *certificates), own if card.genuine else lab_key(b"a forger's guess", CARD_KEY_BYTES))
