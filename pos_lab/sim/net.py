"""The network in virtual time: byte pipes between names, with the weather that a world gives them.

Rules owned here: bytes of one direction arrive in the order of writing, whatever delays them, and a connection that is
closed still delivers what it was given, so that an old one may speak after a new one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Final, Protocol

from pos_lab.sim.loop import SimLoop
from pos_lab.sim.weather import CONNECTING, FAULTS, Fault, wait_in_vain
from protocol.transport.line import LineTransport

WINDOW_BYTES: Final = 64 * 1024
"""How much may be under way in one direction before its writer has to wait."""
LATENCY_S: Final = (0.005, 0.080)
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Writing(Protocol):
    """An end that writes: which route, and whether it is the terminal's."""

    route: str
    is_client: bool

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As transports have it: "peername" is the name of the line."""


Tap = Callable[[Writing, bytes], None]
"""Sees every write as it leaves its end."""
Happens = Callable[[str, str], bool]
"""(kind of fault, route) -> whether it may happen: who runs the world counts it, and can forbid it."""


def _always(kind: str, route: str) -> bool:
    return True


def _unseen(writer: Writing, data: bytes) -> None:
    """Nobody watches."""


class Network:
    """Listeners by address and port, and the ways to them. ``reply_timeout_s`` is where late deliveries aim at.

    ``rates``: kind of fault to its share of writes, or of connections for those of CONNECTING. A host name may have a
    route in front of it, ``route.host``: the rates of chance are drawn by route.
    """

    def __init__(
        self,
        loop: SimLoop,
        chance: Callable[[str], Random],
        *,
        reply_timeout_s: float = 30.0,
        happens: Happens = _always,
        tap: Tap = _unseen,
        faults: Mapping[str, Fault] = NOTHING,
    ) -> None:
        self.loop = loop
        self.rates: Mapping[str, float] = NOTHING
        self.reply_timeout_s = reply_timeout_s
        self.happens = happens
        self.tap = tap
        self.faults = {**FAULTS, **faults}
        self.cut_off: set[str] = set()
        self.documents: list[bytes] = []
        self.connections: dict[SimTransport, None] = {}
        self._chance = chance
        self._streams: dict[str, Random] = {}
        self._listening: dict[tuple[str, int], Callable[[], asyncio.BaseProtocol]] = {}
        self._next_port = 49_152
        loop.network = self

    def draws(self, route: str) -> Random:
        """The chance of one route."""
        if route not in self._streams:
            self._streams[route] = self._chance(f"net.{route}")
        return self._streams[route]

    async def connect(
        self, host: str, port: int, factory: Callable[[], asyncio.BaseProtocol]
    ) -> tuple[SimTransport, Any]:
        """A connection to whoever listens there. Raises OSError; a lost packet leaves the caller to its timeout."""
        route, _, rest = host.rpartition(".")
        route, target = (route or host), (rest if route else host)
        chance = self.draws(route)
        await asyncio.sleep(chance.uniform(*LATENCY_S))
        for kind in CONNECTING:
            if kind in self.rates and chance.random() < self.rates[kind] and self.happens(kind, route):
                await CONNECTING[kind].happen()
        if route in self.cut_off:
            await wait_in_vain()
        serving = self._listening.get((target, port))
        if serving is None:
            raise ConnectionRefusedError(f"nobody listens on {target}:{port}")
        near = SimTransport(self, factory(), route, f"{target}:{port}")
        far = SimTransport(self, serving(), route, f"{route}:{self._next_port}")
        self._next_port += 1
        near.join(far)
        far.start()
        near.start()
        return near, near.get_protocol()

    def listen(self, host: str, port: int, factory: Callable[[], asyncio.BaseProtocol]) -> SimServer:
        """Listen; port 0 is a free one. OSError where somebody does already."""
        if not port:
            port, self._next_port = self._next_port, self._next_port + 1
        if (host, port) in self._listening:
            raise OSError(98, f"{host}:{port} is in use")
        self._listening[host, port] = factory
        return SimServer(self, host, port)

    def unlisten(self, host: str, port: int) -> None:
        """Nobody listens there any more."""
        self._listening.pop((host, port), None)

    def reap(self) -> None:
        """The network is whole again: whoever still has an end of a dead connection hears that it is gone."""
        for transport in [one for one in self.connections if one.is_dead]:
            transport.reset()

    def sever(self, *, only: Callable[[SimTransport], bool], reset: bool) -> None:
        """The end of connections whose owner died: its peers hear a reset, or nothing ever again."""
        for transport in [one for one in self.connections if only(one)]:
            transport.die(reset=reset)


class SimServer(asyncio.AbstractServer):
    """What ``create_server`` returns."""

    def __init__(self, network: Network, host: str, port: int) -> None:
        self._network = network
        self._address = (host, port)

    @property
    def sockets(self) -> tuple[_Named, ...]:
        """One that knows its name."""
        return (_Named(self._address),)

    def close(self) -> None:
        """Accept nobody any more."""
        self._network.unlisten(*self._address)

    def is_serving(self) -> bool:
        """Does it listen?"""
        return self._address in self._network._listening

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it was made on."""
        return self._network.loop

    async def start_serving(self) -> None:
        """It serves from the beginning."""

    async def serve_forever(self) -> None:
        """Serve until cancelled."""
        try:
            await wait_in_vain()
        finally:
            self.close()

    async def wait_closed(self) -> None:
        """Its connections are their owners'."""


@dataclass(frozen=True, slots=True)
class _Named:
    address: tuple[str, int]

    def getsockname(self) -> tuple[str, int]:
        """Host and port."""
        return self.address


