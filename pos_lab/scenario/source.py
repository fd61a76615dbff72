"""The text of a scenario file as a tree in which every value knows where it was written.

Rules owned here: which YAML we read and its limits. Every scalar stays the text that was written (``0100``, ``no``,
``1:30`` and ``60.00`` are text); one document; no anchors, aliases, tags or directives; no key twice; no control
characters.

The tree is made of ``str``, ``list`` and ``dict`` with a position, so that it can be handed to pydantic as it is.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from host.written import shown
from pos_lab.scenario.errors import ScenarioError, ScenarioErrors

SIZE_MAX_BYTES = 1 << 20
DEPTH_MAX = 20
NODES_MAX = 100_000
STANDARD_INPUT = "-"

# C0 and C1 controls but for tab and line ends; the separators that editors count as lines or not; overrides of the
# writing direction, which show a reader another text than the one that is run; and halves of surrogate pairs.
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_LINE_END = re.compile(r"\r\n|\r|\n")

_SYNTAX = (
    ("'\\t'", "a tab where a value or a key should start", "indent with blanks, not tabs"),
    ("mapping values are not allowed", "a second ':' in one line", "quote a text that holds ': '"),
    ("'<document start>'", "the text goes on after its first value has ended", "check the indentation above"),
    ("<block end>", "this line belongs neither to the list nor to the mapping above it", "check the indentation"),
    ("could not find expected ':'", "a key without ':'", "write 'key: value'"),
    ("unexpected end of stream", "the file ends inside a quoted text", "close the quotes"),
    ("<stream end>", "the file ends inside brackets", "close the brackets"),
)
"""What the parser says, what we say, and the cure."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: line and column from 1, and its path from the top such as ``steps[3].sale.amount``."""

    line: int
    column: int
    path: str


class Scalar(str):
    """A value as it was written. ``empty``: nothing was written, as after ``key:``."""

    place: Place
    empty: bool

    @classmethod
    def at(cls, text: str, place: Place, *, empty: bool = False) -> Scalar:
        scalar = cls(text)
        scalar.place = place
        scalar.empty = empty
        return scalar


class Items(list["Node"]):
    """A list and where it starts."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


class Entries(dict[str, "Node"]):
    """A mapping, where it starts, and where each of its keys stands."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.key_places: dict[str, Place] = {}


Node = Scalar | Items | Entries


@dataclass
class _Composer:
    """Builds the tree out of parser events; keeps going after every mistake that leaves the structure clear."""

    file: str
    events: Iterator[Event]
    errors: list[ScenarioError] = field(default_factory=list)
    nodes: int = 0
    depth: int = 0

    def document(self) -> Node:
        """The one document of the stream; raises ScenarioErrors where there is none or where a limit is passed."""
        event = self._next(StreamStartEvent)
        if isinstance(event, StreamEndEvent):
            raise _refusal(self.file, 1, 1, "the file is empty", "a scenario starts with 'scenario: its name'")
        if isinstance(event, DocumentStartEvent) and (event.version or event.tags):
            self._mistake(event, "", "directives are not used in scenarios", "remove the line that starts with %")
        root = self._node(next(self.events), "")
        event = self._next()
        if not isinstance(event, StreamEndEvent):
            self._mistake(event, "", "a second document starts here", "write each scenario in a file of its own")
        return root

    def _next(self, *skipped: type[Event]) -> Event:
        """The next event that says something: past ends of documents and the kinds named."""
        event = next(self.events)
        while isinstance(event, skipped) or type(event).__name__ == "DocumentEndEvent":
            event = next(self.events)
        return event

    def _mistake(self, event: Event, path: str, message: str, hint: str) -> None:
        place = _place(event, path)
        self.errors.append(ScenarioError(self.file, place.line, place.column, path, message, hint))

    def _stop(self, event: Event, path: str, message: str, hint: str) -> ScenarioErrors:
        """A mistake after which reading on makes no sense, with those found before it."""
        self._mistake(event, path, message, hint)
        return ScenarioErrors(self.errors)

    def _node(self, event: Event, path: str) -> Node:
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise self._stop(event, path, f"more than {NODES_MAX:,} values", "split the scenario")
        if isinstance(event, AliasEvent):
            self._mistake(event, path, "aliases are not used in scenarios", "write the value out")
            return Scalar.at("", _place(event, path))
        assert isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent), "the parser pairs its events"
        if event.anchor is not None:
            self._mistake(event, path, "anchors are not used in scenarios", f"remove &{event.anchor}")
        if event.tag is not None:
            self._mistake(event, path, "tags are not used in scenarios", f"remove {shown(_tag_as_written(event))}")
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self._stop(event, path, f"nested deeper than {DEPTH_MAX} levels", "")
        collection = self._items(event, path) if isinstance(event, SequenceStartEvent) else self._entries(event, path)
        self.depth -= 1
        return collection

    def _scalar(self, event: ScalarEvent, path: str) -> Scalar:
        found = _UNREADABLE.search(event.value)
        if found:
            self._mistake(event, path, f"the text holds the control character U+{ord(found[0]):04X}", "remove it")
        plain = event.style is None
        return Scalar.at(event.value, _place(event, path), empty=plain and not event.value)

    def _items(self, event: Event, path: str) -> Items:
        items = Items(_place(event, path))
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self._node(event, f"{path}[{len(items)}]"))
        return items

    def _entries(self, event: Event, path: str) -> Entries:
        entries = Entries(_place(event, path))
        while not isinstance(key_event := next(self.events), MappingEndEvent):
            key = self._node(key_event, path)
            value_event = next(self.events)
            if not isinstance(key, Scalar):
                self._mistake(key_event, path, "a key must be a word", "")
                self._node(value_event, path)
                continue
            # A Scalar hashes as its text; plain str keeps the positions out of what pydantic sees as keys.
            name = str(key)
            key_path = f"{path}.{name[:40]}" if path else name[:40]
            value = self._node(value_event, key_path)
            if isinstance(value, Scalar) and value.empty:
                # The parser places a value that was not written where it noticed so: lines below its key.
                value.place = _place(key_event, key_path)
            if name in entries:
                first = entries.key_places[name].line
                self._mistake(key_event, key_path, f"{shown(name)} is written twice", f"first in line {first}")
                continue
            entries[name] = value
            entries.key_places[name] = _place(key_event, key_path)
        return entries


