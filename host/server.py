"""The shell on the wire: accept, deframe, hand to the acquirer, reply after the commit.

A connection that cannot be framed is closed with one log line; a half frame has a deadline; a connection that asks
faster than the store commits has REQUESTS_IN_FLIGHT at most in the store, and is read no further until it has caught
up; one that says nothing for longer than the policy lets it is closed; what a stranger can cause again and again is
logged sparingly. The other connections never notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from typing import Final

from host.acquirer import Acquirer, Answer
from host.errors import CommitUnknown, HostError
from host.sparing import Sparing
from host.store.groups import Job
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
IDLE_LOOK_S: Final = 60.0
"""At least so often a line is looked at, so that a shorter time of the policy is heeded."""
RECONNECTING: Final = frozenset({"tcp", "tls", "memory"})


class Rounds:
    """Brings together what many connections have to ask, and what is to be told them, so that loop and store wake each
    other once a round and not once a message.
    """

    def __init__(self, acquirer: Acquirer) -> None:
        self._acquirer = acquirer
        self._loop = asyncio.get_running_loop()
        self._asking: dict[HostConnection, None] = {}
        self._answered: deque[HostConnection] = deque()
        self._is_woken = False

    def ask(self, connection: HostConnection) -> None:
        """A connection has requests; they are submitted once every connection that is readable now was read."""
        if not self._asking:
            self._loop.call_soon(self._submit)
        self._asking[connection] = None

    def answered(self, connection: HostConnection) -> None:
        """A request was decided; may be called from any thread."""
        self._answered.append(connection)
        if not self._is_woken and not self._loop.is_closed():
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._reply)

    def _submit(self) -> None:
        asking, self._asking = self._asking, {}
        with self._acquirer.store.gathering():
            for connection in asking:
                connection.submit()

    def _reply(self) -> None:
        self._is_woken = False  # before the first look: whoever comes after it wakes the loop again
        for _ in range(len(self._answered)):
            self._answered.popleft().reply()


class HostConnection(asyncio.Protocol):
    """One line to one terminal. Replies leave in the order of their requests."""

    def __init__(
        self, acquirer: Acquirer, endpoint: Endpoint, connections: set[HostConnection], rounds: Rounds
    ) -> None:
        self._acquirer = acquirer
        self._endpoint = endpoint
        self._connections = connections
        self._rounds = rounds
        self._loop = asyncio.get_running_loop()
        self._unasked: deque[bytes] = deque()
        self._waiting: deque[tuple[bytes, float, Job]] = deque()
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
        self._slow: asyncio.TimerHandle | None = None
        self._active_s = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A terminal has come."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername") or "serial line"
        self._peer = str(peer)
        self._line = self._acquirer.line(str(peer[0]) if isinstance(peer, tuple) else str(peer))
        if len(self._connections) >= CONNECTIONS:
            self._give_up(f"{CONNECTIONS} connections are open already")
            return
        self._connections.add(self)
        self._acquirer.tally.connections = len(self._connections)
        self._begin(transport)
        self._active_s = self._loop.time()
        self._look_idle()

    def data_received(self, data: bytes) -> None:
        """Bytes have come, split and merged as they please."""
        self._active_s = self._loop.time()
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
        return self._pending > 0

    def connection_lost(self, error: Exception | None) -> None:
        """The line is gone; what was submitted is committed all the same."""
        self._connections.discard(self)
        self._acquirer.tally.connections = len(self._connections)
        if self._link and self._link.framer.waiting:
            log.warning("%s ended inside a frame%s", self._peer, self._hint())
        self._end()

    def close(self) -> None:
        """Let the terminal go."""
        if self._transport:
            self._transport.close()

    def reply(self) -> None:
        """Tell what was decided, as far as it is this connection's turn."""
        while self._waiting and self._is_due(*self._waiting[0][1:]):
            payload, came_s, job = self._waiting.popleft()
            answer = self._answer_of(payload, job)
            if answer is None:
                continue
            if answer.kind:
                took_s = self._loop.time() - came_s
                self._acquirer.tally.answered(answer.kind, answer.code, answer.reason, took_s)
            if answer.payload:
                if log.isEnabledFor(logging.INFO):
                    log.info("%s %s", self._peer, answer.line)
                self._unreadable = 0
                self._active_s = self._loop.time()
                if self._link:
                    self._link.send(answer.payload)
                if answer.ends:
                    self._dismiss()
            else:
                self._drop(answer.line)
        if self._unasked:
            self._rounds.ask(self)
        self._heed()
        if self._transport is None and not self._waiting:
            self._drops.end()

    def _dismiss(self) -> None:
        """The session ends once its last reply is out; what else it asked is not answered. A fixed line begins anew."""
        if self._is_fixed:
            self._line = self._acquirer.line(self._line.address)
        elif self._transport:
            self._unasked.clear()
            self._waiting.clear()
            self._transport.close()

    def _drop(self, line: str) -> None:
        """Nobody is answered; who goes on so is let go, unless the line is fixed."""
        self._acquirer.tally.dropped += 1
        self._drops.tell(f"{self._peer} {line}")
        self._unreadable += 1
        if self._unreadable >= UNREADABLE_MAX:
            if not self._is_fixed:
                self._give_up(f"{self._unreadable} messages on end that are no requests")
            self._unreadable = 0

    def _is_due(self, came_s: float, job: Job) -> bool:
        """Is an answer there, and has the partner that it came from taken its time?"""
        if not job.is_done:
            return False
        delay_s = 0.0 if job.error else job.result.delay_s
        if not delay_s or self._loop.time() >= came_s + delay_s:
            return True
        if self._slow is None:
            self._slow = self._loop.call_at(came_s + delay_s, self._overdue)
        return False

    def _overdue(self) -> None:
        self._slow = None
        self.reply()

    def _answer_of(self, payload: bytes, job: Job) -> Answer | None:
        """The answer; None where nobody knows whether it is durable: the terminal then asks or reverses (J6)."""
        error = job.error
        if error is None:
            answer: Answer = job.result
            return answer
        self._acquirer.tally.failures += 1
        if isinstance(error, CommitUnknown):
            log.error("%s is not answered: %s", self._peer, error)
            return None
        if isinstance(error, HostError | ProtocolError):
            log.error("%s %s", self._peer, error)
            failure = error if isinstance(error, HostError) else HostError(str(error))
            return self._acquirer.failure(payload, failure)
        # a defect of ours must not take the line, and must be seen
        log.error("%s a request could not be answered", self._peer, exc_info=error)
        return self._acquirer.failure(payload, HostError("internal error"))

    def _look_idle(self) -> None:
        """Close a line on which nothing comes any more: its peer may be gone without a word (faults N14).

        A fixed line belongs to nobody else, and one that waits for its own answers is not idle. The policy is asked
        again each time, so that a new rule counts for lines that are open.
        """
        idle_s = self._acquirer.policy.lines.idle_s
        if self._is_fixed or self._transport is None:
            return
        left_s = self._active_s + idle_s - self._loop.time() if idle_s else IDLE_LOOK_S
        if left_s <= 0 and not self._pending:
            self._acquirer.tally.idle += 1
            log.info("%s closed: nothing came for %d s", self._peer, idle_s)
            end = self._transport.abort if self._transport.get_write_buffer_size() else self._transport.close
            end()
            return
        self._watch = self._loop.call_later(min(max(left_s, 1.0), IDLE_LOOK_S), self._look_idle)

    def _begin(self, transport: asyncio.Transport) -> None:
        self._noise = self._unreadable = 0
        self._link = Link(transport, self._endpoint.framer(FRAME_DEADLINE_S), self._accept, self._unframed)

    def _end(self) -> None:
        self._transport = None
        for timer in (self._slow, self._watch):
            if timer:
                timer.cancel()
        self._slow = self._watch = None
        if self._link:
            self._link.close()
            self._link = None
        self._noises.end()
        self._drops.end()

    def _accept(self, payloads: list[bytes]) -> None:
        if payloads:
            self._unasked.extend(payloads)
            self._rounds.ask(self)
        self._tell_noise()
        self._heed()

    def submit(self) -> None:
        """Submit what has come, no more than REQUESTS_IN_FLIGHT ahead of the answers; after the line is gone too."""
        while self._unasked and len(self._waiting) < REQUESTS_IN_FLIGHT:
            payload = without_lri(self._unasked.popleft())
            self._waiting.append((payload, self._loop.time(), self._acquirer.ask(payload, self._line, self._told)))

    def _told(self, job: Job) -> None:
        """A request was decided; from any thread."""
        self._rounds.answered(self)

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

    @property
    def _pending(self) -> int:
        """Requests that have no answer yet."""
        return len(self._unasked) + len(self._waiting)

    def _heed(self) -> None:
        """Read on only while the terminal takes its replies and the store keeps up with it."""
        if self._transport is None:
            return
        if self._ended and not self._pending:
            self._transport.close()
        elif not self._writable or self._pending >= REQUESTS_IN_FLIGHT:
            self._transport.pause_reading()
        elif self._pending <= REQUESTS_IN_FLIGHT // 2 and not self._ended:
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
        self._rounds: Rounds | None = None

    async def listen(self, url: str) -> str:
        """Serve an endpoint; returns its real URL. Raises TransportError, EndpointInUse among it."""
        endpoint = Endpoint.parse(url)
        rounds = self._rounds = self._rounds or Rounds(self._acquirer)
        listener = await serve(
            url, lambda: HostConnection(self._acquirer, endpoint, self._connections, rounds), self._refused
        )
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
