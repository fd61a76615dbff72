"""The framing of serial lines, with the answers ACK and NAK, repetition and the loss of it (CUP 9)."""

from __future__ import annotations

from typing import Final

from protocol.errors import FrameError
from protocol.framing.framer import MAX_PAYLOAD, MIN_PAYLOAD, check_size

MAX_RETRANSMISSIONS: Final = 3

STX, ETX, EOT, ACK, NAK = 0x02, 0x03, 0x04, 0x06, 0x15


class StxFramer:
    """STX, 2-byte BCD length of the payload, payload, ETX, LRC; answered by ACK or NAK (CUP 9).

    With ``ack=False`` nothing is answered, for lines that have no answers. A damaged frame is skipped and counted in
    ``garbled``; ``skipped`` counts bytes outside any frame. Only a frame of ours that is refused once more after
    MAX_RETRANSMISSIONS raises FrameError, and the framer lives on.
    """

    def __init__(self, *, ack: bool = True) -> None:
        self.garbled = 0
        self.skipped = 0
        self._ack = ack
        self._rest = b""
        self._hunting = False
        self._outgoing: list[bytes] = []
        self._sent = b""
        self._retransmissions = 0
        self._accepted = b""
        self._repeats = 0
        self._error: FrameError | None = None

    @property
    def waiting(self) -> bool:
        return bool(self._rest) or self._error is not None

    def feed(self, data: bytes, /) -> list[bytes]:
        data = self._rest + data
        payloads: list[bytes] = []
        at = 0
        while at < len(data):
            if data[at] != STX:
                self._outside(data[at])
                at += 1
                continue
            end = _claimed_end(data, at)
            if end > len(data):
                break
            if _is_sound(data, at, end):
                self._hunting = False
                payloads += self._accept(data[at + 3 : end - 2])
                at = end
            else:
                self._refuse()
                at = _next_sound(data, at + 1, end)
        self._rest = data[at:]
        if self._error is not None and not payloads:
            error, self._error = self._error, None
            raise error
        return payloads

    def expire(self) -> list[bytes]:
        if self._rest:
            self._refuse()
            self._rest = self._rest[_next_sound(self._rest, 1, len(self._rest)) :]
        return self.feed(b"")

    def wrap(self, payload: bytes, /) -> bytes:
        check_size(payload)
        block = bytes.fromhex(f"{len(payload):04d}") + payload + bytes([ETX])
        self._sent = bytes([STX]) + block + bytes([lrc(block)])
        self._retransmissions = 0
        self._accepted = b""
        return self._sent

    def outgoing(self) -> bytes:
        drained = b"".join(self._outgoing)
        self._outgoing.clear()
        return drained

    def _outside(self, byte: int) -> None:
        """Obey a control byte; after damage, until the next STX, any byte may be the rest of a payload."""
        if self._hunting or byte not in (ACK, NAK, EOT):
            self.skipped += 1
        elif byte == NAK:
            self._retransmit()
        else:
            self._sent = b""
            if byte == EOT:
                self._accepted = b""

    def _retransmit(self) -> None:
        if not self._sent:
            return
        if self._retransmissions == MAX_RETRANSMISSIONS:
            self._sent = b""
            self._error = FrameError(
                f"the peer refused a frame {MAX_RETRANSMISSIONS + 1} times",
                hint="both ends need the same baud, parity and framing",
            )
            return
        self._retransmissions += 1
        self._outgoing.append(self._sent)

    def _accept(self, payload: bytes) -> list[bytes]:
        """Answer a sound frame. A repeat of it, with nothing sent by us in between, says that our ACK got lost.

        Who has lost an ACK repeats MAX_RETRANSMISSIONS times at most; a repeat beyond that is somebody asking again.
        """
        if not self._ack:
            return [payload]
        self._outgoing.append(bytes([ACK]))
        if payload == self._accepted and self._repeats < MAX_RETRANSMISSIONS:
            self._repeats += 1
            return []
        self._accepted, self._repeats = payload, 0
        return [payload]

    def _refuse(self) -> None:
        """Answer damage, once until the answer has left: the peer cannot have reacted to it before."""
        self.garbled += 1
        self._hunting = True
        answer = bytes([NAK])
        if self._ack and answer not in self._outgoing:
            self._outgoing.append(answer)


def lrc(block: bytes) -> int:
    """XOR of all bytes, by folding the block in halves: a damaged frame is searched for sound ones at every STX."""
    value, width = int.from_bytes(block, "big"), len(block)
    while width > 1:
        width = (width + 1) // 2
        value = value >> 8 * width ^ value & (1 << 8 * width) - 1
    return value


def _claimed_end(data: bytes, at: int) -> int:
    """Where the STX frame at ``at`` says that it ends; right behind its STX if that is no length."""
    digits = data[at + 1 : at + 3].hex()
    if len(digits) < 4:
        return at + 3
    length = int(digits) if digits.isdecimal() else 0
    return at + 5 + length if MIN_PAYLOAD <= length <= MAX_PAYLOAD else at + 1


def _is_sound(data: bytes, at: int, end: int) -> bool:
    return end - at > 5 and data[end - 2] == ETX and lrc(data[at + 1 : end - 1]) == data[end - 1]


def _next_sound(data: bytes, start: int, stop: int) -> int:
    """Where the first sound STX frame begins inside ``start..stop``, or ``stop``.

    A payload may hold an STX that is none (MTI 0200), so nothing short of a whole frame is believed inside damage.
    """
    while (start := data.find(STX, start, stop)) >= 0:
        end = _claimed_end(data, start)
        if end <= len(data) and _is_sound(data, start, end):
            return start
        start += 1
    return stop
