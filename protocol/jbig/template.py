"""The neighbours that predict a pixel (T.82 6.7.1): TABLE TEMPLATES.

Rules owned here: where the neighbours stand, that outside the image all is white, and that one neighbour, the adaptive
pixel, may move to the left on the pixel's own row. Contexts of a whole row are made at once: a row is one integer with
16 bits for every pixel, so a neighbour is a shift.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

LANE_BITS: Final = 16


class Neighbour(NamedTuple):
    """A pixel ``up`` rows above and ``right`` columns right of another, in whose context it is bit ``bit``."""

    up: int
    right: int
    bit: int


@dataclass(frozen=True, slots=True)
class Template:
    """``places`` are (up, right) from the highest bit of the context to the lowest; ``adaptive`` is the one that moves.

    ``typical`` is the context in which a row says that it is like the one above (T.82 Figures 8 and 9);
    ``offset_min`` the nearest place on its own row that no other neighbour takes.
    """

    places: tuple[tuple[int, int], ...]
    adaptive: tuple[int, int]
    typical: int
    offset_min: int


THREE_LINES: Final = Template(
    places=((2, -1), (2, 0), (2, 1), (1, -2), (1, -1), (1, 0), (1, 1), (1, 2), (0, -2), (0, -1)),
    adaptive=(1, 2),
    typical=0b001_11001_01,
    offset_min=3,
)
TWO_LINES: Final = Template(
    places=((1, -3), (1, -2), (1, -1), (1, 0), (1, 1), (1, 2), (0, -4), (0, -3), (0, -2), (0, -1)),
    adaptive=(1, 2),
    typical=0b011001_0101,
    offset_min=5,
)
DIFFERENTIAL: Final = Template(
    places=((6, 0), (5, 0), (4, -1), (4, 1), (3, -1), (3, 1), (2, 0), (1, -1), (1, 0), (1, 1), (0, -2), (0, -1)),
    adaptive=(1, -1),
    typical=0b11_00_00_1_111_11,
    offset_min=3,
)
"""Of an upper layer. Rows 3 and 4 are the small row that the pixel is of and the one below it, each pixel twice; rows 5
and 6 are black in odd columns and, on an odd row, everywhere: the phase of the pixel (T.82 Figure 5)."""


@lru_cache(maxsize=3 * 128)
def neighbours(template: Template, offset: int) -> tuple[Neighbour, ...]:
    """The neighbours with the adaptive pixel ``offset`` columns to the left, or where it stands by itself if 0."""
    moved = ((0, -offset) if offset and place == template.adaptive else place for place in template.places)
    return tuple(Neighbour(*place, bit) for bit, place in zip(range(len(template.places))[::-1], moved, strict=True))


def spread(pixels: bytes | bytearray) -> int:
    """A row of pixels, each a byte 0 or 1, as one integer of lanes."""
    lanes = bytearray(2 * len(pixels))
    lanes[::2] = pixels
    return int.from_bytes(lanes, "little")


def gather(rows: Sequence[int], seen: Iterable[Neighbour], width: int) -> list[int]:
    """For each pixel of ``rows[0]`` the bits of the neighbours ``seen``; ``rows[up]`` are spread rows."""
    total = 0
    for up, right, bit in seen:
        shift = bit - right * LANE_BITS
        total |= rows[up] << shift if shift >= 0 else rows[up] >> -shift
    total &= (1 << LANE_BITS * width) - 1
    return list(struct.unpack(f"<{width}H", total.to_bytes(2 * width, "little")))
