"""An event loop in virtual time: the asyncio API, no socket, no thread, no sleep, one seed for every choice it has.

Rules owned here:
- time moves only when nobody can do anything at this instant, and then to the next timer at once;
- of what is due at the same instant, within RESOLUTION_S, the order of timers and of tasks is drawn; callbacks of
  ``call_soon`` keep theirs, as protocols and transports rely on it;
- a loop with nothing to do and nothing to wait for is Deadlocked, one that never waits is Livelocked; both say when;
- what a callback raises is logged, as asyncio does, and is the end's too: it is Escaped;
- what would run in a thread runs at once, on the default executor; another executor, a socket, a signal, a process or
  a pipe is refused (NotImplementedError, as asyncio has it).
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import sslproto
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

from protocol.transport.schemes import SCHEMES, Scheme

if TYPE_CHECKING:
    from pos_lab.sim.net import Network

T = TypeVar("T")
RESOLUTION_S: Final = 1e-9
TURNS_MAX: Final = 200_000
"""How often the loop may go round at one instant; whoever needs more never comes to an end."""
LONGEST_S: Final = 10 * 366 * 86_400.0
"""How long a world may last: what is awaited longer is awaited in vain."""


class Deadlocked(RuntimeError):
    """Nobody can go on and nothing will happen any more, at ``at_s`` of virtual time."""

    def __init__(self, at_s: float) -> None:
        super().__init__(f"everybody waits and nothing will happen any more, {at_s:.6f} s after the world began")
        self.at_s = at_s


class Livelocked(RuntimeError):
    """Somebody goes on and on at ``at_s`` of virtual time, and no time passes."""

    def __init__(self, at_s: float) -> None:
        super().__init__(f"somebody goes round in circles and no time passes, {at_s:.6f} s after the world began")
        self.at_s = at_s


class Escaped(RuntimeError):
    """A callback, or a task that nobody waited for, raised ``__cause__``: whoever runs it for real gets a traceback."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__} in a callback: {error}")


class SimLoop(asyncio.BaseEventLoop):
    """Virtual time from 0 on. ``chance`` decides what is open; ``network`` is what connections go over.

    A loop without a network refuses connections; ``pos_lab.sim.net.Network`` is made on a loop and gives itself to it.
    ``schemes`` is how endpoints are opened on this loop.
    """

    _ready: Any
    _stopping: bool

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self._chance = chance
        self._now = 0.0
        self._turns = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timer_number = 0
        self.escaped: list[BaseException] = []
        self.network: Network | None = None
        self.schemes: Mapping[str, Scheme] = SCHEMES

    def time(self) -> float:
        """Seconds since the world began."""
        return self._now

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's; numbers compare ten times as fast as its handles do, and a world has thousands."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._timer_number += 1
        heapq.heappush(self._timers, (when, self._timer_number, timer))
        return timer

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run ``func`` here and now; RuntimeError for an executor of one's own."""
        if executor is not None:
            raise RuntimeError("there are no threads in virtual time")
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # it is the caller's, who gets it out of the future
            future.set_exception(error)
        return future

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        """Every name is its own address."""
        return [(0, 0, 0, "", (str(host), int(port or 0)))]

    async def create_connection(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        ssl: Any = None,
        server_hostname: str | None = None,
        **_: Any,
    ) -> tuple[asyncio.Transport, Any]:
        """Connect over the network; OSError where nobody listens, or nobody answers."""
        if self.network is None:
            raise ConnectionRefusedError("there is no network")
        if ssl is None:
            return await self.network.connect(str(host), int(port), protocol_factory)
        plain, _silent = await self.network.connect(str(host), int(port), asyncio.Protocol)
        protocol = protocol_factory()
        name = host if server_hostname is None else server_hostname
        secured = await self.start_tls(plain, protocol, ssl, server_hostname=name)
        assert secured is not None
        protocol.connection_made(secured)
        return secured, protocol

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        ssl: Any = None,
        **_: Any,
    ) -> asyncio.AbstractServer:
        """Listen on the network; OSError where somebody listens already."""
        if self.network is None:
            raise OSError("there is no network")

        factory = protocol_factory if ssl is None else partial(self._secured, protocol_factory, ssl)
        return self.network.listen(str(host or ""), int(port or 0), factory)

    def _secured(self, protocol_factory: Callable[[], asyncio.BaseProtocol], context: Any) -> Any:
        shaken = self.create_future()
        shaken.add_done_callback(_settled)
        return sslproto.SSLProtocol(self, protocol_factory(), context, shaken, server_side=True)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody handled, and let it be logged."""
        if error := context.get("exception"):
            self.escaped.append(error)
        super().call_exception_handler(context)

    def _write_to_self(self) -> None:
        """There is no other thread that would have to wake this one."""

    def _run_once(self) -> None:
        ready, timers = self._ready, self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not ready and not self._stopping:
            if not timers or timers[0][0] > LONGEST_S:
                raise Deadlocked(self._now)
            if timers[0][0] > self._now:
                self._now, self._turns = timers[0][0], 0
        self._turns += 1
        if self._turns > TURNS_MAX:
            self._turns = 0  # whoever is cancelled now has as many again to end
            raise Livelocked(self._now)
        due = []
        until = self._now + RESOLUTION_S
        while timers and timers[0][0] <= until:
            due.append(heapq.heappop(timers)[2])
        if len(due) > 1:
            self._chance.shuffle(due)
        ready.extend(due)
        count = len(ready)
        if count > 1:
            turn = self._interleaved(list(ready))
            ready.clear()
            ready.extend(turn)
        for _ in range(count):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers leave when their time comes."""

    def _interleaved(self, turn: list[Any]) -> list[Any]:
        """The same handles in a drawn order, in which those that step no task keep theirs."""
        if not any(map(_steps_task, turn)):
            return turn
        callbacks = iter([handle for handle in turn if not _steps_task(handle)])
        self._chance.shuffle(turn)
        return [handle if _steps_task(handle) else next(callbacks) for handle in turn]


def _steps_task(handle: Any) -> bool:
    return isinstance(getattr(handle._callback, "__self__", None), asyncio.Task)


def _settled(shaken: asyncio.Future[Any]) -> None:
    """How a handshake ended, the server's protocol hears by its connection."""
    if not shaken.cancelled():
        shaken.exception()


def run_virtual(main: Callable[[SimLoop], Coroutine[Any, Any, T]], chance: Random) -> T:
    """Run ``main(loop)`` to its end in virtual time. Raises as it does, Deadlocked, Livelocked, and else Escaped."""
    loop = SimLoop(chance)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(main(loop))
    if loop.escaped:
        raise Escaped(loop.escaped[0]) from loop.escaped[0]
    return result
