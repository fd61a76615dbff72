"""The shell on the wire: accept, deframe, hand to the acquirer, reply after the commit.

A connection that cannot be framed is closed with one log line; a half frame has a deadline; a connection that asks
faster than the store commits has REQUESTS_IN_FLIGHT at most in the store, and is read no further until it has caught
up; what a stranger can cause again and again is logged sparingly. The other connections never notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from concurrent.futures import Future
from typing import Final

from host.acquirer import Acquirer, Answer
from host.errors import HostError
from host.sparing import Sparing
from protocol.errors import FrameError, ProtocolError, TransportError
from protocol.framing import UNANSWERED
from protocol.header import without_lri
from protocol.transport import Endpoint, Listener, serve
from protocol.transport.link import Link

log = logging.getLogger("poslab.host")
FRAME_DEADLINE_S: Final = 30.0
UNREADABLE_MAX: Final = 3
REQUESTS_IN_FLIGHT: Final = 64
CONNECTIONS: Final = 10_000
RECONNECTING: Final = frozenset({"tcp", "tls", "memory"})


class HostConnection(asyncio.Protocol):
    """One line to one terminal. Replies leave in the order of their requests."""

    def __init__(self, acquirer: Acquirer, endpoint: Endpoint, connections: set[HostConnection]) -> None:
        self._acquirer = acquirer
        self._endpoint = endpoint
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._unasked: deque[bytes] = deque()
        self._waiting: deque[tuple[bytes, Future[Answer]]] = deque()
        self._transport: asyncio.Transport | None = None
        self._link: Link | None = None
        self._peer = "?"
        self._unreadable = 0
        self._noise = 0
        self._noises = Sparing(log.warning, self._loop.time)
        self._drops = Sparing(log.info, self._loop.time)
        self._is_hinted = False
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
            log.warning("%s ended inside a frame%s", self._peer, self._hint())
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
            if answer.payload:
                log.info("%s %s", self._peer, answer.line)
                self._unreadable = 0
                if self._link:
                    self._link.send(answer.payload)
            else:
                self._drop(answer.line)
        self._ask()
        self._heed()
        if self._transport is None and not self._waiting:
            self._drops.end()

    def _drop(self, line: str) -> None:
        """Nobody is answered; who goes on so is let go, unless the line is fixed."""
        self._drops.tell(f"{self._peer} {line}")
        self._unreadable += 1
        if self._unreadable >= UNREADABLE_MAX:
            if not self._is_fixed:
                self._give_up(f"{self._unreadable} messages on end that are no requests")
            self._unreadable = 0

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
        self._noise = self._unreadable = 0
        self._link = Link(transport, self._endpoint.framer(FRAME_DEADLINE_S), self._accept, self._unframed)

    def _end(self) -> None:
        self._transport = None
        if self._link:
            self._link.close()
            self._link = None
        self._noises.end()
        self._drops.end()

    def _accept(self, payloads: list[bytes]) -> None:
        self._unasked.extend(payloads)
        self._ask()
        self._tell_noise()
        self._heed()

    def _ask(self) -> None:
        """Submit what has come, no more than REQUESTS_IN_FLIGHT ahead of the answers; after the line is gone too."""
        while self._unasked and len(self._waiting) < REQUESTS_IN_FLIGHT:
            payload = without_lri(self._unasked.popleft())
            future = self._acquirer.submit(payload)
            self._waiting.append((payload, future))
            future.add_done_callback(self._committed)

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
            self._noise = noise
            line = f"{self._peer} noise: {framer.garbled} frames garbled, {framer.skipped} bytes outside frames"
            if hint := self._hint():
                log.warning("%s%s", line, hint)
            else:
                self._noises.tell(line)

    def _hint(self) -> str:
        """What the bytes of the peer look like, once a connection."""
        if self._link is None or self._is_hinted or not (hint := self._link.framer.hint):
            return ""
        self._is_hinted = True
        return f" ({hint})"

    def _heed(self) -> None:
        """Read on only while the terminal takes its replies and the store keeps up with it."""
        if self._transport is None:
            return
        if self._ended and not self._waiting:
            self._transport.close()
        elif not self._writable or len(self._waiting) >= REQUESTS_IN_FLIGHT:
            self._transport.pause_reading()
        elif len(self._waiting) <= REQUESTS_IN_FLIGHT // 2 and not self._ended:
            self._transport.resume_reading()

    def _unframed(self, error: FrameError) -> None:
        """A lost reply is told; a stream without frames ends its connection, and a fixed line begins afresh."""
        if error.code == UNANSWERED:
            log.warning("%s %s", self._peer, error)
        elif self._transport and self._link and self._is_fixed:
            self._noises.tell(f"{self._peer} begins afresh: {error}")
            self._link.close()
            self._begin(self._transport)
        else:
            self._give_up(str(error))

    def _give_up(self, why: str) -> None:
        log.warning("%s closed: %s", self._peer, why)
        self._unasked.clear()
        self._waiting.clear()
        if self._transport:
            self._transport.abort()
        self._end()


class Server:
    """The host on its endpoints; made inside the event loop."""

    def __init__(self, acquirer: Acquirer) -> None:
        self._acquirer = acquirer
        clock = asyncio.get_running_loop().time
        self._refusals: defaultdict[str, Sparing] = defaultdict(lambda: Sparing(log.warning, clock))
        self._connections: set[HostConnection] = set()
        self._listeners: list[Listener] = []

    async def listen(self, url: str) -> str:
        """Serve an endpoint; returns its real URL. Raises TransportError, EndpointInUse among it."""
        endpoint = Endpoint.parse(url)
        listener = await serve(url, lambda: HostConnection(self._acquirer, endpoint, self._connections), self._refused)
        self._listeners.append(listener)
        return listener.url

    async def close(self) -> None:
        """Stop listening and let every terminal go."""
        for listener in self._listeners:
            await listener.close()
        for connection in tuple(self._connections):
            connection.close()
        for refusals in self._refusals.values():
            refusals.end()

    def _refused(self, error: TransportError) -> None:
        """A peer was not let in; each reason is told for itself, so that a scanner hides no terminal."""
        self._refusals[error.code].tell(f"refused {error.message}")
