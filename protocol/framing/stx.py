"""The line discipline of serial lines: ACK, NAK and EOT, repetition and the loss of it (CUP 9).

Rules owned here:

- One frame is under way in each direction: who wraps another before the answer has come waits for the answer to that.
- ACK answers our frame, and so does any new frame of the peer. After a NAK, or no answer in time, it is sent again, so
  often as ``retransmissions`` says; then we send EOT and give it up.
- A sound frame is answered by ACK. One that comes again with nothing of ours in between says that our ACK got lost: it
  is acknowledged again and not delivered. Once we have spoken it is somebody asking again, and is delivered.
- Damage is answered by NAK. Only a whole sound frame or silence ends it: until then any byte, a control byte too, may
  be the rest of a payload.
- EOT ends the exchange: what was under way is forgotten in both directions. Inside a frame it is a byte of the payload
  like any other, since the length alone ends a frame: who gives up there is understood after the silence only.
- Our own last frame is no message when it comes back, before any other: the line is in loopback. The peer cannot mean
  it, since no request or reply of one end is bit by bit one of the other.

A NAK that turned into ACK is believed: the peer lacks our frame, and who waits for its reply finds out. An ACK that
turned into NAK repeats a frame that the peer has, and drops or answers from its store.
"""

from __future__ import annotations

from typing import Final

from protocol.errors import FrameError
from protocol.framing.framer import LINE_TIMERS, UNANSWERED, Timer, Timers
from protocol.framing.hunt import Hunt
from protocol.framing.prefix import FOREIGN, MISWRITTEN, OTHER_FRAMING, TEXT, foreign_hint
from protocol.framing.stx_frame import ACK, EOT, HEAD, MAX_FRAME, NAK, STX, TAIL, claimed_end, is_sound, stx_frame

LOOK_BYTES: Final = 4
"""How many of the first bytes outside frames are kept to say what they look like."""

STX_FOREIGN: Final = FOREIGN + MISWRITTEN + TEXT


