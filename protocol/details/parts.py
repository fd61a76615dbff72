"""Takes a value apart: sub-fields at fixed places, tagged values and chip objects become rows of ``details``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocol import emv
from protocol.details.view import Detail, View
from protocol.errors import DecodeError
from protocol.fields import FieldSpec
from protocol.private import TEXT_CHARSET, Tag
from protocol.tlv import Node

_SHORT_BYTES: Final = 32


def cut(row: FieldSpec, value: str, view: View) -> Detail:
    """The parts of a value by key, as far as it goes; DecodeError where it ends inside one."""
    raw = value.encode(TEXT_CHARSET)
    detail: Detail = {}
    at = 0
    for part in row.parts:
        if at >= len(raw):
            break
        piece = raw[at : at + part.length] if part.length else raw[at:]
        if len(piece) < part.length:
            raise DecodeError(f"it ends inside {part.key.replace('_', ' ')}", field=row.number, code="parts")
        text = piece.decode(TEXT_CHARSET, "replace").strip()
        detail[part.key] = view.look(part.codes, text) if part.codes else text
        at += len(piece)
    return detail


def tagged(rows: Iterable[tuple[Tag, bytes]], view: View) -> Detail:
    """Tagged values by key; secrets only by their length."""
    return {row.key: view.secret(value, readable(value)) if row.secret else readable(value) for row, value in rows}


def objects(nodes: Iterable[Node], view: View) -> list[Detail]:
    """Chip objects in their order, each with tag, name and value; what may not be seen by its length."""
    return [
        {"tag": "  " * row.depth + row.tag, "name": row.name, "value": row.shown}
        for row in emv.describe(nodes, unmask=view.unmask, lang=view.language)
    ]


def readable(value: bytes) -> str:
    """Text as text, a digest as hex, anything longer by its length."""
    try:
        text = value.decode(TEXT_CHARSET)
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and bool(text) == bool(value):
        return text
    return value.hex().upper() if len(value) <= _SHORT_BYTES else f"<{len(value)} bytes>"
