"""Ed25519 signatures on raw 32-byte keys, and the canonical JSON that is signed.

Rules owned here: a signed JSON object has one spelling only (keys sorted, no blanks, UTF-8, integers and text), and a
reader refuses every other spelling, so two readers can never see two documents under one signature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.errors import DecodeError, EncodeError, KeyLoadError

KEY_BYTES = 32
SIGNATURE_BYTES = 64


def sign(private_key: bytes, data: bytes) -> bytes:
    """Return the 64-byte signature of ``data``; raises KeyLoadError when the key is not 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(_raw(private_key)).sign(data)


def verify(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether ``signature`` of ``data`` was made by the owner of ``public_key``; raises KeyLoadError on a bad key."""
    try:
        Ed25519PublicKey.from_public_bytes(_raw(public_key)).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def public_key(private_key: bytes) -> bytes:
    """Return the 32-byte public key of a 32-byte private key; raises KeyLoadError on another length."""
    return Ed25519PrivateKey.from_private_bytes(_raw(private_key)).public_key().public_bytes_raw()


def write_canonical(document: Mapping[str, object]) -> bytes:
    """Return the one spelling of a JSON object; raises EncodeError when text in it is not Unicode."""
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()
    except ValueError:
        raise EncodeError("not a document that can be signed") from None


def read_canonical(spelling: bytes) -> dict[str, object]:
    """Return the JSON object whose one spelling these bytes are; raises DecodeError on anything else."""
    try:
        document = json.loads(spelling)
        if isinstance(document, dict) and write_canonical(document) == spelling:
            return document
    except (ValueError, RecursionError, EncodeError):
        pass
    raise DecodeError("not a canonical JSON object")


def _raw(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise KeyLoadError(f"an Ed25519 key has {KEY_BYTES} bytes, not {len(key)}", code="key_length")
    return key
