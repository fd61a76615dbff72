"""Sans-I/O framers: they cut a stream of bytes into payloads and wrap payloads into frames.

Rules owned here: which framings there are (TABLE FRAMINGS). A payload is TPDU + header + body.

A framer is fed whatever arrives, split and merged in any way:

    payloads = framer.feed(data)        complete payloads, in order
    write(framer.outgoing())            control bytes and retransmissions, before any reply
    write(framer.wrap(reply))
    if framer.waiting: …                half a frame is buffered: when its deadline passes, call framer.expire()

An error that follows complete payloads in one chunk is raised by the next call of ``feed``; ``waiting`` stays true
until then, and ``feed(b"")`` asks for it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from protocol.framing.framer import MAX_PAYLOAD, MIN_PAYLOAD, Framer
from protocol.framing.prefix import FOREIGN, Ascii4Framer, Bcd2Framer, Len2Framer, PrefixFramer
from protocol.framing.stx import ACK, EOT, ETX, MAX_RETRANSMISSIONS, NAK, STX, StxFramer, lrc

FRAMINGS: Final[Mapping[str, Callable[..., Framer]]] = {
    "len2": Len2Framer,
    "stx": StxFramer,
    "ascii4": Ascii4Framer,
    "bcd2": Bcd2Framer,
}

__all__ = [
    "ACK",
    "EOT",
    "ETX",
    "FOREIGN",
    "FRAMINGS",
    "MAX_PAYLOAD",
    "MAX_RETRANSMISSIONS",
    "MIN_PAYLOAD",
    "NAK",
    "STX",
    "Ascii4Framer",
    "Bcd2Framer",
    "Framer",
    "Len2Framer",
    "PrefixFramer",
    "StxFramer",
    "lrc",
]
