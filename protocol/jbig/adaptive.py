"""Where the adaptive pixel predicts best: the search that T.82 Annex C suggests to an encoder.

Rules owned here: what is counted, and when a place is so much better than the present one that moving there pays.
Dithered pictures repeat themselves every few columns; line art does not, and the pixel stays at home.
"""

from __future__ import annotations

from typing import Final

from protocol.jbig.template import LANE_BITS, Template

_ENOUGH_PIXELS: Final = 2048
_HOME: Final = 0


class OffsetSearch:
    """Counts, within one stripe, how often the pixel at each place the adaptive one may take is like the coded one."""

    def __init__(self, template: Template, width: int, offset_max: int) -> None:
        self._home_up, self._home_right = template.adaptive
        self._offsets = range(template.offset_min, offset_max + 1)
        self._first, self._count = offset_max, width - self._home_right - offset_max
        self._pixels = 0
        self._alike = dict.fromkeys((_HOME, *self._offsets), 0)
        self._is_open = bool(self._offsets) and self._count > 0

    def look(self, row: int, above: int) -> None:
        """Count a coded row, spread, and the one above it, where every place is within the image."""
        if not self._is_open:
            return
        self._pixels += self._count
        self._alike[_HOME] += self._count - self._unlike(row, above >> self._home_right * LANE_BITS)
        for offset in self._offsets:
            self._alike[offset] += self._count - self._unlike(row, row << offset * LANE_BITS)

    def decide(self, present: int) -> int | None:
        """Return the place for the rows to come, or None to stay; asked before every row, it answers once a stripe.

        ``present`` is where the adaptive pixel stands now.
        """
        if not self._is_open or self._pixels <= _ENOUGH_PIXELS:
            return None
        self._is_open = False
        away = [self._alike[offset] for offset in self._offsets]
        most = max(away)
        mistakes = self._pixels - most
        # The reference tool subtracts without sign, so that less than nothing is as good as very much.
        too_little = range(max(mistakes, self._pixels >> 4) + 1)
        pays = (
            mistakes < self._pixels >> 3
            and most - self._alike[present] not in too_little
            and self._alike[present] - mistakes not in too_little
            and most - min(away) > self._pixels >> 2
        )
        if not pays:
            return None
        return _HOME if self._alike[_HOME] > most else self._offsets[away.index(most)]

    def _unlike(self, row: int, other: int) -> int:
        seen = (row ^ other) >> self._first * LANE_BITS
        return (seen & (1 << self._count * LANE_BITS) - 1).bit_count()
