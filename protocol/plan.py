"""Fast forms of a ``Body``, derived from the same elements: nothing about the wire is defined here.

A *layout* is one combination of fields and lengths. Its reader is one compiled regular expression over the hex digits
and the characters of the bytes: it checks every nibble, length and fill and cuts the values out; a writer checks all
values of one field set in one expression and joins them. What a reader or writer does not match goes to the construct
of ``Body``, which reads it or says what is wrong.

Rules owned here: a layout gets its fast form when it has been seen ``PATIENCE`` times, so that compiling never costs a
stranger's peer more than reading does; a plan holds at most ``LAYOUTS_MAX`` of them and drops the oldest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from threading import Lock
from typing import Any, Final, Generic, NamedTuple, TypeVar

from protocol.elements import (
    DECIMAL,
    MAC_FIELDS,
    Align,
    Base,
    Body,
    Characters,
    Coding,
    Element,
    ElementError,
    HexOctets,
    Octets,
    Packed,
    Prefix,
    Signed,
    Text,
    Value,
    bitmap_of,
)
from protocol.header import Header, Tpdu
from protocol.message import Message

PATIENCE: Final = 64
LAYOUTS_MAX: Final = 256
TWINS_MAX: Final = 4
"""Layouts of one field set and one total length that are tried in turn."""

_SHARED: Final = Lock()
"""Held while the books of layouts change: one plan serves every thread. Reading and writing by a plan needs no lock."""

_Reader = Callable[[bytes, Tpdu | None, Header | None], tuple[Message, int] | None]
_Writer = Callable[[str, Iterable[Value]], bytes | None]
_K = TypeVar("_K")
_V = TypeVar("_V")


class Plan:
    """Reads and writes the bodies of one dialect. ``patience`` is how often a layout comes before it gets fast."""

    def __init__(self, body: Body, *, patience: int = PATIENCE) -> None:
        self._body = body
        self._head_bytes = body.mti.coding.size_bytes(body.mti.most) + body.bitmap.value
        self._readers: dict[tuple[bytes, int], tuple[_Reader, ...]] = {}
        self._writers: dict[tuple[int, ...], _Writer] = {}
        self._unread: _Queue[tuple[bytes, int]] = _Queue(patience)
        self._unwritten: _Queue[tuple[int, ...]] = _Queue(patience)

    def read(self, raw: bytes, tpdu: Tpdu | None = None, header: Header | None = None) -> tuple[Message, int]:
        """The message, and how many bytes of the end are its MAC. Raises DecodeError."""
        key = raw[: self._head_bytes], len(raw)
        for reader in self._readers.get(key, ()):
            read = reader(raw, tpdu, header)
            if read is not None:
                return read
        mti, fields = self._body.parse(raw)
        if self._unread.is_due(key):
            twins = (_reader(self._body, raw, mti, fields), *self._readers.get(key, ()))
            _keep(self._readers, key, twins[:TWINS_MAX])
        return Message(mti, fields, tpdu, header), _mac_bytes(self._body, fields)

    def write(self, message: Message) -> bytes:
        """The inverse of ``read``, without TPDU and header. Raises EncodeError."""
        return self.write_fields(message.mti, message.fields)

    def write_fields(self, mti: str, fields: Mapping[int, Value]) -> bytes:
        """The same for what is no message yet."""
        numbers = (*fields,)
        try:
            raw = self._writers[numbers](mti, fields.values())
        except (KeyError, TypeError, IndexError, ElementError):
            raw = None
        return raw if raw is not None else self._write_as_defined(mti, numbers, fields)

    def _write_as_defined(self, mti: str, numbers: tuple[int, ...], fields: Mapping[int, Value]) -> bytes:
        raw = self._body.build(mti, fields)
        if numbers not in self._writers and self._unwritten.is_due(numbers):
            _keep(self._writers, numbers, _writer(self._body, numbers))
        return raw


class _Queue(Generic[_K]):
    """Layouts that are waiting for their fast form, and how often each has come."""

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._seen: dict[_K, int] = {}

    def is_due(self, key: _K) -> bool:
        """Count the layout: has it come often enough? Counting begins again then."""
        with _SHARED:
            seen = self._seen.pop(key, 0) + 1
        if seen > self._patience:
            return True
        _keep(self._seen, key, seen)
        return False


def _keep(kept: dict[_K, _V], key: _K, value: _V) -> None:
    """Put a value in, and the oldest out where there are too many."""
    with _SHARED:
        if key not in kept and len(kept) >= LAYOUTS_MAX:
            del kept[next(iter(kept))]
        kept[key] = value


class _Cut(NamedTuple):
    """Where an expression is due: ``at`` and ``width`` count hex digits or characters."""

    at: int
    width: int
    pattern: str
    name: str = ""


class _Layout:
    """The cuts of one layout, collected field by field."""

    def __init__(self) -> None:
        self.nibbles: list[_Cut] = []
        self.characters: list[_Cut] = []
        self.checks: list[tuple[Coding, int, int, int]] = []

    def literal(self, at: int, raw: bytes) -> None:
        """Bytes that are always these."""
        self.characters.append(_Cut(at, len(raw), re.escape(raw.decode("latin-1"))))

    def value(self, name: str, coding: Coding, at: int, units: int, is_ascii: bool) -> str:
        """Where a value of so many units stands, and the Python expression that gives it."""
        size = coding.size_bytes(units)
        match coding:
            case Packed():
                fill, at_nibble = units % 2, 2 * at
                if fill:
                    self.nibbles.append(_Cut(at_nibble if coding.align is Align.RIGHT else at_nibble + units, 1, "0"))
                    at_nibble += coding.align is Align.RIGHT
                letters = coding.alphabet.characters.lower()
                self.nibbles.append(_Cut(at_nibble, units, f"([{letters}]{{{units}}})", name))
                return name if coding.alphabet is DECIMAL else f"{name}.upper()"
            case Characters():
                self.characters.append(_Cut(at, size, f"([{_spelled(coding)}]{{{units}}})", name))
                return name if coding.separator == "D" else f"{name}.replace({coding.separator!r}, 'D')"
            case Text() if is_ascii:
                self.characters.append(_Cut(at, size, f"([{_PRINTABLE}]{{{size}}})", name))
                return name
            case Octets():
                return f"raw[{at}:{at + size}]"
            case HexOctets():
                self.characters.append(_Cut(at, size, f"([0-9A-F]{{{size}}})", name))
                return f"unhex({name})"
            case Signed():
                self.characters.append(_Cut(at, 1, "([CD])", f"{name}_sign"))
                return f"{name}_sign + {self.value(name, coding.digits, at + 1, units - 1, True)}"
            case _:
                self.checks.append((coding, at, at + size, units))
                return f"more[{len(self.checks) - 1}]"


_PRINTABLE: Final = " -~"


def _spelled(coding: Characters) -> str:
    """The characters of the wire, as in a character class."""
    letters = [chr(code) for code in range(128) if coding.alphabet.holds(chr(code))]
    return "".join(re.escape(letter.replace("D", coding.separator)) for letter in letters)


def _reader(body: Body, raw: bytes, mti: str, fields: Mapping[int, Value]) -> _Reader:
    """The reader of everything that has this head and these lengths."""
    layout = _Layout()
    first = body.mti.coding.size_bytes(body.mti.most)
    at = first + len(body.bitmap.encode(bitmap_of(fields)))
    if at > first + body.bitmap.value:
        layout.literal(first + body.bitmap.value, raw[first + body.bitmap.value : at])
    values = []
    for number, value in fields.items():
        element = body.elements[number]
        units = element.coding.units(value)
        if element.prefix is not None:
            layout.literal(at, element.prefix.encode(units))
            at += element.prefix.size_bytes
        is_ascii = isinstance(value, str) and value.isascii()
        values.append(f"{number}: {layout.value(f'v{number}', element.coding, at, units, is_ascii)}")
        at += element.coding.size_bytes(units)
    shift = 2 * len(raw) if layout.nibbles else 0
    cuts = sorted(layout.nibbles) + sorted(cut._replace(at=cut.at + shift) for cut in layout.characters)
    names = "".join(f"{cut.name}, " for cut in cuts if cut.name)
    convert = _function(
        "raw, found, more",
        *([f"{names}= found.groups()"] if names else []),
        f"return {{{', '.join(values)}}}",
        unhex=bytes.fromhex,
    )
    nibbles = "raw.hex() + " if layout.nibbles else ""
    reader: _Reader = _function(
        "raw, tpdu, header",
        f"found = match({nibbles}raw.decode('latin-1'))",
        "if found is None: return None",
        f"more = {'check(raw)' if layout.checks else '()'}",
        *(["if more is None: return None"] if layout.checks else []),
        f"return of_checked({mti!r}, numbers, (convert, raw, found, more), tpdu, header), {_mac_bytes(body, fields)}",
        match=re.compile(_expression(cuts), re.DOTALL).match,
        check=partial(_checked, tuple(layout.checks)),
        convert=convert,
        numbers=tuple(fields),
        of_checked=Message.of_checked,
    )
    return reader


def _checked(checks: Iterable[tuple[Coding, int, int, int]], raw: bytes) -> list[Value] | None:
    """The values that only their codings can check, or None where one does not hold."""
    try:
        return [coding.decode(raw[start:end], units) for coding, start, end, units in checks]
    except ElementError:
        return None


def _expression(cuts: list[_Cut]) -> str:
    """The cuts and what is skipped between them."""
    parts, at = [], 0
    for cut in cuts:
        if cut.at > at:
            parts.append(f".{{{cut.at - at}}}")
        parts.append(cut.pattern)
        at = cut.at + cut.width
    return "".join(parts)


def _mac_bytes(body: Body, fields: Mapping[int, Value]) -> int:
    last = max(fields)
    return body.elements[last].coding.size_bytes(body.elements[last].most) if last in MAC_FIELDS else 0


class _Recipe:
    """How one field set is written: what its values must match, and the pieces of the wire in order.

    A piece is a run of hex digits, a run of characters, or bytes.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"unhex": bytes.fromhex, "join": "".join, "joined": b"".join}
        self.texts: list[tuple[str, str]] = []
        self.steps: list[str] = []
        self.runs: list[tuple[str, list[str]]] = []

    def piece(self, kind: str, *expressions: str) -> None:
        """Put expressions behind the last piece, into the same run where it is of the same kind."""
        if not self.runs or self.runs[-1][0] != kind or kind == "raw":
            self.runs.append((kind, []))
        self.runs[-1][1].extend(expressions)

    def constant(self, raw: bytes) -> None:
        """Bytes that are always these."""
        is_hex = self.runs[-1][0] == "hex"
        self.piece(*(("hex", repr(raw.hex())) if is_hex else ("raw", repr(raw))))

    def field(self, name: str, element: Element) -> None:
        """Checks, prefix and pieces of one value."""
        coding, quantity = element.coding, f"{{{element.least},{element.most}}}"
        match coding:
            case Packed():
                self.texts.append((name, f"[{coding.alphabet.characters}]{quantity}"))
                fill = "'0'" if element.most % 2 else "''"
                if element.prefix is not None:
                    fill = f"{name}_fill"
                    table = _lengths_packed(element.prefix, element.most)
                    self._lengths(name, f"{name}_prefix, {fill}", f"len({name})", table)
                    self.piece("hex", f"{name}_prefix")
                self.piece("hex", *((fill, name) if coding.align is Align.RIGHT else (name, fill)))
            case Characters():
                self.texts.append((name, f"[{coding.alphabet.characters}]{quantity}"))
                self._prefix(name, element, f"len({name})")
                self.piece("ascii", name if coding.separator == "D" else f"{name}.replace('D', {coding.separator!r})")
            case Text("ascii"):
                self.texts.append((name, f"[{_PRINTABLE}]{quantity}"))
                self._prefix(name, element, f"len({name})")
                self.piece("ascii", name)
            case Octets() | HexOctets():
                self.steps.append(f"if type({name}) is not bytes: return None")
                self._fits(element, f"len({name})")
                self._prefix(name, element, f"len({name})")
                self.piece(*(("raw", name) if isinstance(coding, Octets) else ("ascii", f"{name}.hex().upper()")))
            case _:
                self.names[f"{name}_coding"] = coding
                self.steps.append(f"{name}_raw = {name}_coding.encode({name})")
                units = f"len({name if isinstance(coding, Signed) else f'{name}_raw'})"
                self._fits(element, units)
                self._prefix(name, element, units)
                self.piece("raw", f"{name}_raw")

    def _fits(self, element: Element, units: str) -> None:
        """Check a fixed length that no expression checks."""
        if element.prefix is None:
            self.steps.append(f"if {units} != {element.most}: return None")

    def _prefix(self, name: str, element: Element, units: str) -> None:
        """Put the length before a value that is not packed."""
        if element.prefix is not None:
            kind = "ascii" if element.prefix.base is Base.ASCII else "hex" if self.runs[-1][0] == "hex" else "raw"
            self._lengths(name, f"{name}_prefix", units, _lengths(element.prefix, element.most, kind))
            self.piece(kind, f"{name}_prefix")

    def _lengths(self, name: str, targets: str, units: str, table: tuple[object, ...]) -> None:
        self.names[f"{name}_lengths"] = table
        self.steps.append(f"{targets} = {name}_lengths[{units}]")

    def function(self, parameters: list[str]) -> _Writer:
        """Compile it; the function gives None, or raises what ``Plan.write`` catches, where a value does not fit."""
        names, patterns = zip(*self.texts, strict=True)
        self.names["match"] = re.compile("\n".join(patterns)).fullmatch
        forms = {"hex": "unhex(join(({},)))", "ascii": "join(({},)).encode()", "raw": "{}"}
        pieces = ", ".join(
            forms[kind].format(", ".join(part for part in parts if part != "''")) for kind, parts in self.runs
        )
        return _function(
            "mti, values",
            f"{', '.join(parameters)}, = values",
            f"if match('\\n'.join(({', '.join(names)},))) is None: return None",
            *self.steps,
            f"return joined(({pieces},))",
            **self.names,
        )


