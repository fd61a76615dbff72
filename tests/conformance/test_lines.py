"""One contract for every transport: what a protocol may rely on, whatever carries its bytes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import serial

from protocol.errors import EndpointInUse, TransportError
from protocol.transport import Endpoint, Listener, connect, serve
from protocol.transport.thread_line import ThreadTransport
from tests.certificates import connecting, listening

DEADLINE_S = 20


class Recorder(asyncio.Protocol):
    """Keeps everything that its transport tells it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.pauses = 0
        self.resumes = 0
        self.ends = 0
        self.losses: list[Exception | None] = []
        self.made = asyncio.Event()
        self._changed = asyncio.Event()
        self.keep_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        assert not self.made.is_set()
        self.transport = transport
        self.made.set()

    def data_received(self, data: bytes) -> None:
        assert not self.losses, "data after connection_lost"
        self.received += data
        self._changed.set()

    def eof_received(self) -> bool:
        self.ends += 1
        self._changed.set()
        return self.keep_open

    def pause_writing(self) -> None:
        self.pauses += 1
        self._changed.set()

    def resume_writing(self) -> None:
        self.resumes += 1
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.losses.append(exc)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; it is looked at whenever the transport has told something."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def lost(self) -> None:
        await self.until(lambda: bool(self.losses))


@dataclass
class Line:
    """Both ends of one open line: ``near`` connected, ``far`` served."""

    near: Recorder
    far: Recorder
    listener: Listener


async def serve_one(url: str) -> tuple[Listener, list[Recorder]]:
    served: list[Recorder] = []

    def make() -> Recorder:
        served.append(Recorder())
        return served[-1]

    return await serve(url, make), served


async def first(served: list[Recorder]) -> Recorder:
    async with asyncio.timeout(DEADLINE_S):
        while not served:
            await asyncio.sleep(0)
        await served[0].made.wait()
    return served[0]


async def open_tcp() -> Line:
    listener, served = await serve_one("tcp://127.0.0.1:0")
    _, near = await connect(listener.url, Recorder)
    return Line(near, await first(served), listener)


async def open_tls() -> Line:
    listener, served = await serve_one(listening())
    _, near = await connect(connecting(listener.url), Recorder)
    return Line(near, await first(served), listener)


async def open_mutual_tls() -> Line:
    listener, served = await serve_one(listening(mutual=True))
    _, near = await connect(connecting(listener.url, "terminal"), Recorder)
    return Line(near, await first(served), listener)


async def open_memory() -> Line:
    listener, served = await serve_one("memory:conformance")
    _, near = await connect(listener.url, Recorder)
    return Line(near, await first(served), listener)


async def open_pty() -> Line:
    listener, served = await serve_one("pty:")
    _, near = await connect(listener.url, Recorder)
    return Line(near, await first(served), listener)


async def open_serial_socket() -> Line:
    listener, served = await serve_one("tcp://127.0.0.1:0")
    _, near = await connect(f"serial+socket://{listener.name}", Recorder)
    return Line(near, await first(served), listener)


async def open_threads() -> Line:
    """A serial port driven by blocking calls, as where there is no descriptor."""
    listener, served = await serve_one("pty:")
    near = Recorder()
    ThreadTransport(asyncio.get_running_loop(), near, serial.Serial(listener.name, exclusive=True), {}).start()
    return Line(near, await first(served), listener)


LINES: dict[str, Callable[[], Awaitable[Line]]] = {
    "memory": open_memory,
    "pty": open_pty,
    "serial+socket": open_serial_socket,
    "tcp": open_tcp,
    "threads": open_threads,
    "tls": open_tls,
    "tls-mutual": open_mutual_tls,
}


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[Line]:
    """An open line; afterwards everything is closed, and each end was lost exactly once."""
    line = await LINES[name]()
    try:
        yield line
    finally:
        for end in (line.near, line.far):
            end.transport.abort()
            await end.lost()
        await line.listener.close()
    assert len(line.near.losses) == 1
    assert len(line.far.losses) == 1


def check_line(*names: str) -> pytest.MarkDecorator:
    """Run a test over every kind of line, or over those named."""
    return pytest.mark.parametrize("name", names or sorted(LINES))


