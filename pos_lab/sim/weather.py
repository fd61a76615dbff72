"""What the weather of a network does to one write, or to one who connects.

Rules owned here: TABLES FAULTS and CONNECTING, each row with the rows of the fault catalogue that it stands for. A
write is a whole frame, as the links of this repository write; a network that loses or repeats bytes inside a connection
is a middle box, for TCP itself cannot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pos_lab.sim.net import Lane

MAC_BLOCK: Final = 8
"""The MAC of CUP 5.4 is made of the exclusive or of blocks of eight bytes: it does not see two flips, or bytes that
change places, a multiple of eight apart. Noise comes in a burst that is shorter."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of FAULTS: rows of the catalogue, what happens in words, and what does it to a lane."""

    rows: str
    english: str
    strike: Callable[[Lane, bytes], None]


def _lost(lane: Lane, data: bytes) -> None:
    """The write is lost; the connection lives."""


def _duplicated(lane: Lane, data: bytes) -> None:
    lane.send(data)
    lane.send(data, later_s=lane.chance.choice((0.0, 1.0, lane.chance.uniform(0, 60))))


def _at_timeout(lane: Lane, data: bytes) -> None:
    asked_at = lane.reader.last_write_at
    off_s = lane.chance.choice((-0.001, 0.0, 0.0, 0.001))
    at = asked_at + lane.network.reply_timeout_s + off_s
    lane.send(data, at=at if at > lane.network.loop.time() else None)


def _delayed(lane: Lane, data: bytes) -> None:
    lane.send(data, later_s=lane.chance.uniform(1, 3 * lane.network.reply_timeout_s))


def _held_back(lane: Lane, data: bytes) -> None:
    lane.send(data, later_s=lane.chance.uniform(300, 900))


def _flipped(lane: Lane, data: bytes) -> None:
    damaged, begins = bytearray(data), lane.chance.randrange(len(data))
    for _ in range(lane.chance.randint(1, 8)):
        at = min(begins + lane.chance.randrange(MAC_BLOCK), len(damaged) - 1)
        damaged[at] ^= 1 << lane.chance.randrange(8)
    lane.send(bytes(damaged))


def _part(lane: Lane, data: bytes) -> None:
    if part := data[: lane.chance.randrange(len(data))]:
        lane.send(part)


def _truncated_end(lane: Lane, data: bytes) -> None:
    _part(lane, data)
    lane.end()


def _truncated_reset(lane: Lane, data: bytes) -> None:
    _part(lane, data)
    _reset(lane, b"")


def _truncated_silence(lane: Lane, data: bytes) -> None:
    _part(lane, data)
    lane.fall_silent()


def _reset(lane: Lane, data: bytes) -> None:
    if data:
        lane.send(data)
    lane.reset()
    lane.reader._lane.reset()


def _half_open(lane: Lane, data: bytes) -> None:
    lane.writer.silence()


def _one_way(lane: Lane, data: bytes) -> None:
    lane.dead = True


def _half_closed(lane: Lane, data: bytes) -> None:
    lane.send(data)
    lane.end()


def _chunked(lane: Lane, data: bytes) -> None:
    for byte in data:
        lane.send(bytes((byte,)))


def _trickled(lane: Lane, data: bytes) -> None:
    gap_s = lane.chance.uniform(0.01, 0.5)
    for number, byte in enumerate(data):
        lane.send(bytes((byte,)), later_s=number * gap_s)


def _throttled(lane: Lane, data: bytes) -> None:
    lane.bits_per_s = lane.reader._lane.bits_per_s = 300.0
    lane.send(data)


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "net.lost": Fault("N01 N02 N07 N08", "a message is lost", _lost),
        "net.duplicated": Fault("N03 N04", "a message is delivered twice", _duplicated),
        "net.at_timeout": Fault("N05 H16", "a message comes at the very end of the timeout", _at_timeout),
        "net.delayed": Fault("N06 N09 N21", "a message comes late", _delayed),
        "net.held_back": Fault("N25 N10", "a middle box delivers minutes later", _held_back),
        "net.flipped": Fault("N11", "bits are flipped on the way", _flipped),
        "net.truncated_end": Fault("N12 N28", "a frame is cut short, then the connection ends", _truncated_end),
        "net.truncated_reset": Fault("N12", "a frame is cut short, then the connection is reset", _truncated_reset),
        "net.truncated_silence": Fault("N12", "a frame is cut short, then silence", _truncated_silence),
        "net.reset": Fault("N16 H15", "the connection is reset behind a message", _reset),
        "net.half_open": Fault("N14 N20", "the connection is dead and nobody is told", _half_open),
        "net.one_way": Fault("N23", "one direction is dead", _one_way),
        "net.half_closed": Fault("N15", "one direction ends behind a message", _half_closed),
        "net.chunked": Fault("N13", "a message comes byte by byte", _chunked),
        "net.trickled": Fault("N17", "a message trickles in", _trickled),
        "net.throttled": Fault("N24", "300 bits a second", _throttled),
    }
)


@dataclass(frozen=True, slots=True)
class Connecting:
    """A row of CONNECTING."""

    rows: str
    english: str
    happen: Callable[[], Any]


async def wait_in_vain() -> None:
    """Wait for what never comes, until somebody gives up."""
    await asyncio.get_running_loop().create_future()


async def _refuse() -> None:
    raise ConnectionRefusedError("the connection is refused")


CONNECTING: Final[Mapping[str, Connecting]] = MappingProxyType(
    {
        "net.refused": Connecting("N32", "a connection is refused", _refuse),
        "net.unanswered": Connecting("N14", "nobody answers who connects", wait_in_vain),
    }
)
