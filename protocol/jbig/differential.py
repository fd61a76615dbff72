"""The rows of a differential layer, from those of the layer below and what is coded beside them (T.82 6.3 to 6.8).

Rules owned here: which small rows a large one sees, where a small pixel is typical, and what a stripe leaves to the
next one. The small row behind the last of a stripe is like it; what a reset leaves above is white.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from protocol.jbig.arithmetic import DIFFERENTIAL_BITS, ArithmeticDecoder, fresh_differential_states
from protocol.jbig.bitmap import Bitmap, pack_row
from protocol.jbig.header import Header, Option
from protocol.jbig.prediction import NOTHING_TOLD, STATIC, forecasts, kinds, standard_table
from protocol.jbig.segments import Stripe
from protocol.jbig.template import DIFFERENTIAL, LANE_BITS, Neighbour, gather, neighbours, spread

_KIND: Final = Neighbour(7, 0, DIFFERENTIAL_BITS)
"""What is told of the pixel stands above its context, in a row behind those of the template."""

# The labels from 0 on, by rows of one lane for each small pixel: small rows above and here, then the even and the odd
# columns of a large row with the labels 4 to 6 and of another with 7 to 9; the last row tells what is typical.
_LABELS: Final = (
    *(Neighbour(0, -1, 0), Neighbour(0, 0, 1), Neighbour(1, -1, 2), Neighbour(1, 0, 3)),
    *(Neighbour(3, -1, 4), Neighbour(2, 0, 5), Neighbour(3, 0, 6)),
    *(Neighbour(5, -1, 7), Neighbour(4, 0, 8), Neighbour(5, 0, 9)),
)
_STATIC: Final = tuple((*_LABELS[:known], Neighbour(6, 0, known)) for known in STATIC)


class _Row(NamedTuple):
    """A large row, spread: all pixels, those of even and of odd columns."""

    pixels: int = 0
    even: int = 0
    odd: int = 0


_WHITE: Final = _Row()


class DifferentialRows:
    """The rows decoded so far of a ``layer`` above the image ``small``, and what is known at the end of them."""

    def __init__(self, header: Header, layer: int, small: Bitmap) -> None:
        self._width, self._height = header.layer_size(layer)
        self._lines = header.stripe_lines << layer
        self._small = small
        self._has_typical = Option.TPDON in header.options
        is_told = Option.DPON in header.options
        self._forecasts = forecasts(header.table or standard_table() if is_told else NOTHING_TOLD)
        self._is_told = is_told or self._has_typical
        self._odd_columns = spread(b"\0\1" * small.width)
        self._every = spread(b"\1" * self._width)
        self._every_small = spread(b"\1" * small.width)
        self.packed: list[bytes] = []
        self._reset()

    def _reset(self) -> None:
        self._states = fresh_differential_states()
        self._offset = 0
        self._above = self._before = _WHITE
        self._small_above = 0

    def read(self, stripe: Stripe) -> None:
        """Append the rows of the next stripe."""
        coder = ArithmeticDecoder(stripe.coded, self._states)
        top = len(self.packed)
        end = min(top + self._lines, self._height)
        here = self._small.row(top // 2)
        for y in range(top, end, 2):
            below = self._small.row(min(y + 2, end - 1) // 2)
            smalls = (self._small_above, spread(here), spread(below))
            is_typical = self._has_typical and coder.decode([DIFFERENTIAL.typical]) == b"\0"
            typical = self._typical(*smalls) if is_typical else 0
            doubled = (_doubled(here), _doubled(below))
            for line in range(y - top, min(y + 2, end) - top):
                self._offset = stripe.moves.get(line, self._offset)
                self._row(coder, line & 1, smalls[:2], doubled, typical)
            self._small_above, here = smalls[1], below
        if stripe.resets:
            self._reset()

    def _typical(self, above: int, here: int, below: int) -> int:
        """The small pixels that all neighbours are like."""
        black, some = above & here & below, above | here | below
        black &= black << LANE_BITS & black >> LANE_BITS
        some |= some << LANE_BITS | some >> LANE_BITS
        return black | self._every_small & ~some

    def _row(
        self, coder: ArithmeticDecoder, is_odd: int, smalls: tuple[int, ...], doubled: tuple[int, int], typical: int
    ) -> None:
        """Decode a row from spread small rows: above and here, and twice as wide here and below."""
        above, before = self._above, self._before
        told, kind = b"", 0
        if self._is_told:
            upper, middle = (before, above) if is_odd else (above, _WHITE)
            labels = (*smalls, upper.even, upper.odd, middle.even, middle.odd, typical)
            seen_labels = gather(labels, _STATIC[is_odd], self._small.width)
            told = b"".join(map(self._forecasts[is_odd].__getitem__, seen_labels))[: self._width]
            kind = spread(kinds(told))
        rows = (0, above.pixels, before.pixels, *doubled, self._odd_columns, is_odd * self._every, kind)
        seen = neighbours(DIFFERENTIAL, self._offset)
        contexts = gather(rows, (*(one for one in seen if one.up), _KIND), self._width)
        pixels = coder.decode(contexts, [(-one.right, 1 << one.bit) for one in seen if not one.up], told)
        self.packed.append(pack_row(pixels))
        self._above, self._before = _Row(spread(pixels), spread(pixels[::2]), spread(pixels[1::2])), above


def _doubled(row: bytes) -> int:
    """A small row with each pixel twice, spread."""
    pixels = bytearray(2 * len(row))
    pixels[::2] = pixels[1::2] = row
    return spread(pixels)
