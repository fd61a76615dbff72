"""The display: what the cashier and the cardholder are told, in both languages.

Rules owned here: a screen has the lines and columns of its model; what does not fit is scrolled out at the top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from firmware_sim.models import Model
from firmware_sim.power import Power, Powered
from firmware_sim.text import lines_of


@dataclass(frozen=True, slots=True)
class Shown:
    """One screen: the Chinese and the English text."""

    zh: str
    en: str


def on_glass(text: str, model: Model) -> tuple[str, ...]:
    """A text on the screen of a model: as many lines as it has, the last ones of a text that is longer."""
    lines = list(lines_of(text, model.columns))[-model.lines :]
    return (*lines, *[""] * (model.lines - len(lines)))


class Display(Powered):
    """A screen that appends what it shows to ``history``, which the laboratory keeps across power epochs."""

    def __init__(self, power: Power, model: Model, history: list[Shown]) -> None:
        super().__init__(power)
        self._model = model
        self._history = history
        self._now = Shown("", "")

    def show(self, zh: str, en: str) -> None:
        """Show a text in both languages; raises PowerLost."""
        self._check()
        self._now = Shown(zh, en)
        self._history.append(self._now)

    def lines(self, language: Literal["zh", "en"]) -> tuple[str, ...]:
        """What stands on the glass now: as many lines as the model has, the last ones of a text that is longer."""
        self._check()
        return on_glass(self._now.zh if language == "zh" else self._now.en, self._model)

    @property
    def shown(self) -> tuple[Shown, ...]:
        """Everything that was shown since the device was made, oldest first."""
        self._check()
        return tuple(self._history)
