"""The display: what the cashier and the cardholder are told, in both languages."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.power import Power, Powered


@dataclass(frozen=True, slots=True)
class Shown:
    """One screen: the Chinese and the English text."""

    zh: str
    en: str


class Display(Powered):
    """A screen that appends what it shows to ``history``, which the laboratory keeps across power epochs."""

    def __init__(self, power: Power, history: list[Shown]) -> None:
        super().__init__(power)
        self._history = history

    def show(self, zh: str, en: str) -> None:
        """Show a text in both languages; raises PowerLost."""
        self._check()
        self._history.append(Shown(zh, en))

    @property
    def shown(self) -> tuple[Shown, ...]:
        """Everything that was shown since the device was made, oldest first."""
        self._check()
        return tuple(self._history)
