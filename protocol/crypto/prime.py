"""Primes that a number determines, for keys that must be the same every time they are made.

Rules owned here: the search goes upwards in steps of two; a prime's two highest bits are set, so that the product of
two has twice the bits.
"""

from __future__ import annotations

from math import gcd, prod
from typing import Final

_SMALL_PRIMES: Final = tuple(n for n in range(3, 2000, 2) if all(n % divisor for divisor in range(3, int(n**0.5) + 1)))
_SMALL_PRODUCT: Final = prod(_SMALL_PRIMES)
_WITNESSES: Final = _SMALL_PRIMES[:2]


def prime_from(chance: bytes, exponent: int, *, skip: int = 0) -> int:
    """The first prime at or behind the number ``chance``, of as many bits, for which ``exponent`` has an inverse.

    ``skip``, even, is how far behind it the search may begin where that is known.
    """
    candidate = (int.from_bytes(chance, "big") | 3 << len(chance) * 8 - 2 | 1) + skip
    while not _is_prime(candidate) or gcd(candidate - 1, exponent) != 1:
        candidate += 2
    return candidate


def _is_prime(number: int) -> bool:
    """By Miller and Rabin: wrong for a random number of 300 bits or more less often than a memory bit flips."""
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
