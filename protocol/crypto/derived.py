"""Keys that a terminal and its host derive from the terminal master key, each for one purpose (CUP has none of them).

Rules owned here: TABLE PURPOSES, HKDF-SHA256 with the purpose as its label, so that no derived key serves two ends and
none tells anything of another or of the master key; a backup is sealed under a nonce that its content decides, so that
the same backup has the same bytes however often it is made, and no nonce ever seals two.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.crypto import vault

PROOF_BYTES = 32


class Purpose(StrEnum):
    """TABLE PURPOSES: what a key is derived for; the value is the label."""

    BACKUP = "poslab swap backup"
    BACKUP_NONCE = "poslab swap backup nonce"
    CLAIM = "poslab swap claim"
    CERTIFICATE = "poslab wipe certificate"


def derive(tmk: bytes, purpose: Purpose) -> bytes:
    """Return the 32 bytes of the key that ``tmk`` gives for ``purpose``."""
    return HKDF(SHA256(), vault.KEY_BYTES, salt=None, info=purpose.encode("ascii")).derive(bytes(tmk))


def seal_backup(tmk: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Return ``plaintext`` sealed for who has ``tmk``: the same bytes for the same content and ``context``."""
    content = len(context).to_bytes(4, "big") + context + plaintext
    nonce = _digest(derive(tmk, Purpose.BACKUP_NONCE), content)[: vault.NONCE_BYTES]
    return vault.seal(derive(tmk, Purpose.BACKUP), nonce, plaintext, context)


def open_backup(tmk: bytes, sealed: bytes, context: bytes) -> bytes:
    """Return what ``seal_backup`` was given; raises KeyLoadError "vault" on other keys, bytes or another context."""
    return vault.unseal(derive(tmk, Purpose.BACKUP), sealed, context)


def prove(tmk: bytes, purpose: Purpose, statement: bytes) -> bytes:
    """Return the 32 bytes by which who has ``tmk`` states ``statement``."""
    return _digest(derive(tmk, purpose), statement)


def is_proof(tmk: bytes, purpose: Purpose, statement: bytes, proof: bytes) -> bool:
    """Whether ``proof`` is what ``prove`` makes of the same."""
    return hmac.compare_digest(prove(tmk, purpose, statement), proof)


def _digest(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()
