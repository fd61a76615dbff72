"""Sans-I/O framers: they cut a stream of bytes into payloads and wrap payloads into frames.

Rules owned here: which framings there are (TABLE FRAMINGS). A payload is TPDU + header + body.

A framer is fed whatever arrives, split and merged in any way:

    payloads = framer.feed(data)        complete payloads, in order
    write(framer.outgoing())            control bytes and retransmissions, before any reply; after an error too
    write(framer.wrap(reply))
    framer.timer                        the wait that is under way: when it is over, call framer.expire() as feed

A framer has no clock: ``protocol.transport.link`` keeps its time. An error that follows complete payloads in one chunk
is raised by the next call of ``feed``; ``waiting`` stays true until then, and ``feed(b"")`` asks for it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from protocol.framing.framer import LINE_TIMERS, MAX_PAYLOAD, MIN_PAYLOAD, UNANSWERED, Framer, Timer, Timers, Wait
from protocol.framing.prefix import FOREIGN, Ascii4Framer, Bcd2Framer, Len2Framer, PrefixFramer
from protocol.framing.stx import StxFramer
from protocol.framing.stx_frame import ACK, EOT, ETX, NAK, STX, lrc

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
    "LINE_TIMERS",
    "MAX_PAYLOAD",
    "MIN_PAYLOAD",
    "NAK",
    "STX",
    "UNANSWERED",
    "Ascii4Framer",
    "Bcd2Framer",
    "Framer",
    "Len2Framer",
    "PrefixFramer",
    "StxFramer",
    "Timer",
    "Timers",
    "Wait",
    "lrc",
]
