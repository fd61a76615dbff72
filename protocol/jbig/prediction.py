"""What is told of the pixels of a differential layer before they are coded: typical and deterministic (T.82 6.4, 6.6).

Rules owned here: a pixel is told if all large images that the reduction turns into the small one are alike there; the
four large pixels of a typical small one have its colour, whatever a table says; the form of the table in a header.

A forecast is a byte: CODED, WHITE or BLACK, two bits for each picture of the two pixels to the left, of which the
nearest is the lower bit.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

from protocol.jbig.arithmetic import ASK, BLACK, CODED, WHITE
from protocol.jbig.header import DPTABLE_BYTES
from protocol.jbig.reduction import LABELS, MADE, reduced

PHASES: Final = (8, 9, 11, 12)
"""The labels of the pixels that are told, and how many labels are known then: those below."""

STATIC: Final = (7, 10)
"""How many labels, from 0 on, are known before an even and an odd row is decoded; further ones are to the left."""

NOTHING_TOLD: Final = b"\xaa" * DPTABLE_BYTES
"""A table of a header that tells of no pixel."""

Forecasts = tuple[bytes, ...]
"""The forecasts of two pixels by the static labels and, above them, whether the small pixel is typical."""

_TOLD: Final = (WHITE, BLACK, CODED, CODED)
_TOLD_OF: Final = tuple(bytes(_TOLD[byte >> shift & 3] for shift in (6, 4, 2, 0)) for byte in range(256))
# By the set of colours that were seen, bit 0 white and bit 1 black.
_ENTRY: Final = (2, 0, 1, 2)
_LEFT_PIXELS: Final = range(4)
_ALWAYS: Final = 0b01010101
_KINDS: Final = bytes({told * _ALWAYS: told for told in (CODED, WHITE, BLACK)}.get(told, ASK) for told in range(256))


@cache
def standard_table() -> bytes:
    """T.82 Tables 19 to 22 in the form of a header's table: four entries a byte, 0 white, 1 black, 2 not told."""
    images = [labels for labels in range(1 << LABELS) if reduced(labels) == labels >> MADE & 1]
    entries: list[int] = []
    for phase in PHASES:
        colours = bytearray(1 << phase)
        for labels in images:
            colours[labels & (1 << phase) - 1] |= 1 << (labels >> phase & 1)
        entries += map(_ENTRY.__getitem__, colours)
    return bytes(
        a << 6 | b << 4 | c << 2 | d
        for a, b, c, d in zip(entries[::4], entries[1::4], entries[2::4], entries[3::4], strict=True)
    )


@lru_cache(maxsize=8)
def forecasts(table: bytes) -> tuple[Forecasts, Forecasts]:
    """What a table in the form of a header's tells of even and of odd rows."""
    told = b"".join(map(_TOLD_OF.__getitem__, table))
    even, odd = STATIC
    start = 1 << PHASES[0] | 1 << PHASES[1]
    return _row(told[:start], even), _row(told[start:], odd)


def kinds(row: bytes) -> bytes:
    """What each forecast tells whatever is to the left: CODED, WHITE or BLACK; ASK if that matters."""
    return row.translate(_KINDS)


def _row(told: bytes, static: int) -> Forecasts:
    left, right = told[: 2 << static], told[2 << static :]
    known = range(1 << static)
    by_table = [
        bytes(
            (
                sum(left[labels | (seen & 1) << static] << 2 * seen for seen in _LEFT_PIXELS),
                sum(
                    right[labels | (seen >> 1) << static | (seen & 1) << static + 1] << 2 * seen
                    for seen in _LEFT_PIXELS
                ),
            )
        )
        for labels in known
    ]
    typical = [bytes(((BLACK if labels >> MADE & 1 else WHITE) * _ALWAYS,)) * 2 for labels in known]
    return (*by_table, *typical)
