"""Bitmaps to JBIG images (T.82): one layer, byte for byte as the reference tool writes them.

Rules owned here: which images are written, and when a row is told to be like the one above.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from protocol.errors import EncodeError
from protocol.jbig.adaptive import OffsetSearch
from protocol.jbig.arithmetic import CONTEXT_BITS, ArithmeticEncoder, fresh_states
from protocol.jbig.bitmap import Bitmap
from protocol.jbig.header import OFFSET_MAX, Header, Option, Order, is_order
from protocol.jbig.segments import Stripe, write_stripe
from protocol.jbig.template import THREE_LINES, TWO_LINES, Neighbour, gather, neighbours, spread

STRIPE_LINES_MAX: Final = 0xFFFFFFFF
FLAGS: Final = Option.DPON | Option.TPBON | Option.TPDON | Option.LRLTWO
"""The options that may be asked for."""

_PIXEL: Final = Neighbour(0, 0, CONTEXT_BITS)


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How to write an image, named as in T.82; raises EncodeError on what no header holds or this encoder not does.

    ``flags`` choose the template of two lines (LRLTWO) and the skipping of rows like the one above (TPBON); DPON and
    TPDON mean nothing to one layer, nor does ``order``: both are written as the reference tool does.
    ``stripe_lines`` is the height of a stripe (0: the image's own), ``offset_max`` how many columns the adaptive pixel
    may go to the left.
    """

    flags: Option = Option.DPON | Option.TPBON | Option.TPDON
    order: Order = Order.ILEAVE | Order.SMID
    stripe_lines: int = 0
    offset_max: int = 8

    def __post_init__(self) -> None:
        faults = (
            (
                self.flags & ~int(FLAGS),
                f"the options {int(self.flags)}",
                "a sum of 4 DPON, 8 TPBON, 16 TPDON, 64 LRLTWO",
            ),
            (not is_order(self.order), f"the order {int(self.order)}", "0, 2, 3, 4, 5 or 6, and 8 more for HITOLO"),
            (not 0 <= self.stripe_lines <= STRIPE_LINES_MAX, f"stripes of {self.stripe_lines} lines", "32 bits"),
            (not 0 <= self.offset_max <= OFFSET_MAX, f"an offset of {self.offset_max}", f"0 to {OFFSET_MAX}"),
        )
        for wrong, message, hint in faults:
            if wrong:
                raise EncodeError(message, hint=hint, code="value")


DEFAULT: Final = EncodeOptions()


def encode(bitmap: Bitmap, options: EncodeOptions = DEFAULT) -> bytes:
    """Return the image as a JBIG bi-level image entity."""
    lines = options.stripe_lines or bitmap.height
    header = Header(bitmap.width, bitmap.height, lines, options.offset_max, options.order, options.flags)
    return header.pack() + b"".join(map(write_stripe, _stripes(bitmap, options, lines)))


def _stripes(bitmap: Bitmap, options: EncodeOptions, lines: int) -> Iterator[Stripe]:
    template = TWO_LINES if Option.LRLTWO in options.flags else THREE_LINES
    skips = Option.TPBON in options.flags
    states = fresh_states()
    above, before = 0, 0
    was_unlike, offset = True, 0
    for top in range(0, bitmap.height, lines):
        coder = ArithmeticEncoder(states)
        search = OffsetSearch(template, bitmap.width, options.offset_max)
        moves: dict[int, int] = {}
        for y in range(top, min(top + lines, bitmap.height)):
            if (better := search.decide(offset)) is not None:
                offset = moves[y - top] = better
            row = spread(bitmap.row(y))
            unlike = row != above
            if skips:
                coder.encode(((unlike == was_unlike) << CONTEXT_BITS | template.typical,))
                was_unlike = unlike
            if unlike or not skips:
                seen = (_PIXEL, *neighbours(template, offset))
                coder.encode(gather((row, above, before), seen, bitmap.width))
                search.look(row, above)
            before, above = above, row
        yield Stripe(coder.finish(), moves)
