"""Hostile and broken input on a real TCP port: one clear answer or one log line, and nobody else notices."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from host import guard, server
from host.server import Server
from host.store.groups import Job
from protocol.codec import seal, unseal
from protocol.elements import Value
from protocol.fields import F
from protocol.framing import ACK, EOT, MAX_PAYLOAD, StxFramer, Timers
from protocol.message import Message
from protocol.transport import Endpoint
from tests.host.wire import DEBIT, Lab, Wire, refusal

WAIT_S = 10


@dataclass
class Port:
    """A served host with one activated terminal."""

    lab: Lab
    wire: Wire
    server: Server
    number: int

    async def open(self) -> Line:
        """One more connection."""
        return Line(*await asyncio.open_connection("127.0.0.1", self.number))

    async def is_alive(self) -> bool:
        """Does another terminal still get its echo?"""
        line = await self.open()
        reply = await line.ask(self.wire.management("echo"))
        line.close()
        return reply.text(F.RESPONSE_CODE) == "00"


class Line:
    """The raw bytes of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, payload: bytes) -> Message:
        """Send a frame and read the reply."""
        await self.send(framed(payload))
        return await self.reply()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self) -> Message:
        """The next reply."""
        async with asyncio.timeout(WAIT_S):
            size = int.from_bytes(await self.reader.readexactly(2), "big")
            return unseal(await self.reader.readexactly(size)).message

    async def is_closed(self) -> bool:
        """Has the host hung up, without a word?"""
        async with asyncio.timeout(WAIT_S):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


def framed(payload: bytes) -> bytes:
    """Two bytes of length before a payload."""
    return len(payload).to_bytes(2, "big") + payload


@pytest.fixture
async def port(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Port]:
    lab = Lab(tmp_path / "host.db")
    wire = Wire(lab).activated()
    served = Server(lab.acquirer)
    url = await served.listen("tcp://127.0.0.1:0")
    caplog.set_level(logging.INFO, "poslab.host")
    caplog.clear()
    yield Port(lab, wire, served, urlsplit(url).port or 0)
    await served.close()
    await asyncio.sleep(0.01)
    lab.store.close()


async def captured(port: Port) -> int:
    """How many sales the open batch holds."""
    rows = await asyncio.to_thread(port.lab.rows, "transactions", batch=port.wire.batch, state="captured")
    return len(rows)


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """What the host logged at a level."""
    return [record.getMessage() for record in caplog.records if record.levelno == level]


async def test_a_frame_may_be_split_at_every_byte(port: Port) -> None:
    """A slow line would lose the sales whose frames it splits."""
    line = await port.open()
    line.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    frame = framed(port.wire.management("echo"))
    for cut in range(1, len(frame)):
        await line.send(frame[:cut])
        await asyncio.sleep(0.001)
        await line.send(frame[cut:])
        assert (await line.reply()).text(F.RESPONSE_CODE) == "00"
    for byte in frame:
        await line.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await line.reply()).text(F.RESPONSE_CODE) == "00"
    line.close()


async def test_frames_may_be_merged(port: Port) -> None:
    """The second of two requests in one packet would be lost."""
    line = await port.open()
    payloads = [port.wire.sale(100 + number) for number in range(3)]
    await line.send(b"".join(map(framed, payloads)) + framed(payloads[0])[:7])
    assert [int((await line.reply()).text(F.AMOUNT)) for _ in payloads] == [100, 101, 102]
    await line.send(framed(payloads[0])[7:])
    assert int((await line.reply()).text(F.AMOUNT)) == 100
    assert await captured(port) == 3
    line.close()


