"""Serial lines in virtual time: two ends, a baud rate, and what happens to bytes on a cable.

Rules owned here: a byte takes its ten bits of time; what is written while nobody has the other end open is lost, and
nobody is told; a line is one connection at a time at each end. TABLE FAULTS: what may happen to one write, and the rows
of the fault catalogue that it stands for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Final

from pos_lab.sim.net import Network
from pos_lab.sim.weather import MAC_BLOCK
from protocol.errors import EndpointInUse
from protocol.transport import Endpoint, Listener
from protocol.transport.line import LineTransport
from protocol.transport.listener import Refused
from protocol.transport.schemes import SCHEMES, Scheme

BITS_PER_BYTE: Final = 10
STUCK_S: Final = (1.0, 60.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of FAULTS: what a cable makes of the bytes of one write."""

    rows: str
    english: str
    damage: Callable[[bytearray, Random], bytes]


class Uarts:
    """The cables of a world, by device path; ``network`` lends its rates, its chance and its tap.

    Gives itself to the loop: endpoints with the scheme ``serial`` are opened here.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.stuck: set[str] = set()
        self._cables: dict[str, _Cable] = {}
        network.loop.schemes = {**SCHEMES, "serial": Scheme(self.connect, self.serve)}

    async def connect(self, endpoint: Endpoint, factory: Callable[[], Any]) -> tuple[UartTransport, Any]:
        """Open the terminal's end; EndpointInUse where it is open."""
        end = self._open(endpoint, factory, is_client=True)
        return end, end.get_protocol()

    async def serve(self, endpoint: Endpoint, factory: Callable[[], asyncio.Protocol], refused: Refused) -> Listener:
        """Open the host's end, which is the connection; EndpointInUse where it is open."""
        end = self._open(endpoint, factory, is_client=False)

        async def close() -> None:
            end.close()

        return Listener(endpoint.url, endpoint.address, close)

    def unplug_host(self) -> None:
        """The host is dead: its ends say nothing any more."""
        for cable in self._cables.values():
            if (end := cable.ends[False]) is not None:
                end.die()

    def _open(self, endpoint: Endpoint, factory: Callable[[], Any], *, is_client: bool) -> UartTransport:
        cable = self._cables.setdefault(
            endpoint.address, _Cable(self, endpoint.address.rpartition("/")[2], float(endpoint.options["baud"]))
        )
        if cable.ends[is_client] is not None:
            raise EndpointInUse(f"{endpoint.url!r} is in use", url=endpoint.url, hint="somebody has this end open")
        end = cable.ends[is_client] = UartTransport(cable, factory(), is_client=is_client)
        end.start()
        return end


class UartTransport(LineTransport):
    """One end of a cable, open."""

    def __init__(self, cable: _Cable, protocol: asyncio.Protocol, *, is_client: bool) -> None:
        super().__init__(cable.network.loop, protocol, {"peername": cable.route})
        self.is_client = is_client
        self.route = cable.route
        self._cable = cable
        self._waiting: deque[bytes] = deque()

    def arrive(self, data: bytes) -> None:
        """Bytes have come."""
        self._waiting.append(data)
        self._watch()

    def die(self) -> None:
        """The machine is gone: no callback of this end runs any more."""
        self._protocol = asyncio.Protocol()
        self._lose(None)

    def _flush(self) -> None:
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            self._cable.network.tap(self, data)
            self._cable.carry(self.is_client, data)
            self._drained()

    def _watch(self) -> None:
        while self._waiting and self._reading and not self._closing:
            self._deliver(self._waiting.popleft())

    def _release(self, error: Exception | None) -> None:
        self._cable.ends[self.is_client] = None
        self._loop.call_soon(self._finish, error)


