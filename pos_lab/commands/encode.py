"""``poslab encode``: the documents of ``decode --json --unmask``, turned back into hex."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pos_lab.commands.output import DialectOption, JsonOption, Status, new_app, print_error, print_json
from protocol.describe import message_from_document
from protocol.dialect import CUP, Dialect
from protocol.dialects import DIALECTS
from protocol.errors import EncodeError, ProtocolError
from protocol.framing import FRAMINGS


def read_documents(raw: bytes) -> Iterator[object]:
    """The JSON documents of a file, one after the other. Raises EncodeError with line and column."""
    try:
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise EncodeError("not UTF-8 text", code="json") from None
    if not text:
        raise EncodeError("no document", code="json", hint="poslab decode --json --unmask prints one")
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    while text:
        try:
            document, end = decoder.raw_decode(text)
        except json.JSONDecodeError as error:
            raise EncodeError(
                f"not JSON: {error.msg}, line {error.lineno}, column {error.colno}", code="json"
            ) from None
        except (ValueError, RecursionError):
            raise EncodeError("not JSON: a number or a nesting beyond all measure", code="json") from None
        yield document
        text = text[end:].lstrip()


def encode_document(document: object, dialect: Dialect = CUP) -> bytes:
    """The bytes that the document was decoded from, in their frame. Raises EncodeError or FrameError."""
    payload = message_from_document(document, dialect)
    frame = document.get("frame") if isinstance(document, dict) else None
    if frame is None:
        return payload
    kind = frame.get("kind") if isinstance(frame, dict) else None
    if not isinstance(kind, str) or kind not in FRAMINGS:
        raise EncodeError("the frame has no known kind", hint=f"null, or a kind of {' '.join(FRAMINGS)}")
    return FRAMINGS[kind]().wrap(payload)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(found := dict(pairs)) != len(pairs):
        raise EncodeError("a key comes twice in one object", code="json")
    return found


app = new_app()


@app.command()
def encode(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON; - reads standard input.")],
    as_json: JsonOption = False,
    dialect: DialectOption = CUP.name,
) -> None:
    """Turn JSON as decode --json --unmask prints it into hex. Bitmap and lengths follow from the fields.

    \b
    Example, there and back:
      poslab decode --json --unmask "0820 0000000000C00010 3632303030303031 \\
        313030303030303030303030303031 0011000000013010" | poslab encode -
    """
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from None
    wrong = False
    for document in read_documents(raw):
        try:
            digits = encode_document(document, DIALECTS[dialect]).hex().upper()
        except ProtocolError as error:
            wrong = True
            print_error(error, as_json=as_json)
            continue
        if as_json:
            print_json({"ok": True, "hex": digits})
        else:
            typer.echo(digits)
    if wrong:
        raise typer.Exit(Status.WRONG)
