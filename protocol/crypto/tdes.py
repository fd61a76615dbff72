"""DES and 3DES on whole blocks, ECB: the one cipher under MAC, PIN block, check values and key wrapping (CUP 5).

Rules owned here: keys of 8, 16 or 24 bytes are expanded to 24, so that one cipher serves all lengths (8 bytes = single
DES); making a cipher context costs ten times its use, so the most recently used ones are held, 1.3 KB each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from protocol.errors import EncodeError, KeyLoadError

BLOCK_BYTES = 8
KEY_LENGTHS_BYTES = (8, 16, 24)
CONTEXTS_HELD = 4096


def expand(key: bytes) -> bytes:
    """Return the 24-byte form of a DES key of 8, 16 or 24 bytes; other lengths raise KeyLoadError "key_length"."""
    if len(key) not in KEY_LENGTHS_BYTES:
        raise KeyLoadError(f"a DES key has 8, 16 or 24 bytes, not {len(key)}", code="key_length")
    return (key * 3)[:24]


@lru_cache(maxsize=CONTEXTS_HELD)
def encryptor(key: bytes) -> Callable[[bytes], bytes]:
    """Return the held encryption of ``key``; callers pass whole blocks only: a part of one would stay inside."""
    return Cipher(TripleDES(expand(key)), modes.ECB()).encryptor().update  # noqa: S305  CUP asks for ECB


@lru_cache(maxsize=CONTEXTS_HELD)
def decryptor(key: bytes) -> Callable[[bytes], bytes]:
    """Return the held decryption of ``key``; callers pass whole blocks only: a part of one would stay inside."""
    return Cipher(TripleDES(expand(key)), modes.ECB()).decryptor().update  # noqa: S305  CUP asks for ECB


def encrypt(key: bytes, blocks: bytes) -> bytes:
    """Encrypt whole 8-byte blocks in ECB; raises EncodeError on a part of a block, KeyLoadError on a bad key length."""
    return encryptor(key)(_whole(blocks))


def decrypt(key: bytes, blocks: bytes) -> bytes:
    """Decrypt whole 8-byte blocks in ECB; raises EncodeError on a part of a block, KeyLoadError on a bad key length."""
    return decryptor(key)(_whole(blocks))


def _whole(blocks: bytes) -> bytes:
    if len(blocks) % BLOCK_BYTES:
        raise EncodeError(f"DES works on whole blocks of 8 bytes, not on {len(blocks)} bytes")
    return blocks
