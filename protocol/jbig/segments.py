"""What follows the header of a JBIG image: marker segments and the coded data of stripes (T.82 6.2.5 and 6.2.6).

Rules owned here: the markers, byte stuffing, where a segment may stand, which layer a stripe belongs to, and that the
number of stripes is the one that height and stripe lines ask for: none is read beyond it. A length is believed only if
the bytes are there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, NoReturn

from protocol.errors import DecodeError
from protocol.jbig.bitmap import PIXELS_MAX, size_fault
from protocol.jbig.header import Header, Option, Order


class Marker(IntEnum):
    """The byte after an escape byte."""

    STUFF = 0
    SDNORM = 2
    SDRST = 3
    ABORT = 4
    NEWLEN = 5
    ATMOVE = 6
    COMMENT = 7


_ESCAPE: Final = 0xFF
_ESCAPED: Final = b"\xff"
_STUFFED: Final = b"\xff\x00"
_MARKER_BYTES: Final = 2
_LENGTH: Final = struct.Struct(">I")
_MOVE: Final = struct.Struct(">IbB")
_AT_WIDTH: Final = 4


@dataclass(frozen=True, slots=True)
class Stripe:
    """The arithmetic code of a stripe, without stuffing.

    ``moves`` tells at which of its lines the adaptive pixel goes how many columns to the left (0: home); ``resets``
    that the next stripe is coded as if it were the first.
    """

    coded: bytes
    moves: dict[int, int]
    resets: bool = False


def marker(kind: Marker) -> bytes:
    """The two bytes of a marker."""
    return bytes((_ESCAPE, kind))


def write_stripe(stripe: Stripe) -> bytes:
    """The bytes of a stripe: the moves of its adaptive pixel, its stuffed code, its end."""
    moves = (marker(Marker.ATMOVE) + _MOVE.pack(line, offset, 0) for line, offset in stripe.moves.items())
    end = marker(Marker.SDRST if stripe.resets else Marker.SDNORM)
    return b"".join(moves) + stripe.coded.replace(_ESCAPED, _STUFFED) + end


def read_stripes(
    data: bytes, start: int, header: Header, pixels_max: int = PIXELS_MAX
) -> tuple[Header, list[list[Stripe]]]:
    """Return the header, its height as a NEWLEN may have changed it, and the stripes of each layer, the lowest first.

    Raises DecodeError: "truncated", "marker", "aborted", "value", "unsupported", "too_large", "trailing_bytes".
    """
    return _Reader(data, start, header, pixels_max).read()


class _Reader:
    def __init__(self, data: bytes, start: int, header: Header, pixels_max: int) -> None:
        self._data, self._at, self._header, self._pixels_max = data, start, header, pixels_max
        self._is_height_known = Option.VLENGTH not in header.options
        self._stripes: list[Stripe] = []
        self._starts: list[int] = []
        self._closing = -1
        """The stripe of nothing behind a new length: a layer's own, or none's if there is one more than is due."""

    def read(self) -> tuple[Header, list[list[Stripe]]]:
        while self._at < len(self._data):
            self._check_size()
            start, knew_height = self._at, self._is_height_known
            moves = self._floating()
            # The reference tool announces a move for the next stripe though there may be none: it moves nothing.
            if self._at < len(self._data):
                self._starts.append(start)
                self._stripes.append(self._stripe(moves))
                if self._is_height_known and not knew_height and not self._stripes[-1].coded:
                    self._closing = len(self._stripes) - 1
                self._check_count()
        self._is_height_known = True
        self._check_size()
        return self._header, self._by_layer()

    def _check_size(self) -> None:
        """Refuse an image beyond the limits; if its height may still change, at the first stripe that lies there."""
        header, height = self._header, self._header.height
        if not self._is_height_known:
            before = len(self._stripes)
            stripe = before // header.layers if Order.SEQ in header.order else min(before, header.stripes - 1)
            height = min(height, (stripe * header.stripe_lines << header.differential) + 1)
        if fault := size_fault(header.width, height, self._pixels_max):
            raise DecodeError(fault, offset=_AT_WIDTH, code="too_large", hint="a hostile header?")

    def _check_count(self) -> None:
        if len(self._stripes) > self._header.stripes * self._header.layers + (self._closing >= 0):
            raise DecodeError("bytes after the last stripe", offset=self._starts[-1], code="trailing_bytes")

    def _by_layer(self) -> list[list[Stripe]]:
        """The stripes of each layer, if they are all there."""
        header, stripes, starts = self._header, self._stripes, self._starts
        due = header.stripes * header.layers
        if len(stripes) > due:
            # Behind the last stripe a new length is closed by a stripe of nothing (T.82 6.2.6.2).
            del stripes[self._closing], starts[self._closing]
        if len(stripes) < due:
            raise DecodeError(
                f"{len(stripes)} stripes, {due} are due", offset=len(self._data), code="truncated", hint="cut short?"
            )
        layers: list[list[Stripe]] = [[] for _ in range(header.layers)]
        for number, (stripe, start) in enumerate(zip(stripes, starts, strict=True)):
            layer = header.layer_of(number)
            last = next(reversed(stripe.moves), 0)
            if last >= header.stripe_lines << layer:
                raise DecodeError(f"the adaptive pixel moves at line {last} of a stripe", offset=start, code="value")
            layers[layer].append(stripe)
        return layers

    def _floating(self) -> dict[int, int]:
        """Read the segments in front of a stripe; return the moves among them."""
        moves: dict[int, int] = {}
        while self._at < len(self._data) and self._data[self._at] == _ESCAPE:
            kind = self._byte(self._at + 1)
            if kind == Marker.COMMENT:
                self._at += _MARKER_BYTES + _LENGTH.size + self._fields(_LENGTH)[0]
                if self._at > len(self._data):
                    self._cut_short("a comment")
            elif kind == Marker.NEWLEN:
                self._new_height()
            elif kind == Marker.ATMOVE:
                self._move(moves)
            else:
                break
        return moves

    def _new_height(self) -> None:
        (height,), stated = self._fields(_LENGTH), self._header.height
        if Option.VLENGTH not in self._header.options:
            self._refuse("a new height, which the options do not announce", "marker")
        if self._is_height_known:
            self._refuse("a second new height", "marker")
        if not 1 <= height <= stated:
            self._refuse(f"a new height of {height}, the header states {stated}", "value")
        self._header, before = replace(self._header, height=height), self._header
        read = len(self._stripes)
        # Layer after layer, the number of stripes is to be known when the first layer ends.
        if self._header.stripes < before.stripes and read > self._header.stripes and Order.SEQ not in before.order:
            self._refuse(f"a new height of {height} after {read} stripes", "value")
        self._is_height_known = True
        self._at += _MARKER_BYTES + _LENGTH.size

    def _move(self, moves: dict[int, int]) -> None:
        line, offset, up = self._fields(_MOVE)
        if up:
            self._refuse(f"an adaptive pixel {up} lines up", "unsupported", "encode with MY = 0")
        if not 0 <= offset <= self._header.offset_max:
            self._refuse(f"an adaptive pixel {offset} columns away, {self._header.offset_max} announced", "value")
        if line <= next(reversed(moves), -1):
            self._refuse(f"the adaptive pixel moves at line {line}", "value", "lines of the stripe in order")
        moves[line] = offset
        self._at += _MARKER_BYTES + _MOVE.size

    def _stripe(self, moves: dict[int, int]) -> Stripe:
        start, end = self._at, self._data.find(_ESCAPED, self._at)
        while end >= 0 and self._byte(end + 1) == Marker.STUFF:
            end = self._data.find(_ESCAPED, end + _MARKER_BYTES)
        if end < 0:
            self._cut_short("a stripe")
        self._at, kind = end, self._byte(end + 1)
        if kind == Marker.ABORT:
            self._refuse("the sender gave the image up", "aborted")
        if kind not in (Marker.SDNORM, Marker.SDRST):
            self._refuse(f"the marker FF {kind:02X} within a stripe", "marker")
        self._at += _MARKER_BYTES
        return Stripe(self._data[start:end].replace(_STUFFED, _ESCAPED), moves, resets=kind == Marker.SDRST)

    def _fields(self, layout: struct.Struct) -> tuple[int, ...]:
        """The numbers of the segment that begins here."""
        if self._at + _MARKER_BYTES + layout.size > len(self._data):
            self._cut_short("a segment")
        return layout.unpack_from(self._data, self._at + _MARKER_BYTES)

    def _byte(self, at: int) -> int:
        if at >= len(self._data):
            self._cut_short("a marker")
        return self._data[at]

    def _cut_short(self, what: str) -> NoReturn:
        raise DecodeError(f"{what} is cut short", offset=len(self._data), code="truncated")

    def _refuse(self, message: str, code: str, hint: str = "") -> NoReturn:
        raise DecodeError(message, offset=self._at, code=code, hint=hint)