@lru_cache(maxsize=512)
def _lengths(prefix: Prefix, most: int, kind: str) -> tuple[str | bytes, ...]:
    """The prefix of every length, as a piece of this kind."""
    forms: dict[str, Callable[[bytes], str | bytes]] = {"hex": bytes.hex, "ascii": bytes.decode, "raw": bytes}
    return tuple(forms[kind](prefix.encode(units)) for units in range(most + 1))


@lru_cache(maxsize=512)
def _lengths_packed(prefix: Prefix, most: int) -> tuple[tuple[str, str], ...]:
    """The prefix of every length in hex, and the fill that its value needs."""
    return tuple((str(piece), "0" * (units % 2)) for units, piece in enumerate(_lengths(prefix, most, "hex")))


def _writer(body: Body, numbers: tuple[int, ...]) -> _Writer:
    """The writer of this field set, its values given in this order."""
    recipe = _Recipe()
    recipe.field("mti", body.mti)
    recipe.constant(body.bitmap.encode(bitmap_of(numbers)))
    for number in sorted(numbers):
        recipe.field(f"v{number}", body.elements[number])
    return recipe.function([f"v{number}" for number in numbers])


def _function(parameters: str, *lines: str, **names: object) -> Callable[..., Any]:
    """Compile a function. Its text holds numbers, offsets and lengths, nothing that came over a line."""
    made: dict[str, Any] = {}
    exec("\n ".join((f"def made({parameters}):", *lines)), names, made)  # noqa: S102
    function: Callable[..., Any] = made["made"]
    return function
