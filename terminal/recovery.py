"""What a terminal does at power-on, before anything else.

Rules owned here: a request whose reply was not recorded has an unknown outcome, so it must be reversed (reason 98, CUP
7.2); a refund stays pending and is sent again. Recovering twice is recovering once (invariant J9).
"""

from __future__ import annotations

from terminal.book import Book
from terminal.records import Moved
from terminal.transaction import SILENCE, Event, State, in_doubt


def recover(book: Book) -> list[Moved]:
    """The records to write; empty when every outcome is known or waits for its reversal."""
    moves = []
    for row in book.unresolved:
        judgement = in_doubt(row.row, SILENCE)
        if row.state is State.PENDING and judgement.event is Event.DOUBT:
            moves.append(Moved(batch=row.batch, stan=row.stan, event=judgement.event, reason=judgement.reason))
    return moves
