"""Secrets in every spelling that they could leak in, and the search for them in everything that was left behind.

Rules owned here: TABLE SPELLINGS; a spelling shorter than SHORTEST_BYTES, or of fewer than DIFFERENT_BYTES values, is
not looked for, since chance or a counter would write it. What is searched is also searched without white space and
separators, as a dump of bytes writes them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SHORTEST_BYTES: Final = 5
DIFFERENT_BYTES: Final = 4
_GAPS: Final = b" \t\r\n:-"
_BLANK: Final = re.compile(rb"(.)\1{256,}", re.DOTALL)


@dataclass(frozen=True)
class Canary:
    """A secret: ``digits`` of a card, a PIN or a track, or the bytes of a ``key``."""

    kind: str
    digits: str = field(default="", repr=False)
    key: bytes = field(default=b"", repr=False)

    @property
    def texts(self) -> tuple[str, ...]:
        """As people and programs write it."""
        return (self.digits,) if self.digits else (self.key.hex(), self.key.hex().upper())

    @property
    def raw(self) -> tuple[bytes, ...]:
        """As bytes: a key, or digits packed in BCD from the left or from the right."""
        if self.key:
            return (self.key,)
        digits = self.digits.upper().replace("=", "D")
        even = digits[: len(digits) // 2 * 2]
        shifted = digits[1:][: (len(digits) - 1) // 2 * 2]
        return bytes.fromhex(even), bytes.fromhex(shifted)

    def forms(self) -> frozenset[bytes]:
        """Every spelling, in bytes."""
        spelt = (form for spell in SPELLINGS.values() for form in spell(self))
        return frozenset(form for form in spelt if len(form) >= SHORTEST_BYTES and len(set(form)) >= DIFFERENT_BYTES)


def _base64(data: bytes) -> Iterator[bytes]:
    """What of ``data`` stands in a base64 text whatever is in front of it and behind it."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data)
        inner = encoded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _of_texts(make: Callable[[bytes], Iterable[bytes]]) -> Callable[[Canary], Iterator[bytes]]:
    return lambda canary: (form for text in canary.texts for form in make(text.encode("ascii")))


def _of_raw(make: Callable[[bytes], Iterable[bytes]]) -> Callable[[Canary], Iterator[bytes]]:
    return lambda canary: (form for raw in canary.raw for form in make(raw))


# name -> the spellings of a canary
SPELLINGS: Final[Mapping[str, Callable[[Canary], Iterator[bytes]]]] = {
    "raw": _of_raw(lambda raw: (raw,)),
    "reversed bytes": _of_raw(lambda raw: (raw[::-1],)),
    "hex of the bytes": _of_raw(lambda raw: (raw.hex().encode(), raw.hex().upper().encode())),
    "base64 of the bytes": _of_raw(_base64),
    "text": _of_texts(lambda text: (text,)),
    "reversed text": _of_texts(lambda text: (text[::-1],)),
    "hex of the text": _of_texts(lambda text: (text.hex().encode(), text.hex().upper().encode())),
    "base64 of the text": _of_texts(_base64),
    "UTF-16": _of_texts(lambda text: (text.decode().encode("utf-16-le"), text.decode().encode("utf-16-be"))),
}


@dataclass(frozen=True)
class Leak:
    """A canary that was found, where; its text shows nothing of the secret but its kind."""

    place: str
    kind: str


class Search:
    """Looks for canaries; the same spelling of two of them is one."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._kinds: dict[bytes, str] = {form: canary.kind for canary in canaries for form in canary.forms()}

    def look(self, place: str, data: bytes) -> set[Leak]:
        """What is in ``data``, as it is and without gaps; runs of one byte are looked at as short ones."""
        data = _BLANK.sub(lambda run: run.group(1) * 64, data)
        squeezed = data.translate(None, _GAPS)
        return {Leak(place, kind) for form, kind in self._kinds.items() if form in data or form in squeezed}

    def walk(self, folder: Path) -> set[Leak]:
        """What is in the files of ``folder`` and below, and in their names."""
        found: set[Leak] = set()
        for path in sorted(folder.rglob("*")):
            place = str(path.relative_to(folder))
            found |= self.look(place, place.encode() + (path.read_bytes() if path.is_file() else b""))
        return found
