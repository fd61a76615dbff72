"""The shell on the wire: accept, deframe, hand to the acquirer, reply after the commit.

A connection that cannot be framed is closed with one log line; a half frame has a deadline; a connection that asks
faster than the store commits is read no further until it has caught up. The other connections never notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures import Future
from typing import Final

from host.acquirer import Acquirer, Answer
from host.errors import HostError
from protocol.errors import FrameError, ProtocolError
from protocol.framing import UNANSWERED
from protocol.header import without_lri
from protocol.transport import Endpoint, Listener, serve
from protocol.transport.link import Link

log = logging.getLogger("poslab.host")
FRAME_DEADLINE_S: Final = 30.0
UNREADABLE_MAX: Final = 3
REQUESTS_IN_FLIGHT: Final = 64
CONNECTIONS: Final = 10_000
RECONNECTING: Final = frozenset({"tcp", "memory"})


class HostConnection(asyncio.Protocol):
    """One line to one terminal. Replies leave in the order of their requests."""

    def __init__(self, acquirer: Acquirer, endpoint: Endpoint, connections: set[HostConnection]) -> None:
        self._acquirer = acquirer
        self._endpoint = endpoint
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[bytes, Future[Answer]]] = deque()
        self._transport: asyncio.Transport | None = None
        self._link: Link | None = None
        self._peer = "?"
        self._unreadable = 0
        self._noise = 0
        self._writable = True
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A terminal has come."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peer = str(transport.get_extra_info("peername") or "serial line")
        if len(self._connections) >= CONNECTIONS:
            self._give_up(f"{CONNECTIONS} connections are open already")
            return
        self._connections.add(self)
        self._begin(transport)

    def data_received(self, data: bytes) -> None:
        """Bytes have come, split and merged as they please."""
        if self._link:
            self._link.feed(data)

    def pause_writing(self) -> None:
        """The terminal does not read its replies: neither are its requests read."""
        self._writable = False
        self._heed()

    def resume_writing(self) -> None:
        """It reads them again."""
        self._writable = True
        self._heed()

    def eof_received(self) -> bool:
        """The terminal will not ask any more; what it asked is answered first."""
        self._ended = True
        return bool(self._waiting)

    def connection_lost(self, error: Exception | None) -> None:
        """The line is gone; what was submitted is committed all the same."""
        self._connections.discard(self)
        if self._link and self._link.framer.waiting:
            log.warning("%s ended inside a frame", self._peer)
        self._end()

    def close(self) -> None:
        """Let the terminal go."""
        if self._transport:
            self._transport.close()

    def _committed(self, future: Future[Answer]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._reply)

    def _reply(self) -> None:
        while self._waiting and self._waiting[0][1].done():
            payload, future = self._waiting.popleft()
            answer = self._answer_of(payload, future)
            log.info("%s %s", self._peer, answer.line)
            self._unreadable = 0 if answer.payload else self._unreadable + 1
            if answer.payload and self._link:
                self._link.send(answer.payload)
        if self._unreadable >= UNREADABLE_MAX and not self._is_fixed:
            self._waiting.clear()
            self._give_up(f"{self._unreadable} messages on end that are no requests")
        self._heed()

    def _answer_of(self, payload: bytes, future: Future[Answer]) -> Answer:
        try:
            return future.result()
        except (HostError, ProtocolError) as error:
            log.error("%s %s", self._peer, error)
            failure = error if isinstance(error, HostError) else HostError(str(error))
            return self._acquirer.failure(payload, failure)
        except Exception:  # a defect of ours must not take the line, and must be seen
            log.exception("%s a request could not be answered", self._peer)
            return self._acquirer.failure(payload, HostError("internal error"))

    def _begin(self, transport: asyncio.Transport) -> None:
        self._noise = 0
        self._link = Link(transport, self._endpoint.framer(FRAME_DEADLINE_S), self._accept, self._unframed)

    def _end(self) -> None:
        self._transport = None
        if self._link:
            self._link.close()
            self._link = None

    def _accept(self, payloads: list[bytes]) -> None:
        for payload in map(without_lri, payloads):
            future = self._acquirer.submit(payload)
            self._waiting.append((payload, future))
            future.add_done_callback(self._committed)
        self._tell_noise()
        self._heed()

    @property
    def _is_fixed(self) -> bool:
        """A line that nobody hangs up: it must go on whatever came over it."""
        return self._endpoint.scheme not in RECONNECTING

    def _tell_noise(self) -> None:
        if self._link is None:
            return
        framer = self._link.framer
        noise = framer.garbled + framer.skipped
        if noise > self._noise:
            log.warning(
                "%s noise: %d frames garbled, %d bytes outside frames", self._peer, framer.garbled, framer.skipped
            )
        self._noise = noise

    def _heed(self) -> None:
        """Read on only while the terminal takes its replies and the store keeps up with it."""
        if self._transport is None:
            return
        if self._ended and not self._waiting:
            self._transport.close()
        elif not self._writable or len(self._waiting) > REQUESTS_IN_FLIGHT:
            self._transport.pause_reading()
        elif len(self._waiting) <= REQUESTS_IN_FLIGHT // 2 and not self._ended:
            self._transport.resume_reading()

    def _unframed(self, error: FrameError) -> None:
        """A lost reply is told; a stream without frames ends its connection, and a fixed line begins afresh."""
        if error.code == UNANSWERED:
            log.warning("%s %s", self._peer, error)
        elif self._transport and self._link and self._is_fixed:
            log.warning("%s begins afresh: %s", self._peer, error)
            self._link.close()
            self._begin(self._transport)
        else:
            self._give_up(str(error))

    def _give_up(self, why: str) -> None:
        log.warning("%s closed: %s", self._peer, why)
        if self._transport:
            self._transport.abort()
        self._end()


class Server:
    """The host on its endpoints."""

    def __init__(self, acquirer: Acquirer) -> None:
        self._acquirer = acquirer
        self._connections: set[HostConnection] = set()
        self._listeners: list[Listener] = []

    async def listen(self, url: str) -> str:
        """Serve an endpoint; returns its real URL. Raises TransportError, EndpointInUse among it."""
        endpoint = Endpoint.parse(url)
        listener = await serve(url, lambda: HostConnection(self._acquirer, endpoint, self._connections))
        self._listeners.append(listener)
        return listener.url

    async def close(self) -> None:
        """Stop listening and let every terminal go."""
        for listener in self._listeners:
            await listener.close()
        for connection in tuple(self._connections):
            connection.close()
