"""The block ciphers under MAC, PIN block, check values and key wrapping: DES, 3DES, SM4 and AES (CUP 5).

Rules owned here: TABLE CIPHERS; DES keys of 8, 16 or 24 bytes are expanded to 24, so that one cipher serves all lengths
(8 bytes = single DES); making a context costs ten times its use, so the most recently used ones are held, 1.3 KB each;
a held context belongs to one use, so that asking for it is the check that the key may be used so; ``forget`` drops all
of them, and the keys in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, algorithms, modes

from protocol.crypto.key import KeyUse, require_use
from protocol.errors import EncodeError, KeyLoadError

CONTEXTS_HELD: Final = 4096

Context = Callable[[bytes], bytes]
"""Whole blocks in, whole blocks out; a part of a block would stay inside."""


class BlockCipher:
    """One cipher in ECB and CBC. Its errors: KeyLoadError "key_length" and "key_use", EncodeError on a part of a block.

    ``encryptor(key, use)`` and ``decryptor(key, use)`` return held contexts; callers pass whole blocks only.
    """

    def __init__(
        self,
        name: str,
        block_bytes: int,
        key_lengths_bytes: tuple[int, ...],
        algorithm: Callable[[bytes], CipherAlgorithm],
    ) -> None:
        self.name = name
        self.block_bytes = block_bytes
        self.key_lengths_bytes = key_lengths_bytes
        self._algorithm = algorithm
        # typed: keys of two uses may be equal bytes, and one of them must not open the context of the other
        self.encryptor = lru_cache(CONTEXTS_HELD, typed=True)(self._encryptor)
        self.decryptor = lru_cache(CONTEXTS_HELD, typed=True)(self._decryptor)

    def encrypt(self, key: bytes, blocks: bytes, use: KeyUse | None = None) -> bytes:
        """Encrypt whole blocks in ECB."""
        context: Context = self.encryptor(key, use)
        return context(self.whole(blocks))

    def decrypt(self, key: bytes, blocks: bytes, use: KeyUse | None = None) -> bytes:
        """Decrypt whole blocks in ECB."""
        context: Context = self.decryptor(key, use)
        return context(self.whole(blocks))

    def encrypt_cbc(self, key: bytes, blocks: bytes, use: KeyUse | None = None) -> bytes:
        """Encrypt whole blocks in CBC from a zero vector; the chain is fresh each time."""
        algorithm = self._keyed(key, use)
        return Cipher(algorithm, modes.CBC(bytes(self.block_bytes))).encryptor().update(self.whole(blocks))

    def whole(self, blocks: bytes) -> bytes:
        """Return ``blocks`` when they are whole, else raise EncodeError."""
        if len(blocks) % self.block_bytes:
            raise EncodeError(
                f"{self.name} works on whole blocks of {self.block_bytes} bytes, not on {len(blocks)} bytes"
            )
        return blocks

    def padded(self, data: bytes) -> bytes:
        """Return ``data`` with zero bytes up to a whole number of blocks; whole blocks get none."""
        return data + bytes(-len(data) % self.block_bytes)

    def _encryptor(self, key: bytes, use: KeyUse | None = None) -> Context:
        return Cipher(self._keyed(key, use), modes.ECB()).encryptor().update  # noqa: S305  CUP asks for ECB

    def _decryptor(self, key: bytes, use: KeyUse | None = None) -> Context:
        return Cipher(self._keyed(key, use), modes.ECB()).decryptor().update  # noqa: S305  CUP asks for ECB

    def _keyed(self, key: bytes, use: KeyUse | None) -> CipherAlgorithm:
        if use is not None:
            require_use(key, use)
        if len(key) not in self.key_lengths_bytes:
            *others, last = map(str, self.key_lengths_bytes)
            lengths = f"{', '.join(others)} or {last}" if others else last
            raise KeyLoadError(f"a {self.name} key has {lengths} bytes, not {len(key)}", code="key_length")
        return self._algorithm(bytes(key))


def expand(key: bytes) -> bytes:
    """Return the 24-byte form of a DES key of 8, 16 or 24 bytes."""
    return (key * 3)[:24]


def _triple(key: bytes) -> CipherAlgorithm:
    return TripleDES(expand(key))


DES: Final = BlockCipher("DES", 8, (8,), _triple)
TDES: Final = BlockCipher("3DES", 8, (8, 16, 24), _triple)
SM4: Final = BlockCipher("SM4", 16, (16,), algorithms.SM4)
AES: Final = BlockCipher("AES", 16, (16, 24, 32), algorithms.AES)

CIPHERS: Final[Mapping[str, BlockCipher]] = MappingProxyType({c.name.lower(): c for c in (DES, TDES, SM4, AES)})


def forget() -> None:
    """Drop every held context, and with it its key: what a device does whose case was opened."""
    for cipher in CIPHERS.values():
        cipher.encryptor.cache_clear()
        cipher.decryptor.cache_clear()
