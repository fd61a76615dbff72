"""What every framer is, and the limits of what it carries: from the shortest message to MAX_PAYLOAD."""

from __future__ import annotations

from typing import Final, Protocol

from protocol.errors import FrameError

MIN_PAYLOAD: Final = 5 + 6 + 2 + 8
"""TPDU, header, MTI and bitmap: no message is shorter (CUP 1.1)."""

MAX_PAYLOAD: Final = 8192


class Framer(Protocol):
    """Bytes to payloads and back, for one direction pair of one connection."""

    garbled: int
    skipped: int
    """Frames that came damaged, bytes that came outside frames, since the framer was made."""

    def feed(self, data: bytes, /) -> list[bytes]:
        """Take the next bytes of the stream, return the payloads that they complete; FrameError if it is no stream."""

    def expire(self) -> list[bytes]:
        """Give up the half frame: its deadline has passed. FrameError where the stream cannot go on without it."""

    def wrap(self, payload: bytes, /) -> bytes:
        """Return the frame that carries ``payload``; FrameError outside MIN_PAYLOAD..MAX_PAYLOAD."""

    def outgoing(self) -> bytes:
        """Drain the bytes that the framing itself has to send."""

    @property
    def waiting(self) -> bool:
        """True while bytes of an unfinished frame are buffered."""


def check_size(payload: bytes) -> None:
    """FrameError for a payload that no frame carries."""
    if not MIN_PAYLOAD <= len(payload) <= MAX_PAYLOAD:
        raise FrameError(f"a payload of {len(payload)} bytes cannot be framed: {MIN_PAYLOAD} to {MAX_PAYLOAD} can")
