"""RSA without padding, as chip cards use it: a block of the modulus' length in, one out (EMV Book 2, B2.1).

Rules owned here: a block and a signature have exactly the length of the modulus; a private key of the laboratory comes
from a seed, so that nothing has to be stored: it protects nothing but the lab's own cards.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from protocol.crypto.prime import prime_from
from protocol.errors import EncodeError, SignatureError

EXPONENT: Final = 3
"""The public exponent of the laboratory's keys."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """``modulus`` as bytes without leading zeros, and the exponent."""

    modulus: bytes
    exponent: int = EXPONENT

    def __len__(self) -> int:
        """Bytes of the modulus, of a block and of a signature."""
        return len(self.modulus)

    @property
    def exponent_bytes(self) -> bytes:
        """The exponent as short as it can be written."""
        return self.exponent.to_bytes((self.exponent.bit_length() + 7) // 8, "big")

    def recover(self, signature: bytes) -> bytes:
        """Return the block that was signed; raises SignatureError "length" for a signature of another length."""
        if len(signature) != len(self) or not any(self.modulus):
            raise SignatureError(f"a signature of {len(signature)} bytes, the key has {len(self)}", code="length")
        modulus = int.from_bytes(self.modulus, "big")
        return pow(int.from_bytes(signature, "big"), self.exponent, modulus).to_bytes(len(self), "big")


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The half that signs for ``public``."""

    public: PublicKey
    _primes: tuple[int, int] = field(repr=False)

    def sign(self, block: bytes) -> bytes:
        """Return the signature of a block; raises EncodeError where it is not as long as the modulus, or above it."""
        p, q = self._primes
        number = int.from_bytes(block, "big")
        if len(block) != len(self.public) or number >= p * q:
            raise EncodeError(f"a block of {len(block)} bytes for a key of {len(self.public)}")
        exponent = self.public.exponent
        at_p, at_q = (pow(number, pow(exponent, -1, prime - 1), prime) for prime in (p, q))
        signed = at_q + (at_p - at_q) * pow(q, -1, p) % p * q
        return signed.to_bytes(len(block), "big")


@lru_cache(maxsize=512)
def lab_key(seed: bytes, modulus_bytes: int, skip: tuple[int, int] = (0, 0)) -> PrivateKey:
    """The key pair that belongs to a seed, always the same; the modulus has an even number of bytes, its first bit set.

    ``skip`` is how far behind its seed the search for each prime may begin, where that is known: it saves time.
    """
    p, q = (
        prime_from(hashlib.shake_256(seed + label).digest(modulus_bytes // 2), EXPONENT, skip=far)
        for label, far in zip((b"/p", b"/q"), skip, strict=True)
    )
    return PrivateKey(PublicKey((p * q).to_bytes(modulus_bytes, "big")), (p, q))
