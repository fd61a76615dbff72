"""The caller of a benchmark: what it measures is what came and went."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count

import pytest

from pos_lab.bench.load import close, connect, exchange


def _clock() -> Callable[[], float]:
    """A second passes between any two looks at it."""
    seconds = count()
    return lambda: float(next(seconds))


class _Echo(socketserver.BaseRequestHandler):
    """Answers every frame with itself, in two pieces; hangs up on an empty one."""

    def handle(self) -> None:
        with suppress(ConnectionError):
            while len(data := self.request.recv(1_000)) > 2:
                self.request.sendall(data[:3])
                self.request.sendall(data[3:])


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that echoes."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield server.server_address[1]
        server.shutdown()
        serving.join()


def _frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(2, "big") + payload


def test_every_frame_is_sent_once_the_one_before_was_answered(port: int) -> None:
    """The rate would be one of frames that nobody waits for."""
    payloads = [[b"one", b"two", b"three"], [b"four", b"five"]]
    callers = [connect(port, [_frame(payload) for payload in own]) for own in payloads]
    took_s = exchange(callers, _clock())
    close(callers)
    assert [caller.replies for caller in callers] == payloads
    assert [len(caller.latencies_s) for caller in callers] == [3, 2]
    assert all(each > 0 for caller in callers for each in caller.latencies_s)
    assert took_s > 0


def test_a_host_that_hangs_up_ends_the_measurement(port: int) -> None:
    """A host that died would look like a fast one, or the benchmark wait for ever."""
    callers = [connect(port, [_frame(b"one"), _frame(b"")]), connect(port, [_frame(b"two")])]
    with pytest.raises(ConnectionError, match="hung up"):
        exchange(callers, _clock())
    close(callers)