NO_STREAMS = {
    "HTTP": (b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n", "HTTP"),
    "TLS": (bytes.fromhex("16030100c8010000c40303") + bytes(200), "TLS"),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
    "ASCII length": (b"0079" + bytes(79), "ASCII length"),
    "length 0": (bytes(60), "4-byte length"),
    "length 1": (b"\x00\x01\x60", "21 to 8192"),
    "length 20": (b"\x00\x14" + bytes(20), "21 to 8192"),
    "length 8193": (b"\x20\x01" + bytes(60), "21 to 8192"),
    "0xFFFF": (b"\xff\xff" + bytes(65_535), "65535 bytes"),
    "STX frame": (b"\x02\x00\x79\x60" + bytes(100), "framing=stx"),
    "no length": (bytes.fromhex("600003000060320000000008000020"), "length before it"),
}


@pytest.mark.parametrize("name", NO_STREAMS)
async def test_what_is_no_stream_of_ours_is_closed_with_one_line(
    port: Port, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """A browser on the port would leave half a frame in memory, or a page in the log."""
    other, line = await port.open(), await port.open()
    data, hint = NO_STREAMS[name]
    line.writer.write(data)
    assert await line.is_closed()
    [told] = lines(caplog, logging.WARNING)
    assert "closed: " in told
    assert hint in told
    assert "\n" not in told
    assert (await other.ask(port.wire.management("echo"))).text(F.RESPONSE_CODE) == "00"
    line.close()
    other.close()


@pytest.mark.feature("F")
async def test_random_bytes_never_hurt(port: Port, caplog: pytest.LogCaptureFixture) -> None:
    """A line that picks up noise would stop the host."""
    chance = random.Random(7)
    for _ in range(60):
        line = await port.open()
        line.writer.write(chance.randbytes(chance.randrange(1, 400)))
        line.close()
    for _ in range(60):
        line = await port.open()
        body = chance.randbytes(chance.randrange(10, 200))
        line.writer.write(framed(b"\x60\x00\x03\x00\x00\x60\x32" + bytes(4) + b"\x02\x00" + body))
        line.writer.write_eof()
        assert unseal((await line.reader.read())[2:]).message.text(F.RESPONSE_CODE) in ("30", "40")
        line.close()
    assert lines(caplog, logging.ERROR) == []
    caplog.clear()
    line = await port.open()
    line.writer.write(b"\x02" * 1_000_000)  # frames of 514 bytes that hold no message
    line.writer.write_eof()
    assert await line.is_closed()
    line.close()
    [told] = [record for record in caplog.records if record.levelno > logging.INFO]
    assert "3 messages on end that are no requests" in told.getMessage()
    assert await port.is_alive()
    assert await captured(port) == 0


async def test_a_flood_is_let_go_with_few_lines(port: Port, caplog: pytest.LogCaptureFixture) -> None:
    """One stranger would fill the log and the store's queue, and the shops would wait behind him."""
    good, strangers = await port.open(), [await port.open() for _ in range(3)]
    asked = port.lab.acquirer.ask
    counted: list[bytes] = []

    def ask(payload: bytes, line: guard.Line | None, told: Callable[[Job], None]) -> Job:
        counted.append(payload)
        return asked(payload, line, told)

    port.lab.acquirer.ask = ask  # type: ignore[method-assign]
    for line in strangers:
        line.writer.write(framed(bytes(21)) * 12_000)
    for line in strangers:
        assert await line.is_closed()
        line.close()
    assert (await good.ask(port.wire.management("echo"))).text(F.RESPONSE_CODE) == "00"
    assert len(lines(caplog, logging.WARNING)) == len(strangers)
    assert len([told for told in lines(caplog, logging.INFO) if "dropped" in told]) == 2 * len(strangers)
    assert 1 < len(counted) <= len(strangers) * (server.REQUESTS_IN_FLIGHT + server.UNREADABLE_MAX) + 1
    good.close()


async def test_a_fixed_line_goes_on_after_a_flood(
    port: Port, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A serial line that babbled once would stay dead, or fill the log."""
    monkeypatch.setattr(server, "RECONNECTING", frozenset())
    line = await port.open()
    await line.send(framed(bytes(21)) * 500)
    assert (await line.ask(port.wire.management("echo"))).text(F.RESPONSE_CODE) == "00"
    line.close()
    await asyncio.sleep(0.05)
    told = [text for text in lines(caplog, logging.INFO) if "dropped" in text]
    assert 2 <= len(told) < 50
    assert lines(caplog, logging.WARNING) == []


STX_STRANGERS = {
    "len2": (framed(b"\x60\x00\x03\x00\x00\x60\x32" + bytes(9)), "framing=len2"),
    "ASCII length": (b"0079\x60\x00\x03", "framing=ascii4"),
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", "HTTP"),
    "text": (b"hello there\r\n", "text"),
    "noise": (b"\xfe\xfd\xfc\xfb", "another framing"),
}


@pytest.mark.parametrize("name", STX_STRANGERS)
async def test_noise_on_a_serial_listener_says_once_what_it_looks_like(
    port: Port, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """The maker of a terminal would count skipped bytes and never learn that the framing is another."""
    url = await port.server.listen("tcp://127.0.0.1:0?framing=stx")
    line = Line(*await asyncio.open_connection("127.0.0.1", urlsplit(url).port))
    data, hint = STX_STRANGERS[name]
    for _ in range(20):
        await line.send(data)
        await asyncio.sleep(0.001)
    line.writer.write_eof()
    await line.reader.read()
    line.close()
    told = [text for text in lines(caplog, logging.WARNING) if "noise: " in text]
    assert hint in told[0]
    assert f"{20 * len(data)} bytes" in told[-1]
    assert sum(hint in text for text in told) == 1
    assert len(told) <= 3


async def test_who_ends_inside_a_frame_is_told_what_is_missing(port: Port, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong framing would look like a bad line."""
    line = await port.open()
    await line.send(b"\x02\x05\x60\x00\x03")
    line.writer.write_eof()
    assert await line.is_closed()
    [told] = lines(caplog, logging.WARNING)
    assert "ended inside a frame (its length says 517 bytes, 3 came: the peer uses another framing" in told
    line.close()


@pytest.mark.parametrize("half", [b"\x00", b"\x00\x79", b"\x00\x79\x60\x00\x03", b"\xff"])
async def test_half_a_frame_is_given_up(
    port: Port, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, half: bytes
) -> None:
    """Ten thousand half frames would fill the host."""
    monkeypatch.setattr(server, "FRAME_DEADLINE_S", 0.05)
    line = await port.open()
    await line.send(half)
    assert await line.is_closed()
    [told] = lines(caplog, logging.WARNING)
    assert "half a frame" in told
    assert "another framing" in told
    assert await port.is_alive()
    line.close()


async def test_a_reply_that_nobody_acknowledges_is_repeated_and_given_up(
    port: Port, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal that hears nothing would be sent its reply for ever, or lose the line that it asks on next."""
    monkeypatch.setattr(Endpoint, "framer", lambda *_: StxFramer(timers=Timers(ack_timeout_s=0.02)))
    url = await port.server.listen("tcp://127.0.0.1:0?framing=stx")
    line = Line(*await asyncio.open_connection("127.0.0.1", urlsplit(url).port))
    frame = StxFramer().wrap(port.wire.management("echo"))
    for _ in range(2):
        await line.send(frame)
        async with asyncio.timeout(WAIT_S):
            assert await line.reader.readexactly(1) == bytes([ACK])
            head = await line.reader.readexactly(3)
            reply = head + await line.reader.readexactly(int(head[1:].hex()) + 2)
            assert await line.reader.readexactly(3 * len(reply) + 1) == reply * 3 + bytes([EOT])
    told = lines(caplog, logging.WARNING)
    assert len(told) == 2
    assert all("no ACK for 4 sendings" in text for text in told)
    line.close()


async def test_an_idle_line_stays(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that sells once an hour would have to connect anew for every sale."""
    monkeypatch.setattr(server, "FRAME_DEADLINE_S", 0.02)
    line = await port.open()
    assert (await line.ask(port.wire.management("echo"))).text(F.RESPONSE_CODE) == "00"
    await asyncio.sleep(0.1)
    assert (await line.ask(port.wire.management("echo"))).text(F.RESPONSE_CODE) == "00"
    line.close()


async def test_a_reply_sent_to_the_host_is_dropped_with_one_line(port: Port, caplog: pytest.LogCaptureFixture) -> None:
    """Two hosts that are connected by mistake would talk to each other for ever."""
    line = await port.open()
    await line.send(framed(seal(Message("0210", {F.TERMINAL_ID: port.wire.terminal_id}))))
    assert (await line.ask(port.wire.management("echo"))).mti == "0830"
    assert [told for told in lines(caplog, logging.INFO) if "0210 is no request" in told]
    line.close()


@pytest.mark.parametrize("mti", ["0100", "0620"])
async def test_an_unknown_kind_is_answered_40(port: Port, mti: str) -> None:
    """A terminal that asks for what the host cannot do would wait for its timeout."""
    line = await port.open()
    fields: dict[int, Value] = {F.STAN: "000009", F.TERMINAL_ID: port.wire.terminal_id, F.CONTROL: "10000001000"}
    reply = await line.ask(seal(Message(mti, fields)))
    assert (reply.mti, reply.text(F.RESPONSE_CODE)) == (f"{int(mti) + 10:04d}", "40")
    assert (reply.text(F.STAN), refusal(reply).reason) == ("000009", "message.unsupported")
    line.close()


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda raw: raw[:40], "field"),
        (lambda raw: raw + b"\x00", "left after"),
        (lambda raw: raw.replace(b"10000001", b"1000\x00001"), "field 41"),
        (lambda raw: raw.replace(bytes.fromhex("000000001234"), bytes.fromhex("00000000123A")), "field 4 "),
        (lambda raw: raw[:13] + b"\x80" + raw[14:], "field 1"),
        (lambda raw: raw[:13] + bytes(8) + raw[21:], "bitmap"),
        (lambda raw: raw[:14] + b"\xff" * 7 + raw[21:], "field"),
    ],
    ids=["cut", "trailing", "NUL in text", "A in BCD", "bit 1", "no bits", "all bits"],
)
async def test_a_message_that_does_not_decode_is_answered_30_with_what_is_wrong(
    port: Port, caplog: pytest.LogCaptureFixture, spoil: object, field: str
) -> None:
    """The maker of a terminal would get silence and search for a week."""
    line = await port.open()
    assert callable(spoil)
    reply = await line.ask(spoil(port.wire.sale(1_234)))
    assert (reply.mti, reply.text(F.RESPONSE_CODE)) == ("0210", "30")
    assert refusal(reply).reason == "message.malformed"
    assert field in refusal(reply).chinese
    assert len(caplog.records) == 1
    assert DEBIT not in caplog.text
    assert (await line.ask(port.wire.management("echo"))).text(F.RESPONSE_CODE) == "00"
    line.close()


async def test_a_payload_without_envelope_is_dropped_with_one_line(
    port: Port, caplog: pytest.LogCaptureFixture
) -> None:
    """A header of another network would be answered with one that nobody can read."""
    line = await port.open()
    await line.send(framed(b"\x60\x00\x03\x00\x00\xff" + bytes(30)))
    assert (await line.ask(port.wire.management("echo"))).text(F.RESPONSE_CODE) == "00"
    assert len([told for told in lines(caplog, logging.INFO) if "dropped" in told]) == 1
    line.close()


async def test_the_largest_frame_is_read_and_the_next_size_is_not(port: Port) -> None:
    """A limit that is not kept is none."""
    line = await port.open()
    head = bytes(port.wire.sale(100))
    reply = await line.ask(head + bytes(MAX_PAYLOAD - len(head)))
    assert reply.text(F.RESPONSE_CODE) == "30"
    await line.send((MAX_PAYLOAD + 1).to_bytes(2, "big"))
    await line.send(bytes(2))
    assert await line.is_closed()
    line.close()


async def test_two_hundred_terminals_at_once(port: Port) -> None:
    """The lunch hour would bring the host down."""
    opened = await asyncio.gather(*(port.open() for _ in range(200)))
    payloads = [port.wire.sale(1_000 + number) for number in range(200)]
    replies = await asyncio.gather(*(line.ask(payload) for line, payload in zip(opened, payloads, strict=True)))
    assert [int(reply.text(F.AMOUNT)) for reply in replies] == [1_000 + number for number in range(200)]
    assert {reply.text(F.RESPONSE_CODE) for reply in replies} == {"00"}
    assert await captured(port) == 200
    for line in opened:
        line.close()


async def test_a_pipeline_of_five_hundred_is_answered_in_order(port: Port) -> None:
    """A terminal that uploads its batch in one go would get the answers of other requests."""
    line = await port.open()
    sending = asyncio.create_task(line.send(b"".join(framed(port.wire.sale(100 + n)) for n in range(500))))
    amounts = [int((await line.reply()).text(F.AMOUNT)) for _ in range(500)]
    await sending
    assert amounts == list(range(100, 600))
    line.close()


async def test_who_hangs_up_has_sold_all_the_same(port: Port) -> None:
    """A sale whose line broke would be lost at the host and kept at the terminal, or be told twice differently."""
    line = await port.open()
    payloads = [port.wire.sale(100 + number) for number in range(20)]
    await line.send(b"".join(map(framed, payloads)))
    line.writer.transport.abort()
    for _ in range(200):
        if await captured(port) == 20:
            break
        await asyncio.sleep(0.01)
    assert await captured(port) == 20
    again = await port.open()
    assert (await again.ask(payloads[3])).text(F.RESPONSE_CODE) == "00"
    assert await captured(port) == 20
    again.close()


async def test_who_asks_and_ends_is_answered(port: Port) -> None:
    """A request sent by a simple tool that closes its side would be answered by silence."""
    line = await port.open()
    await line.send(framed(port.wire.sale(100)) + framed(port.wire.sale(101)))
    line.writer.write_eof()
    assert [int((await line.reply()).text(F.AMOUNT)) for _ in range(2)] == [100, 101]
    assert await line.is_closed()
    line.close()


async def test_who_does_not_read_is_not_read(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """One terminal that never takes its replies would fill the host's memory."""
    monkeypatch.setattr(server.HostConnection, "connection_made", _with_small_buffers)
    line = await port.open()
    _keep_small(line.writer.get_extra_info("socket"))
    line.writer.transport.pause_reading()  # type: ignore[attr-defined]
    echo = framed(port.wire.management("echo"))
    line.writer.write(echo * 40_000)
    before = -1
    while (now := line.writer.transport.get_write_buffer_size()) != before:
        before = now
        await asyncio.sleep(0.15)
    assert before > 0
    assert await port.is_alive()
    line.writer.transport.abort()


def _with_small_buffers(self: server.HostConnection, transport: asyncio.BaseTransport) -> None:
    _keep_small(transport.get_extra_info("socket"))
    _connection_made(self, transport)


def _keep_small(line: socket.socket) -> None:
    """Fix both buffers of the system, which would grow until they hold everything that is sent here."""
    for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        line.setsockopt(socket.SOL_SOCKET, buffer, 4_096)


_connection_made = server.HostConnection.connection_made


async def test_above_the_limit_nobody_is_taken_in(
    port: Port, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of connections would use up every file of the machine."""
    monkeypatch.setattr(server, "CONNECTIONS", 3)
    opened = [await port.open() for _ in range(3)]
    for line in opened:
        await line.ask(port.wire.management("echo"))
    fourth = await port.open()
    assert await fourth.is_closed()
    assert "3 connections are open already" in lines(caplog, logging.WARNING)[0]
    opened.pop().close()
    await asyncio.sleep(0.02)
    assert await port.is_alive()
    for line in (*opened, fourth):
        line.close()


async def test_a_defect_of_ours_is_answered_and_seen(
    port: Port, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in one handler would take every terminal of the town off the line."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    line = await port.open()
    with monkeypatch.context() as patch:
        patch.setattr("host.acquirer.decide", broken)
        reply = await line.ask(port.wire.sale(100))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("96", "host.failure")
    assert len(lines(caplog, logging.ERROR)) == 1
    assert (await line.ask(port.wire.sale(100))).text(F.RESPONSE_CODE) == "00"
    line.close()


@pytest.mark.feature("X11")
async def test_a_clone_on_the_wire_is_hung_up_and_the_newest_sells(port: Port) -> None:
    """A copied till would sell beside the real one on a second connection (faults N22, A06)."""
    old, new = await port.open(), await port.open()
    assert (await old.ask(port.wire.sale(100))).text(F.RESPONSE_CODE) == "00"
    assert (await new.ask(port.wire.sale(100))).text(F.RESPONSE_CODE) == "00"
    assert refusal(await old.ask(port.wire.sale(100))).reason == "terminal.superseded"
    assert await old.is_closed()
    assert (await new.ask(port.wire.sale(100))).text(F.RESPONSE_CODE) == "00"
    assert await captured(port) == 3
    old.close()
    new.close()


async def test_guessing_on_the_wire_is_hung_up_and_the_neighbour_sells(port: Port) -> None:
    """A port that anybody reaches would be tried until a MAC fits, or shut all tills behind one router (faults A03)."""
    till, guesser = await port.open(), await port.open()
    assert (await till.ask(port.wire.sale(100))).text(F.RESPONSE_CODE) == "00"
    for _ in range(guard.BARS["terminal"].wrong_macs):
        payload = port.wire.sale(100)
        reply = await guesser.ask(payload[:-1] + bytes([payload[-1] ^ 1]))
        assert reply.text(F.RESPONSE_CODE) == "A0"
    assert await guesser.is_closed()
    assert (await till.ask(port.wire.sale(100))).text(F.RESPONSE_CODE) == "00"
    assert await captured(port) == 2
    till.close()
    guesser.close()
