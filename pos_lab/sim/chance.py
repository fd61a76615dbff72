"""Chance by name: every part of a world draws from a stream of its own.

Rules owned here: a stream is seeded by SHA-256 of seed and name, so that a part that is added, or that draws more
often, moves nobody else's draws, and an old failing seed goes on failing.
"""

from __future__ import annotations

from hashlib import sha256
from random import Random


class Streams:
    """The streams of one ``seed``."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def of(self, name: str) -> Random:
        """A new stream at its beginning, the same one for the same name."""
        return Random(int.from_bytes(sha256(f"{self._seed}|{name}".encode()).digest(), "big"))  # noqa: S311