class _Cable:
    """Both directions, each in order."""

    def __init__(self, uarts: Uarts, route: str, baud: float) -> None:
        self.network = uarts.network
        self.route = route
        self.ends: dict[bool, UartTransport | None] = {True: None, False: None}
        self._byte_s = BITS_PER_BYTE / baud
        self._chance = self.network.draws(route)
        self._free_at = {True: 0.0, False: 0.0}
        self._on_wire: dict[bool, deque[bytes]] = {True: deque(), False: deque()}

    def carry(self, from_client: bool, data: bytes) -> None:
        """Let one write pass; a fault may damage it."""
        network, chance, later_s = self.network, self._chance, 0.0
        if self.route in network.cut_off:
            return
        for kind, rate in network.rates.items():
            if kind in FAULTS and chance.random() < rate and network.happens(kind, self.route):
                data = FAULTS[kind].damage(bytearray(data), chance)
                break
            if kind == STUCK and chance.random() < rate and network.happens(kind, self.route):
                later_s = chance.uniform(*STUCK_S)
                break
        begins = max(network.loop.time() + later_s, self._free_at[from_client])
        cut = chance.randint(0, len(data))
        for part in filter(None, (data[:cut], data[cut:])):
            begins += len(part) * self._byte_s
            self._on_wire[from_client].append(part)
            network.loop.call_at(begins, self._arrive, from_client)
        self._free_at[from_client] = begins

    def _arrive(self, from_client: bool) -> None:
        data, reader = self._on_wire[from_client].popleft(), self.ends[not from_client]
        if reader is not None:
            reader.arrive(data)


def _flipped(data: bytearray, chance: Random) -> bytes:
    begins = chance.randrange(len(data))
    for _ in range(chance.randint(1, 3)):
        data[min(begins + chance.randrange(MAC_BLOCK), len(data) - 1)] ^= 1 << chance.randrange(8)
    return bytes(data)


def _lost(data: bytearray, chance: Random) -> bytes:
    del data[chance.randrange(len(data))]
    return bytes(data)


def _inserted(data: bytearray, chance: Random) -> bytes:
    data.insert(chance.randrange(len(data)), chance.randrange(256))
    return bytes(data)


def _broken(data: bytearray, chance: Random) -> bytes:
    """A break: the line is held low for some bytes."""
    at = chance.randrange(len(data))
    data[at : at + chance.randint(1, 20)] = bytes(chance.randint(1, 20))
    return bytes(data)


def _swapped(data: bytearray, chance: Random) -> bytes:
    """Two bytes change places: their exclusive or, and with it the LRC, stays the same."""
    one = chance.randrange(len(data))
    other = min(one + chance.randint(1, MAC_BLOCK - 1), len(data) - 1)
    data[one], data[other] = data[other], data[one]
    return bytes(data)


def _cut(data: bytearray, chance: Random) -> bytes:
    return bytes(data[: chance.randrange(len(data))])


def _without_lrc(data: bytearray, chance: Random) -> bytes:
    return bytes(data[:-1])


def _gone(data: bytearray, chance: Random) -> bytes:
    return b""


def _garbled(data: bytearray, chance: Random) -> bytes:
    """As at another baud rate: as many bytes, none of them sent."""
    return chance.randbytes(max(1, len(data) // 2))


STUCK: Final = "uart.stuck"
FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "uart.flipped": Fault("U01 U09", "bits are flipped on the cable", _flipped),
        "uart.lost_byte": Fault("U02", "a byte is lost", _lost),
        "uart.inserted": Fault("U03", "a byte comes that nobody sent", _inserted),
        "uart.break": Fault("U04", "the line is held low", _broken),
        "uart.garbled": Fault("U05", "the other end listens at another rate", _garbled),
        "uart.without_lrc": Fault("U06", "the last byte of a write is lost", _without_lrc),
        "uart.swapped": Fault("U07", "two bytes change places, which no LRC shows", _swapped),
        "uart.gone": Fault("U08", "a write is lost, be it an ACK", _gone),
        "uart.cut": Fault("U12", "the cable is pulled inside a frame", _cut),
    }
)
"""STUCK, flow control that lets nothing through for a while (U13), delays a write and damages nothing."""
