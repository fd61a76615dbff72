"""Text on paper and on screens: how many columns it takes, and how it is broken into lines.

Rules owned here: a wide character, as Chinese ones are, takes two columns and is never cut in half.
"""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import combining, east_asian_width

_WIDE = frozenset({"W", "F"})


def columns_of(text: str) -> int:
    """Columns that a line takes, in half-width characters."""
    return sum(_columns(character) for character in text)


def lines_of(text: str, columns: int) -> Iterator[str]:
    """The lines of ``text`` at most ``columns`` wide, 2 at least; an empty line stays one."""
    for paragraph in text.split("\n"):
        line, width = "", 0
        for character in paragraph:
            width += _columns(character)
            if width > columns:
                yield line
                line, width = "", _columns(character)
            line += character
        yield line


def _columns(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in _WIDE else 1
