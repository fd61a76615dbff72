"""A faulty line in real time: terminals of this process reach a host of somebody's own through simulated weather.

Rules owned here: what a terminal opens is a line of the simulated network; at its far end each connection goes on over
a real one, as the host's URL says. The loop is asyncio's own, and so is time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final, cast

from pos_lab.sim.loop import SimLoop
from pos_lab.sim.net import Happens, Network, Tap
from protocol.errors import TransportError
from protocol.transport import Endpoint
from protocol.transport.schemes import SCHEMES, Scheme

FAR: Final = ("host", 8583)
"""Where the simulated network ends."""


class WeatherLoop(asyncio.SelectorEventLoop):
    """Real time and real sockets; what is opened as ``tcp`` is a line of ``network``."""

    network: Network | None = None

    def __init__(self) -> None:
        super().__init__()
        self.schemes: Mapping[str, Scheme] = {**SCHEMES, "tcp": SCHEMES["tcp"]._replace(connect=self._over_network)}

    async def _over_network(self, endpoint: Endpoint, factory: Callable[[], Any]) -> tuple[asyncio.Transport, Any]:
        assert self.network is not None
        try:
            return await self.network.connect(endpoint.host, endpoint.port, factory)
        except OSError as error:
            raise TransportError(f"cannot connect to {endpoint.url!r}", url=endpoint.url, hint=str(error)) from error


def faulty_line(
    loop: WeatherLoop,
    url: str,
    chance: Callable[[str], Random],
    *,
    reply_timeout_s: float,
    happens: Happens,
    tap: Tap,
) -> Network:
    """The network between terminals and the host at ``url``; the URL for a terminal is ``line_url``'s."""
    network = Network(cast("SimLoop", loop), chance, reply_timeout_s=reply_timeout_s, happens=happens, tap=tap)
    endpoint = Endpoint.parse(url)
    network.listen(*FAR, lambda: _Gateway(endpoint))
    return network


def line_url(name: str, url: str) -> str:
    """What a terminal of this name opens to get to the host at ``url``; framed as the host's."""
    framing = Endpoint.parse(url).options["framing"]
    return f"tcp://{name}.{FAR[0]}:{FAR[1]}?framing={framing}"


async def reach(url: str) -> None:
    """Connect once, without weather. Raises TransportError."""
    endpoint = Endpoint.parse(url)
    transport, _ = await SCHEMES[endpoint.scheme].connect(endpoint, asyncio.Protocol)
    transport.close()


class _Gateway(asyncio.Protocol):
    """The far end of one line, and the real connection behind it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._waiting = bytearray()
        self._near: asyncio.Transport | None = None
        self._far: asyncio.Transport | None = None
        self._dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Go on to the host."""
        self._near = cast("asyncio.Transport", transport)
        self._dialling = asyncio.ensure_future(self._dial())

    def data_received(self, data: bytes) -> None:
        """A terminal says something."""
        if self._far is None:
            self._waiting += data
        elif not self._far.is_closing():
            self._far.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone, and so is what was behind it."""
        self._near = None
        if self._far:
            self._far.close()

    def answer(self, data: bytes) -> None:
        """The host says something."""
        if self._near and not self._near.is_closing():
            self._near.write(data)

    def hang_up(self) -> None:
        """The host has gone."""
        if self._near:
            self._near.close()

    async def _dial(self) -> None:
        try:
            far, _ = await SCHEMES[self._endpoint.scheme].connect(self._endpoint, lambda: _Far(self))
        except TransportError:
            if self._near:
                self._near.abort()
            return
        self._far = far
        if self._near is None:
            far.close()
        elif self._waiting:
            far.write(bytes(self._waiting))


class _Far(asyncio.Protocol):
    """The real connection to the host."""

    def __init__(self, gateway: _Gateway) -> None:
        self._gateway = gateway

    def data_received(self, data: bytes) -> None:
        """The host says something."""
        self._gateway.answer(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The host has hung up."""
        self._gateway.hang_up()
