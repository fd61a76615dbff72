"""BER-TLV as chip cards use it: tags and values that keep their order and their duplicates (EMV Book 3 B).

Rules owned here: one spelling only, so that ``encode(decode(data)) == data`` or ``data`` is refused; lengths in one
byte, in 81 or in 82, always the shortest; no indefinite length; limits on tag length and depth; nothing is allocated by
a claimed length. 00 and FF bytes between or after the objects are refused unless a ``Padding`` admits them; then they
are no objects and are dropped. Every refusal is a DecodeError with the offset in ``data``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Final

from protocol.errors import DecodeError, EncodeError

TAG_BYTES_MAX: Final = 4
VALUE_BYTES_MAX: Final = 0xFFFF
DEPTH_MAX: Final = 8
_CONSTRUCTED: Final = 0x20
_MORE_TAG: Final = 0x1F
_CONTINUED: Final = 0x80
_ONE_LENGTH_BYTE: Final = 0x81
_TWO_LENGTH_BYTES: Final = 0x82
_FILLERS: Final = (0x00, 0xFF)


class Padding(Enum):
    """Which bytes that are no object are dropped."""

    NONE = "none: they are refused"
    ZEROS = "00 before, between and after objects (EMV Book 3 B)"
    TRAILING = "00 or FF from the last object to the end"


@dataclass(frozen=True, slots=True)
class Node:
    """One object: its tag as a number (0x9F26), and its bytes or the objects in it."""

    tag: int
    value: bytes | tuple[Node, ...] = field(default=b"", repr=False)

    @property
    def octets(self) -> bytes:
        """The value as it stands in the object."""
        return self.value if isinstance(self.value, bytes) else encode(self.value)

    @property
    def children(self) -> tuple[Node, ...]:
        """The objects in this one, none for plain bytes."""
        return () if isinstance(self.value, bytes) else self.value


def decode(data: bytes, *, padding: Padding = Padding.NONE, flat: bool = False) -> tuple[Node, ...]:
    """Return the objects of ``data`` in their order; ``flat`` leaves constructed ones unopened, as receipts want it.

    Raises DecodeError "tlv_tag", "tlv_length", "tlv_end", "tlv_depth", "tlv_padding", with the offset in ``data``.
    """
    end = len(data)
    if padding is Padding.TRAILING and data and data[-1] in _FILLERS:
        end = len(data.rstrip(data[-1:]))
    return _Reader(data, padding, flat, trailing_from=end).nodes(0, len(data), DEPTH_MAX)


def encode(nodes: Iterable[Node]) -> bytes:
    """Return the bytes of ``nodes``.

    Raises EncodeError on a tag that is not spelt as one, on children in a tag for bytes, on a value over 65535 bytes.
    """
    spelt: list[bytes] = []
    for node in nodes:
        octets = node.octets
        spelt += (_spell_tag(node), _spell_length(len(octets)), octets)
    return b"".join(spelt)


def walk(nodes: Iterable[Node]) -> Iterator[Node]:
    """Every object, each before the ones in it."""
    for node in nodes:
        yield node
        yield from walk(node.children)


def value_of(nodes: Iterable[Node], tag: int) -> bytes:
    """Return the bytes of the one object ``tag`` at the top level; raises DecodeError "tlv_missing" or "tlv_twice"."""
    found = [node.octets for node in nodes if node.tag == tag]
    if len(found) != 1:
        what, code = ("is missing", "tlv_missing") if not found else ("stands there twice", "tlv_twice")
        raise DecodeError(f"tag {tag:02X} {what}", code=code)
    return found[0]


def decode_dol(data: bytes) -> tuple[tuple[int, int], ...]:
    """Return the tags and lengths in bytes of a data object list (EMV Book 3, 5.4); raises DecodeError."""
    reader, at, found = _Reader(data), 0, []
    while at < len(data):
        tag, after = reader.tag(at, len(data))
        if after == len(data):
            raise DecodeError(f"tag {tag:02X} has no length", offset=after, code="tlv_end")
        found.append((tag, data[after]))
        at = after + 1
    return tuple(found)


class _Reader:
    """Reads one run of bytes; every position is an offset in it."""

    def __init__(
        self, data: bytes, padding: Padding = Padding.NONE, flat: bool = False, trailing_from: int = 0
    ) -> None:
        self._data = data
        self._padding = padding
        self._flat = flat
        self._trailing_from = trailing_from

    def nodes(self, at: int, end: int, depth: int) -> tuple[Node, ...]:
        found = []
        while at < end:
            if self._padding is Padding.ZEROS and not self._data[at]:
                at += 1
                continue
            if self._padding is Padding.TRAILING and depth == DEPTH_MAX and at >= self._trailing_from:
                break
            tag, value_at = self.tag(at, end)
            length, value_at = self._length(value_at, end)
            if length > end - value_at:
                raise DecodeError(
                    f"tag {tag:02X} claims {length} bytes, {end - value_at} are left", offset=value_at, code="tlv_end"
                )
            after = value_at + length
            if self._data[at] & _CONSTRUCTED and not self._flat:
                if not depth:
                    raise DecodeError(f"objects within objects over {DEPTH_MAX} deep", offset=at, code="tlv_depth")
                found.append(Node(tag, self.nodes(value_at, after, depth - 1)))
            else:
                found.append(Node(tag, self._data[value_at:after]))
            at = after
        return tuple(found)

    def tag(self, at: int, end: int) -> tuple[int, int]:
        """The tag at ``at`` and where it ends."""
        after = at + 1
        if self._data[at] & _MORE_TAG == _MORE_TAG:
            while True:
                if after == end:
                    raise DecodeError("a tag without an end", offset=after, code="tlv_end")
                if after - at == TAG_BYTES_MAX:
                    raise DecodeError(f"a tag longer than {TAG_BYTES_MAX} bytes", offset=at, code="tlv_tag")
                after += 1
                if not self._data[after - 1] & _CONTINUED:
                    break
        elif self._data[at] == 0:
            raise DecodeError("00 is no tag", offset=at, hint="padding? Then admit it by name", code="tlv_padding")
        return int.from_bytes(self._data[at:after], "big"), after

    def _length(self, at: int, end: int) -> tuple[int, int]:
        """The length at ``at`` and where its bytes end."""
        if at == end:
            raise DecodeError("a tag without a length", offset=at, code="tlv_end")
        first = self._data[at]
        if first < _CONTINUED:
            return first, at + 1
        if first not in (_ONE_LENGTH_BYTE, _TWO_LENGTH_BYTES):
            what = "an indefinite length" if first == _CONTINUED else f"a length that begins with {first:02X}"
            raise DecodeError(what, offset=at, hint="one byte up to 7F, or 81 or 82 before it", code="tlv_length")
        after = at + 1 + first - _CONTINUED
        if after > end:
            raise DecodeError("a length without an end", offset=end, code="tlv_end")
        length = int.from_bytes(self._data[at + 1 : after], "big")
        if self._data[at:after] != _spell_length(length):
            raise DecodeError(f"{length} as a length has a shorter spelling", offset=at, code="tlv_length")
        return length, after


def _spell_tag(node: Node) -> bytes:
    spelt = _spelt(node.tag)
    if node.children and not spelt[0] & _CONSTRUCTED:
        raise EncodeError(f"tag {node.tag:02X} holds bytes, not objects")
    return spelt


@lru_cache(maxsize=1024)
def _spelt(tag: int) -> bytes:
    if not 0 < tag < 1 << 8 * TAG_BYTES_MAX:
        raise EncodeError("a tag has one to four bytes")
    spelt = tag.to_bytes((tag.bit_length() + 7) // 8, "big")
    try:
        ends = _Reader(spelt).tag(0, len(spelt))[1]
    except DecodeError:
        ends = 0
    if ends != len(spelt):
        raise EncodeError(f"{tag:02X} is not spelt as a tag")
    return spelt


def _spell_length(length: int) -> bytes:
    if length < _CONTINUED:
        return bytes((length,))
    if length <= 0xFF:
        return bytes((_ONE_LENGTH_BYTE, length))
    if length <= VALUE_BYTES_MAX:
        return bytes((_TWO_LENGTH_BYTES,)) + length.to_bytes(2, "big")
    raise EncodeError(f"a value of {length} bytes", hint=f"up to {VALUE_BYTES_MAX}")
