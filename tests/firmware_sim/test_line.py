"""The line over a memory connection: payloads, silence, faults and cuts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from firmware_sim import line as line_file
from firmware_sim.errors import LineDown, LineSilent
from firmware_sim.faults import Faults, Hold
from firmware_sim.line import Direction, Line
from firmware_sim.power import Cause, Phase, Power, PowerLost
from protocol.framing import EOT, Framer, Len2Framer, StxFramer, Timers
from protocol.transport import Endpoint, serve

REQUEST = bytes(range(40))
REPLY = bytes(range(40, 80))
URL = "memory:line"


class Host(asyncio.Protocol):
    """A host that answers every payload with ``reply``, unless that is empty."""

    def __init__(self, framer: Framer) -> None:
        self.framer = framer
        self.seen: list[bytes] = []
        self.reply = REPLY
        self.connections = 0
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.connections += 1

    def data_received(self, data: bytes) -> None:
        for payload in self.framer.feed(data):
            self.seen.append(payload)
            if self.reply:
                self.transport.write(self.framer.outgoing() + self.framer.wrap(self.reply))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True


class Bench:
    """A line, the host at its other end, and what was recorded in between."""

    def __init__(self, power: Power, url: str, framer: Framer) -> None:
        self.host = Host(framer)
        self.faults = Faults()
        self.traffic: list[tuple[Direction, bytes]] = []
        self.line = Line(power, self.faults, url, lambda *what: self.traffic.append(what))

    async def ask(self, timeout_s: float = 0.05) -> bytes:
        await self.line.open(1)
        await self.line.send(REQUEST)
        return await self.line.receive(timeout_s)


@pytest.fixture
async def bench(power: Power) -> AsyncIterator[Bench]:
    bench = Bench(power, URL, Len2Framer())
    listener = await serve(URL, lambda: bench.host)
    yield bench
    await listener.close()


async def settle() -> None:
    """Let everything that is ready to happen happen."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_request_and_its_reply(bench: Bench) -> None:
    """Nothing could be sold."""
    assert await bench.ask() == REPLY
    assert bench.host.seen == [REQUEST]
    assert bench.traffic == [(Direction.SENT, REQUEST), (Direction.RECEIVED, REPLY)]
    assert await bench.ask() == REPLY
    assert bench.host.connections == 1


async def test_a_serial_framing(power: Power) -> None:
    """A terminal on a serial line would repeat every frame, because nobody acknowledges."""
    bench = Bench(power, "memory:stx?framing=stx", StxFramer())
    listener = await serve("memory:stx?framing=stx", lambda: bench.host)
    assert await bench.ask() == REPLY
    await listener.close()


