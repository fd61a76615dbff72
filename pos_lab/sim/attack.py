"""Adversaries: strangers who connect, and those who sit in the middle of a line.

Rules owned here: they have what passed on the wire and no key. TABLE STRANGERS, what comes on a connection of their
own; TABLE ON_PATH, what becomes of a reply that they get hold of.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Final

from pos_lab.sim.net import Lane, Network
from pos_lab.sim.weather import MAC_BLOCK, Fault
from protocol.codec import seal, unseal
from protocol.crypto.signing import SIGNATURE_BYTES
from protocol.errors import ProtocolError
from protocol.fields import F
from protocol.message import Message
from protocol.private import pack_tags, unpack_tags

ROUTE: Final = "stranger"
PREFIX_BYTES: Final = 2
COMMAND: Final = b'"counter":'
"""What every command has in it."""
FETCH: Final = "910"
"""60.3 of what fetches commands."""
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


def _http(frame: bytes, chance: Random) -> bytes:
    return b"GET / HTTP/1.0\r\n\r\n"


def _hello(frame: bytes, chance: Random) -> bytes:
    """A TLS client on a plain port."""
    return b"\x16\x03\x01\x02\x00\x01" + chance.randbytes(64)


def _lying(frame: bytes, chance: Random) -> bytes:
    """A length that the frame does not have."""
    told = chance.choice((0, 1, 65_535, len(frame), len(frame) - 3))
    return told.to_bytes(PREFIX_BYTES, "big") + frame[PREFIX_BYTES:]


def _half(frame: bytes, chance: Random) -> bytes:
    return frame[: chance.randrange(len(frame))]


def _silent(frame: bytes, chance: Random) -> bytes:
    return b""


def _mangled(frame: bytes, chance: Random) -> bytes:
    """A message with bytes that no field may have, its length as it should be."""
    payload = bytearray(frame[PREFIX_BYTES:])
    begins = chance.randrange(len(payload))
    for _ in range(chance.randint(1, 6)):  # within a block, where the MAC must see it
        payload[min(begins + chance.randrange(MAC_BLOCK), len(payload) - 1)] = chance.randrange(256)
    return len(payload).to_bytes(PREFIX_BYTES, "big") + bytes(payload)


def _guessed(frame: bytes, chance: Random) -> bytes:
    """Many tries at a MAC."""

    def guess(message: Message) -> Message:
        return message.with_fields({F.MAC: chance.randbytes(8)}) if message.has(F.MAC) else message

    return b"".join(_altered(frame, guess) for _ in range(chance.randint(2, 20)))


def _renamed(frame: bytes, chance: Random) -> bytes:
    """The same under another terminal's name."""
    return _altered(frame, lambda message: message.with_fields({F.TERMINAL_ID: f"{chance.randrange(10**8):08d}"}))


def _rekeyed(frame: bytes, chance: Random) -> bytes:
    """A sign-on in another's name, which carries no MAC by design."""
    return _altered(frame, lambda message: message.with_fields({F.STAN: f"{chance.randint(1, 999_999):06d}"}))


def _twice(frame: bytes, chance: Random) -> bytes:
    return frame * chance.randint(2, 5)


@dataclass(frozen=True, slots=True)
class Stranger:
    """A row of STRANGERS: rows of the catalogue, what happens in words, and what a stranger makes of a frame.

    It comes on so many ``connections`` at once, and lets ``gap_s`` pass between two bytes.
    """

    rows: str
    english: str
    make: Callable[[bytes, Random], bytes]
    connections: int = 1
    gap_s: float = 0.0


STRANGERS: Final[Mapping[str, Stranger]] = MappingProxyType(
    {
        "attack.replay": Stranger("N10 A02 A16", "a request that passed is sent again by a stranger", replayed),
        "attack.replays": Stranger("N10 N03", "it is sent again several times in one breath", _twice),
        "attack.forged": Stranger("A01 A04", "a stranger sends a request that it changed", forged),
        "attack.flood": Stranger("N18 N19 N30", "a stranger sends what is no message", noise),
        "attack.http": Stranger("N30", "a browser looks in", _http),
        "attack.tls_hello": Stranger("N30", "somebody speaks TLS on a plain port", _hello),
        "attack.lengths": Stranger("N19", "the length of a frame is a lie", _lying),
        "attack.half_frame": Stranger("N17", "half a frame comes, and nothing more", _half),
        "attack.slow_loris": Stranger("N17", "a frame comes by a byte every ten seconds", replayed, gap_s=10.0),
        "attack.silent": Stranger("N18", "many connect and say nothing", _silent, connections=12),
        "attack.mangled": Stranger("X01", "a message has bytes that no field may have", _mangled),
        "attack.guesses": Stranger("A03", "somebody guesses MACs", _guessed),
        "attack.renamed": Stranger("A07", "a request comes in another terminal's name", _renamed),
        "attack.rekeyed": Stranger("A02 A07", "a request comes under another STAN", _rekeyed),
    }
)
"""Kind of fault -> what a stranger does with a frame that passed."""


async def intrude(
    network: Network, address: tuple[str, int], data: bytes, lasts_s: float, *, gap_s: float = 0.0
) -> None:
    """Connect, say ``data``, hear for a while what comes, and hang up."""
    host, port = address
    try:
        transport, _ = await asyncio.wait_for(network.connect(f"{ROUTE}.{host}", port, asyncio.Protocol), lasts_s)
    except OSError:  # nobody is at home, or answers (TimeoutError is one)
        return
    if gap_s:
        for at in range(min(len(data), int(lasts_s / gap_s))):
            transport.write(data[at : at + 1])
            await asyncio.sleep(gap_s)
    else:
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


def _other_command(lane: Lane, data: bytes) -> None:
    """Another command comes than was fetched: one that was changed, an old one, or one for another device."""

    def alter(message: Message) -> Message:
        document = _command_in(message)
        if document is None:
            return message
        known = lane.network.documents
        choices = [*known, *(_changed(each, lane.chance) for each in known)]
        if not choices:
            return message
        told = unpack_tags(message.octets(F.PAYLOAD), field=F.PAYLOAD) if message.has(F.PAYLOAD) else {}
        other = told | {"CM": lane.chance.choice(choices)}  # and whatever proof came with the one that was fetched
        return message.with_fields({F.PAYLOAD: pack_tags(other.items())})

    lane.send(_altered(data, alter))


def remember(network: Network, data: bytes) -> None:
    """Whoever sits on a line keeps the commands that pass."""
    try:
        document = _command_in(unseal(data[PREFIX_BYTES:]).message)
    except ProtocolError:
        return
    if document and document not in network.documents:
        network.documents.append(document)


def _command_in(message: Message) -> bytes | None:
    """The command in the answer to a fetch, empty where there is none; None in any other message."""
    if (message.mti, message.text(F.CONTROL)[8:11], message.text(F.RESPONSE_CODE)) != ("0810", FETCH, "00"):
        return None
    try:
        return unpack_tags(message.octets(F.PAYLOAD), field=F.PAYLOAD).get("CM", b"")
    except ProtocolError:
        return None


def _changed(document: bytes, chance: Random) -> bytes:
    """The counter of a command is raised, its signature stays."""
    stated, signature = document[:-SIGNATURE_BYTES], document[-SIGNATURE_BYTES:]
    raised = re.sub(rb'"counter":[0-9]+', b'"counter":%d' % chance.randint(50, 99), stated)
    return raised + signature


ON_PATH: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "attack.command": Fault("A01 A02", "another command comes than was fetched", _other_command),
        "attack.approved": Fault("A08", "a refusal is changed into an approval", _approve),
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
