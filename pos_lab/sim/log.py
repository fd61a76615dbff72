"""The event log of one run: what happened, when, to whom; its SHA-256 is the identity of the run.

Rules owned here: a line is virtual time, node, what and words, and a digest where bytes passed; nothing in it depends
on the process, the machine or the day. Payloads are kept beside it for the story and never written out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Event:
    """One line: ``at_s`` of virtual time, the node, what happened there, in words."""

    at_s: float
    who: str
    what: str
    words: str = ""
    payload: bytes = field(default=b"", repr=False)

    def line(self) -> str:
        """The canonical line."""
        passed = f" {sha256(self.payload).hexdigest()[:16]}" if self.payload else ""
        return f"{self.at_s:.9f} {self.who} {self.what} {self.words}{passed}\n"


class EventLog:
    """All events in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._lines: list[str] = []

    def write(self, event: Event) -> None:
        """Add a line."""
        self.events.append(event)

    @property
    def text(self) -> str:
        """All lines so far; spelt when somebody asks, for most are never read."""
        self._lines.extend(event.line() for event in self.events[len(self._lines) :])
        return "".join(self._lines)

    @property
    def digest(self) -> str:
        """SHA-256 of all lines so far, hex."""
        return sha256(self.text.encode()).hexdigest()
