"""TABLE MUTATIONS: how bytes go wrong, with or without knowing where their fields stand.

A mutation takes chance, a sample and another payload, and gives bytes; where it needs a field and there is none it
gives the payload as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

from pos_lab.fuzz.grammar import Sample, Span

Mutation = Callable[[Random, Sample, bytes], bytes]
INSERTED_MAX: Final = 40
HEAVY_AT: Final = 0.02
"""How often bytes are put in by the thousand."""

_EDGES: Final = (0x00, 0x01, 0x1A, 0x7F, 0x80, 0x82, 0x84, 0x88, 0x99, 0x9A, 0xA0, 0xFF, 0x2D, 0x2B, 0x20)


def mutate(chance: Random, sample: Sample, other: bytes) -> bytes:
    """One mutation, or on a few occasions several on top of each other."""
    data = chance.choice(_ALL)(chance, sample, other)
    while chance.random() < 0.2:
        data = chance.choice(_BLIND)(chance, Sample(data), other)
    return data


def _flip(chance: Random, sample: Sample, other: bytes) -> bytes:
    return _with(
        sample.payload, at := _any(chance, sample.payload), bytes([_at(sample.payload, at) ^ 1 << chance.randrange(8)])
    )


def _edge(chance: Random, sample: Sample, other: bytes) -> bytes:
    return _with(sample.payload, _any(chance, sample.payload), bytes([chance.choice(_EDGES)]))


def _nibble(chance: Random, sample: Sample, other: bytes) -> bytes:
    at = _any(chance, sample.payload)
    byte, letter = _at(sample.payload, at), chance.randint(10, 15)
    return _with(
        sample.payload, at, bytes([byte & 0xF0 | letter if chance.random() < 0.5 else byte & 0x0F | letter << 4])
    )


def _insert(chance: Random, sample: Sample, other: bytes) -> bytes:
    at = _any(chance, sample.payload)
    many = 9_000 if chance.random() < HEAVY_AT else chance.randint(1, INSERTED_MAX)
    return sample.payload[:at] + chance.randbytes(many) + sample.payload[at:]


def _delete(chance: Random, sample: Sample, other: bytes) -> bytes:
    at = _any(chance, sample.payload)
    return sample.payload[:at] + sample.payload[at + chance.randint(1, 4) :]


def _truncate(chance: Random, sample: Sample, other: bytes) -> bytes:
    return sample.payload[: _any(chance, sample.payload)]


def _splice(chance: Random, sample: Sample, other: bytes) -> bytes:
    return sample.payload[: _any(chance, sample.payload)] + other[_any(chance, other) :]


def _repeat(chance: Random, sample: Sample, other: bytes) -> bytes:
    start, end = sorted((_any(chance, sample.payload), _any(chance, sample.payload)))
    return sample.payload[:end] + sample.payload[start:]


def _noise(chance: Random, sample: Sample, other: bytes) -> bytes:
    return chance.randbytes(chance.randint(0, 200))


def _bitmap(chance: Random, sample: Sample, other: bytes) -> bytes:
    start, end = sample.bitmap
    if start == end:
        return sample.payload
    return _with(
        sample.payload, at := chance.randrange(start, end), bytes([sample.payload[at] ^ 1 << chance.randrange(8)])
    )


def _length(chance: Random, sample: Sample, other: bytes) -> bytes:
    """Another length before a value: one off, an edge, ASCII where BCD is due, any."""
    spans = [span for span in sample.spans if span.value > span.start]
    if not spans:
        return sample.payload
    span = chance.choice(spans)
    size = span.value - span.start
    most = int(256**size)
    stated = int.from_bytes(sample.payload[span.start : span.value], "big")
    new = chance.choice((stated + 1, stated - 1, stated // 2, 2 * stated, 0, most - 1, chance.getrandbits(8 * size)))
    return sample.payload[: span.start] + (new % most).to_bytes(size, "big") + sample.payload[span.value :]


def _content(chance: Random, sample: Sample, other: bytes) -> bytes:
    """Other bytes of the same number in a field."""
    span = _span(chance, sample)
    size = span.end - span.value
    filled = chance.choice((chance.randbytes(size), bytes([chance.choice(_EDGES)]) * size))
    return sample.payload[: span.value] + filled + sample.payload[span.end :]


def _drop(chance: Random, sample: Sample, other: bytes) -> bytes:
    """A field that the bitmap names and that is not there."""
    span = _span(chance, sample)
    return sample.payload[: span.start] + sample.payload[span.end :]


def _double(chance: Random, sample: Sample, other: bytes) -> bytes:
    """A field that is there twice, or in the place of another."""
    one, two = _span(chance, sample), _span(chance, sample)
    return sample.payload[: two.start] + sample.payload[one.start : one.end] + sample.payload[two.start :]


MUTATIONS: Final[Mapping[str, Mutation]] = MappingProxyType(
    {
        "flip a bit": _flip,
        "set an edge": _edge,
        "letter in a nibble": _nibble,
        "insert": _insert,
        "delete": _delete,
        "truncate": _truncate,
        "splice": _splice,
        "repeat": _repeat,
        "noise": _noise,
        "bit of the bitmap": _bitmap,
        "length": _length,
        "content": _content,
        "drop a field": _drop,
        "double a field": _double,
    }
)
_ALL: Final = tuple(MUTATIONS.values())
_BLIND: Final = (_flip, _edge, _nibble, _insert, _delete, _truncate, _splice, _repeat)


def _any(chance: Random, data: bytes) -> int:
    return chance.randrange(len(data)) if data else 0


def _at(data: bytes, at: int) -> int:
    return data[at] if data else 0


def _with(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _span(chance: Random, sample: Sample) -> Span:
    size = len(sample.payload)
    return chance.choice(sample.spans) if sample.spans else Span(0, size // 2, size // 2, size)
