"""The caller of a benchmark: many connections, each with one frame in flight, out of one thread without an event loop.

It costs a third of what a host on asyncio spends on the same frame, so that one core of it loads one core of the host.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

LENGTH_BYTES: Final = 2
PATIENCE_S: Final = 30.0
_CHUNK: Final = 65_536
_HOST: Final = "127.0.0.1"


@dataclass(slots=True)
class Caller:
    """One connection: the frames that it sends, the payloads that came back and how long each of them took."""

    line: socket.socket
    frames: Sequence[bytes]
    replies: list[bytes] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    sent_s: float = 0.0
    received: bytes = b""

    def send(self, now_s: float) -> None:
        """Send the next frame; it fits into the socket's buffer, for the last one was answered."""
        self.sent_s = now_s
        self.line.send(self.frames[len(self.replies)])

    def receive(self) -> bool:
        """Take what has come: is it a whole reply? Raises ConnectionError where the other end hung up."""
        data = self.line.recv(_CHUNK)
        if not data:
            raise ConnectionError("the host hung up in the middle of the measurement")
        if self.received:
            data = self.received + data
        if len(data) < LENGTH_BYTES or len(data) < LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "big"):
            self.received = data
            return False
        self.received = b""
        self.replies.append(data[LENGTH_BYTES:])
        return True


def connect(port: int, frames: Sequence[bytes]) -> Caller:
    """A connection to a port of this machine. Raises OSError."""
    line = socket.create_connection((_HOST, port), PATIENCE_S)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Caller(line, frames)


def exchange(callers: Sequence[Caller], clock: Callable[[], float]) -> float:
    """Let all send all their frames, each as soon as the one before it was answered; returns how long that took.

    Raises ConnectionError and TimeoutError.
    """
    poll = select.epoll()
    by_number = {caller.line.fileno(): caller for caller in callers}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    began_s, left = clock(), len(callers)
    for caller in callers:
        caller.send(clock())
    while left:
        ready = poll.poll(PATIENCE_S)
        if not ready:
            raise TimeoutError("the host has fallen silent")
        for number, _ in ready:
            caller = by_number[number]
            if not caller.receive():
                continue
            now_s = clock()
            caller.latencies_s.append(now_s - caller.sent_s)
            if len(caller.replies) < len(caller.frames):
                caller.send(now_s)
            else:
                left -= 1
    poll.close()
    return clock() - began_s


def close(callers: Sequence[Caller]) -> None:
    """Hang up."""
    for caller in callers:
        caller.line.close()
