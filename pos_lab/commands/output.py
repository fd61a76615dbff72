"""What every command shares: its options for people and programs, exit statuses, and how an error is told.

Rules owned here: JSON goes to standard output and nothing else does with it; an error is one document
``{"ok": false, "error": {code, field, offset, message, hint}}`` for programs and a line or two on standard error for
people.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, Literal

import typer

from protocol.dialects import DIALECTS


class Status(IntEnum):
    """Exit statuses of every command."""

    DONE = 0
    FAILED = 1
    WRONG = 2
    ENVIRONMENT = 3


class Lang(StrEnum):
    """The languages that people are spoken to in."""

    ZH = "zh"
    EN = "en"

    @property
    def code(self) -> Literal["zh", "en"]:
        """The language as ``protocol.describe`` wants it."""
        return "zh" if self is Lang.ZH else "en"


def locale_language() -> Lang:
    """Chinese where the locale of messages is, else English."""
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return Lang.ZH if next(filter(None, names), "").lower().startswith("zh") else Lang.EN


JsonOption = Annotated[bool, typer.Option("--json", help="JSON on standard output, one document a line.")]
LangOption = Annotated[
    Lang,
    typer.Option(
        "--lang", default_factory=locale_language, show_default="the locale's", help="Language of texts for people."
    ),
]


def _known_dialect(name: str) -> str:
    if name not in DIALECTS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(DIALECTS)}")
    return name


DialectOption = Annotated[
    str,
    typer.Option(
        "--dialect", metavar="|".join(DIALECTS), callback=_known_dialect, help="Which fields and codings are spoken."
    ),
]
UnmaskOption = Annotated[bool, typer.Option("--unmask", help="Show PANs, tracks, PIN blocks and wrapped keys.")]

_APP: Final[Mapping[str, Any]] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "no_args_is_help": True,
}


def new_app(**settings: Any) -> typer.Typer:
    """A Typer as all our commands are: plain help, no tracebacks of its own. ``settings`` are Typer's."""
    return typer.Typer(**{**_APP, **settings})


def print_json(document: object) -> None:
    """One document on one line."""
    typer.echo(as_line(document))


def as_line(document: object) -> str:
    """A document as ``print_json`` writes it."""
    return json.dumps(document, ensure_ascii=False)


def error_document(error: Exception, *, offset: int | None = None) -> dict[str, object]:
    """The document of an error; an error that brings one of its own (``document()``) is asked for it.

    ``offset`` takes the place of the error's own, which may count from elsewhere.
    """
    own: Callable[[], dict[str, object]] | None = getattr(error, "document", None)
    if own:
        return own()
    return {
        "ok": False,
        "error": {
            "code": getattr(error, "code", "os"),
            "field": None if (field := getattr(error, "field", None)) == "" else field,
            "offset": getattr(error, "offset", None) if offset is None else offset,
            "message": getattr(error, "message", None) or _told(error),
            "hint": getattr(error, "hint", ""),
        },
    }


def print_error(error: Exception, *, as_json: bool, text: str = "", offset: int | None = None) -> None:
    """Tell an error: its document on standard output, or on standard error ``text``, by default the error's own."""
    if as_json:
        print_json(error_document(error, offset=offset))
    else:
        by_position = hasattr(error, "document")  # its lines begin with file:line:column
        typer.echo(text or str(error) if by_position else f"poslab: {text or _told(error)}", err=True)


def _told(error: Exception) -> str:
    """An error of the operating system as people say it: the file, and what is wrong with it."""
    if isinstance(error, OSError) and type(error).__str__ is OSError.__str__ and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
