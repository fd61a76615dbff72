"""The host's RSA key for master keys on the line: made from a secret seed, the same every time.

Rules owned here: 2048 bits, exponent 65537; the primes are the first behind numbers that the seed gives. Whoever has
the seed has the key, so it is kept nowhere else.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)

from protocol.crypto.prime import prime_from

EXPONENT: Final = 65537
PRIME_BITS: Final = 1024


@lru_cache(maxsize=4)
def make_transport_key(seed: bytes) -> RSAPrivateKey:
    """Return the key that ``seed``, secret bytes, determines; takes about half a second, once."""
    p, q = (prime_from(hashlib.shake_256(seed + label).digest(PRIME_BITS // 8), EXPONENT) for label in (b"p", b"q"))
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    public = RSAPublicNumbers(EXPONENT, p * q)
    numbers = RSAPrivateNumbers(p, q, d, rsa_crt_dmp1(d, p), rsa_crt_dmq1(d, q), rsa_crt_iqmp(p, q), public)
    return numbers.private_key()  # which checks that p and q are prime
