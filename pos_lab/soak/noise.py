"""Noise of a serial cable: TABLE NOISES, what happens to the bytes of a chunk, one burst at a time.

Rules owned here: a burst is shorter than BURST_BYTES, so that it cannot hide from the MAC: that is the exclusive or of
blocks, in which two equal changes a block apart cancel each other (see docs/simulation.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

BURST_BYTES: Final = 7
PULLED: Final = (1, 6)
"""How many chunks do not come through a cable that is pulled."""
Noise = Callable[[bytes, Random], bytes]


def _bit(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _burst(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    end = min(len(data), at + chance.randint(1, BURST_BYTES))
    return data[:at] + chance.randbytes(end - at) + data[end:]


def _lost(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + 1 :]


def _inserted(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(1) + data[at:]


def _break(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes(chance.randint(1, BURST_BYTES)) + data[at:]


def _half(data: bytes, chance: Random) -> bytes:
    return data[: chance.randrange(len(data))]


NOISES: Final[Mapping[str, Noise]] = MappingProxyType(
    {
        "bit": _bit,
        "burst": _burst,
        "lost_byte": _lost,
        "inserted_byte": _inserted,
        "break": _break,
        "half_frame": _half,
        "pulled": lambda data, chance: b"",
    }
)
"""Name -> what becomes of a chunk of at least one byte."""


class Cable:
    """One cable; ``rate`` is how many of its chunks suffer. ``fired`` counts what happened, by name."""

    def __init__(self, chance: Random, rate: float) -> None:
        self.rate = rate
        self.fired: Counter[str] = Counter()
        self._chance = chance
        self._pulled = 0

    def carry(self, data: bytes) -> bytes:
        """What comes out at the other end."""
        if self._pulled:
            self._pulled -= 1
            return b""
        if not data or self._chance.random() >= self.rate:
            return data
        name = self._chance.choice(list(NOISES))
        self.fired[name] += 1
        if name == "pulled":
            self._pulled = self._chance.randint(*PULLED) - 1
        return NOISES[name](data, self._chance)
