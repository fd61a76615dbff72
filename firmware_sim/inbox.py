"""What comes from outside and waits to be taken: key presses, cards, replies.

Rules owned here: a timeout never loses an item, it stays for the next ``take``; a power cut wakes the one who waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from firmware_sim.power import Power, Powered

T = TypeVar("T")


class Inbox(Powered, Generic[T]):
    """A queue of one power epoch; ``items`` may be a deque that outlives it."""

    def __init__(self, power: Power, items: deque[T] | None = None) -> None:
        super().__init__(power)
        self._items: deque[T] = deque() if items is None else items
        self._ended: Exception | None = None
        self._interrupted: Exception | None = None
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._items)

    @property
    def first(self) -> T:
        """The item that the next ``take`` returns; raises IndexError where none waits."""
        return self._items[0]

    def put(self, item: T) -> None:
        """Add ``item``; raises PowerLost."""
        self._check()
        self._items.append(item)
        self._changed.set()

    def end(self, error: Exception) -> None:
        """Let every ``take`` raise ``error`` once the items are used up."""
        self._ended = error
        self._changed.set()

    def interrupt(self, error: Exception) -> None:
        """Let the ``take`` that waits, or the next one that would have to, raise ``error``, once."""
        self._interrupted = error
        self._changed.set()

    def clear(self) -> None:
        """Throw away what nobody has taken; raises PowerLost."""
        self._check()
        self._items.clear()

    async def take(self, timeout_s: float | None = None) -> T:
        """Return the oldest item, waiting at most ``timeout_s`` seconds.

        Raises TimeoutError, PowerLost, and what ``end`` and ``interrupt`` were given.
        """
        self._check()
        self._power.on_cut(self._changed.set)
        try:
            async with asyncio.timeout(timeout_s):
                while not self._items:
                    if self._ended is not None:
                        raise self._ended
                    if self._interrupted is not None:
                        raise self._interrupted
                    self._changed.clear()
                    await self._changed.wait()
                    self._check()
        finally:
            self._interrupted = None
            self._power.forget(self._changed.set)
        return self._items.popleft()
