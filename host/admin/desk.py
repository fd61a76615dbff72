"""Where an administrative act happens: one unit on the store, one actor, one instant.

An act is a function ``act(desk, …) -> dict``; it checks, writes and leaves an audit row, or raises AdminError and
leaves nothing. What it returns is JSON and, but for the key card, never holds a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final

from host.decision import Insert, Update
from host.errors import AdminError
from host.keys import KeyDesk
from host.lifecycle import Event, State, step
from host.policy import Policy
from host.records import DeviceModel, Merchant, Terminal
from host.retirement import audit, move
from host.store.books import Books
from protocol.errors import ProtocolError
from protocol.image import parse_version

Result = dict[str, object]
NUMBER_MAX: Final = 10**12
"""Beyond every amount in fen, count, number and instant that an act is about; as days in seconds the store has room."""


@dataclass(frozen=True, slots=True)
class Desk:
    """``at`` is the instant in epoch seconds, ``actor`` who acts, ``token`` by which token, if from afar."""

    books: Books
    keys: KeyDesk
    policy: Policy
    at: int
    actor: str = "admin"
    token: str = ""

    def by(self, actor: str) -> Desk:
        """The same desk with somebody else at it."""
        return replace(self, actor=actor)

    def terminal(self, serial_number: str) -> Terminal:
        """The terminal, or AdminError with the nearest serial numbers."""
        terminal = self.books.terminal(serial_number)
        if terminal is None:
            known = [str(row["serial_number"]) for row in self.books.rows("terminals")]
            raise AdminError(
                f"no terminal {serial_number}", hint=_nearest(serial_number, known), code="unknown_terminal"
            )
        return terminal

    def model(self, model: str) -> DeviceModel:
        """The model of the catalogue, or AdminError with the nearest names."""
        found = self.books.model(model)
        if found is None:
            known = [str(row["model"]) for row in self.books.rows("models")]
            raise AdminError(
                f"no model {model} in the catalogue", hint=_nearest(model, known, "models"), code="unknown_model"
            )
        return found

    def merchant(self, merchant_id: str) -> Merchant:
        """The merchant, or AdminError with the nearest ids."""
        found = self.books.merchant(merchant_id)
        if found is None:
            known = [str(row["merchant_id"]) for row in self.books.rows("merchants")]
            hint = _nearest(merchant_id, known, "merchants")
            raise AdminError(f"no merchant {merchant_id}", hint=hint, code="unknown_merchant")
        return found

    def shaped(self, name: str, value: str, shape: str) -> None:
        """A value must have the shape that is asked for, or AdminError."""
        if not re.fullmatch(shape, value, re.ASCII):
            raise AdminError(f"{value!r} is no {name}: it is {shape}", code=name)

    def version(self, version: str) -> None:
        """A firmware version must be dotted numbers, or AdminError."""
        try:
            parse_version(version)
        except ProtocolError as error:
            raise AdminError(error.message, hint=error.hint, code="version") from None

    def step(self, terminal: Terminal, event: Event, why: str = "", **changes: object) -> State:
        """Move a terminal, or AdminError where the event has no place in its state."""
        state = step(terminal.state, event)
        if state is None:
            raise AdminError(
                f"{terminal.serial_number} is {terminal.state}: '{event}' has no place there", code="illegal_step"
            )
        self.books.apply(move(terminal, event, actor=self.actor, at=self.at, why=why, **changes))
        return state

    def line(self, **texts: str) -> None:
        """Texts that go into replies must be lines that every charset of the wire carries, or AdminError."""
        for name, text in texts.items():
            if not all(character.isprintable() or character == "\u3000" for character in text):
                raise AdminError(f"{name} is not one line of text: {text!r}", code=name)

    def change(self, terminal: Terminal, **changes: object) -> None:
        """Change columns of a terminal that are not its state."""
        self.books.write(Update("terminals", {"serial_number": terminal.serial_number}, changes))

    def note(self, serial_number: str, act: str, detail: str) -> None:
        """Leave an audit row."""
        self.books.write(audit(self.actor, serial_number, act, detail, self.at))

    def insert(self, table: str, **row: object) -> None:
        """Write one new row."""
        self.books.write(Insert(table, row))


def in_bounds(arguments: Mapping[str, Any]) -> None:
    """The numbers among the arguments of an act must be such as the store can keep, or AdminError."""
    for name, value in arguments.items():
        if isinstance(value, int) and abs(value) > NUMBER_MAX:
            raise AdminError(f"{name} is out of bounds", hint=f"{NUMBER_MAX} at most", code="invalid", field=name)


def _nearest(word: str, known: list[str], act: str = "terminals") -> str:
    near = get_close_matches(word, known, n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else f"poslab admin {act} lists what there is"
