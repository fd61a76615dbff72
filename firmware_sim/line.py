"""The line to the host: payloads out, payloads in, over any transport.

Rules owned here: nothing is sent or taken without power, and a cut tears the connection down; a half frame on a line
that loses no bytes has FRAME_DEADLINE_S to become whole, on a slow network a frame's time more; ``on_traffic`` sees
what the terminal says and what reaches it, with the armed faults of the line in between; the network is dialled before
the host is called, and carries every byte (``firmware_sim.network``); TABLE CARRIERS, which hardware a URL needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from firmware_sim.errors import LineDown, LineSilent
from firmware_sim.faults import Faults, Place
from firmware_sim.inbox import Inbox
from firmware_sim.network import NETWORKS, Network, OneWay
from firmware_sim.power import Cause, Power, Powered
from protocol.errors import FrameError, TransportError
from protocol.framing import MAX_PAYLOAD, UNANSWERED, Framer
from protocol.transport import Endpoint, connect
from protocol.transport.link import Link

FRAME_DEADLINE_S = 10.0

CARRIERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "tcp": frozenset({"tcp"}),
        "tls": frozenset({"tls"}),
        "serial": frozenset({"serial", "bluetooth"}),
        "pty": frozenset({"serial", "bluetooth"}),
    }
)
"""Scheme of the URL -> the links of a model that carry it; the laboratory's own scheme needs none."""
LINKS: Final = frozenset().union(*CARRIERS.values())


class Direction(Enum):
    """Which way a payload goes, seen from the terminal."""

    SENT = "sent"
    RECEIVED = "received"


Traffic = Callable[[Direction, bytes], None]


