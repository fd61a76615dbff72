"""What the sub-commands of ``poslab crypto`` share: how their options are read and their answers told.

Rules owned here: an option that is no hex, or names nothing, is named in the error, and no digit of it is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import typer

from pos_lab.commands.output import Status, print_json
from protocol.errors import EncodeError

_T = TypeVar("_T")


def named(option: str, name: str, table: Mapping[str, _T]) -> _T:
    """The row of ``name``, which ``option`` said. Raises EncodeError with the names that there are."""
    if name not in table:
        refuse(f"{option}: there is no {name!r}", hint=f"one of {', '.join(table)}")
    return table[name]


def octets(option: str, text: str) -> bytes:
    """The bytes of hex digits with any blanks between them; "-" reads them.

    Raises EncodeError, which names the option and no digit.
    """
    try:
        digits = "".join((sys.stdin.read() if text == "-" else text).split())
    except UnicodeDecodeError:
        refuse(f"{option}: what was read is no text", hint="hex digits, not the bytes themselves")
    strange = re.search(r"[^0-9A-Fa-f]", digits)
    if strange:
        refuse(f"{option}: character {strange.start() + 1} is no hex digit", hint="hex digits and blanks only")
    if not digits or len(digits) % 2:
        refuse(f"{option}: {len(digits)} hex digits are no whole bytes", hint="two digits a byte")
    return bytes.fromhex(digits)


def refuse(message: str, hint: str = "") -> NoReturn:
    """Raise the EncodeError of a call that asks for nothing that can be calculated."""
    raise EncodeError(message, hint=hint, code="call")


def spell(raw: bytes) -> str:
    """Upper-case hex."""
    return raw.hex().upper()


def tell(document: Mapping[str, Any], as_json: bool) -> None:
    """The document, or a line for each value in it that there is."""
    if as_json:
        print_json(document)
        return
    for name, value in _lines(document):
        typer.echo(f"{name:16} {value}")


def _lines(document: Mapping[str, Any], within: str = "") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for name, value in document.items():
        path = f"{within}.{name}" if within else name
        if isinstance(value, Mapping):
            lines += _lines(value, path)
        elif value is not None:
            lines.append((path, {True: "right", False: "WRONG"}[value] if isinstance(value, bool) else value))
    return lines


def judge(passed: bool) -> None:
    """Leave with the status of a verdict that is not passed."""
    if not passed:
        raise typer.Exit(Status.FAILED)