@pytest.fixture
async def serial(power: Power, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A serial line whose terminal is impatient."""
    monkeypatch.setattr(Endpoint, "framer", lambda *_: StxFramer(timers=Timers(ack_timeout_s=0.02)))
    bench = Bench(power, "memory:serial?framing=stx", StxFramer())
    listener = await serve("memory:serial?framing=stx", lambda: bench.host)
    yield bench
    await listener.close()


async def test_a_request_that_the_line_lost_is_sent_again(serial: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One disturbance on the cable would cost the reply timeout and a reversal."""
    lost: list[bytes] = []
    hear = serial.host.data_received
    monkeypatch.setattr(serial.host, "data_received", lambda data: hear(data) if lost else lost.append(data))
    assert await serial.ask(1) == REPLY
    assert lost == [StxFramer().wrap(REQUEST)]
    assert serial.host.seen == [REQUEST]


async def test_a_host_that_acknowledges_nothing_is_given_up(serial: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cable that is out would look like a slow host, for the whole reply timeout."""
    heard = bytearray()
    monkeypatch.setattr(serial.host, "data_received", heard.extend)
    with pytest.raises(LineDown, match="no ACK for 4 sendings"):
        await serial.ask(1)
    await settle()
    assert heard == StxFramer().wrap(REQUEST) * 4 + bytes([EOT])
    assert serial.host.is_lost
    assert not serial.line.is_open


async def test_silence_is_told_and_the_late_reply_comes_next(bench: Bench) -> None:
    """A reply after the timeout would vanish, and nobody could test that it is ignored."""
    bench.host.reply = b""
    with pytest.raises(LineSilent, match=r"no reply in 0\.01 s"):
        await bench.ask(0.01)
    bench.host.transport.write(bench.host.framer.wrap(REPLY))
    assert await bench.line.receive(0.05) == REPLY


async def test_the_end_of_the_connection_is_told_after_the_last_reply(bench: Bench) -> None:
    """An approval sent just before the host restarted would be lost."""
    await bench.line.open()
    await bench.line.send(REQUEST)
    await settle()
    bench.host.transport.close()
    await settle()
    assert not bench.line.is_open
    assert await bench.line.receive(0.05) == REPLY
    with pytest.raises(LineDown, match="ended"):
        await bench.line.receive(0.05)
    with pytest.raises(LineDown, match="ended"):
        await bench.line.send(REQUEST)
    assert await bench.ask() == REPLY


@pytest.mark.feature("F")
async def test_no_host_and_no_connection(power: Power) -> None:
    """The cashier would see a traceback when the host is down."""
    line = Line(power, Faults(), "memory:nobody", lambda *_: None)
    with pytest.raises(LineDown, match="nobody"):
        await line.open(0.05)
    with pytest.raises(LineDown, match="not open"):
        await line.send(REQUEST)
    with pytest.raises(LineDown, match="not open"):
        await line.receive(0.05)
    line.close()


async def test_closing(bench: Bench) -> None:
    """The host would keep a slot for every sale of the day."""
    await bench.ask()
    bench.line.close()
    await settle()
    assert bench.host.is_lost
    assert not bench.line.is_open


@pytest.mark.feature("F")
async def test_garbage_ends_the_connection(bench: Bench) -> None:
    """A wrong port would make the terminal wait for its timeout without a reason."""
    await bench.line.open()
    good = bench.host.framer.wrap(REPLY)
    bench.host.transport.write(good + b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await settle()
    assert await bench.line.receive(0.05) == REPLY
    with pytest.raises(LineDown, match="does not speak our framing"):
        await bench.line.receive(0.05)
    assert bench.host.is_lost


async def test_half_a_frame_has_a_deadline(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that loses bytes would glue half of one reply to the next."""
    monkeypatch.setattr(line_file, "FRAME_DEADLINE_S", 0.02)
    await bench.line.open()
    frame = bench.host.framer.wrap(REPLY)
    bench.host.transport.write(frame[:10])
    await settle()
    bench.host.transport.write(frame[10:] + frame[:10])
    assert await bench.line.receive(0.05) == REPLY
    with pytest.raises(LineDown, match="half a frame"):
        await bench.line.receive(0.1)


async def test_a_lost_request(bench: Bench) -> None:
    """A scenario could not show that an unanswered sale is reversed."""
    bench.faults.arm("line.drop_request")
    with pytest.raises(LineSilent):
        await bench.ask(0.02)
    assert bench.host.seen == []
    assert bench.faults.fired["line.drop_request"] == 1
    assert await bench.ask() == REPLY


async def test_a_lost_reply(bench: Bench) -> None:
    """A scenario could not show that a sale whose reply was lost counts nothing."""
    bench.faults.arm("line.drop_reply", when=lambda payload: payload == REPLY)
    with pytest.raises(LineSilent):
        await bench.ask(0.02)
    assert bench.host.seen == [REQUEST]
    assert bench.traffic == [(Direction.SENT, REQUEST)]


@pytest.mark.feature("F")
async def test_a_held_reply(bench: Bench) -> None:
    """The stop in the middle of a sale could not be played."""
    hold = Hold()
    bench.faults.arm("line.hold_reply", hold)
    asking = asyncio.create_task(bench.ask(1))
    await hold.caught()
    await settle()
    assert not asking.done()
    hold.release()
    assert await asking == REPLY


async def test_a_replaced_reply(bench: Bench) -> None:
    """A forged notice could not be put in front of the terminal."""
    bench.faults.arm("line.replace_reply", lambda reply: reply[::-1])
    assert await bench.ask() == REPLY[::-1]
    assert bench.traffic[-1] == (Direction.RECEIVED, REPLY[::-1])


async def test_a_cut_while_waiting_tears_the_connection_down(bench: Bench, power: Power) -> None:
    """The host would believe that a terminal without power is still there."""
    bench.host.reply = b""
    asking = asyncio.create_task(bench.ask(1))
    await settle()
    power.cut()
    with pytest.raises(PowerLost):
        await asking
    await settle()
    assert bench.host.is_lost


async def test_a_cut_at_the_moment_of_sending_sends_nothing(bench: Bench, power: Power) -> None:
    """A request would leave a terminal that has no power any more."""
    bench.line = Line(power, bench.faults, URL, lambda *_: power.cut())
    with pytest.raises(PowerLost):
        await bench.ask()
    await settle()
    assert bench.host.seen == []


@pytest.mark.parametrize(("phase", "seen"), [(Phase.BEFORE, []), (Phase.AFTER, [REQUEST])])
async def test_a_planned_cut_falls_before_or_after_the_sending(
    bench: Bench, power: Power, phase: Phase, seen: list[bytes]
) -> None:
    """A plug pulled before the host knows and one pulled after it knows could not be told apart."""
    with power.watched() as points:
        await bench.ask()
    assert points == ["line.send"]
    bench.host.seen.clear()
    power.cut_at(1, phase)
    with pytest.raises(PowerLost):
        await bench.ask()
    await settle()
    assert bench.host.seen == seen
    assert bench.host.is_lost


@pytest.mark.feature("F")
async def test_a_brown_out_fault_restarts_the_device(bench: Bench, power: Power) -> None:
    """A weak supply would look like a plug that was pulled."""
    bench.faults.arm("power.brown_out")
    with pytest.raises(PowerLost):
        await bench.ask()
    await settle()
    assert (bench.host.seen, power.last_cut, bench.faults.fired["power.brown_out"]) == ([], Cause.BROWN_OUT, 1)


@pytest.mark.feature("F")
async def test_no_signal_fault(bench: Bench) -> None:
    """A cellar without a signal would look like a host that is down."""
    working = [bench.line.is_working]
    bench.faults.arm("line.no_signal")
    with pytest.raises(LineDown, match="no signal"):
        await bench.ask()
    working.append(bench.line.is_working)
    assert await bench.ask() == REPLY
    assert [*working, bench.line.is_working] == [True, False, True]
    assert bench.faults.fired["line.no_signal"] == 1


@pytest.mark.feature("F")
async def test_a_line_that_breaks_fault(bench: Bench) -> None:
    """A request that arrived would be taken for one that was never sent."""
    bench.faults.arm("line.breaks")
    with pytest.raises(LineDown, match="the line broke"):
        await bench.ask()
    await settle()
    assert (bench.host.seen, bench.host.is_lost) == ([REQUEST], True)
    assert await bench.ask() == REPLY
    assert bench.faults.fired["line.breaks"] == 1


async def test_a_reply_released_after_a_cut_reaches_nobody(bench: Bench, power: Power) -> None:
    """The recovered terminal would take the reply of its former life for an answer."""
    hold = Hold()
    bench.faults.arm("line.hold_reply", hold)
    asking = asyncio.create_task(bench.ask(1))
    await hold.caught()
    power.cut()
    hold.release()
    with pytest.raises(PowerLost):
        await asking
    assert bench.traffic == [(Direction.SENT, REQUEST)]


async def test_a_cut_while_a_reply_is_noted(bench: Bench, power: Power) -> None:
    """A cut between the wire and the program could not be played."""
    bench.line = Line(power, bench.faults, URL, lambda way, _: power.cut() if way is Direction.RECEIVED else None)
    with pytest.raises(PowerLost):
        await bench.ask()


async def test_a_dead_line_does_nothing(bench: Bench, power: Power) -> None:
    """The program that lost its power would go on sending."""
    await bench.line.open()
    power.cut()
    power.switch_on()
    uses: list[Callable[[], object]] = [bench.line.close, lambda: bench.line.is_open]
    for use in uses:
        with pytest.raises(PowerLost):
            use()
    for wait in (bench.line.open(), bench.line.send(REQUEST), bench.line.receive(0.01)):
        with pytest.raises(PowerLost):
            await wait


@pytest.mark.parametrize(
    ("url", "links", "needed"),
    [
        ("tcp://127.0.0.1:9", {"serial"}, "tcp"),
        ("serial:///dev/null", {"tcp", "tls"}, "bluetooth or serial"),
        ("pty:", {"tcp"}, "bluetooth or serial"),
    ],
)
async def test_a_model_is_not_connected_by_what_it_does_not_have(
    power: Power, url: str, links: set[str], needed: str
) -> None:
    """A device with a serial plug alone would be tested over a network that it will never see."""
    line = Line(power, Faults(), url, lambda *_: None, links=frozenset(links))
    with pytest.raises(LineDown, match=f"this model has no {needed} for .*its links: "):
        await line.open(1)
    assert not line.is_open