@check_line()
async def test_bytes_arrive_in_order_both_ways(name: str) -> None:
    """Two replies would be swapped between two sales."""
    async with opened(name) as line:
        pieces = [b"%06d" % i * (i % 50 + 1) for i in range(400)]
        for piece in pieces:
            line.near.transport.write(piece)
            line.far.transport.write(piece[::-1])
        await line.far.until(lambda: len(line.far.received) == sum(map(len, pieces)))
        await line.near.until(lambda: len(line.near.received) == sum(map(len, pieces)))
        assert line.far.received == b"".join(pieces)
        assert line.near.received == b"".join(piece[::-1] for piece in pieces)


@check_line()
async def test_every_byte_value_passes_one_at_a_time(name: str) -> None:
    """A line that is not raw would eat XON, CR or the STX of a frame."""
    async with opened(name) as line:
        for byte in range(256):
            line.near.transport.write(bytes([byte]))
            line.far.transport.write(bytes([byte]))
            await line.far.until(lambda want=byte + 1: len(line.far.received) == want)  # type: ignore[misc]
        await line.near.until(lambda: len(line.near.received) == 256)
        assert line.near.received == line.far.received == bytes(range(256))


@check_line()
async def test_a_slow_reader_pauses_the_writer(name: str) -> None:
    """A terminal that stopped reading would fill the host's memory."""
    async with opened(name) as line:
        line.far.transport.pause_reading()
        assert not line.far.transport.is_reading()
        block = bytes(range(256)) * 256
        sent = 0
        while sent < 1_000_000 or not line.near.pauses:
            line.near.transport.write(block)
            sent += len(block)
            if line.near.pauses > line.near.resumes:
                assert line.near.transport.get_write_buffer_size() > line.near.transport.get_write_buffer_limits()[1]
                if not line.far.transport.is_reading():
                    line.far.transport.resume_reading()
                await line.near.until(lambda: line.near.pauses == line.near.resumes)
        await line.far.until(lambda: len(line.far.received) == sent)
        assert line.far.received == block * (sent // len(block))
        assert line.near.pauses == line.near.resumes > 0


@check_line()
async def test_nothing_is_read_while_paused(name: str) -> None:
    """A host that asks for a rest would be flooded on."""
    async with opened(name) as line:
        line.far.transport.pause_reading()
        line.far.transport.pause_reading()
        line.near.transport.write(b"later")
        await asyncio.sleep(0.1)
        assert not line.far.received
        line.far.transport.resume_reading()
        await line.far.until(lambda: line.far.received == b"later")


@check_line()
async def test_full_duplex(name: str) -> None:
    """Two ends that write at once would wait for each other for ever."""
    async with opened(name) as line:
        left, right = b"L" * 300_000, b"R" * 300_000
        line.near.transport.write(left)
        line.far.transport.write(right)
        await line.far.until(lambda: len(line.far.received) == len(left))
        await line.near.until(lambda: len(line.near.received) == len(right))
        assert line.far.received == left
        assert line.near.received == right


@check_line()
async def test_close_sends_what_was_written(name: str) -> None:
    """The last reply before a shutdown would be cut off."""
    async with opened(name) as line:
        line.near.transport.write(b"z" * 300_000)
        line.near.transport.close()
        line.near.transport.close()
        assert line.near.transport.is_closing()
        line.near.transport.write(b"too late")
        await line.near.lost()
        assert line.near.losses == [None]
        await line.far.until(lambda: len(line.far.received) >= 300_000)
        assert line.far.received == b"z" * 300_000


@check_line("memory", "serial+socket", "tcp", "tls")
@pytest.mark.parametrize("closing", ["near", "far"])
async def test_close_is_seen_by_the_peer(name: str, closing: str) -> None:
    """A terminal would wait out its timeout on a connection that is gone."""
    async with opened(name) as line:
        closer, peer = (line.near, line.far) if closing == "near" else (line.far, line.near)
        closer.transport.close()
        await peer.lost()
        await closer.lost()
        assert peer.transport.is_closing()


@check_line()
async def test_abort_drops_what_is_buffered(name: str) -> None:
    """A connection that must end now would linger behind a full line."""
    async with opened(name) as line:
        line.far.transport.pause_reading()
        while not line.near.pauses:
            line.near.transport.write(bytes(65536))
        line.near.transport.abort()
        assert line.near.transport.is_closing()
        await line.near.lost()
        line.near.transport.abort()
        line.near.transport.close()
        line.near.transport.write(b"ignored")
        assert line.near.losses == [None]
        assert line.near.transport.get_write_buffer_size() == 0


@check_line("memory", "tcp", "tls")
async def test_abort_is_seen_by_the_peer(name: str) -> None:
    """The host would keep a session for a terminal that has been unplugged."""
    async with opened(name) as line:
        line.near.transport.abort()
        await line.far.lost()


@check_line("memory", "tcp", "tls")
async def test_half_close_leaves_the_way_back_open(name: str) -> None:
    """A client that shuts its sending side would never get the reply to its last request."""
    async with opened(name) as line:
        assert line.near.transport.can_write_eof()
        line.far.keep_open = True
        line.near.transport.write(b"request")
        line.near.transport.write_eof()
        await line.far.until(lambda: line.far.ends == 1)
        assert line.far.received == b"request"
        line.far.transport.write(b"reply")
        await line.near.until(lambda: line.near.received == b"reply")
        with pytest.raises(RuntimeError):
            line.near.transport.write(b"more")


@check_line("pty", "threads")
async def test_a_serial_line_has_no_half_close(name: str) -> None:
    """A protocol would believe that the other end of a cable heard it hang up."""
    async with opened(name) as line:
        assert not line.near.transport.can_write_eof()


@check_line()
async def test_a_failing_protocol_loses_its_connection_only(name: str) -> None:
    """One bad message would leave a dead connection open, and nobody would be told."""
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    async with opened(name) as line:
        failure = RuntimeError("planted")

        def refuse(data: bytes) -> None:
            raise failure

        line.near.data_received = refuse  # type: ignore[method-assign]
        line.far.transport.write(b"x")
        await line.near.lost()
        assert line.near.losses == [failure]
    assert [report["exception"] for report in reports] == [failure]


@check_line()
async def test_a_protocol_can_be_replaced(name: str) -> None:
    """A connection could not be handed from the greeter to the session."""
    async with opened(name) as line:
        successor = Recorder()
        line.far.transport.set_protocol(successor)
        assert line.far.transport.get_protocol() is successor
        line.near.transport.write(b"for the successor")
        await successor.until(lambda: successor.received == b"for the successor")
        assert not line.far.received
        line.far.transport.set_protocol(line.far)


@check_line()
async def test_water_marks(name: str) -> None:
    """A protocol that wants a smaller buffer would not get it."""
    async with opened(name) as line:
        transport = line.near.transport
        transport.set_write_buffer_limits(high=4000)
        assert transport.get_write_buffer_limits() == (1000, 4000)
        transport.set_write_buffer_limits(low=100)
        assert transport.get_write_buffer_limits() == (100, 400)
        with pytest.raises(ValueError, match="must be"):
            transport.set_write_buffer_limits(high=1, low=2)


@check_line("memory", "tcp", "tls")
async def test_a_closed_listener_keeps_its_connections(name: str) -> None:
    """A host that stops accepting would cut the sales that are under way."""
    async with opened(name) as line:
        await line.listener.close()
        line.near.transport.write(b"still here")
        await line.far.until(lambda: line.far.received == b"still here")
        with pytest.raises(TransportError):
            await connect(line.listener.url, Recorder)


async def test_memory_writing_to_a_peer_that_left() -> None:
    """A host would go on sending into a connection that nobody reads."""
    async with opened("memory") as line:
        line.far.keep_open = True
        line.near.transport.close()
        await line.far.until(lambda: line.far.ends == 1)
        line.far.transport.write(b"anybody?")
        await line.far.lost()
        assert isinstance(line.far.losses[0], BrokenPipeError)


async def test_memory_abort_is_a_reset() -> None:
    """A cut connection would look like a polite end."""
    async with opened("memory") as line:
        line.near.transport.abort()
        await line.far.lost()
        assert isinstance(line.far.losses[0], ConnectionResetError)


async def test_memory_end_waits_for_a_paused_reader() -> None:
    """The last reply would be overtaken by the end of the connection."""
    async with opened("memory") as line:
        line.far.transport.pause_reading()
        line.near.transport.write(b"last words")
        line.near.transport.close()
        await asyncio.sleep(0)
        assert not line.far.ends
        line.far.transport.resume_reading()
        await line.far.lost()
        assert line.far.received == b"last words"


async def test_a_pty_peer_may_come_again() -> None:
    """The emulated terminal could be attached once only."""
    async with opened("pty") as line:
        for round_ in range(1, 4):
            line.near.transport.write(b"hello")
            await line.far.until(lambda want=5 * round_: len(line.far.received) == want)  # type: ignore[misc]
            line.near.transport.close()
            await line.near.lost()
            _, line.near = await connect(line.listener.url, Recorder)
        assert not line.far.losses


async def test_a_closed_pty_is_gone_for_its_peer() -> None:
    """A terminal would go on talking to a cable that leads nowhere."""
    async with opened("pty") as line:
        await line.listener.close()
        await line.near.lost()
        assert isinstance(line.near.losses[0], OSError)


async def test_serving_a_serial_line_is_one_protocol_on_it() -> None:
    """A host could not be attached to the port of a real terminal."""
    async with opened("pty") as line:
        line.near.transport.close()
        await line.near.lost()
        listener, served = await serve_one(line.listener.url)
        assert listener.url == line.listener.url
        line.near = await first(served)
        line.far.transport.write(b"request")
        await line.near.until(lambda: line.near.received == b"request")
        await listener.close()
        assert line.near.losses == [None]
        listener, served = await serve_one(line.listener.url)
        line.near = await first(served)
        await listener.close()


async def test_closing_a_listener_does_not_wait_for_a_stuck_line() -> None:
    """A host could not be stopped while a terminal holds its line."""
    async with opened("pty") as line:
        while not line.far.pauses:
            line.far.transport.write(bytes(65536))
        line.near.transport.pause_reading()
        await line.listener.close()
        assert len(line.far.losses) == 1


async def test_a_cancelled_connect_gives_the_line_back() -> None:
    """A terminal that gave up connecting could not try again on the same cable."""
    async with opened("pty") as line:
        line.near.transport.close()
        await line.near.lost()
        connecting = asyncio.ensure_future(connect(line.listener.url, Recorder))
        await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    _, line.near = await connect(line.listener.url, Recorder)
                    break
                except EndpointInUse:
                    await asyncio.sleep(0.01)


async def test_pyserial_loop_url_gives_back_what_it_gets() -> None:
    """A URL of pyserial that has no descriptor would not work at all."""
    _, end = await connect("serial+loop://", Recorder)
    end.transport.write(b"x" * 20_000)
    await end.until(lambda: len(end.received) == 20_000)
    end.transport.pause_reading()
    end.transport.write(b"y" * 20_000)
    end.transport.abort()
    await end.lost()
    assert end.losses == [None]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("memory:nobody", "serve the name first"),
        ("pty:", "can only be served"),
        ("serial:///dev/there-is-no-such-line", "no such device"),
        ("serial:///dev/null", "cannot open"),
        ("serial+nonsense://x", "not known"),
        ("serial+socket://127.0.0.1", "cannot open"),
        ("serial+socket://127.0.0.1:1?nonsense=1", "nonsense"),
        ("tcp://no-such-host.invalid:1", "host name"),
    ],
)
async def test_connecting_to_nothing_names_the_url(url: str, says: str) -> None:
    """An engineer would get a traceback instead of the name of the wrong port."""
    with pytest.raises(TransportError, match=says) as caught:
        await connect(url, Recorder)
    assert caught.value.url == url
    assert url in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("scheme", ["tcp", "serial+socket"])
