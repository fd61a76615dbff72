"""What every framer is, what it may wait for, and the limits of what it carries: MIN_PAYLOAD to MAX_PAYLOAD bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, Protocol

from protocol.errors import FrameError

MIN_PAYLOAD: Final = 5 + 6 + 2 + 8
"""TPDU, header, MTI and bitmap: no message is shorter (CUP 1.1)."""

MAX_PAYLOAD: Final = 8192


UNANSWERED: Final = "unanswered"
"""The code of a FrameError that gives up a frame of ours; the stream goes on. Any other FrameError ends it."""


class Wait(Enum):
    """What a framer waits for."""

    FRAME = "the rest of a frame"
    ANSWER = "the answer to a frame"


class Timer(NamedTuple):
    """A wait that has begun: ``expire`` is due ``timeout_s`` after; one with another ``number`` has begun anew."""

    wait: Wait
    timeout_s: float
    number: int


@dataclass(frozen=True, slots=True)
class Timers:
    """How long a framer waits, in seconds; the defaults are those of a serial line (CUP 9).

    ``between_bytes_s`` is for the next byte of half a frame. None is for a line that loses none: it may stall, but the
    whole frame has ``frame_s``, so that nobody holds the line by dripping bytes. A frame that is to be answered is sent
    ``1 + retransmissions`` times, and each time the answer has ``ack_timeout_s`` beyond the ``byte_s`` that each of its
    bytes takes to leave.
    """

    ack_timeout_s: float = 3.0
    retransmissions: int = 3
    between_bytes_s: float | None = 1.0
    frame_s: float = 30.0
    byte_s: float = 0.0

    def rest_of_frame(self, arrivals: int, frames: int) -> Timer:
        """The wait of a framer that has half a frame, after so many arrivals of bytes and so many whole frames."""
        if self.between_bytes_s is None:
            return Timer(Wait.FRAME, self.frame_s, frames)
        return Timer(Wait.FRAME, self.between_bytes_s, arrivals)

    def answer(self, size: int, sendings: int) -> Timer:
        """The wait of a framer for the answer to a frame of ``size`` bytes, after so many sendings of any frame."""
        return Timer(Wait.ANSWER, self.ack_timeout_s + size * self.byte_s, sendings)


LINE_TIMERS: Final = Timers()


class Framer(Protocol):
    """Bytes to payloads and back, for one direction pair of one connection."""

    garbled: int
    skipped: int
    """Frames that came damaged, and bytes that belong to no whole frame, since the framer was made."""

    def feed(self, data: bytes, /) -> list[bytes]:
        """Take the next bytes of the stream, return the payloads that they complete; FrameError if it is no stream."""

    def expire(self) -> list[bytes]:
        """The wait is over: give up the half frame, or send again what nobody answered.

        FrameError where the stream cannot go on without it, or it was sent often enough.
        """

    def wrap(self, payload: bytes, /) -> bytes:
        """Return the frame that carries ``payload``; FrameError outside MIN_PAYLOAD..MAX_PAYLOAD."""

    def outgoing(self) -> bytes:
        """Drain the bytes that the framing itself has to send; after a FrameError too."""

    @property
    def hint(self) -> str:
        """What the peer may be doing instead, as far as half a frame or bytes outside frames show it; else empty."""

    @property
    def waiting(self) -> bool:
        """True while bytes of an unfinished frame are buffered."""

    @property
    def timer(self) -> Timer | None:
        """The wait that is under way, None while there is none: to be asked after each call of the others."""


def check_size(payload: bytes) -> None:
    """FrameError for a payload that no frame carries."""
    if not MIN_PAYLOAD <= len(payload) <= MAX_PAYLOAD:
        raise FrameError(f"a payload of {len(payload)} bytes cannot be framed: {MIN_PAYLOAD} to {MAX_PAYLOAD} can")
