"""The canonical JSON under a signature: commands and firmware manifests.

Rules owned here: a document has one spelling only (keys sorted, no blanks, UTF-8) and exactly the keys of its form; a
reader refuses every other spelling, so that two readers can never see two documents under one signature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocol.errors import DecodeError, EncodeError


@dataclass(frozen=True, slots=True)
class Text:
    """A text whose whole value matches ``pattern``; by default any text but the empty one."""

    pattern: str = r"(?s:.+)"

    def admits(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from ``low`` to ``high``; a boolean or a fraction is none."""

    low: int
    high: int

    def admits(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Nested:
    """An object within the document; its owner checks it against a form of its own."""

    def admits(self, value: object) -> bool:
        return isinstance(value, dict)


Form = Mapping[str, Text | Whole | Nested]


def fault(document: Mapping[str, object], form: Form) -> str:
    """Return what in ``document`` breaks ``form``, "" if nothing does; no value is quoted."""
    if document.keys() != form.keys():
        return f"the keys are not {', '.join(form)}"
    wrong = [name for name, rule in form.items() if not rule.admits(document[name])]
    return f"{wrong[0]} has a value of another form" if wrong else ""


def write_document(document: Mapping[str, object], form: Form) -> bytes:
    """Return the one spelling of ``document``; raises EncodeError when it breaks ``form`` or cannot be spelt."""
    if broken := fault(document, form):
        raise EncodeError(broken)
    try:
        return _spell(document)
    except (TypeError, ValueError):
        raise EncodeError("not Unicode text and whole numbers only") from None


def read_document(spelling: bytes, form: Form) -> dict[str, Any]:
    """Return the document of which ``spelling`` is the one spelling; raises DecodeError on anything else."""
    try:
        document = json.loads(spelling)
        canonical = isinstance(document, dict) and _spell(document) == spelling
    except (ValueError, RecursionError):
        raise DecodeError("not JSON") from None
    if not canonical:
        raise DecodeError("not the canonical JSON of an object")
    if broken := fault(document, form):
        raise DecodeError(broken)
    return dict(document)


def _spell(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()
