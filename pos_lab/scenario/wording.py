"""What pydantic found wrong, at its place in the file and in plain English.

Rules owned here: the wording of every kind of mistake (WORDING), and where in the tree each is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from host.written import shown
from pos_lab.scenario.errors import ScenarioError, did_you_mean
from pos_lab.scenario.source import Entries, Items, Node, Place, Scalar

WORDING: Mapping[str, str] = {
    "mistake": "{message}",
    "value_error": "{error}",
    "missing": "is missing",
    "literal_error": "{value} is not one of {expected}",
    "enum": "{value} is not one of {expected}",
    "model_type": "must be a mapping such as {{{known}}}",
    "model_attributes_type": "must be a mapping such as {{{known}}}",
    "dict_type": "must be a mapping",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "string_type": "must be a text",
    "string_too_short": "is empty",
    "string_too_long": "is longer than {max_length} characters",
    "int_parsing": "{value} is not a whole number",
    "bool_parsing": "{value} is neither yes nor no",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
}
"""Pydantic's kind of error -> what the reader is told, after the name of the key. Others keep pydantic's own words."""

_QUOTED = re.compile(r"'([^']*)'")


def in_plain_english(error: ValidationError, model: type[BaseModel], root: Node, file: str) -> list[ScenarioError]:
    """The mistakes found when ``model`` was read from ``root``, one per place and key."""
    found: dict[str, ScenarioError] = {}
    for detail in error.errors(include_url=False):
        loc = detail["loc"]
        node, key_place, rest = _walk(root, loc)
        owner = _model_at(model, loc[: len(loc) - 1])
        if detail["type"] == "extra_forbidden":
            place, path = key_place, key_place.path
            message = f"unknown key {shown(str(loc[-1]))}"
            hint = did_you_mean(str(loc[-1]), _keys(owner))
        else:
            of_key = bool(rest) and rest[-1] == "[key]"
            place = key_place if of_key else node.place
            missing = [str(part) for part in rest] if detail["type"] == "missing" else []
            path = ".".join([node.place.path, *missing]) if node.place.path else ".".join(missing)
            message, hint = _message(detail, node, _model_at(model, loc))
            message = message if of_key else _about(path, message)
        # The members of a union each complain about the same value: they are one mistake.
        if path in found:
            message = f"{found[path].message}, or {message}"
        found[path] = ScenarioError(file, place.line, place.column, path, message, hint)
    return list(found.values())


def _message(detail: Any, node: Node, model: type[BaseModel]) -> tuple[str, str]:
    context = dict(detail.get("ctx", {}))
    known = ", ".join(f"{name}: …" for name, info in _keys(model).items() if info.is_required())
    value = shown(node) if isinstance(node, Scalar) else "a list" if isinstance(node, Items) else "a mapping"
    if isinstance(node, Scalar) and node.empty and detail["type"] != "missing":
        return "is empty", ""
    wording = WORDING.get(detail["type"])
    if wording is None:
        return str(detail["msg"]), ""
    message = wording.format(**{"known": known, "value": value, **context})
    hint = str(context.get("hint", ""))
    if "expected" in context and isinstance(node, Scalar):
        near = did_you_mean(node, _QUOTED.findall(str(context["expected"])))
        hint = near if near.startswith("did you mean") else ""
    return message, hint


def _about(path: str, message: str) -> str:
    name = re.split(r"[.]", path)[-1]
    return f"{name}: {message}" if name else message


def _walk(root: Node, loc: Sequence[int | str]) -> tuple[Node, Place, Sequence[int | str]]:
    """The deepest node on the way to ``loc``, the place of the last key seen, and what of ``loc`` lies beyond."""
    node, key_place = root, root.place
    for depth, part in enumerate(loc):
        if isinstance(node, Entries) and part in node:
            key_place = node.key_places[str(part)]
            if loc[depth + 1 : depth + 2] == ("[key]",):
                return node, key_place, loc[depth + 1 :]
            node = node[str(part)]
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node):
            node = node[part]
            key_place = node.place
        else:
            return node, key_place, loc[depth:]
    return node, key_place, ()


def _model_at(model: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel]:
    """The model that a place in the tree is read with: follows fields, and passes through lists and mappings."""
    for part in loc:
        info = _keys(model).get(str(part))
        if info is not None:
            model = _first_model(info.annotation) or model
    return model


def _keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the keys that are written."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _first_model(part))), None)
