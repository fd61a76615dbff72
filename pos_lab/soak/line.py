"""The line between a terminal and its host, through this process: tapped, noisy, and held where somebody is to die.

Rules owned here: the witness hears of a payload before the other end does, of a reply before it is known whether it
will arrive; TABLE INSTANTS, where on the way of a request and its reply a process can be killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from pos_lab.soak.noise import Cable
from pos_lab.soak.witness import Witness
from protocol.errors import FrameError, TransportError
from protocol.framing import Framer, StxFramer
from protocol.transport import Endpoint, Listener, connect, serve

INSTANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "half_request": "half of the request has left the terminal",
        "request": "the request has left the terminal",
        "held_reply": "the reply has left the host and is lost",
        "half_reply": "half of the reply has left the host, and the rest is lost",
        "reply": "the reply has reached the terminal",
    }
)
"""Instant -> what has passed."""
_PASSES: Final = frozenset({"request", "reply"})
"""After these all of it has arrived; after the others what is left of it never does."""


class Plan:
    """Somebody is to die at an instant: ``reached`` is set when it has come, and nothing passes until ``over`` is."""

    def __init__(self, instant: str) -> None:
        self.instant = instant
        self.reached = asyncio.Event()
        self.over = asyncio.Event()


class _Cut(Exception):
    """The connection is dead from here on."""


class _End(asyncio.Protocol):
    """One end of a connection: what comes is read by ``chunks``."""

    def __init__(self) -> None:
        self.is_broken = False
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._chunks.put_nowait(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_broken = exc is not None
        self._chunks.put_nowait(b"")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Whatever comes, until the end."""
        while data := await self._chunks.get():
            yield data

    def write(self, data: bytes) -> None:
        """Send, if there is still somebody."""
        if data and not self.transport.is_closing():
            self.transport.write(data)


_Carry = Callable[[_End, bytes], Awaitable[None]]


class _Door(_End):
    """The end at which a terminal comes in."""

    def __init__(self, entered: Callable[[_Door], None]) -> None:
        super().__init__()
        self._entered = entered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._entered(self)


class TappedLine:
    """The line of one terminal. ``url`` is where the terminal connects to; ``host`` says where the host is now, if up.

    ``plan`` is the next death on this line, ``served_by`` the number of the host of the latest connection. ``open`` are
    the names of the connections on which every question must be answered; a cable loses some.
    """

    def __init__(
        self,
        terminal_id: str,
        witness: Witness,
        tasks: asyncio.TaskGroup,
        host: Callable[[], tuple[int, str] | None],
        cable: Cable,
    ) -> None:
        self.terminal_id = terminal_id
        self.plan: Plan | None = None
        self.served_by = 0
        self.url = ""
        self._witness = witness
        self._tasks = tasks
        self._host = host
        self._cable = cable
        self.open: set[str] = set()
        self._listener: Listener | None = None
        self._carrying: set[asyncio.Task[None]] = set()
        self._connections = 0

    async def listen(self, url: str) -> None:
        """Let the terminal connect at ``url``, and nowhere else."""
        await self.close()
        self._listener = await serve(url, lambda: _Door(self._entered))
        self.url = self._listener.url

    async def join(self) -> str:
        """Be a serial cable: two pairs, one for each end; returns the URL of the host's end."""
        doors: list[_Door] = []
        near, far = [await serve("pty:", lambda: _Door(doors.append)) for _ in range(2)]
        self.url = near.url
        self._begin(self._carry(doors[0], doors[1], f"the cable of {self.terminal_id}", StxFramer, is_cable=True))
        return far.url

    async def close(self) -> None:
        """Serve nobody any more."""
        for task in list(self._carrying):
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    def _entered(self, near: _Door) -> None:
        self._begin(self._connect(near))

    def _begin(self, carrying: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.create_task(carrying)
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _connect(self, near: _Door) -> None:
        found = self._host()
        try:
            if found is None:
                return
            self.served_by, url = found
            _, far = await connect(url, _End)
        except TransportError:
            return
        else:
            self._connections += 1
            name = f"{self.terminal_id} #{self._connections} at host {self.served_by}"
            self.open.add(name)
            try:
                await self._carry(near, far, name, Endpoint.parse(url).framer, is_cable=False)
            finally:
                self.open.discard(name)
        finally:
            near.transport.abort()

    async def _carry(self, near: _End, far: _End, name: str, framer: Callable[[], Framer], *, is_cable: bool) -> None:
        up, down = partial(self._up, name, Tap(framer)), partial(self._down, name, Tap(framer))
        pumps = [
            asyncio.ensure_future(self._pump(near, far, up, is_cable=is_cable)),
            asyncio.ensure_future(self._pump(far, near, down, is_cable=is_cable)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            ended = await asyncio.gather(*pumps, return_exceptions=True)
            is_broken = near.is_broken or far.is_broken or any(isinstance(end, _Cut) for end in ended)
            for end in (near, far):
                end.transport.abort() if is_broken else end.transport.close()
            for defect in ended:
                if isinstance(defect, Exception) and not isinstance(defect, _Cut):
                    raise defect

    async def _pump(self, source: _End, to: _End, carry: _Carry, *, is_cable: bool) -> None:
        async for data in source.chunks():
            try:
                await carry(to, data)
            except _Cut:
                if not is_cable:
                    raise

    async def _up(self, name: str, tap: Tap, to: _End, data: bytes) -> None:
        payloads = tap.feed(data)
        for payload in payloads:
            self._witness.sent(self.terminal_id, payload, name)
        if payloads:
            await self._pass("half_request", to, data)
        to.write(self._cable.carry(data))
        if payloads:
            await self._pass("request", to)

    async def _down(self, name: str, tap: Tap, to: _End, data: bytes) -> None:
        payloads = tap.feed(data)
        for payload in payloads:
            await self._witness.replied(payload, name)
        if payloads:
            await self._pass("held_reply", to)
            await self._pass("half_reply", to, data)
        for payload in payloads:
            self._witness.received(self.terminal_id, payload)
        to.write(self._cable.carry(data))
        if payloads:
            await self._pass("reply", to)

    async def _pass(self, instant: str, to: _End, data: bytes = b"") -> None:
        """Hold the line where somebody is to die at this instant; raises _Cut where what is left never comes."""
        plan = self.plan
        if plan is None or plan.instant != instant:
            return
        self.plan = None
        to.write(data[: len(data) // 2])
        plan.reached.set()
        await plan.over.wait()
        if instant not in _PASSES:
            raise _Cut


class Tap:
    """Whole payloads of a stream, also one that is sent again; what is no frame is for the ends to judge."""

    def __init__(self, framer: Callable[[], Framer]) -> None:
        self._new = framer
        self._framer = framer()

    def feed(self, data: bytes) -> list[bytes]:
        try:
            payloads = self._framer.feed(data)
        except FrameError:
            return []
        if payloads and not self._framer.waiting:
            self._framer = self._new()  # which does not know what it has seen
        return payloads
