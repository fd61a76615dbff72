"""A terminal on a serial line: a pty pair stands for the cable, and the cable is bad."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from protocol.codec import seal
from protocol.framing import ACK, NAK, StxFramer
from protocol.transport import connect
from tests.end_to_end.shop import WAIT_S, HostCommand, Till, joined, serving
from tests.protocol.samples import ECHO

ECHO_FRAME = StxFramer().wrap(seal(ECHO))
NOISE = b"\x00\xff\x7f\x55\x1b[0m\r\n"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostCommand]:
    """A host at one end of a cable; its URL names the other end."""
    with serving(tmp_path, listen="pty:") as host:
        yield host


class Cable(asyncio.Protocol):
    """The far end of the cable, byte by byte."""

    def __init__(self) -> None:
        self.received = bytearray()
        self._came = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._came.set()

    def send(self, data: bytes) -> None:
        """Put bytes on the line."""
        self._transport.write(data)

    async def take(self, size: int) -> bytes:
        """The next bytes from the host."""
        async with asyncio.timeout(WAIT_S):
            while len(self.received) < size:
                self._came.clear()
                await self._came.wait()
        taken = bytes(self.received[:size])
        del self.received[:size]
        return taken

    async def take_frame(self) -> bytes:
        """The next frame from the host, whole."""
        head = await self.take(3)
        return head + await self.take(int(head[1:].hex()) + 2)


@asynccontextmanager
async def cable(url: str) -> AsyncIterator[Cable]:
    """The line, opened."""
    transport, far = await connect(url, Cable)
    try:
        yield far
    finally:
        transport.abort()


def is_echo_reply(frame: bytes) -> bool:
    """Does the frame hold a sound reply to the echo?"""
    (payload,) = StxFramer(ack=False).feed(frame)
    return payload[11:13] == b"\x08\x30"


async def test_a_day_over_a_serial_line(host: HostCommand) -> None:
    """A shop without a network could not attach its terminal."""
    assert host.url.startswith("serial:///dev/")
    async with joined(host.url, host.database) as world:
        till = await Till.open(world, 1)
        assert (await till.do("sign_in")).is_good
        assert (await till.sell(60_00)).is_good
        assert (await till.sell(40_00, "credit")).is_good
        assert (await till.do("void", min(till.sold))).is_good
        settled = await till.do("settle")
        assert settled.detail["balanced"] == "yes"
        await till.assert_sound()


async def test_a_power_cut_at_the_serial_terminal(host: HostCommand) -> None:
    """The bytes of the last epoch would be taken for an answer to the next question."""
    async with joined(host.url, host.database) as world:
        till = await Till.open(world, 1)
        assert (await till.sell(60_00)).is_good
        till.device.power_cycle()
        assert (await till.sell(5_00)).is_good
        await till.assert_sound()


async def test_noise_before_a_frame(host: HostCommand) -> None:
    """A plug that is pushed in would cost the first sale."""
    async with cable(host.url) as line:
        line.send(NOISE)
        line.send(ECHO_FRAME)
        assert await line.take(1) == bytes([ACK])
        assert is_echo_reply(await line.take_frame())


async def test_a_damaged_frame_is_asked_for_again(host: HostCommand) -> None:
    """One wrong bit on the line would time a sale out, and the cashier would take the money in doubt."""
    async with cable(host.url) as line:
        line.send(ECHO_FRAME[:-1] + bytes([ECHO_FRAME[-1] ^ 1]))
        assert await line.take(1) == bytes([NAK])
        line.send(ECHO_FRAME)
        assert await line.take(1) == bytes([ACK])
        reply = await line.take_frame()
        line.send(bytes([NAK]))
        assert await line.take_frame() == reply
        line.send(bytes([ACK]))
        line.send(ECHO_FRAME)
        assert await line.take(1) == bytes([ACK])
        assert is_echo_reply(await line.take_frame())


async def test_a_terminal_server_on_the_network(tmp_path: Path) -> None:
    """A terminal behind a converter from serial to network could not be attached."""
    with serving(tmp_path, listen="tcp://127.0.0.1:0?framing=stx") as host:
        async with joined(f"serial+socket://127.0.0.1:{host.port}", host.database) as world:
            till = await Till.open(world, 1)
            assert (await till.sell(60_00)).is_good
            await till.assert_sound()


@pytest.mark.parametrize("framing", ["ascii4", "bcd2"])
async def test_a_line_with_digits_for_a_length(tmp_path: Path, framing: str) -> None:
    """A terminal behind a gateway that writes lengths in digits could not be attached."""
    with serving(tmp_path, listen=f"tcp://127.0.0.1:0?framing={framing}") as host:
        async with joined(f"tcp://127.0.0.1:{host.port}?framing={framing}", host.database) as world:
            till = await Till.open(world, 1)
            assert (await till.sell(60_00)).is_good
            await till.assert_sound()
