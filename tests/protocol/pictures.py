"""Pictures that the tests of JBIG share."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

import pytest
from hypothesis import strategies as st

from protocol.jbig.bitmap import Bitmap, pack_row

needs_jbigkit = pytest.mark.skipif(shutil.which("pbmtojbg") is None, reason="jbigkit-bin is not installed")


def picture(rows: Iterable[Iterable[bool | int]]) -> Bitmap:
    """Rows of pixels that are true where they are black."""
    packed = [bytes(map(bool, row)) for row in rows]
    return Bitmap(len(packed[0]), len(packed), b"".join(map(pack_row, packed)))


def drawn(text: str) -> Bitmap:
    """Lines of characters, # where a pixel is black."""
    return picture([[dot == "#" for dot in line] for line in text.split()])


STROKE = drawn(
    """
    ................
    .##.....####....
    ..##...##..##...
    ...##.##....##..
    ...##.##....##..
    ....###......##.
    .....#........##
    ................
    """
)


@st.composite
def bitmaps(draw: st.DrawFn, height_max: int = 12) -> Bitmap:
    """Small pictures, with white and black rows among them."""
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, height_max))
    size = (width + 7) // 8
    kinds = [st.binary(min_size=size, max_size=size), st.just(bytes(size)), st.just(b"\xff" * size)]
    rows = draw(st.lists(st.one_of(kinds), min_size=height, max_size=height))
    pad = 8 * size - width
    return Bitmap(width, height, b"".join((int.from_bytes(r, "big") >> pad << pad).to_bytes(size, "big") for r in rows))
