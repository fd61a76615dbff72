"""A policy as a file: read with every mistake at its place, recognised among scenarios, and written out whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, get_args, get_type_hints

from host.policy import Policy, Section, key_of
from host.written import Written
from pos_lab.scenario.errors import ScenarioErrors
from pos_lab.scenario.loader import load_mapping
from pos_lab.scenario.source import Entries, compose, read_text

_OF_A_SCENARIO: Final = frozenset({"scenario", "title", "terminals", "steps"})


def load_policy(path: str) -> Policy:
    """The policy in a file. Raises ScenarioErrors with all mistakes, each with line, column and a hint."""
    return load_mapping(path, Policy)


def is_policy(path: str) -> bool:
    """Does a file hold sections of a policy, and nothing of a scenario? Not for one that cannot be read at all."""
    try:
        root, _ = compose(read_text(path), path)
    except ScenarioErrors:
        return False
    return isinstance(root, Entries) and not _OF_A_SCENARIO & root.keys() and bool(Policy.model_fields.keys() & root)


def as_yaml(policy: Policy) -> str:
    """Every figure as a file: what ``load_policy`` reads is the same policy."""
    lines = []
    for name, value in figures(policy):
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {key}: {_scalar(inner)}" for key, inner in value.items())]
        else:
            lines.append(f"{name}: {_scalar(value)}")
    return "".join(f"{line}\n" for line in lines)


def figures(section: Section) -> Iterator[tuple[str, Any]]:
    """Every key of a section with its value as it is written; what is empty is left out."""
    hints = get_type_hints(type(section), include_extras=True)
    for name in type(section).model_fields:
        if (value := getattr(section, name)) is not None and value != "":
            yield key_of(name), _written(hints[name], value)


def _written(hint: Any, value: object) -> Any:
    if isinstance(value, Section):
        return dict(figures(value))
    if isinstance(value, tuple):
        return [_written(hint, each) for each in value]
    kind = kind_of(hint)
    return kind.write(value) if kind else str(value)


def kind_of(hint: Any) -> Written | None:
    """How a value of a type is written, wherever in the type that is said."""
    parts = [*getattr(hint, "__metadata__", ()), *get_args(hint)]
    here = next((part for part in parts if isinstance(part, Written)), None)
    return here or next((kind for part in parts if (kind := kind_of(part))), None)


def _scalar(value: Any) -> str:
    """In flow style, quoted: a mapping or a list of YAML in one line."""
    return json.dumps(value, ensure_ascii=False)
