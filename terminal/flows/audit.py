"""Shows the audit trail, newest line first.

Rules owned here: a number as long as a card's is shown with its first six and last four digits only.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from terminal.book import Happening
from terminal.outcome import Outcome, done
from terminal.session import Session

_CARD_NUMBER: Final = re.compile(r"(?<![0-9])([0-9]{6})[0-9]{3,9}([0-9]{4})(?![0-9])")


async def audit(session: Session) -> Outcome:
    """Show every line that is kept; ``detail`` has them by number, 1 for the newest."""
    lines = [_line(session, event) for event in reversed(session.book.events)]
    for line in lines:
        session.show(line, line)
    return done(
        "audit",
        f"共{len(lines)}条记录",
        f"{len(lines)} lines",
        **dict(zip(map(str, range(1, len(lines) + 1)), lines, strict=True)),
    )


def masked(text: str) -> str:
    """``text`` without whole card numbers."""
    return _CARD_NUMBER.sub(r"\1****\2", text)


def _line(session: Session, event: Happening) -> str:
    at = datetime.fromtimestamp(event.at, session.board.clock.now().tzinfo)
    return masked(f"{at:%Y-%m-%d %H:%M:%S} {event.operator or '--'} {event.what}: {event.detail}")
