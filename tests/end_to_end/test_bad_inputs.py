"""TABLE BAD over TCP: one reply or one log line for each input, nothing changed, and the host lives on."""

from __future__ import annotations

import asyncio
import logging

import pytest

from host import server
from protocol.codec import seal
from protocol.fields import F
from protocol.message import Message
from tests.end_to_end import test_hostile_wire as hostile
from tests.end_to_end.test_hostile_wire import Port, framed, lines
from tests.host.wire import DEBIT, Sold, refusal
from tests.protocol.bad_inputs import ACCEPTED, MESSAGES, PAYLOADS, SALE, STREAMS, changed

port = hostile.port
TABLES = ("postings", "terminals", "merchants", "batches", "holds")
DROPPED = {name for name in PAYLOADS if name.startswith(("B13", "B16", "B17", "B18", "B20", "B21", "B22"))}
"""Where TPDU or header are wrong no reply would reach anybody; an MTI that is none has no reply."""


async def state(port: Port) -> list[object]:
    """Everything that a request could change, and the sales that count: a refused one may be noted."""
    rows = [await asyncio.to_thread(port.lab.rows, table) for table in TABLES]
    return [*rows, await asyncio.to_thread(port.lab.rows, "transactions", state="captured")]


def sealed(port: Port, message: Message) -> bytes:
    """A sale of the terminal on the port, MAC and all unless the message has none."""
    ours = message.with_fields({F.DEVICE: port.wire.device()})
    if message.has(F.CONTROL):
        ours = ours.with_fields({F.CONTROL: f"22{port.wire.batch}000600"})
    return seal(ours, port.wire.make_mac if message.has(F.MAC) else None)


async def test_the_sale_that_is_spoilt_below_is_good(port: Port) -> None:
    """Every other test here would pass because the sale itself is refused."""
    line = await port.open()
    assert (await line.ask(sealed(port, SALE))).text(F.RESPONSE_CODE) == "00"
    line.close()


@pytest.mark.parametrize("name", STREAMS)
async def test_what_is_no_stream_is_closed_with_one_line(
    port: Port, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A browser on the port would leave half a frame in memory, or a page in the log."""
    monkeypatch.setattr(server, "FRAME_DEADLINE_S", 0.1)
    before = await state(port)
    line = await port.open()
    line.writer.write(STREAMS[name].data)
    assert await line.is_closed()
    [told] = lines(caplog, logging.WARNING)
    assert STREAMS[name].hint in told
    assert await state(port) == before
    assert await port.is_alive()
    line.close()


@pytest.mark.parametrize("name", PAYLOADS)
async def test_a_spoiled_payload_is_answered_30_or_dropped_with_one_line(
    port: Port, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """A sale that nobody can read would be booked, or end the line of a terminal that only stammered."""
    before = await state(port)
    line = await port.open()
    await line.send(framed(PAYLOADS[name].spoil(sealed(port, SALE))))
    line.writer.write_eof()
    answer = await line.reader.read()
    if name in DROPPED:
        assert answer == b""
    else:
        reply = hostile.unseal(answer[2:]).message
        assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("30", "message.malformed")
    assert len(caplog.records) == 1
    assert await state(port) == before
    assert await port.is_alive()
    line.close()


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_value_that_makes_no_sense_is_refused(port: Port, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Money would move by an amount, a currency or a card that does not exist."""
    changes, code = MESSAGES[name]
    before = await state(port)
    line = await port.open()
    reply = await line.ask(sealed(port, changed(changes)))
    assert (reply.text(F.RESPONSE_CODE), bool(refusal(reply).reason)) == (code, True)
    assert len(caplog.records) == 1
    assert await state(port) == before
    assert await port.is_alive()
    line.close()


@pytest.mark.parametrize("name", ACCEPTED)
async def test_what_is_taken_is_booked_once(port: Port, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """A strange value in a field that decides nothing would cost the shop a sale, or its bytes would fill the log."""
    line = await port.open()
    reply = await line.ask(sealed(port, changed(ACCEPTED[name])))
    assert reply.text(F.RESPONSE_CODE) == "00"
    assert len(caplog.records) == 1
    assert len(caplog.text) < 400
    assert await hostile.captured(port) == 1
    assert await asyncio.to_thread(port.lab.violations) == []
    line.close()


async def test_a_void_of_a_sale_that_is_not_there_is_refused(port: Port) -> None:
    """One terminal could take back what another one sold (B61)."""
    before = await state(port)
    line = await port.open()
    reply = await line.ask(port.wire.void(Sold("000009", "000001", 1_234, DEBIT, "000000000001")))
    assert reply.text(F.RESPONSE_CODE) == "25"
    assert await state(port) == before
    line.close()
