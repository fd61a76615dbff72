"""The host's RSA key for master keys on the line: made from a secret seed, the same every time.

Rules owned here: 2048 bits, exponent 65537; the primes are the first behind numbers that the seed gives. Whoever has
the seed has the key, so it is kept nowhere else.
"""

from __future__ import annotations

import hashlib
from math import gcd, prod
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)

EXPONENT: Final = 65537
PRIME_BITS: Final = 1024
_SMALL_PRIMES: Final = tuple(n for n in range(3, 2000, 2) if all(n % divisor for divisor in range(3, int(n**0.5) + 1)))
_SMALL_PRODUCT: Final = prod(_SMALL_PRIMES)
_WITNESSES: Final = _SMALL_PRIMES[:8]


def make_transport_key(seed: bytes) -> RSAPrivateKey:
    """Return the key that ``seed``, secret bytes, determines; takes about half a second."""
    p, q = (_prime_from(hashlib.shake_256(seed + label).digest(PRIME_BITS // 8)) for label in (b"p", b"q"))
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    public = RSAPublicNumbers(EXPONENT, p * q)
    numbers = RSAPrivateNumbers(p, q, d, rsa_crt_dmp1(d, p), rsa_crt_dmq1(d, q), rsa_crt_iqmp(p, q), public)
    return numbers.private_key()  # which checks that p and q are prime


def _prime_from(chance: bytes) -> int:
    """The first prime at or behind a number; its two highest bits are set, so that a product has twice the bits."""
    candidate = int.from_bytes(chance, "big") | 3 << PRIME_BITS - 2 | 1
    while not _is_prime(candidate) or gcd(candidate - 1, EXPONENT) != 1:
        candidate += 2
    return candidate


def _is_prime(number: int) -> bool:
    """By Miller and Rabin: wrong for a random number of this size less often than a memory bit flips."""
    if gcd(number, _SMALL_PRODUCT) != 1:
        return False
    twos = (number - 1 & 1 - number).bit_length() - 1
    return all(_passes(number, witness, twos) for witness in _WITNESSES)


def _passes(number: int, witness: int, twos: int) -> bool:
    power = pow(witness, number - 1 >> twos, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
