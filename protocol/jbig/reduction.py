"""TABLE REDUCED: how T.82 makes the next lower layer of an image (6.3), a pixel from twelve others.

    small image  0 1      large image   4  5  6
                 2 3                    7  8  9
                                       10 11 12

Rules owned here: the labels of T.82 Figure 13. The small pixel 3 stands over the large pixels 8, 9, 11 and 12.
"""

from __future__ import annotations

from typing import Final

LABELS: Final = 13
MADE: Final = 3
"""The label of the small pixel that is made."""

# A bit for each of the 4096 pictures of the other labels, the lowest label in the lowest bit; least significant first.
_REDUCED: Final = bytes.fromhex(
    """
    0000000000000033000000010000bf33010101030113037301035715ff107f73
    00002bff00000373010113220100227303ff1f3f03143b73777f7f777f337573
    0000000000000073000fbf0f004f2b2b0107ff043f031f3f034f7f4f373f3f7f
    0000010300010103014f0b3f0303173fff173f3f1f3f3f333f7f7fff3f7fff7f
    00000101000101730bff070a0103233f03ff5f7fff173f7f373f7f5f3f3f7fff
    3d010f03ff030f1f33033f3f03173f3f173f3f7f3f3f7fff3f7f7fff7f7fffff
    0000010000010303034f0a4f0103173f03147f0f373f3f7f2f4f5d4f3f0fff7f
    ff0303170303173333373f3f170f007f3f3f7fff3f7fffff7fffffffffffffff
    0000000000000073000001030001030301ffff3f07031b7fff3f7fbf173f3f77
    0100ff27ffffffff01030317ff01dfff031f3f7fffffffbf3f3f7fffff7fffff
    0000010100010103004f0303010303171303173f033f3f3f277f3f5f3f3f7f03
    00010303ff0103170303170f01070fbf073f3f7fff7f030f3f7f7fff7f7fffff
    0100010300010303ff1b03170303173303373f3f133f3f7f3f7f7fff3f7fffff
    01030317ff01ffff03173f03df0f3fff3f3f7fffff4fffff7fffffffffffffff
    ffffff01ff010113fffff7ff031733bfffffff7fff7f7f7fffbfffff0323ffff
    ff01f733ff15ff3fffff3fffff3fff7fff73ffffff2bffffffffffffffffffff
    """
)


def reduced(labels: int) -> int:
    """The pixel 3 that the pixels in ``labels`` make, bit n for label n; bit 3 itself is not looked at."""
    others = labels & (1 << MADE) - 1 | labels >> MADE + 1 << MADE
    return _REDUCED[others >> 3] >> (others & 7) & 1
