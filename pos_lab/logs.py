"""The host's log: one line an event for people or as JSON, without secrets, and never in the way of money.

Rules owned here: what cannot be shown is escaped and what looks like a card number, track or key is hidden, in every
line, whoever wrote it; lines go through a queue of LINES_MAX to a thread of their own, so that a log that is full or
blocked (faults H22) costs lines, which are counted, and nothing else.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import IO, Any, Final

from protocol.masking import one_line, redacted

LINES_MAX: Final = 10_000
FLUSH_S: Final = 1.0


@contextmanager
def logging_to(stream: IO[str], *, level: int, as_json: bool) -> Iterator[Lines]:
    """Everything that is logged goes to ``stream`` until the context ends; what is left then has FLUSH_S."""
    root = logging.getLogger()
    before, lines = (root.handlers[:], root.level), Lines(stream)
    lines.setFormatter(_formatter(as_json=as_json))
    root.handlers, root.level = [lines], level
    try:
        yield lines
    finally:
        root.handlers, root.level = before
        lines.close()


class Lines(logging.Handler):
    """Formats where a line is logged, writes in a thread of its own. ``lost`` counts what found no room."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self.lost = 0
        self._stream = stream
        self._told = 0
        self._queue: queue.Queue[str | None] = queue.Queue(LINES_MAX)
        self._thread = threading.Thread(target=self._write_on, name="log-writer", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line, or count it as lost."""
        try:
            self._queue.put_nowait(self.format(record))
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Write what is left, unless the log is blocked."""
        super().close()
        try:
            self._queue.put(None, timeout=FLUSH_S)
        except queue.Full:
            return
        self._thread.join(FLUSH_S)

    def _write_on(self) -> None:
        while (line := self._queue.get()) is not None:
            if lost := self.lost - self._told:
                line = f"{line}\n{lost} lines of the log were lost before this one"
            try:
                self._stream.write(line + "\n")
                if self._queue.empty():
                    self._stream.flush()
                self._told += lost
            except (OSError, ValueError):  # the disk is full, or nobody reads any more
                self.lost += 1


def _formatter(*, as_json: bool) -> logging.Formatter:
    import structlog

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _clean,
    ]
    last: Any = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else _human
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
    )


def _clean(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No secret, no character that a screen obeys, in any value."""
    for name, value in event.items():
        if not name.startswith("_") and isinstance(value, str):
            event[name] = redacted(value if name == "exception" else one_line(value))
    return event


def _human(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    trace = event.pop("exception", "")
    line = f"{event.pop('timestamp')} {str(event.pop('level')).upper()} {event.pop('event')}"
    named = "".join(f" {name}={value}" for name, value in event.items())
    return f"{line}{named}" + "".join(f"\n    {one_line(part)}" for part in str(trace).splitlines())


def to_stderr(*, quiet: bool, as_json: bool) -> Any:
    """The log of a command: standard error, only what goes wrong where it shall be ``quiet``."""
    return logging_to(sys.stderr, level=logging.WARNING if quiet else logging.INFO, as_json=as_json)
