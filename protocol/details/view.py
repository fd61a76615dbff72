"""Who looks at a message, and what they may see of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from protocol.codes import Codes, Words
from protocol.masking import mask_pan

Language = Literal["zh", "en"]
Detail = dict[str, object]
UNKNOWN: Final[Words] = ("未知", "unknown")


@dataclass(frozen=True, slots=True)
class View:
    """Who looks: their language, and whether they asked for everything."""

    language: Language = "en"
    unmask: bool = False

    def say(self, words: Words) -> str:
        """The text in the language of the view."""
        return words[0] if self.language == "zh" else words[1]

    def look(self, table: Codes, code: str) -> str:
        """The meaning of a code, ``unknown`` where the table lacks it."""
        return self.say(table.get(code, UNKNOWN))

    def pan(self, pan: str) -> str:
        """A PAN as this view may see it."""
        return pan if self.unmask else mask_pan(pan)

    def secret(self, value: bytes, shown: str) -> str:
        """``shown`` to those who asked for everything, to others how long ``value`` is."""
        return shown if self.unmask else f"<{len(value)} bytes hidden>"


@dataclass(frozen=True, slots=True)
class Warned:
    """Something odd in a sound message. ``field`` is 0 for what stands before the fields."""

    field: int
    message: str