class SimTransport(LineTransport):
    """One end of a connection over a ``route``."""

    _start_tls_compatible = True
    peer: SimTransport

    def __init__(self, network: Network, protocol: asyncio.BaseProtocol, route: str, peer_name: str) -> None:
        super().__init__(network.loop, protocol, {"peername": peer_name, "sockname": route})  # type: ignore[arg-type]
        self.network = network
        self.route = route
        self.last_write_at = 0.0
        self._aborted = False
        self._eof_told = False
        self._waiting: deque[bytes] = deque()
        network.connections[self] = None

    def join(self, peer: SimTransport) -> None:
        """Be the two ends of one connection; this one is the client's."""
        self.peer, peer.peer = peer, self
        self.is_client, peer.is_client = True, False
        self._lane, peer._lane = Lane(self, peer), Lane(peer, self)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol  # type: ignore[assignment]

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._closing:
            self._lane.end()

    def abort(self) -> None:
        self._aborted = True
        super().abort()

    def die(self, *, reset: bool) -> None:
        """The machine is gone: no callback of this end runs any more."""
        self._protocol = _Nobody()
        self._aborted = reset
        if not reset:
            self.silence()
        self._lose(None)

    @property
    def is_dead(self) -> bool:
        """Does nothing arrive any more in one of the directions?"""
        return self._lane.dead or self.peer._lane.dead

    def silence(self) -> None:
        """Nothing arrives any more, in either direction, and nobody is told."""
        self._lane.dead = self.peer._lane.dead = True

    def _force_close(self, error: Exception | None) -> None:
        """What asyncio's TLS calls where a handshake fails."""
        self._lose(error)

    def arrive(self, data: bytes) -> None:
        """Bytes come out of the pipe."""
        if self._closing:
            self.peer.reset()
        elif self._reading and not self._waiting:
            self._deliver(data)
        else:
            self._waiting.append(data)

    def arrive_end(self) -> None:
        """The peer will not write any more."""
        if not self._closing and not self._eof_told:
            self._eof_told = True
            if not self._protocol.eof_received():
                self.close()

    def reset(self) -> None:
        """The peer is gone, and says so."""
        if not self._closing:
            self._lose(ConnectionResetError("the peer reset the connection"))

    def _deliver(self, data: bytes) -> None:
        protocol: asyncio.BaseProtocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            super()._deliver(data)
            return
        rest = memoryview(data)  # what speaks TLS takes its bytes by buffers
        while rest and not self._closing:
            room = memoryview(protocol.get_buffer(len(rest)))
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            protocol.buffer_updated(count)
            rest = rest[count:]

    def _flush(self) -> None:
        if self._buffer and self._lane.bytes_under_way < WINDOW_BYTES:
            data = bytes(self._buffer)
            self._buffer.clear()
            self.last_write_at = self.network.loop.time()
            self.network.tap(self, data)
            self._lane.carry(data)
            self._drained()

    def _watch(self) -> None:
        while self._waiting and self._reading and not self._closing:
            self._deliver(self._waiting.popleft())

    def _release(self, error: Exception | None) -> None:
        self.network.connections.pop(self, None)
        if self._aborted:
            self._lane.reset()
        elif error is None:
            self._lane.end()
        self._loop.call_soon(self._finish, error)


class _Nobody(asyncio.Protocol):
    """Stands where a dead machine's protocol stood."""


class Lane:
    """One direction of a connection; ``previous`` is the write before the one that is carried."""

    def __init__(self, writer: SimTransport, reader: SimTransport) -> None:
        self.writer, self.reader = writer, reader
        self.network = writer.network
        self.chance = self.network.draws(writer.route)
        self.dead = False
        self.bytes_under_way = 0
        self.bits_per_s = 0.0
        self.previous = b""
        self._free_at = 0.0
        self._under_way: deque[tuple[Callable[..., None], tuple[bytes, ...]]] = deque()

    def carry(self, data: bytes) -> None:
        """Take one write; a fault may take it first."""
        network = self.network
        for kind, rate in network.rates.items():
            if kind in network.faults and self.chance.random() < rate and network.happens(kind, self.writer.route):
                network.faults[kind].strike(self, data)
                break
        else:
            self.send(data)
        self.previous = data

    def send(self, data: bytes, *, later_s: float = 0.0, at: float | None = None) -> None:
        """Let ``data`` arrive after the latency and ``later_s``, or at the instant ``at``; never before what went."""
        if self.dead or self.writer.route in self.network.cut_off:
            return
        self.bytes_under_way += len(data)
        self._schedule(self._arrive, data, later_s=later_s, at=at, size=len(data))

    def end(self) -> None:
        """Nothing follows."""
        if not self.dead:
            self._schedule(self.reader.arrive_end)

    def fall_silent(self) -> None:
        """What went arrives, and nothing behind it."""
        self._schedule(self._die)

    def reset(self) -> None:
        """The connection is reset."""
        if not self.dead:
            self._schedule(self.reader.reset)

    def _schedule(
        self, step: Callable[..., None], *args: bytes, later_s: float = 0.0, at: float | None = None, size: int = 0
    ) -> None:
        loop = self.network.loop
        arrives = loop.time() + self.chance.uniform(*LATENCY_S) + later_s if at is None else at
        if self.bits_per_s:
            arrives += size * 8 / self.bits_per_s
        self._free_at = max(arrives, self._free_at)
        self._under_way.append((step, args))
        loop.call_at(self._free_at, self._next)

    def _next(self) -> None:
        """What is due arrives; of what is due at one instant, what was written first."""
        step, args = self._under_way.popleft()
        if not self.dead:
            step(*args)

    def _die(self) -> None:
        self.dead = True

    def _arrive(self, data: bytes) -> None:
        self.bytes_under_way -= len(data)
        self.reader.arrive(data)
        self.writer._flush()