def read_text(path: str) -> str:
    """The text of a regular file, or of standard input for ``-``: UTF-8, with or without a byte order mark.

    Raises ScenarioErrors for what cannot be read: a missing file, a directory, a device or a pipe (never opened, so
    that nothing blocks), more than SIZE_MAX_BYTES, other encodings, control characters.
    """
    content = _octets(path)
    if len(content) > SIZE_MAX_BYTES:
        raise _refusal(path, 0, 0, f"the file is larger than {SIZE_MAX_BYTES:,} bytes", "split the scenario")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(content[: error.start].decode("utf-8-sig"))
        byte = f"byte 0x{content[error.start]:02X}"
        raise _refusal(path, line, column, f"{byte} is not UTF-8", "save the file as UTF-8") from None
    found = _UNREADABLE.search(text)
    if found:
        line, column = _position(text[: found.start()])
        raise _refusal(path, line, column, f"control character U+{ord(found[0]):04X}", "remove it")
    return text


def compose(text: str, file: str) -> tuple[Node, tuple[ScenarioError, ...]]:
    """The tree of one YAML document, and the mistakes found that still left a tree.

    Raises ScenarioErrors for a text that has no tree: broken syntax, empty, too deep or too large.
    """
    yaml: Any = YAML(typ="safe", pure=True)
    composer = _Composer(file, yaml.parse(text))
    try:
        root = composer.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message, hint = _syntax(error)
        raise ScenarioErrors(
            [*composer.errors, ScenarioError(file, line, column, "", f"not valid YAML: {message}", hint)]
        ) from None
    except YAMLError as error:
        raise _refusal(file, 1, 1, f"not valid YAML: {str(error).splitlines()[0]}", "") from None
    except (ValueError, OverflowError):
        # ruamel lets chr() fail on its own, without a position.
        hint = r"such as \U00110000 in a text in double quotes"
        raise _refusal(file, 1, 1, "not valid YAML: an escape stands for no character", hint) from None
    return root, tuple(composer.errors)


def _octets(path: str) -> bytes:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read(SIZE_MAX_BYTES + 1)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise _refusal(path, 0, 0, "this is a directory", "name a scenario file in it")
        if not stat.S_ISREG(mode):
            raise _refusal(path, 0, 0, "this is not a regular file", "use - to read standard input")
        with open(path, "rb") as file:
            return file.read(SIZE_MAX_BYTES + 1)
    except FileNotFoundError:
        raise _refusal(path, 0, 0, "there is no such file", "") from None
    except OSError as error:
        raise _refusal(path, 0, 0, f"cannot be read: {error.strerror}", "") from None
    except ValueError:
        raise _refusal(shown(path), 0, 0, "this is not a file name", "") from None


def _syntax(error: MarkedYAMLError) -> tuple[str, str]:
    problem = " ".join(str(error.problem or error.context or "cannot be read").split())
    for said, message, hint in _SYNTAX:
        if said in problem:
            return message, hint
    return problem, " ".join(str(error.context).split()) if error.context and error.problem else ""


def _tag_as_written(event: ScalarEvent | SequenceStartEvent | MappingStartEvent) -> str:
    return str(event.tag).replace("tag:yaml.org,2002:", "!!", 1)


def _place(event: Event, path: str) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1, path)


def _position(before: str) -> tuple[int, int]:
    """Line and column, both from 1, of the character after this text."""
    lines = _LINE_END.split(before)
    return len(lines), len(lines[-1]) + 1


def _refusal(file: str, line: int, column: int, message: str, hint: str) -> ScenarioErrors:
    return ScenarioErrors([ScenarioError(file, line, column, "", message, hint)])
