"""A state machine on paper: its table and its diagram."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from pos_lab.handbook.markdown import Markdown, block, code, sections, table

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


def machine(transitions: Mapping[State, Mapping[Event, State]]) -> str:
    """A table state -> event -> next state, where a final state has a row of its own, and a mermaid diagram.

    A life begins in the first row and in every state that no other one leads to.
    """
    rows: list[tuple[Markdown | str, ...]] = []
    for state, row in transitions.items():
        rows += [(code(state), event, code(following)) for event, following in row.items()] or [
            (code(state), "", "end")
        ]
    return sections(table(("state", "event", "next"), rows), block("mermaid", _diagram(transitions)))


def _diagram(transitions: Mapping[State, Mapping[Event, State]]) -> str:
    reached = {following for state, row in transitions.items() for following in row.values() if following != state}
    first = next(iter(transitions))
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {state}" for state in transitions if state == first or state not in reached]
    for state, row in transitions.items():
        lines += [f"    {state} --> {following}: {event}" for event, following in row.items()] or [
            f"    {state} --> [*]"
        ]
    return "\n".join(lines)
