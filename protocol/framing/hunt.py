"""The search for the next sound STX frame after damage.

Rules owned here: of all sound frames in the stream behind the damage the one that ends first is taken, the longest of
those that end together; it is taken as soon as its last byte is there, and everything before it is dropped. So what
comes out depends on the bytes alone, not on how they are cut.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import accumulate
from operator import xor

from protocol.framing.stx_frame import ETX, HEAD, MIN_FRAME, STX, TAIL, claimed_end


class Hunt:
    """A search in a buffer that begins with the damaged STX and may grow at its end.

    The work is linear in the bytes: each STX is looked at once, each frame that it claims is checked once, against the
    XOR of all bytes before its ends. ``told`` is the end of the damage that the peer was told of: what lies behind it
    came to nothing as well.
    """

    def __init__(self, told: int) -> None:
        self.told = told
        self._next = 1
        self._claims: list[tuple[int, int]] = []
        self._xor = bytearray(1)

    def look(self, data: bytearray) -> tuple[int, int] | None:
        """Start and end of the frame that was searched for, None while it is not there."""
        stop = max(self._next, len(data) - HEAD + 1)
        while True:
            # A frame that begins at _next or later ends later than these.
            while self._claims and self._claims[0][0] <= min(len(data), self._next + MIN_FRAME - 1):
                end, start = heappop(self._claims)
                if data[end - TAIL] == ETX and self._xor_until(end, data) == self._xor[start + 1]:
                    return start, end
            if self._next == stop:
                return None
            start = data.find(STX, self._next, stop)
            if start < 0:
                self._next = stop
                continue
            self._next = start + 1
            end = claimed_end(data, start)
            if end > start and (end > len(data) or data[end - TAIL] == ETX):
                heappush(self._claims, (end, start))

    def forget(self, count: int) -> None:
        """The buffer has lost ``count`` bytes at its front, where no claim that is still open begins."""
        self.told -= count
        self._next -= count
        self._claims = [(end - count, start - count) for end, start in self._claims]
        self._xor = self._xor[count:] or bytearray(1)

    def _xor_until(self, end: int, data: bytearray) -> int:
        """XOR of the first ``end`` bytes: equal to that before a block that ends there with its own LRC."""
        known = len(self._xor) - 1
        self._xor[known:] = accumulate(data[known:end], xor, initial=self._xor[known])
        return self._xor[end]
