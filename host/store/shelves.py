"""What the writer has read of rows that seldom change, so that a sale need not read them again.

Rules owned here: TABLE OWNERS, which tables are kept and by which column; what a write takes off the shelves; that
everything goes when another process has written such a row, or when a transaction of ours is undone. Only the writer
fills them, inside its transaction, with what belongs to the keys that it holds locked (``host.store.backend``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from host.decision import Insert, Update, Write

T = TypeVar("T")
ROWS_MAX: Final = 50_000
OWNERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "counters": "name", "secrets": "name", "merchants": "merchant_id", "models": "model",
        "firmware": "model", "terminals": "serial_number", "holds": "serial_number", "plans": "serial_number",
        "commands": "serial_number",
        "partners": "name",
    }
)  # fmt: skip
"""Terminals are kept by terminal id, all that have or had it; they go by the serial number of any of them."""


class Shelves:
    """One shelf a table. ``changed`` tells whether this transaction wrote what other processes may have kept."""

    def __init__(self) -> None:
        self.changed = False
        self._kept: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        self._homes: defaultdict[str, set[str]] = defaultdict(set)
        self._standing: dict[str, dict[Hashable, Any]] = {}
        self._forgotten = 0
        self._generation = 0
        self._count = 0

    def heed(self, generation: int) -> None:
        """Another ``generation`` of the database than the last: somebody else has written."""
        if generation != self._generation:
            self.clear()
            self._generation = generation

    def bumped(self, generation: int | None) -> None:
        """Our own write made this generation, if nobody else wrote meanwhile."""
        if generation == self._generation + 1:
            self._generation = generation

    def get(self, table: str, key: str, read: Callable[[], T]) -> T:
        """What is kept, read where nothing is."""
        shelf = self._kept[table]
        if key in shelf:
            kept: T = shelf[key]
            return kept
        if self._count >= ROWS_MAX:
            self.clear()
            shelf = self._kept[table]
        value = shelf[key] = read()
        self._count += 1
        if table == "terminals":
            for terminal in value:  # type: ignore[attr-defined]
                self._homes[terminal.serial_number].add(key)
        return value

    def standing(self, terminal_id: str, about: Hashable, make: Callable[[], T], keeps: Callable[[], bool]) -> T:
        """What was made for a terminal id of kept rows alone, made where nothing is or where one of them has changed.

        ``keeps`` says afterwards whether it may be kept.
        """
        known = self._standing.get(terminal_id)
        if known and about in known:
            kept: T = known[about]
            return kept
        forgotten = self._forgotten
        made = make()
        if keeps() and forgotten == self._forgotten:
            if self._count >= ROWS_MAX:
                self.clear()
            self._standing.setdefault(terminal_id, {})[about] = made
            self._count += 1
        return made

    def forget(self, write: Write) -> None:
        """A write is about to change rows that may be kept."""
        if not (owner := OWNERS.get(write.table)):
            return
        self.changed = True
        self._forgotten += 1
        values = write.row if isinstance(write, Insert) else write.key
        changes = write.changes if isinstance(write, Update) else values
        shelf = self._kept[write.table]
        if owner not in values:
            shelf.clear()
            self._standing.clear()
        elif owner == "serial_number":
            serial_number = str(values[owner])
            homes = {*self._homes.get(serial_number, ()), str(changes.get("terminal_id", ""))}
            for terminal_id in homes:
                self._standing.pop(terminal_id, None)
            if write.table == "terminals":
                self._homes.pop(serial_number, None)
                for terminal_id in homes:
                    shelf.pop(terminal_id, None)
            else:
                shelf.pop(serial_number, None)
        else:
            shelf.pop(str(values[owner]), None)
            self._standing.clear()

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()
        self._homes.clear()
        self._standing.clear()
        self._forgotten += 1
        self._count = 0