async def test_a_refused_connection_names_the_url(scheme: str) -> None:
    """A host that is not running would look like a fault of the terminal."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(TransportError) as caught:
            await connect(url, Recorder)
    assert caught.value.url == url
    assert caught.value.hint


@check_line("memory", "pty", "tcp", "tls")
async def test_a_second_listener_is_told_that_the_endpoint_is_in_use(name: str) -> None:
    """Two hosts on one port would share the terminals between them."""
    async with opened(name) as line:
        url = line.listener.url
        again = listening().replace("127.0.0.1:0", line.listener.name) if name == "tls" else url
        with pytest.raises(EndpointInUse) as caught:
            await serve(again, Recorder)
        assert caught.value.url == again


async def test_tcp_on_an_address_of_another_machine() -> None:
    """A wrong address in the settings would be reported as a crash."""
    with pytest.raises(TransportError, match="does not have that address"):
        await serve("tcp://192.0.2.1:0", Recorder)


async def test_localhost_has_one_chosen_port() -> None:
    """A host on localhost:0 would listen on two ports and name one."""
    listener, served = await serve_one("tcp://localhost:0?framing=stx")
    assert Endpoint.parse(listener.url).options["framing"] == "stx"
    transport, near = await connect(listener.url, Recorder)
    far = await first(served)
    transport.close()
    await near.lost()
    await far.lost()
    await listener.close()


async def test_serving_a_file_that_is_no_line(tmp_path: Path) -> None:
    """A mistyped device would be overwritten."""
    (tmp_path / "notes").write_text("keep")
    with pytest.raises(TransportError):
        await serve(f"serial://{tmp_path}/notes", Recorder)
    assert (tmp_path / "notes").read_text() == "keep"
