"""Adversaries: strangers who connect, and those who sit in the middle of a line.

Rules owned here: they have what passed on the wire and no key. TABLE STRANGERS, what comes on a connection of their
own; TABLE ON_PATH, what becomes of a reply that they get hold of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

from pos_lab.sim.net import Lane, Network
from pos_lab.sim.weather import Fault
from protocol.codec import seal, unseal
from protocol.errors import ProtocolError
from protocol.fields import F
from protocol.message import Message

ROUTE: Final = "stranger"
PREFIX_BYTES: Final = 2
_NOISE: Final = (
    b"GET / HTTP/1.0\r\n\r\n",
    b"\x00\x00",
    b"\xff\xff" + bytes(100),
    b"\x00\x01",
    b"\x16\x03\x01\x02\x00\x01",
    bytes(64),
)


def replayed(frame: bytes, chance: Random) -> bytes:
    """The same bytes once more."""
    return frame


def forged(frame: bytes, chance: Random) -> bytes:
    """Another amount under the old MAC, or without one; the same bytes where they are no request for money."""

    def alter(message: Message) -> Message:
        if message.has(F.AMOUNT):
            message = message.with_fields({F.AMOUNT: f"{chance.randint(1, 9_999_999):012d}"})
        return message.without(F.MAC) if chance.random() < 0.3 else message

    return _altered(frame, alter)


def noise(frame: bytes, chance: Random) -> bytes:
    """What is no message."""
    return chance.choice((*_NOISE, chance.randbytes(chance.randint(1, 200)), frame[: len(frame) // 2]))


STRANGERS: Final[Mapping[str, Callable[[bytes, Random], bytes]]] = MappingProxyType(
    {"attack.replay": replayed, "attack.forged": forged, "attack.flood": noise}
)
"""Kind of fault -> what a stranger makes of a frame that passed."""


async def intrude(network: Network, address: tuple[str, int], data: bytes, lasts_s: float) -> None:
    """Connect, say ``data``, hear for a while what comes, and hang up."""
    host, port = address
    try:
        transport, _ = await asyncio.wait_for(network.connect(f"{ROUTE}.{host}", port, asyncio.Protocol), lasts_s)
    except OSError:  # nobody is at home, or answers (TimeoutError is one)
        return
    transport.write(data)
    await asyncio.sleep(lasts_s)
    transport.close()


def _approve(lane: Lane, data: bytes) -> None:
    """A refusal becomes an approval, its MAC stays."""
    lane.send(_altered(data, lambda message: message.with_fields({F.RESPONSE_CODE: "00"})))


def _strip(lane: Lane, data: bytes) -> None:
    lane.send(_altered(data, lambda message: message.without(F.MAC)))


def _previous(lane: Lane, data: bytes) -> None:
    """The answer to the question before comes instead."""
    lane.send(lane.previous or data)


ON_PATH: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "attack.approved": Fault("A08 C5", "a refusal is changed into an approval", _approve),
        "attack.stripped": Fault("A04", "a reply loses its MAC", _strip),
        "attack.previous": Fault("H18", "the reply to the question before comes instead", _previous),
    }
)


def _altered(frame: bytes, alter: Callable[[Message], Message]) -> bytes:
    """A frame with another message in it, its MAC field as it stood; as it was where it holds none."""
    try:
        payload = seal(alter(unseal(frame[PREFIX_BYTES:]).message))
    except ProtocolError:
        return frame
    return len(payload).to_bytes(PREFIX_BYTES, "big") + payload
