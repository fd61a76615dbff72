"""The master key over the line: RSA public key (60.3 = 352) and encrypted key (350) in field 62 (CUP 3.7, 5.1).

Rules owned here: which tags stand in field 62, the PKCS #1 v1.5 padding, and that no key is returned before its check
value has been verified. Whoever makes the RSA key pair sends ``pack_public_key``; the other side answers with
``pack_master_key``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from protocol.crypto.key import MasterKey
from protocol.crypto.keys import check_value
from protocol.errors import KeyLoadError
from protocol.tlv import Node, decode, encode, value_of

MODULUS, EXPONENT, ENCRYPTED_KEY, CHECK_VALUE = 0xDF02, 0xDF04, 0xDF23, 0xDF24
RID, KEY_INDEX = 0x9F06, 0x9F22
TMK_LENGTHS_BYTES: Final = (8, 16, 24)
CHECK_VALUE_LENGTHS: Final = range(3, 9)
MODULUS_BITS: Final = range(1024, 4097)
EXPONENT_BITS: Final = range(2, 33)
RID_BYTES: Final = 5
INDEX_BYTES: Final = 1

Fresh = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class TransportKey:
    """An RSA public key for a master key, and under which RID (5 bytes) and index (1 byte) the owner keeps it."""

    modulus: int
    exponent: int
    rid: bytes
    index: bytes

    @property
    def modulus_bytes(self) -> int:
        return (self.modulus.bit_length() + 7) // 8


def pack_public_key(key: TransportKey) -> bytes:
    """Return field 62 with a public key: RID, index, modulus, exponent (CUP 5.1)."""
    exponent = key.exponent.to_bytes((key.exponent.bit_length() + 7) // 8, "big")
    modulus = key.modulus.to_bytes(key.modulus_bytes, "big")
    return encode((Node(RID, key.rid), Node(KEY_INDEX, key.index), Node(MODULUS, modulus), Node(EXPONENT, exponent)))


def unpack_public_key(field62: bytes) -> TransportKey:
    """Return the public key of field 62.

    Raises DecodeError on other tags, KeyLoadError "rsa_key" on a key that is too small, too large, or even.
    """
    nodes = decode(field62)
    modulus = int.from_bytes(value_of(nodes, MODULUS), "big")
    exponent = int.from_bytes(value_of(nodes, EXPONENT), "big")
    return _checked_key(TransportKey(modulus, exponent, value_of(nodes, RID), value_of(nodes, KEY_INDEX)))


def pack_master_key(to: TransportKey, tmk: bytes, fresh: Fresh) -> bytes:
    """Return field 62 with ``tmk`` for the owner of ``to``: check value, RID, encrypted key, index (CUP 3.7).

    ``fresh(n)`` gives the n random bytes of the padding. Raises KeyLoadError "key_length".
    """
    _check_length(tmk)
    block = b"\0\2" + _nonzero(fresh, to.modulus_bytes - len(tmk) - 3) + b"\0" + tmk
    encrypted = pow(int.from_bytes(block, "big"), to.exponent, to.modulus).to_bytes(to.modulus_bytes, "big")
    return encode(
        (
            Node(CHECK_VALUE, check_value(tmk)),
            Node(RID, to.rid),
            Node(ENCRYPTED_KEY, encrypted),
            Node(KEY_INDEX, to.index),
        )
    )


def unpack_master_key(private: RSAPrivateKey, field62: bytes) -> MasterKey:
    """Return the master key of field 62.

    Raises DecodeError on other tags, KeyLoadError "key_check_value" when it is not for ``private`` or was damaged; the
    error does not tell which, so that nobody can ask for the padding.
    """
    nodes = decode(field62)
    stated = value_of(nodes, CHECK_VALUE)
    try:
        key = MasterKey(private.decrypt(value_of(nodes, ENCRYPTED_KEY), PKCS1v15()))
        _check_length(key)
        is_right = len(stated) in CHECK_VALUE_LENGTHS and bytes_eq(check_value(key, length_bytes=len(stated)), stated)
    except (ValueError, KeyLoadError):
        is_right = False
    if not is_right:
        raise KeyLoadError(
            "the check value of the TMK differs",
            hint="encrypted for another public key, or the field was damaged",
            code="key_check_value",
        )
    return key


def read_private_key(pem: bytes) -> RSAPrivateKey:
    """Return the RSA private key of an unencrypted PEM text; raises KeyLoadError "rsa_key" on anything else."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise KeyLoadError("not an RSA private key in PEM without a passphrase", code="rsa_key")
    return key


def transport_key(private: RSAPrivateKey, rid: bytes, index: bytes) -> TransportKey:
    """Return the public half of ``private`` under its RID and index; raises KeyLoadError "rsa_key"."""
    numbers = private.public_key().public_numbers()
    return _checked_key(TransportKey(numbers.n, numbers.e, rid, index))


def _checked_key(key: TransportKey) -> TransportKey:
    if (
        key.modulus.bit_length() not in MODULUS_BITS
        or not key.modulus % 2
        or not key.exponent % 2
        or key.exponent.bit_length() not in EXPONENT_BITS
        or (len(key.rid), len(key.index)) != (RID_BYTES, INDEX_BYTES)
    ):
        raise KeyLoadError(
            "not an RSA key of 1024 to 4096 bits under a RID of 5 bytes and an index of one", code="rsa_key"
        )
    return key


def _check_length(tmk: bytes) -> None:
    if len(tmk) not in TMK_LENGTHS_BYTES:
        raise KeyLoadError(f"a master key has 8, 16 or 24 bytes, not {len(tmk)}", code="key_length")


def _nonzero(fresh: Fresh, size: int) -> bytes:
    """``size`` random bytes without a zero among them."""
    found = b""
    while len(found) < size:
        found += fresh(size).replace(b"\0", b"")
    return found[:size]
