"""Framings of a stream: a length before every payload, which excludes itself, and nothing after it.

Rules owned here: how a length is written (TABLE PREFIXES), and what a stream that is not framed so looks like
(TABLES FOREIGN, MISWRITTEN and TEXT); STX frames, which have a length too, ask the same tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Final, NamedTuple

from protocol.errors import FrameError
from protocol.framing.framer import LINE_TIMERS, MAX_PAYLOAD, MIN_PAYLOAD, Timer, Timers, check_size

OTHER_FRAMING: Final = "the peer uses another framing, or bytes were lost"
_LOOK_BYTES: Final = 2
"""How much of the first payload is looked at before its length is believed."""


class Prefix(NamedTuple):
    """A row of PREFIXES. ``read`` gives the length in bytes that ``size`` octets state, -1 where they state none."""

    size: int
    told: str
    read: Callable[[bytes], int]
    write: Callable[[int], bytes]


PREFIXES: Final[Mapping[str, Prefix]] = {
    "len2": Prefix(2, "two bytes", lambda raw: raw[0] << 8 | raw[1], lambda length: length.to_bytes(2, "big")),
    "ascii4": Prefix(4, "four digits", lambda raw: int(raw) if raw.isdigit() else -1, lambda length: b"%04d" % length),
    "bcd2": Prefix(
        2,
        "two bytes of BCD",
        lambda raw: int(raw.hex()) if raw.hex().isdigit() else -1,
        lambda length: bytes.fromhex(f"{length:04d}"),
    ),
}
"""Of bytes, ``isdigit`` takes 0 to 9 and nothing else: no sign, blank, underscore or digit of another script."""


class Foreign(NamedTuple):
    """A row of FOREIGN: the first bytes of a stream, what to tell the user, the framings that it is foreign to."""

    pattern: re.Pattern[bytes]
    hint: str
    framings: frozenset[str]


def _foreign(pattern: bytes, hint: str, *framings: str) -> Foreign:
    return Foreign(re.compile(pattern, re.DOTALL), hint, frozenset(framings or (*PREFIXES, "stx")))


_NO_TPDU: Final = rb"(?:[^\x60]|\Z)"
"""Digits and letters may be a length in BCD, unless no TPDU follows."""

FOREIGN: Final = (
    _foreign(rb"(?:GE|PO|PU|HE|DE|OP|CO|PA|TR)" + _NO_TPDU, "it looks like an HTTP request: this port speaks ISO 8583"),
    _foreign(rb"\x16\x03[\x00-\x04]", "it looks like a TLS ClientHello: this port is not encrypted"),
    _foreign(rb"SS" + _NO_TPDU, "it looks like an SSH banner"),
    _foreign(rb"[0-9]{2}" + _NO_TPDU, "it looks like an ASCII length: try framing=ascii4", "len2", "bcd2", "stx"),
    _foreign(rb"\x00\x00", "it looks like a 4-byte length: none of our framings has one"),
    _foreign(rb"\x02[\x00-\x99]{2}\x60", "it looks like an STX frame: try framing=stx", *PREFIXES),
    _foreign(
        rb"\x60\x00" + _NO_TPDU + rb"|[\x01-\x08][\x00\x10\x20\x30][^\x60]",
        "it looks like a message without a length before it",
    ),
)

MISWRITTEN: Final = (
    _foreign(
        rb"(?![0-9]{4})[0-9A-Fa-f+\- _xX]{4}", "the length is four digits 0 to 9, no sign, blank or letter", "ascii4"
    ),
    _foreign(
        rb"[\x00-\x20].\x60", "it looks like two binary bytes of length: try framing=len2", "ascii4", "bcd2", "stx"
    ),
)
"""The like, asked only where the length itself is none."""

TEXT: Final = (_foreign(rb"[\t\n\r\x20-\x7e]{4}", "it looks like text: this port speaks ISO 8583", "stx"),)
"""The like, where neither says anything."""


def foreign_hint(framing: str, head: bytes, rows: Iterable[Foreign] = FOREIGN) -> str:
    """What a stream that begins with ``head``, and is none of ``framing``, looks like; empty where that is unknown."""
    return next((row.hint for row in rows if framing in row.framings and row.pattern.match(head)), "")


class PrefixFramer:
    """A length, then the payload. Dead after a FrameError: where the next frame begins, nobody knows."""

    name: ClassVar[str]

    def __init__(self, *, timers: Timers = LINE_TIMERS) -> None:
        self.garbled = self.skipped = 0
        self._timers = timers
        self._arrivals = self._frames = 0
        self._prefix = PREFIXES[self.name]
        self._rest = b""
        self._started = False
        self._error: FrameError | None = None

    @property
    def waiting(self) -> bool:
        return bool(self._rest)

    @property
    def hint(self) -> str:
        size, _, read, _ = self._prefix
        if len(self._rest) < size:
            return OTHER_FRAMING if self._rest else ""
        return f"its length says {read(self._rest[:size])} bytes, {len(self._rest) - size} came: {OTHER_FRAMING}"

    @property
    def timer(self) -> Timer | None:
        return self._timers.rest_of_frame(self._arrivals, self._frames) if self._rest else None

    def feed(self, data: bytes, /) -> list[bytes]:
        self._arrivals += bool(data)
        if self._rest:
            data = self._rest + data
        size, _, read, _ = self._prefix
        payloads: list[bytes] = []
        at = 0
        while self._error is None and len(data) - at >= size:
            length = read(data[at : at + size])
            self._error = self._fault(length, data[at : at + size + _LOOK_BYTES])
            end = at + size + length
            if self._error is not None or end > len(data):
                break
            payloads.append(data[at + size : end])
            self._started = True
            at = end
        self._frames += len(payloads)
        self._rest = data[at : at + size + MAX_PAYLOAD]
        if self._error is not None and not payloads:
            raise self._error
        return payloads

    def _fault(self, length: int, head: bytes) -> FrameError | None:
        size, told, _, _ = self._prefix
        possible = MIN_PAYLOAD <= length <= MAX_PAYLOAD
        # A length that happens to spell an MTI or a TLS record is judged once, when a TPDU could have been seen.
        if possible and (self._started or len(head) < size + _LOOK_BYTES):
            return None
        rows = FOREIGN if possible else FOREIGN + MISWRITTEN
        hint = foreign_hint(self.name, head, rows)
        if possible and not hint:
            return None
        if possible:
            why = f"announce {length} bytes, but no TPDU follows"
        elif length >= 0:
            why = f"announce {length} bytes, a message has {MIN_PAYLOAD} to {MAX_PAYLOAD}"
        else:
            why = f"are no length of {told}"
        return FrameError(
            f"not a frame: the first bytes {head[:size].hex().upper()} {why}",
            hint=hint or OTHER_FRAMING,
        )

    def expire(self) -> list[bytes]:
        if self._error is None:
            size, told, read, _ = self._prefix
            have = len(self._rest)
            whole = f"{size + read(self._rest[:size])} bytes" if have >= size else f"a length of {told}"
            self._error = FrameError(f"half a frame: {have} of {whole} came", offset=have, hint=self.hint)
        raise self._error

    def wrap(self, payload: bytes, /) -> bytes:
        check_size(payload)
        return self._prefix.write(len(payload)) + payload

    def outgoing(self) -> bytes:
        return b""


class Len2Framer(PrefixFramer):
    """Two bytes of big-endian length, which excludes itself, then the payload (CUP 1.1)."""

    name = "len2"


class Ascii4Framer(PrefixFramer):
    """Four ASCII digits of length, which excludes itself, then the payload."""

    name = "ascii4"


class Bcd2Framer(PrefixFramer):
    """Two bytes of BCD length, which excludes itself, then the payload."""

    name = "bcd2"
