"""Certificates and signatures of chip cards: made and opened (EMV Book 2, 5 and 6).

    6A  what is told, of the format's own layout  SHA-1 over it and what is not told  BC

Rules owned here: TABLE FORMATS; what of a public key does not fit into a certificate stands beside it as remainder; a
hash is over what is told and what the reader knows already, so neither can be changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.constant_time import bytes_eq

from protocol.crypto.rsa import PrivateKey, PublicKey
from protocol.errors import EncodeError, SignatureError
from protocol.tlv import Node, encode

HEADER: Final = b"\x6a"
TRAILER: Final = b"\xbc"
HASH_BYTES: Final = 20
FRAME_BYTES: Final = len(HEADER) + HASH_BYTES + len(TRAILER)
ISSUER, STATIC, CARD, DYNAMIC = 0x02, 0x03, 0x04, 0x05
FORMATS: Final = {
    ISSUER: "issuer certificate",
    STATIC: "static data",
    CARD: "card certificate",
    DYNAMIC: "dynamic data",
}
"""The byte behind the header -> what it is."""
SHA_1: Final = 1
RSA: Final = 1
STATIC_TAGS: Final = (0x5F24, 0x5A, 0x5F34, 0x8E, 0x8C, 0x8D, 0x9F0D, 0x9F0E, 0x9F0F)
"""What of a chip's records its issuer signs, in this order: the lab's chips have no file locator that would say so."""
STATIC_LIST: Final = b"\x82"
"""Tag 9F4A of the lab's chips, and the only one that the standard allows: the interchange profile is signed as well."""
_ALGORITHMS: Final = bytes((SHA_1, RSA))
_PAD: Final = b"\xbb"
_DYNAMIC_FIXED_BYTES: Final = 3
# how many bytes of whom: the issuer by the first digits of its numbers, a card by its number
_HOLDER_BYTES: Final = {ISSUER: 4, CARD: 10}
_EXPIRY_BYTES: Final = 2
SERIAL_BYTES: Final = 3


class Certified(NamedTuple):
    """What a card carries of a certified key: tags 90 and 92, or 9F46 and 9F48."""

    certificate: bytes
    remainder: bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an opened certificate says: ``holder`` digits of the issuer or the card, ``expiry`` YYMM, 3 bytes serial."""

    holder: str
    expiry: str
    serial: bytes
    key: PublicKey

    def __repr__(self) -> str:
        return f"Certificate(expiry={self.expiry})"


def certify(
    by: PrivateKey, form: int, key: PublicKey, *, holder: str, expiry: str, serial: bytes, static: bytes = b""
) -> Certified:
    """Certify ``key`` of an ISSUER or a CARD, the card's with its ``static`` data; ``expiry`` is YYMM.

    Raises EncodeError where the signing key is too short for it.
    """
    named = bytes.fromhex(holder.ljust(_HOLDER_BYTES[form] * 2, "F"))
    exponent = key.exponent_bytes
    head = bytes((form,)) + named + bytes.fromhex(expiry[2:] + expiry[:2]) + serial + _ALGORITHMS
    head += bytes((len(key), len(exponent)))
    room = len(by.public) - FRAME_BYTES - len(head)
    if room < 1:
        raise EncodeError(f"a key of {len(by.public)} bytes certifies none")
    told = head + key.modulus[:room].ljust(room, _PAD)
    remainder = key.modulus[room:]
    return Certified(_signed(by, told, remainder + exponent + static), remainder)


def open_certificate(
    by: PublicKey, form: int, certificate: bytes, *, remainder: bytes, exponent: bytes, static: bytes = b""
) -> Certificate:
    """What an ISSUER's or a CARD's certificate says. Raises SignatureError "length", "format", "hash"."""
    told = _opened(by, certificate, form, remainder + exponent + static)
    named_end = 1 + _HOLDER_BYTES[form]
    expiry_end = named_end + _EXPIRY_BYTES
    serial_end = expiry_end + SERIAL_BYTES
    algorithms, (length, exponent_length), left = (
        told[serial_end : serial_end + 2],
        told[serial_end + 2 : serial_end + 4],
        told[serial_end + 4 :],
    )
    modulus = left[:length] + remainder
    is_whole = len(modulus) == length and len(exponent) == exponent_length and any(exponent) and any(modulus)
    if algorithms != _ALGORITHMS or not is_whole:
        raise SignatureError("the certified key is not whole, or of another algorithm", code="format")
    month_year = told[named_end:expiry_end].hex()
    return Certificate(
        told[1:named_end].hex().upper().rstrip("F"),
        month_year[2:] + month_year[:2],
        told[expiry_end:serial_end],
        PublicKey(modulus, int.from_bytes(exponent, "big")),
    )


def static_data(objects: Mapping[int, bytes], profile: bytes) -> bytes:
    """What is signed of a chip: those of its ``objects`` that are in STATIC_TAGS, and the interchange ``profile``."""
    return encode(Node(tag, objects[tag]) for tag in STATIC_TAGS if tag in objects) + profile


def sign_static(by: PrivateKey, static: bytes, code: bytes) -> bytes:
    """Tag 93: the issuer's signature of a card's static data, with a data authentication code of 2 bytes."""
    told = bytes((STATIC, SHA_1)) + code
    return _signed(by, _padded(by, told), static)


def open_static(by: PublicKey, signed: bytes, static: bytes) -> bytes:
    """The data authentication code, tag 9F45, of static data that the issuer signed. Raises as ``open_certificate``."""
    told = _opened(by, signed, STATIC, static)
    _check_hash(told)
    return told[2:4]


def sign_dynamic(by: PrivateKey, dynamic: bytes, terminal: bytes) -> bytes:
    """Tag 9F4B: the card's signature of its ``dynamic`` data and of what the ``terminal`` gave it."""
    told = bytes((DYNAMIC, SHA_1, len(dynamic))) + dynamic
    return _signed(by, _padded(by, told), terminal)


def open_dynamic(by: PublicKey, signed: bytes, terminal: bytes) -> bytes:
    """The dynamic data of a card that signed them and what the ``terminal`` gave it. Raises as ``open_certificate``."""
    told = _opened(by, signed, DYNAMIC, terminal)
    _check_hash(told)
    end = _DYNAMIC_FIXED_BYTES + told[2]
    if end > len(told):
        raise SignatureError("dynamic data that are longer than their signature", code="format")
    return told[_DYNAMIC_FIXED_BYTES:end]


def digest(data: bytes) -> bytes:
    """SHA-1, which is what the standard hashes with."""
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _padded(by: PrivateKey, told: bytes) -> bytes:
    room = len(by.public) - FRAME_BYTES
    if len(told) > room:
        raise EncodeError(f"{len(told)} bytes in a signature with room for {room}")
    return told.ljust(room, _PAD)


def _signed(by: PrivateKey, told: bytes, known: bytes) -> bytes:
    return by.sign(HEADER + told + digest(told + known) + TRAILER)


def _opened(by: PublicKey, signed: bytes, form: int, known: bytes) -> bytes:
    block = by.recover(signed)
    told, stated = block[1 : -HASH_BYTES - 1], block[-HASH_BYTES - 1 : -1]
    if block[:1] != HEADER or block[-1:] != TRAILER or told[:1] != bytes((form,)):
        raise SignatureError(f"this is no {FORMATS[form]} of that key", code="format")
    if not bytes_eq(digest(told + known), stated):
        raise SignatureError(f"the {FORMATS[form]} was changed", code="hash")
    return told


def _check_hash(told: bytes) -> None:
    if told[1] != SHA_1:
        raise SignatureError("hashed by another algorithm", code="format")
