"""Everything that can be wrong with a scenario file.

    ScenarioErrors                      all the mistakes of one file, by position
    └── errors: ScenarioError           file, line, column, path, message, hint

Both are about what somebody wrote: the file is to be corrected, nothing has been run.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass

WORDS_SHOWN_MAX = 40
"""Known words that an error lists."""


@dataclass(frozen=True, slots=True)
class ScenarioError:
    """One mistake. ``line`` and ``column`` count from 1; line 0 means the file as a whole could not be read."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.message} ({self.hint})" if self.hint else f"{where}: {self.message}"


class ScenarioErrors(Exception):
    """All mistakes of one file, sorted by position; ``str()`` has one line for each."""

    def __init__(self, errors: Iterable[ScenarioError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda error: (error.line, error.column)))
        super().__init__("\n".join(str(error) for error in self.errors))

    def document(self) -> dict[str, object]:
        """The shape that ``check --json`` prints: ``{"ok": false, "errors": [...]}``."""
        return {"ok": False, "errors": [asdict(error) for error in self.errors]}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'sale'?`` for the nearest known word; when none is near, the list of them; "" without any.

    Of a long list the first WORDS_SHOWN_MAX are told.
    """
    by_fold = {name.casefold(): name for name in known}
    if not by_fold:
        return ""
    near = difflib.get_close_matches(word.casefold(), by_fold, n=1)
    if near:
        return f"did you mean '{by_fold[near[0]]}'?"
    words = sorted(by_fold.values())
    more = f" and {len(words) - WORDS_SHOWN_MAX} more" if len(words) > WORDS_SHOWN_MAX else ""
    return f"known here: {', '.join(words[:WORDS_SHOWN_MAX])}{more}"