class Line(Powered):
    """One connection at a time to the endpoint ``url``; a payload is TPDU, header and body without a frame."""

    def __init__(
        self,
        power: Power,
        faults: Faults,
        url: str,
        on_traffic: Traffic,
        *,
        links: frozenset[str] = LINKS,
        network: Callable[[], Network] = lambda: NETWORKS["direct"],
    ) -> None:
        super().__init__(power)
        self._links = links
        self._network = network
        self._faults = faults
        self._endpoint = Endpoint.parse(url)
        self._on_traffic = on_traffic
        self._wire: _Wire | None = None
        self._has_failed = False

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that nobody has ended."""
        self._check()
        return self._wire is not None and self._wire.is_open

    @property
    def is_working(self) -> bool:
        """Whether the last try to connect succeeded, if there was any."""
        self._check()
        return not self._has_failed

    @property
    def network(self) -> Network:
        """What the line is connected to now."""
        self._check()
        return self._network()

    async def open(self, timeout_s: float | None = None) -> None:
        """Dial and connect, if there is no connection; raises PowerLost, LineDown, whose code says why.

        ``timeout_s`` is for the host to answer; a network takes the time that it takes to dial.
        """
        if self.is_open:
            return
        carriers = CARRIERS.get(self._endpoint.scheme)
        if carriers is not None and not carriers & self._links:
            needed, has = " or ".join(sorted(carriers)), ", ".join(sorted(self._links))
            raise LineDown(
                f"this model has no {needed} for {self._endpoint.url!r}", hint=f"its links: {has}", code="no_link"
            )
        self._has_failed = True
        await self._dial()
        inbox: Inbox[bytes] = Inbox(self._power)
        try:
            async with asyncio.timeout(timeout_s):
                _, wire = await connect(self._endpoint.url, lambda: self._new_wire(inbox))
        except TransportError as error:
            raise LineDown(error.message, hint=error.hint, code=error.code) from error
        except TimeoutError as error:
            raise LineDown(f"{self._endpoint.url!r} does not answer") from error
        if not self._power.is_alive(self._epoch):
            wire.abort()
        self._check()
        self._power.on_cut(wire.abort)
        self._wire = wire
        self._has_failed = False

    async def send(self, payload: bytes) -> None:
        """Send ``payload`` in a frame; raises LineDown, PowerLost, and FrameError when no frame can carry it."""
        wire = self._connected()
        if not self._network().signal:
            self.close()
            raise LineDown("there is no signal", hint="look at the antenna and the cable", code="no_signal")
        with self._power.act(self._epoch, "line.send"):
            if self._faults.fires("power.brown_out"):
                self._power.cut(Cause.BROWN_OUT)
                self._check()
            self._on_traffic(Direction.SENT, payload)
            self._check()
            self._faults.carry(Place.REQUEST, payload, wire.send)
            if self._faults.fires("line.breaks"):
                wire.lose()
            await asyncio.sleep(0)  # the bytes leave in a turn of the loop, in which the power may go
        self._check()

    async def receive(self, timeout_s: float) -> bytes:
        """Return the next payload from the host; raises LineSilent after ``timeout_s``, LineDown, PowerLost."""
        try:
            return await self._connected().inbox.take(timeout_s)
        except TimeoutError as error:
            self._check()
            raise LineSilent(f"no reply in {timeout_s:g} s") from error

    def close(self) -> None:
        """End the connection, if there is one; raises PowerLost."""
        self._check()
        if self._wire is not None:
            self._power.forget(self._wire.abort)
            self._wire.close()
            self._wire = None

    async def _dial(self) -> None:
        network = self._network()
        if not network.signal or self._faults.fires("line.no_signal"):
            raise LineDown("there is no signal", hint="look at the antenna and the cable", code="no_signal")
        if self._faults.fires("line.busy"):
            raise LineDown("the line is busy", hint="dial again later", code="busy")
        if network.dial_s:
            await asyncio.sleep(network.dial_s)
            self._check()
        if self._faults.fires("line.no_carrier"):
            raise LineDown("there is no carrier", hint="look at the cable", code="no_carrier")

    def _new_wire(self, inbox: Inbox[bytes]) -> _Wire:
        bandwidth_bps = self._network().bandwidth_bps
        slowness_s = MAX_PAYLOAD * 8 / bandwidth_bps if bandwidth_bps else 0.0
        framer = self._endpoint.framer(FRAME_DEADLINE_S + slowness_s)
        return _Wire(framer, inbox, self._from_wire, self._network)

    def _connected(self) -> _Wire:
        self._check()
        if self._wire is None:
            raise LineDown("the line is not open")
        return self._wire

    def _from_wire(self, inbox: Inbox[bytes], payload: bytes) -> None:
        self._faults.carry(Place.REPLY, payload, lambda reply: self._arrive(inbox, reply))

    def _arrive(self, inbox: Inbox[bytes], payload: bytes) -> None:
        if self._power.is_alive(self._epoch):
            self._on_traffic(Direction.RECEIVED, payload)
        if self._power.is_alive(self._epoch):
            inbox.put(payload)


class _Wire(asyncio.Protocol):
    """One connection: bytes to payloads and back."""

    def __init__(
        self,
        framer: Framer,
        inbox: Inbox[bytes],
        on_payload: Callable[[Inbox[bytes], bytes], None],
        network: Callable[[], Network],
    ) -> None:
        self.inbox = inbox
        self.is_open = False
        self._framer = framer
        self._on_payload = on_payload
        self._network = network

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._to_host = OneWay(self._network, self._leave)
        self._from_host = OneWay(self._network, self._reach)
        self._link = Link(_Outlet(transport, self._to_host), self._framer, self._take, self._fail)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self.is_open:
            self._from_host.put(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._from_host.flush()  # it was sent before the end
            self._end("the host ended the connection")
        elif isinstance(exc, TransportError):
            self._end(exc.message, exc.code)
        else:
            self._end(f"the connection broke: {exc}")

    def send(self, payload: bytes) -> None:
        if not self.is_open:
            raise LineDown("the connection has ended")
        self._link.send(payload)

    def close(self) -> None:
        self._end("the line was closed")
        self._transport.close()

    def abort(self) -> None:
        self._end("the power went")
        self._transport.abort()

    def lose(self) -> None:
        """Hear nothing any more; what was sent still leaves."""
        self._to_host.flush()
        self._end("the line broke")
        asyncio.get_running_loop().call_soon(self._transport.abort)

    def _leave(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _reach(self, data: bytes) -> None:
        if self.is_open:
            self._link.feed(data)

    def _take(self, payloads: list[bytes]) -> None:
        for payload in payloads:
            self._on_payload(self.inbox, payload)
        if payloads:
            self._link.feed(b"")

    def _fail(self, error: FrameError) -> None:
        """The framer cannot go on, or the host answers nothing: the connection ends."""
        self._end(str(error) if error.code == UNANSWERED else f"the host does not speak our framing: {error}")
        self._transport.close()

    def _end(self, reason: str, code: str = "") -> None:
        if not self.is_open:
            return
        self.is_open = False
        self._link.close()
        self._to_host.stop()
        self._from_host.stop()
        self.inbox.end(LineDown(reason, code=code))


class _Outlet(asyncio.WriteTransport):
    """Where a link writes: into the network, as long as the transport behind it is open."""

    def __init__(self, transport: asyncio.Transport, way: OneWay) -> None:
        super().__init__()
        self._transport = transport
        self._way = way

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._way.put(bytes(data))

    def is_closing(self) -> bool:
        return self._transport.is_closing()
