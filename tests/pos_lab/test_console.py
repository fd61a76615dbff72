"""The console of a terminal: what may be asked, what is wrong with a line, and clients that mean no good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.board import Hardware
from firmware_sim.models import MODELS
from firmware_sim.power import Cause
from pos_lab.console.desk import KEPT_MAX, Desk, discreet
from pos_lab.console.port import CLIENTS_MAX, LINE_BYTES_MAX, QUEUE_BYTES_MAX, check_endpoint, serving
from pos_lab.console.requests import CONSOLE_COMMANDS, RequestWrong, carry_out, read
from pos_lab.console.shell import HELP, WORDS, plain
from pos_lab.vendor import VENDOR_PUBLIC_KEY, make_image
from pos_lab.wall_clock import fresh_bytes, wall_clock
from protocol.errors import EndpointWrong
from protocol.transport import connect
from terminal.flows import FLOWS
from terminal.settings import Settings

WAIT_S = 10.0


def make_desk(model: str = "PX-E90") -> Desk:
    """A terminal that is on, with no host to reach and no keys."""
    row = MODELS[model]
    hardware = Hardware.make(
        row,
        "CONSOLE00001",
        factory_image=make_image(row, row.factory_firmware),
        vendor_public_key=VENDOR_PUBLIC_KEY,
        url="memory:nobody",
        now=wall_clock,
        fresh=fresh_bytes,
    )
    desk = Desk(hardware, Settings(terminal_id="10000001", merchant_id="898000000000001"), lambda board: None)
    desk.switch_on()
    return desk


class Client:
    """A program at the other end: ``events`` are what came beside the replies."""

    def __init__(self, transport: asyncio.Transport, received: asyncio.Queue[bytes]) -> None:
        self.transport = transport
        self.events: list[dict[str, Any]] = []
        self._received = received
        self._buffer = b""

    def send(self, raw: bytes) -> None:
        """Bytes as they are."""
        self.transport.write(raw)

    async def next(self) -> dict[str, Any]:
        """The next document."""
        while b"\n" not in self._buffer:
            more = await asyncio.wait_for(self._received.get(), WAIT_S)
            assert more, "the console hung up"
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        document: dict[str, Any] = json.loads(line)
        return document

    async def reply(self) -> dict[str, Any]:
        """The next reply."""
        while "ok" not in (document := await self.next()):
            self.events.append(document)
        return document

    async def ask(self, **request: object) -> dict[str, Any]:
        """One request and its reply."""
        self.send(json.dumps(request).encode() + b"\n")
        return await self.reply()

    async def gone(self) -> None:
        """Wait until the console has hung up."""
        while await asyncio.wait_for(self._received.get(), WAIT_S):
            pass


class _Receiver(asyncio.Protocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def data_received(self, data: bytes) -> None:
        self.received.put_nowait(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.received.put_nowait(b"")


async def call(url: str) -> Client:
    """Connect to a console."""
    transport, receiver = await connect(url, _Receiver)
    return Client(transport, receiver.received)


@asynccontextmanager
async def console(desk: Desk) -> AsyncIterator[str]:
    """A console that is served over TCP."""
    async with serving(desk, "tcp://127.0.0.1:0") as url, desk.attended():
        yield url


WRONG = {
    b"": ("json", 0),
    b"sale": ("json", 0),
    b'{"do": "sale"': ("json", 13),
    b'{"screen": true}}': ("json", 16),
    '{"enter": "消费" x}'.encode(): ("json", 19),
    b'{"press": "\xff"}': ("utf8", 11),
    b"\x00\x01\x02": ("json", 0),
    b'"sale"': ("request", 0),
    b"[1, 2]": ("request", 0),
    b"null": ("request", 0),
    b"{}": ("unknown_command", None),
    b'{"sale": "60.00"}': ("unknown_command", None),
    b'{"screen": true, "press": "1"}': ("unknown_option", None),
    b'{"do": "sale", "word": ["60.00"]}': ("unknown_option", None),
    b'{"id": [1], "screen": true}': ("value", None),
    b'{"id": true, "screen": true}': ("value", None),
    b'{"id": "' + b"x" * 65 + b'", "screen": true}': ("value", None),
    b'{"told": NaN}': ("json", 0),
    b'{"told": ' + b"9" * 5000 + b"}": ("json", 0),
    b"[" * 50_000: ("json", 0),
}


@pytest.mark.parametrize("line", WRONG, ids=lambda line: repr(line[:30]))
def test_a_wrong_line_says_where_it_is_wrong(line: bytes) -> None:
    """Who writes a client would have to guess what the console did not understand."""
    with pytest.raises(RequestWrong) as caught:
        read(line)
    assert (caught.value.code, caught.value.offset) == WRONG[line]


def test_an_unknown_command_is_told_its_nearest() -> None:
    """A typing error would cost a look into the handbook."""
    with pytest.raises(RequestWrong, match="did you mean 'present'"):
        read(b'{"presnt": "debit"}')


@given(st.binary(max_size=200))
def test_no_line_breaks_the_reader(line: bytes) -> None:
    """One client's garbage would end the terminal for all."""
    try:
        request = read(line)
    except RequestWrong:
        return
    assert request.command in CONSOLE_COMMANDS


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown flow": ({"do": "sael"}, "unknown_name"),
    "a flow that is no text": ({"do": 5}, "value"),
    "words that are none": ({"do": "sale", "words": "60.00"}, "value"),
    "too many words": ({"do": "echo", "words": ["1"]}, "words"),
    "an unknown card": ({"do": "sale", "words": ["60.00", "debut"]}, "unknown_name"),
    "an unknown way": ({"present": "debit:throw"}, "unknown_name"),
    "a way that the card has not": ({"present": "wearable:swipe"}, "device"),
    "a card that is a number": ({"present": 1}, "value"),
    "a key that there is not": ({"key": "shift"}, "unknown_name"),
    "a letter": ({"press": "1a"}, "device"),
    "an entry too long": ({"enter": "1" * 257}, "device"),
    "a short PIN": ({"pin": "975"}, "device"),
    "a PIN of letters": ({"pin": "975xyz"}, "device"),
    "a PIN that is a number": ({"pin": 97531}, "value"),
    "strokes that are none": ({"sign": [[1, 2, 3]]}, "value"),
    "points that are none": ({"sign": [[[1, True]]]}, "value"),
    "an unknown signature": ({"sign": "doctor"}, "unknown_name"),
    "power that is none": ({"power": "maybe"}, "unknown_name"),
    "power twice": ({"power": "on"}, "device"),
    "an unknown fault": ({"fault": "printer.jma"}, "unknown_name"),
    "a fault that needs more": ({"fault": "line.hold_reply"}, "device"),
    "a fault half a time": ({"fault": "printer.jam", "times": 0.5}, "value"),
    "a fault less than never": ({"fault": "printer.jam", "times": -1}, "value"),
    "more than is kept": ({"told": 1000}, "value"),
    "a count that is none": ({"printed": "all"}, "value"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_done_is_refused_and_harms_nothing(name: str) -> None:
    """A wrong request would leave half an entry behind for the next sale, or show a PIN."""
    request, code = REFUSED[name]
    desk = make_desk()
    async with desk.attended():
        reply = carry_out(desk, read(json.dumps({"id": 7, **request}).encode()))
        assert (reply["id"], reply["ok"]) == (7, False)
        assert reply["error"]["code"] == code, reply  # type: ignore[index]
        assert "975" not in str(reply)
        assert (desk.flow, desk.board.keypad.asks_pin) == ("", False)
        desk.begin("sale")
        await asyncio.sleep(0)
        assert desk.board.display.lines("en")[0] == "enter the amount"


POWERED = [name for name in CONSOLE_COMMANDS if name not in ("screen", "told", "printed", "state", "wait", "help")]
VALUES: dict[str, Any] = {"do": "sale", "press": "1", "key": "enter", "present": "debit", "pin": "", "power": "cut"}


@pytest.mark.parametrize("name", [name for name in POWERED if name != "fault"])
def test_nothing_works_without_power(name: str) -> None:
    """A program would believe that its key was pressed on a dead device."""
    desk = make_desk()
    desk.cut()
    reply = carry_out(desk, read(json.dumps({name: VALUES.get(name, "1")}).encode()))
    assert isinstance(error := reply["error"], dict)
    assert error["code"] == "power_off"
    assert carry_out(desk, read(b'{"screen": true}'))["zh"] == ()
    assert carry_out(desk, read(b'{"state": true}'))["on"] is False
    assert carry_out(desk, read(b'{"power": "on"}'))["on"] is True


def test_help_tells_every_command_and_flow() -> None:
    """A program could not find out what there is."""
    told: Any = carry_out(make_desk(), read(b'{"help": true}'))
    assert set(told["commands"]) == set(CONSOLE_COMMANDS)
    assert set(told["flows"]) == set(FLOWS)
    assert set(FLOWS) <= set(WORDS)


def test_the_prompt_tells_every_word() -> None:
    """Somebody at the prompt would not find out how to pull the plug."""
    told = " ".join(usage.lower() for usage, _, _ in HELP).replace(",", "").split()
    assert set(WORDS) - set(FLOWS) - set(told) == set()


async def test_a_sale_key_by_key() -> None:
    """A program could see the screens and not answer them."""
    desk = make_desk()
    async with console(desk) as url:
        client = await call(url)
        assert await client.ask(id=1, do="sale") == {"id": 1, "ok": True, "flow": "sale"}
        assert (await client.ask(screen=True))["en"][0] == "enter the amount"
        for key in "60.00":
            await client.ask(press=key)
        await client.ask(key="enter")
        await client.ask(present="debit:insert")
        assert (await client.ask(state=True))["asks_pin"] is True
        await client.ask(press="135790")
        assert (await client.ask(do="echo"))["error"]["code"] == "busy"
        client.send(b'{"id": "w", "wait": true}\n{"id": "after", "key": "enter"}\n')
        other = await call(url)  # whoever waits is held up, another one is not
        await other.ask(key="enter")
        waited = await client.reply()
        assert (waited["id"], waited["good"]) == ("w", False)
        assert waited["outcomes"][-1]["reason"] == "terminal.no_master_key"
        assert (await client.reply())["id"] == "after"
        kinds = [event["event"] for event in client.events]
        assert kinds.index("screen") < kinds.index("outcome") < kinds.index("idle")
        screens = [event["en"] for event in client.events if event["event"] == "screen"]
        assert all(len(screen) == desk.hardware.model.lines for screen in screens)
        assert "135790" not in str(client.events) + str(waited)
        assert (await client.ask(told=1))["outcomes"][0]["flow"] == "sale"


async def test_the_power_goes_and_comes(caplog: pytest.LogCaptureFixture) -> None:
    """A program would wait for ever for the end of a sale that a power cut ended."""
    desk = make_desk()
    async with console(desk) as url:
        client = await call(url)
        await client.ask(do="sale", words=["60.00"])
        assert (await client.ask(power="cut"))["on"] is False
        assert (await client.ask(wait=True))["good"] is False
        assert {"event": "power", "on": False, "cause": "mains"} in client.events
        assert (await client.ask(power="on"))["on"] is True
        await client.ask(do="sale", words=["60.00"])
        desk.hardware.power.cut(Cause.WATCHDOG)
        await client.ask(wait=True)
        assert (await client.ask(state=True))["on"] is True  # it started again by itself
    assert not caplog.records


async def test_signatures_and_faults() -> None:
    """A test could not let the cardholder sign, or a part fail."""
    desk = make_desk("PX-A920")
    for strokes in ("default", "cross", "cancel", "none", [[0, 0], [10, 10]], [[[0, 0]], [[5, 5], [9, 10**30]]], []):
        assert carry_out(desk, read(json.dumps({"sign": strokes}).encode()))["ok"] is True
    assert carry_out(desk, read(b'{"fault": "printer.jam", "times": null}'))["armed"] == ("printer.jam",)
    assert carry_out(desk, read(b'{"fault": "printer.jam", "times": 0}'))["armed"] == ()
    without = carry_out(make_desk("PX-S80"), read(b'{"sign": "default"}'))
    assert without["error"]["code"] == "no_pad"  # type: ignore[index]


async def test_paper_is_read_as_it_comes() -> None:
    """A program that checks slips would have to ask for the paper again and again."""
    desk = make_desk("PX-A920")
    async with console(desk) as url:
        client = await call(url)
        await client.ask(screen=True)  # the console listens by now
        assert desk.board.printer is not None
        desk.board.printer.print([f"line {number}" for number in range(KEPT_MAX)])
        assert len((await client.ask(printed=True))["lines"]) == 200
        assert len(desk.hardware.paper) == KEPT_MAX
        assert client.events[-2] == {"event": "printed", "line": f"line {KEPT_MAX - 1}"}


async def test_garbage_gets_an_error_each_and_the_line_lives() -> None:
    """One wrong byte would cost a test run its connection."""
    desk = make_desk()
    async with console(desk) as url:
        client = await call(url)
        client.send(b"\xff\xfe\n\n   \n{]\n" + b"x" * (1 << 20) + b"\n" + b'{"id": 1, "screen": true}\r\n')
        codes = [(await client.reply())["error"]["code"] for _ in range(3)]
        assert codes == ["utf8", "json", "line_too_long"]
        assert (await client.reply())["id"] == 1
        client.send(b"y" * (LINE_BYTES_MAX + 1) + b'\n{"id": "\\ud800", "screen": true}\n')
        assert (await client.reply())["error"]["offset"] == LINE_BYTES_MAX
        assert (await client.reply())["id"] == "\ud800"
        client.send(b'{"id": 2, "scr')  # half a line, and gone
        client.transport.close()
        other = await call(url)
        assert (await other.ask(screen=True))["ok"] is True


async def test_a_flood_is_served_as_fast_as_it_is_read() -> None:
    """A client that writes before it reads would be dropped, or fill the memory."""
    desk = make_desk()
    async with console(desk) as url:
        client = await call(url)
        number = 5_000
        client.send(b"".join(b'{"id": %d, "state": true}\n' % each for each in range(number)))
        assert [(await client.reply())["id"] for _ in range(number)] == list(range(number))


async def test_who_never_reads_is_dropped_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A forgotten window would fill the memory of the terminal, or hold up all others."""
    desk = make_desk()
    async with console(desk) as url:
        slow, quick = await call(url), await call(url)
        await slow.ask(screen=True)
        slow.transport.pause_reading()
        text = "消费" * 40  # a screen full
        for number in range(100_000):
            desk.board.display.show(text, text)
            if caplog.records:
                break
            if number % 50 == 0:
                await quick.ask(screen=True)
                quick.events.clear()
        assert "was dropped" in caplog.text
        slow.transport.resume_reading()
        await slow.gone()
        assert (await quick.ask(screen=True))["ok"] is True
    assert QUEUE_BYTES_MAX < 1 << 20


async def test_a_client_that_ends_its_side_gets_its_answers() -> None:
    """A line piped into the port would never be answered."""
    desk = make_desk()
    async with console(desk) as url:
        client = await call(url)
        client.send(b'{"id": 1, "do": "sale", "words": ["nothing"]}\n{"id": 2, "wait": true}\n')
        client.transport.write_eof()
        assert [(await client.reply())["id"] for _ in range(2)] == [1, 2]
        await client.gone()


async def test_only_so_many_clients() -> None:
    """A program in a loop would use up every file descriptor."""
    desk = make_desk()
    async with console(desk) as url:
        clients = [await call(url) for _ in range(CLIENTS_MAX)]
        for client in clients:
            await client.ask(screen=True)
        late = await call(url)
        assert (await late.reply())["error"]["code"] == "too_many"
        await late.gone()
        clients[0].transport.close()
        await clients[1].ask(screen=True)
    for client in clients[1:]:
        await client.gone()  # nobody is kept when the console closes


async def test_a_browser_is_sent_away() -> None:
    """A page in the user's browser could sell by posting lines to the port."""
    desk = make_desk()
    async with console(desk) as url:
        client = await call(url)
        client.send(b'POST / HTTP/1.1\r\nHost: localhost\r\n\r\n{"do": "sale"}\n')
        assert (await client.reply())["error"]["code"] == "http"
        await client.gone()
        assert desk.flow == ""


@pytest.mark.parametrize(
    "url", ["tcp://0.0.0.0:0", "tcp://192.0.2.1:0", "tcp://example:0", "tcp://[::]:0", "memory:a", "pty:", "nonsense"]
)
def test_only_this_machine_is_served(url: str) -> None:
    """Anybody in the house could operate the terminal."""
    with pytest.raises(EndpointWrong):
        check_endpoint(url, exposed=False)


def test_who_is_served() -> None:
    """The console would be of no use, or could not be opened where it must be."""
    for url in ("tcp://127.0.0.1:0", "tcp://localhost:9000", "tcp://[::1]:0"):
        check_endpoint(url, exposed=False)
    check_endpoint("tcp://0.0.0.0:0", exposed=True)
    with pytest.raises(EndpointWrong):
        check_endpoint("pty:", exposed=True)


def test_text_is_shown_as_text() -> None:
    """A merchant's name could move the cursor, and a typing error show a PIN."""
    assert plain("a\x1b[2J\u202e消\r") == "a·[2J·消·"
    assert discreet("pin 123456, 5.00, 12") == "pin ******, 5.00, 12"
