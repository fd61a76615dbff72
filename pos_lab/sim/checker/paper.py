"""What a printer has let out, read as a cardholder reads it: which transactions there are slips of.

Rules owned here: a slip names its transaction by batch and trace number, each in a line of its own, and there is one of
what is approved only; what is printed to practise has no number, a slip of totals no trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pos_lab.sim.checker.journal import Key

BATCH: Final = re.compile(r"(?:批次号|batch): ([0-9]{6})")
TRACE: Final = re.compile(r"(?:凭证号|trace): ([0-9]{6})")


def transactions_on(lines: Iterable[str]) -> Iterator[Key]:
    """Batch and STAN of each slip on these lines, whole or not."""
    batch = ""
    for line in lines:
        if named := BATCH.fullmatch(line):
            batch = named[1]
        elif traced := TRACE.fullmatch(line):
            yield batch, traced[1]
