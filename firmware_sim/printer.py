"""The printer: slips on paper, line by line. Models of the electronic-signature families have none.

Rules owned here: what came out stays out: a power cut or a jam inside a slip leaves its first lines on the paper. Each
line is a point of ``Power``. Nothing that happens to the paper is known to anybody else: it never changes money.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from firmware_sim.errors import PrinterError
from firmware_sim.faults import Faults
from firmware_sim.power import Power, Powered
from firmware_sim.text import lines_of

COLUMNS: Final = 32
"""Half-width characters on paper of 58 mm."""
CUT_HERE: Final = "-" * COLUMNS
"""The last line of a slip that came out whole."""


class Printer(Powered):
    """A printer over ``paper``, the lines that came out, which the laboratory keeps across power epochs."""

    def __init__(self, power: Power, faults: Faults, paper: list[str]) -> None:
        super().__init__(power)
        self._faults = faults
        self._paper = paper

    def print(self, lines: Iterable[str]) -> None:
        """Print a slip; lines that are too long go on in the next one.

        Raises PowerLost, and PrinterError "out_of_paper" and "overheated" before anything came out, "jam" in the
        middle.
        """
        self._check()
        if self._faults.fires("printer.out_of_paper"):
            raise PrinterError("the paper is used up", hint="put in a new roll", code="out_of_paper")
        if self._faults.fires("printer.overheated"):
            raise PrinterError("the print head is too hot", hint="wait until it has cooled down", code="overheated")
        slip = [part for line in lines for part in lines_of(line, COLUMNS)]
        jammed = self._faults.fires("printer.jam")
        for line in slip[: len(slip) // 2] if jammed else [*slip, CUT_HERE]:
            with self._power.act(self._epoch, "printer.line"):
                self._paper.append(line)
        if jammed:
            raise PrinterError("the paper is jammed", hint="open the lid and pull it straight", code="jam")
