"""Sans-I/O framers: they cut a stream of bytes into payloads and wrap payloads into frames.

Rules owned here: the limits of a payload, the shape of each framing (TABLE FRAMINGS), what a stream that is no stream
of ours looks like (TABLE FOREIGN), and the answers ACK and NAK of a serial line. A payload is TPDU + header + body.

A framer is fed whatever arrives, split and merged in any way:

    payloads = framer.feed(data)        complete payloads, in order
    write(framer.outgoing())            control bytes and retransmissions, before any reply
    write(framer.wrap(reply))
    if framer.waiting: …                half a frame is buffered: when its deadline passes, call framer.expire()

An error that follows complete payloads in one chunk is raised by the next call of ``feed``; ``waiting`` stays true
until then, and ``feed(b"")`` asks for it at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from protocol.errors import FrameError

MIN_PAYLOAD = 5 + 6 + 2 + 8
"""TPDU, header, MTI and bitmap: no message is shorter (CUP 1.1)."""

MAX_PAYLOAD = 8192
MAX_RETRANSMISSIONS = 3

STX, ETX, EOT, ACK, NAK = 0x02, 0x03, 0x04, 0x06, 0x15

FOREIGN: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), hint)
    for pattern, hint in (
        (rb"GE|PO|PU|HE|DE|OP|CO|PA|TR", "it looks like an HTTP request: this port speaks ISO 8583"),
        (rb"\x16\x03[\x00-\x04]", "it looks like a TLS ClientHello: this port is not encrypted"),
        (rb"SS", "it looks like an SSH banner"),
        (rb"[0-9]{2}", "it looks like an ASCII length: framing=len2 has two binary bytes"),
        (rb"\x00\x00", "it looks like a 4-byte length: framing=len2 has two bytes"),
        (rb"\x02[\x00-\x99]{2}\x60", "it looks like an STX frame: try framing=stx"),
        (rb"\x60\x00|[\x01-\x08][\x00\x10\x20\x30][^\x60]", "it looks like a message without a length before it"),
    )
)
"""First bytes of streams that are not framed by a 2-byte length, and what to tell the user."""


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


class Len2Framer:
    """Two bytes of big-endian length, which excludes itself, then the payload (CUP 1.1). Dead after a FrameError."""

    def __init__(self) -> None:
        self.garbled = self.skipped = 0
        self._rest = b""
        self._started = False
        self._error: FrameError | None = None

    @property
    def waiting(self) -> bool:
        return bool(self._rest)

    def feed(self, data: bytes, /) -> list[bytes]:
        if self._rest:
            data = self._rest + data
        payloads: list[bytes] = []
        at = 0
        while self._error is None and len(data) - at >= 2:
            length = data[at] << 8 | data[at + 1]
            self._error = self._fault(length, data[at : at + 4])
            end = at + 2 + length
            if self._error is not None or end > len(data):
                break
            payloads.append(data[at + 2 : end])
            self._started = True
            at = end
        self._rest = data[at : at + 2 + MAX_PAYLOAD]
        if self._error is not None and not payloads:
            raise self._error
        return payloads

    def _fault(self, length: int, head: bytes) -> FrameError | None:
        possible = MIN_PAYLOAD <= length <= MAX_PAYLOAD
        # A length that happens to spell an MTI or a TLS record is judged once, when a TPDU could have been seen.
        if possible and (self._started or len(head) < 4):
            return None
        hint = next((hint for pattern, hint in FOREIGN if pattern.match(head)), "")
        if possible and not hint:
            return None
        return FrameError(
            f"not a frame: the first two bytes {head[:2].hex().upper()} announce {length} bytes, "
            + ("but no TPDU follows" if possible else f"a message has {MIN_PAYLOAD} to {MAX_PAYLOAD}"),
            hint=hint or "the peer uses another framing, or bytes were lost",
        )

    def expire(self) -> list[bytes]:
        if self._error is None:
            have = len(self._rest)
            whole = f"{2 + int.from_bytes(self._rest[:2], 'big')} bytes" if have >= 2 else "a 2-byte length"
            self._error = FrameError(f"half a frame: {have} of {whole} came", offset=have)
        raise self._error

    def wrap(self, payload: bytes, /) -> bytes:
        _check_size(payload)
        return len(payload).to_bytes(2, "big") + payload

    def outgoing(self) -> bytes:
        return b""


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
        _check_size(payload)
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


FRAMINGS: Mapping[str, Callable[..., Framer]] = {"len2": Len2Framer, "stx": StxFramer}


def lrc(block: bytes) -> int:
    """XOR of all bytes, by folding the block in halves: a damaged frame is searched for sound ones at every STX."""
    value, width = int.from_bytes(block, "big"), len(block)
    while width > 1:
        width = (width + 1) // 2
        value = value >> 8 * width ^ value & (1 << 8 * width) - 1
    return value


def _check_size(payload: bytes) -> None:
    if not MIN_PAYLOAD <= len(payload) <= MAX_PAYLOAD:
        raise FrameError(f"a payload of {len(payload)} bytes cannot be framed: {MIN_PAYLOAD} to {MAX_PAYLOAD} can")


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
