"""Markdown as the handbook writes it: tables, code, prose from docstrings.

Rules owned here: what is escaped where. A cell that is ``Markdown`` stands as it is, anything else is escaped.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*<])")
_LITERAL = re.compile(r"``(.+?)``")


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


def plain(text: str) -> Markdown:
    """Text that shows just as it is."""
    return Markdown(_SPECIAL.sub(r"\\\1", text))


def code(text: object) -> Markdown:
    """A word of code; nothing for an empty one."""
    return Markdown(f"`{text}`" if str(text) else "")


def codes(words: Iterable[object]) -> Markdown:
    """Words of code, in the order given."""
    return Markdown(", ".join(map(code, words)))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; of a flag only a yes is shown."""
    lines = [heads, ["---"] * len(heads), *([_cell(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def block(language: str, text: str) -> str:
    """A fenced block of code or of a diagram."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def sections(*parts: str) -> str:
    """Parts with an empty line between them; empty parts fall out."""
    return "\n".join(f"{part.rstrip()}\n" for part in parts if part)


def prose(docstring: str | None) -> Markdown:
    """A docstring as paragraphs, its ``literals`` as code."""
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    return Markdown(_LITERAL.sub(r"`\1`", "\n\n".join(" ".join(each.split()) for each in paragraphs)))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    text = value if isinstance(value, Markdown) else plain(str(value))
    return " ".join(text.split()).replace("|", r"\|")