class StxFramer:
    """STX, 2-byte BCD length of the payload, payload, ETX, LRC; answered by ACK or NAK (CUP 9).

    With ``ack=False`` nothing is answered and no answer is waited for: for peers that have none. Such a peer does not
    notice ``ack`` if its reply comes within the timeout of an ACK. A slower one gets the request again, which a host
    answers from its store; one that stays silent for all the sendings is given up.

    A damaged frame is counted in ``garbled``; every byte that is of no sound frame and no control, in ``skipped``.
    FrameError, with the code UNANSWERED, says that a frame of ours was given up; the framer lives on.
    """

    def __init__(self, *, ack: bool = True, timers: Timers = LINE_TIMERS) -> None:
        self.garbled = 0
        self.skipped = 0
        self._ack = ack
        self._timers = timers
        self._buffer = bytearray()
        self._foreign = bytearray()
        self._hunt: Hunt | None = None
        self._outgoing: list[bytes] = []
        self._error: FrameError | None = None
        self._arrivals = self._frames = self._sendings = 0
        # our last frame: is its answer due, how often was it sent again, has it come back to us
        self._sent = b""
        self._is_due = False
        self._retransmissions = 0
        self._came_back = False
        # the peer's last payload: how often did it come again, have we sent a frame since
        self._accepted = b""
        self._repeats = 0
        self._has_spoken = False

    @property
    def waiting(self) -> bool:
        return bool(self._buffer) or self._error is not None

    @property
    def hint(self) -> str:
        if len(self._foreign) < LOOK_BYTES:
            return ""
        return foreign_hint("stx", bytes(self._foreign), STX_FOREIGN) or OTHER_FRAMING

    @property
    def timer(self) -> Timer | None:
        """Half a frame comes first: while the peer speaks, it may be about to answer."""
        if self.waiting:
            return self._timers.rest_of_frame(self._arrivals, self._frames)
        return self._timers.answer(len(self._sent), self._sendings) if self._is_due else None

    def feed(self, data: bytes, /) -> list[bytes]:
        self._arrivals += bool(data)
        self._buffer += data
        return self._told(self._read())

    def expire(self) -> list[bytes]:
        if self.waiting:
            return self._told(self._drop())
        if self._is_due:
            self._send_again(
                "no ACK for {} sendings",
                "our own bytes come back: the line is in loopback"
                if self._came_back
                else "is the peer there, with the same baud, parity and framing? One that sends no ACK needs ack=no",
            )
        return self._told([])

    def wrap(self, payload: bytes, /) -> bytes:
        self._sent = stx_frame(payload)
        self._sendings += 1
        self._is_due = self._ack
        self._retransmissions = 0
        self._came_back = False
        self._has_spoken = True
        return self._sent

    def outgoing(self) -> bytes:
        drained = b"".join(self._outgoing)
        self._outgoing.clear()
        return drained

    def _told(self, payloads: list[bytes]) -> list[bytes]:
        """The payloads or, where there are none, the error that came behind those before."""
        if self._error is not None and not payloads:
            error, self._error = self._error, None
            raise error
        return payloads

    def _read(self) -> list[bytes]:
        """Take what is whole out of the buffer."""
        payloads: list[bytes] = []
        while found := self._next_frame():
            start, end = found
            payload = bytes(self._buffer[start + HEAD : end - TAIL])
            self._hunt = None
            self._skip(start)
            del self._buffer[: end - start]
            payloads += self._accept(payload)
        if self._hunt and len(self._buffer) > 2 * MAX_FRAME:
            # No frame that has yet to end begins further back.
            dead = len(self._buffer) - MAX_FRAME
            self._hunt.forget(dead)
            self._skip(dead)
        return payloads

    def _next_frame(self) -> tuple[int, int] | None:
        """Start and end of the next sound frame in the buffer, None while it is not all there."""
        data = self._buffer
        if self._hunt is None:
            outside = data.find(STX) if STX in data else len(data)
            for byte in data[:outside]:
                self._obey(byte)
            del data[:outside]
            if len(data) < HEAD or (end := claimed_end(data, 0)) > len(data):
                return None
            if end and is_sound(data, 0, end):
                return 0, end
            self._refuse()
            self._hunt = Hunt(told=end or HEAD)
        return self._hunt.look(data)

    def _drop(self) -> list[bytes]:
        """Silence: what has come is all there is. Sound frames may lie in it yet."""
        payloads: list[bytes] = []
        while self._buffer:
            if self._hunt is None:
                self._hunt = Hunt(told=0)
            if len(self._buffer) > self._hunt.told:
                self._refuse()
                self._hunt.told = len(self._buffer)
                payloads += self._read()
            else:
                self._hunt = None
                self._skip(len(self._buffer))
        return payloads

    def _skip(self, count: int) -> None:
        self.skipped += count
        if count and len(self._foreign) < LOOK_BYTES:
            self._foreign += self._buffer[: min(count, LOOK_BYTES - len(self._foreign))]
        del self._buffer[:count]

    def _obey(self, byte: int) -> None:
        """A byte outside frames."""
        if byte == ACK:
            self._is_due = False
        elif byte == EOT:
            self._is_due = False
            self._accepted = b""
        elif byte != NAK:
            self.skipped += 1
            if len(self._foreign) < LOOK_BYTES:
                self._foreign.append(byte)
        elif self._is_due:
            self._send_again("the peer refused a frame {} times", "both ends need the same baud, parity and framing")

    def _send_again(self, why: str, hint: str) -> None:
        """Send our frame once more, or EOT where that was done often enough; ``why`` has a place for the number."""
        if self._retransmissions < self._timers.retransmissions:
            self._retransmissions += 1
            self._sendings += 1
            self._outgoing.append(self._sent)
            return
        self._is_due = False
        self._outgoing.append(bytes([EOT]))
        self._error = FrameError(why.format(self._retransmissions + 1), hint=hint, code=UNANSWERED)

    def _accept(self, payload: bytes) -> list[bytes]:
        """Answer a sound frame, and deliver it unless it is known.

        Who has lost an ACK repeats ``retransmissions`` times at most; a repeat beyond that is somebody asking again.
        """
        self._frames += 1
        if payload == self._sent[HEAD:-TAIL]:
            self._came_back = True
            return []
        if not self._ack:
            self._sent = b""
            return [payload]
        self._outgoing.append(bytes([ACK]))
        is_repeat = payload == self._accepted
        if is_repeat and not self._has_spoken and self._repeats < self._timers.retransmissions:
            self._repeats += 1
            return []
        if not is_repeat:
            self._is_due = False
            self._sent = b""
        self._accepted, self._repeats, self._has_spoken = payload, 0, False
        return [payload]

    def _refuse(self) -> None:
        """Answer damage, once until the answer has left: the peer cannot have reacted to it before."""
        self.garbled += 1
        if self._ack and self._outgoing[-1:] != [bytes([NAK])]:
            self._outgoing.append(bytes([NAK]))
