"""AES-256-GCM sealing of the secrets that a store keeps.

Rules owned here: the nonce is the caller's (12 bytes, never used twice under one key) and stands in front of the sealed
bytes; ``context`` names what is sealed and for whom, so that a sealed secret cannot be moved to another row.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from protocol.errors import KeyLoadError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


def seal(key: bytes, nonce: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Return nonce + ciphertext + tag; raises KeyLoadError when ``key`` is not 32 or ``nonce`` not 12 bytes."""
    if len(nonce) != NONCE_BYTES:
        raise KeyLoadError(f"a vault nonce has {NONCE_BYTES} bytes, not {len(nonce)}", code="key_length")
    return nonce + _cipher(key).encrypt(nonce, plaintext, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Return the plaintext of ``seal``; raises KeyLoadError "vault" when key, bytes or context are not the sealer's."""
    cipher = _cipher(key)
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise _not_ours()
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except InvalidTag:
        raise _not_ours() from None


def _cipher(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise KeyLoadError(f"a vault key has {KEY_BYTES} bytes, not {len(key)}", code="key_length")
    return AESGCM(key)


def _not_ours() -> KeyLoadError:
    return KeyLoadError("a stored secret cannot be unsealed", hint="another vault key, or altered data", code="vault")
