"""A master-key download between devices and hosts of ours: 352, then 350, each way of each (CUP 3.7, 5.1).

Rules owned here: the host's RSA key comes with the host's Ed25519 signature, so that nobody else can offer one; the
device answers with a transport key of its own under that RSA key (``protocol.crypto.tmk_download``), and the host with
the master key under the transport key and its check value. No key is returned before its check value was verified.
Tag DF25 is ours.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq

from protocol.crypto.key import MasterKey
from protocol.crypto.keys import check_value, unwrap_key, wrap_key
from protocol.crypto.signing import sign, verify
from protocol.crypto.tmk_download import (
    CHECK_VALUE,
    ENCRYPTED_KEY,
    TransportKey,
    pack_public_key,
    unpack_public_key,
)
from protocol.errors import KeyLoadError, SignatureError
from protocol.tlv import Node, decode, encode, value_of

SIGNATURE: Final = 0xDF25
TMK_BYTES: Final = 16
_CONTEXT: Final = b"RSA key for master keys: "


def pack_signed_key(key: TransportKey, signing_key: bytes) -> bytes:
    """Return field 62 of the reply to 352: the RSA key, and its signature by the 32-byte ``signing_key``."""
    stated = pack_public_key(key)
    return stated + encode((Node(SIGNATURE, sign(signing_key, _CONTEXT + stated)),))


def unpack_signed_key(field62: bytes, host_public_key: bytes) -> TransportKey:
    """Return the RSA key of a reply to 352, if the owner of ``host_public_key``, 32 bytes, signed it.

    Raises DecodeError on other tags, KeyLoadError "rsa_key", SignatureError when somebody else signed, or nobody.
    """
    key = unpack_public_key(field62)
    signatures = [node.octets for node in decode(field62) if node.tag == SIGNATURE]
    if len(signatures) != 1 or not verify(host_public_key, _CONTEXT + pack_public_key(key), signatures[0]):
        raise SignatureError("the host did not sign this RSA key", hint="the answer was forged, or is another host's")
    return key


def pack_answer(transport: MasterKey, tmk: bytes) -> bytes:
    """Return field 62 of the reply to 350: ``tmk``, 16 bytes, under the device's transport key, and its check value."""
    if len(tmk) != TMK_BYTES:
        raise KeyLoadError(f"a master key has {TMK_BYTES} bytes, not {len(tmk)}", code="key_length")
    return encode((Node(CHECK_VALUE, check_value(tmk)), Node(ENCRYPTED_KEY, wrap_key(transport, tmk))))


def unpack_answer(transport: MasterKey, field62: bytes) -> MasterKey:
    """Return the master key of a reply to 350.

    Raises DecodeError on other tags, KeyLoadError "key_length" and "key_check_value".
    """
    nodes = decode(field62)
    stated, wrapped = value_of(nodes, CHECK_VALUE), value_of(nodes, ENCRYPTED_KEY)
    if len(wrapped) != TMK_BYTES:
        raise KeyLoadError(f"a master key has {TMK_BYTES} bytes, not {len(wrapped)}", code="key_length")
    key = MasterKey(unwrap_key(transport, wrapped))
    if not bytes_eq(check_value(key), stated):
        raise KeyLoadError(
            "the check value of the TMK differs",
            hint="encrypted for another device, or the field was damaged",
            code="key_check_value",
        )
    return key
