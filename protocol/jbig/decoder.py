"""JBIG images to bitmaps (T.82): any layers, orders and stripes, both templates.

Rules owned here: the layers are decoded from the lowest on; how rows of the lowest one follow each other, its typical
prediction, and what a stripe leaves to the next one.
"""

from __future__ import annotations

from protocol.jbig.arithmetic import ArithmeticDecoder, fresh_states
from protocol.jbig.bitmap import PIXELS_MAX, Bitmap, pack_row, row_bytes
from protocol.jbig.differential import DifferentialRows
from protocol.jbig.header import Header, Option, read_header
from protocol.jbig.segments import Stripe, read_stripes
from protocol.jbig.template import THREE_LINES, TWO_LINES, gather, neighbours, spread


def decode(data: bytes, *, pixels_max: int = PIXELS_MAX) -> Bitmap:
    """Return the image of a JBIG bi-level image entity of at most ``pixels_max`` pixels, never more than PIXELS_MAX.

    Raises DecodeError with the byte at which it goes wrong: "truncated", "value" (not JBIG, or none that T.82 allows),
    "unsupported" (several planes, layers or a table in another file, an adaptive pixel on another row), "too_large",
    "marker", "aborted", "trailing_bytes". Damage within a stripe shows as another picture: JBIG has no check of its
    own.
    """
    header, start = read_header(data)
    header, layers = read_stripes(data, start, header, min(pixels_max, PIXELS_MAX))
    image = _read(_LowestRows(header), layers[0], header.layer_size(0))
    for layer, stripes in enumerate(layers[1:], 1):
        image = _read(DifferentialRows(header, layer, image), stripes, header.layer_size(layer))
    return image


def _read(rows: _LowestRows | DifferentialRows, stripes: list[Stripe], size: tuple[int, int]) -> Bitmap:
    for stripe in stripes:
        rows.read(stripe)
    return Bitmap(*size, b"".join(rows.packed))


class _LowestRows:
    """The rows decoded so far of the lowest layer, and what is known at the end of them."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._width, self._height = header.layer_size(0)
        self._template = TWO_LINES if Option.LRLTWO in header.options else THREE_LINES
        self.packed: list[bytes] = []
        self._reset()

    def _reset(self) -> None:
        self._states = fresh_states()
        self._offset = 0
        self._unlike = True
        self._above = (0, 0, 0)
        self._last = bytes(row_bytes(self._width))

    def read(self, stripe: Stripe) -> None:
        """Append the rows of the next stripe."""
        coder = ArithmeticDecoder(stripe.coded, self._states)
        for line in range(min(self._header.stripe_lines, self._height - len(self.packed))):
            self._offset = stripe.moves.get(line, self._offset)
            if not self._is_typical(coder):
                pixels = self._row(coder)
                self._last = pack_row(pixels)
                self._above = (0, spread(pixels), self._above[1])
            else:
                self._above = (0, self._above[1], self._above[1])
            self.packed.append(self._last)
        if stripe.resets:
            self._reset()

    def _is_typical(self, coder: ArithmeticDecoder) -> bool:
        """Whether the row is like the one above: a pixel in front of it tells whether that has changed (T.82 6.5)."""
        if Option.TPBON not in self._header.options:
            return False
        (same,) = coder.decode([self._template.typical])
        self._unlike ^= not same
        return not self._unlike

    def _row(self, coder: ArithmeticDecoder) -> bytes:
        seen = neighbours(self._template, self._offset)
        contexts = gather(self._above, (one for one in seen if one.up), self._width)
        return coder.decode(contexts, [(-one.right, 1 << one.bit) for one in seen if not one.up])
