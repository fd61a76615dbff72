"""The 20 bytes in front of a JBIG image (T.82 6.2.4, the BIH).

    DL D P 0    4      XD 4      YD 4      L0 4      MX MY order options    4      [DPTABLE 1728]

Rules owned here: what the header holds, which images are read (one plane, from the lowest layer on), how large a layer
is, and in which order the stripes of all layers follow each other. With one layer every order is the same, and what
concerns differential layers is carried but means nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Final

from protocol.errors import DecodeError

OFFSET_MAX: Final = 127
"""The farthest that an adaptive pixel may stand to the left."""

HEADER_BYTES: Final = 20
DPTABLE_BYTES: Final = 1728

_HEAD: Final = struct.Struct(">4B3I4B")
_AT_LAYERS, _AT_PLANES, _AT_FILL, _AT_STRIPE, _AT_OFFSET, _AT_ORDER, _AT_OPTIONS = 0, 2, 3, 12, 16, 18, 19


class Order(IntFlag):
    """Which loop is the outer one; bits of the order byte."""

    SMID = 1
    ILEAVE = 2
    SEQ = 4
    HITOLO = 8


class Option(IntFlag):
    """Bits of the options byte."""

    DPLAST = 1
    DPPRIV = 2
    DPON = 4
    TPBON = 8
    TPDON = 16
    VLENGTH = 32
    LRLTWO = 64


_ALL_OPTIONS: Final = 0x7F
_PRIVATE: Final = Option.DPON | Option.DPPRIV
_LOOPS: Final = Order.SMID | Order.ILEAVE | Order.SEQ
_NO_ORDERS: Final = (Order.SMID, _LOOPS)
"""What T.82 Table 11 leaves out: the stripes in the middle of no other loops, and every loop the outer one."""


@dataclass(frozen=True, slots=True)
class Header:
    """Sizes in pixels, ``stripe_lines`` (L0) in lines, ``offset_max`` (MX) how far the adaptive pixel may move.

    ``differential`` is the number of layers above the lowest one (D), ``table`` what predicts their pixels (DPTABLE)
    where it is not the standard's own.
    """

    width: int
    height: int
    stripe_lines: int
    offset_max: int
    order: Order
    options: Option
    differential: int = 0
    table: bytes = field(default=b"", repr=False)

    @property
    def stripes(self) -> int:
        """How many stripes each layer has."""
        return -(-self.layer_size(0)[1] // self.stripe_lines)

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return self.differential + 1

    def layer_of(self, number: int) -> int:
        """The layer of a stripe, by its number in the file."""
        layer = number % self.layers if Order.SEQ in self.order else number // self.stripes
        return self.differential - layer if Order.HITOLO in self.order else layer

    def layer_size(self, layer: int) -> tuple[int, int]:
        """Width and height of a layer: half of the layer above, rounded up."""
        halvings = self.differential - layer
        return -(-self.width >> halvings), -(-self.height >> halvings)

    def pack(self) -> bytes:
        """The bytes of the header."""
        sizes = (self.width, self.height, self.stripe_lines)
        numbers = _HEAD.pack(0, self.differential, 1, 0, *sizes, self.offset_max, 0, self.order, self.options)
        return numbers + self.table


def is_order(order: int) -> bool:
    """Whether T.82 knows an order byte."""
    return not order & ~int(_LOOPS | Order.HITOLO) and order & _LOOPS not in _NO_ORDERS


def read_header(data: bytes) -> tuple[Header, int]:
    """Return the header and where the image data begins.

    Raises DecodeError: "truncated", "value" for what T.82 rules out, "unsupported" for several planes and for what
    needs another file: lower layers (DL > 0) or a prediction table (DPLAST).
    The size is not judged: a later NEWLEN may shorten the image.
    """
    if len(data) < HEADER_BYTES:
        raise DecodeError(
            f"{len(data)} bytes, a JBIG header has {HEADER_BYTES}", offset=len(data), code="truncated", hint="not JBIG?"
        )
    first, layers, planes, fill, width, height, lines, mx, _, order, options = _HEAD.unpack_from(data)
    faults = (
        (fill != 0, _AT_FILL, "the fill byte is not zero"),
        (first > layers, _AT_LAYERS, f"the lowest layer is {first}, the highest {layers}"),
        (planes == 0, _AT_PLANES, "no planes"),
        (lines == 0, _AT_STRIPE, "stripes of no lines"),
        (mx > OFFSET_MAX, _AT_OFFSET, f"an adaptive pixel up to {mx} pixels away, {OFFSET_MAX} is the limit"),
        (not is_order(order), _AT_ORDER, f"the order {order} is none"),
        (options & ~_ALL_OPTIONS, _AT_OPTIONS, f"the options {options:#04x} are not all known"),
    )
    for wrong, offset, message in faults:
        if wrong:
            raise DecodeError(message, offset=offset, code="value", hint="not JBIG?")
    lasts = layers and options & _PRIVATE == _PRIVATE and options & Option.DPLAST
    refusals = (
        (planes > 1, _AT_PLANES, f"{planes} planes", "bi-level only: send black and white"),
        (first, _AT_LAYERS, f"the layers from {first} on", "the lower ones are in another file: send all in one"),
        (lasts, _AT_OPTIONS, "the prediction table of an earlier file (DPLAST)", "send the table in the file itself"),
    )
    for wrong, offset, message, hint in refusals:
        if wrong:
            raise DecodeError(message, offset=offset, code="unsupported", hint=hint)
    start = HEADER_BYTES
    if options & (_PRIVATE | Option.DPLAST) == _PRIVATE:
        start += DPTABLE_BYTES
    if len(data) < start:
        raise DecodeError("the prediction table is cut short", offset=len(data), code="truncated")
    table = data[HEADER_BYTES:start]
    return Header(width, height, lines, mx, Order(order), Option(options), layers, table), start
