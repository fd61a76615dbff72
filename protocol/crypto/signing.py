"""Ed25519 signatures on raw 32-byte keys."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.errors import KeyLoadError

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


def _raw(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise KeyLoadError(f"an Ed25519 key has {KEY_BYTES} bytes, not {len(key)}", code="key_length")
    return key
