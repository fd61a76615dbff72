"""In-process connections: two transports joined back to back, met by name on one event loop.

Everything moves by ``loop.call_soon``, so a loop with virtual time and seeded order drives them as it drives the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from protocol.errors import EndpointInUse, TransportError
from protocol.transport.endpoint import Endpoint
from protocol.transport.line import HalfClosing
from protocol.transport.listener import Listener, Refused

P = TypeVar("P", bound=asyncio.Protocol)

CHUNK = 64 * 1024
"""Most bytes that one ``data_received`` carries."""

_listening: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Callable[[], asyncio.Protocol]]] = (
    WeakKeyDictionary()
)


class MemoryTransport(HalfClosing):
    """One end of a pair. Bytes wait in the writer's buffer until the peer reads; ``_move`` alone changes the peer."""

    _peer: MemoryTransport

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, name: str) -> None:
        super().__init__(loop, protocol, {"peername": name, "sockname": name})
        self._moving = False
        self._reset = False
        self._told = False

    def abort(self) -> None:
        self._reset = not self._lost
        super().abort()

    def _flush(self) -> None:
        if not self._moving:
            self._moving = True
            self._loop.call_soon(self._move)

    def _watch(self) -> None:
        self._peer._flush()

    def _move(self) -> None:
        self._moving = False
        peer = self._peer
        if peer._closing:
            if self._buffer and peer._lost and not self._closing:
                self._lose(BrokenPipeError("the peer is gone"))
            else:
                self._buffer.clear()
                self._drained()
        elif self._reset:
            peer._lose(ConnectionResetError("the peer aborted the connection"))
        elif not peer._reading:
            return
        elif self._buffer:
            data = bytes(self._buffer[:CHUNK])
            del self._buffer[: len(data)]
            peer._deliver(data)
            self._drained()
            self._flush()
        elif self._ended and not peer._told:
            peer._told = True
            if not peer._protocol.eof_received():
                peer.close()

    def _release(self, error: Exception | None) -> None:
        self._ended = True
        self._flush()
        self._loop.call_soon(self._finish, error)


async def connect(endpoint: Endpoint, factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """Meet whoever serves this name on the running loop; TransportError if nobody does."""
    loop = asyncio.get_running_loop()
    serving = _listening.get(loop, {}).get(endpoint.address)
    if serving is None:
        raise TransportError(
            f"nobody serves {endpoint.url!r}", url=endpoint.url, hint="serve the name first, on the same event loop"
        )
    near = MemoryTransport(loop, protocol := factory(), endpoint.address)
    far = MemoryTransport(loop, serving(), endpoint.address)
    near._peer, far._peer = far, near
    far.start()
    near.start()
    return near, protocol


async def serve(endpoint: Endpoint, factory: Callable[[], asyncio.Protocol], refused: Refused) -> Listener:
    """Answer to this name on the running loop; EndpointInUse if somebody does already."""
    names = _listening.setdefault(asyncio.get_running_loop(), {})
    if endpoint.address in names:
        raise EndpointInUse(f"{endpoint.url!r} is served already", url=endpoint.url, hint="choose another name")
    names[endpoint.address] = factory

    async def close() -> None:
        if names.get(endpoint.address) is factory:
            del names[endpoint.address]

    return Listener(endpoint.url, endpoint.address, close)
