"""TABLE BAD over TCP: one reply or one log line for each input, nothing changed, and the host lives on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from host import server
from protocol.codec import seal, unseal
from protocol.fields import F
from protocol.message import Message
from tests.end_to_end import test_hostile_wire as hostile
from tests.end_to_end.test_hostile_wire import Port, framed, lines
from tests.host.wire import Sold, Wire, refusal
from tests.protocol.bad_inputs import (
    CHIP_DATA,
    DIALECT_BODIES,
    ICC_BYTES_MAX,
    MARKUP,
    MESSAGES,
    PAYLOADS,
    PRIVATE_BYTES,
    SALE,
    SOUND_CHIP_DATA,
    STREAMS,
    VOID,
    changed,
)

port = hostile.port
TABLES = ("postings", "terminals", "merchants", "batches", "holds")
ENVELOPE = bytes.fromhex("6000030000603200000000")
DROPPED = {name for name in PAYLOADS if name.startswith(("B13", "B16", "B17", "B18", "B20", "B21", "B22", "B31 MTI"))}
"""Where TPDU or header are wrong no reply would reach anybody; an MTI that is none has no reply."""


async def state(port: Port) -> list[object]:
    """Everything that a request could change, and the sales that count: a refused one may be noted.

    By which line a terminal spoke last is its own business.
    """
    rows = [await asyncio.to_thread(port.lab.rows, table) for table in TABLES]
    rows = [[{name: row[name] for name in row if name not in ("line", "fence")} for row in each] for each in rows]
    return [*rows, await asyncio.to_thread(port.lab.rows, "transactions", state="captured")]


def sealed(port: Port, message: Message) -> bytes:
    """A request of the terminal on the port, MAC and all unless it has none."""
    ours = message.with_fields({F.DEVICE: port.wire.device()})
    if control := message.text(F.CONTROL):
        ours = ours.with_fields({F.CONTROL: f"{control[:2]}{port.wire.batch}{control[8:]}"})
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
        reply = unseal(answer[2:]).message
        assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("30", "message.malformed")
    assert len(caplog.records) == 1
    assert await state(port) == before
    assert await port.is_alive()
    line.close()


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_value_that_makes_no_sense_is_refused(port: Port, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Money would move by an amount, a currency, a day or a card that does not exist."""
    misfit = MESSAGES[name]
    before = await state(port)
    line = await port.open()
    reply = await line.ask(sealed(port, misfit.message))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == (misfit.code, misfit.reason)
    if misfit.code == "30" and misfit.reason != "message.malformed":
        [number, *_] = misfit.changes
        assert f"域{int(number)}" in refusal(reply).chinese
    assert len(caplog.records) == 1
    assert len(caplog.text) < 400
    assert await state(port) == before
    assert await port.is_alive()
    line.close()


@pytest.mark.parametrize("name", [name for name, row in CHIP_DATA.items() if len(row[0]) <= ICC_BYTES_MAX])
async def test_spoiled_chip_data_is_refused(port: Port, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """A card with a broken object would be approved, and nobody could prove afterwards what it had said."""
    data, _, offset = CHIP_DATA[name]
    before = await state(port)
    line = await port.open()
    reply = await line.ask(sealed(port, SALE.with_fields({F.ICC: data})))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("30", "message.chip_data")
    assert refusal(reply).chinese.startswith(f"域55偏移{offset}处")
    assert len(caplog.records) == 1
    assert await state(port) == before
    assert await port.is_alive()
    line.close()


@pytest.mark.parametrize("name", SOUND_CHIP_DATA)
async def test_chip_data_that_only_looks_spoiled_is_not_refused_for_it(port: Port, name: str) -> None:
    """A card that pads its objects, or says one twice, could not be used in any shop."""
    line = await port.open()
    reply = await line.ask(sealed(port, SALE.with_fields({F.ICC: SOUND_CHIP_DATA[name]})))
    assert refusal(reply).reason != "message.chip_data"
    line.close()


@pytest.mark.parametrize("original", ["000001000007", "0000010000070000", "0000010000070229"])
async def test_the_date_of_an_original_may_be_unknown_or_of_another_year(port: Port, original: str) -> None:
    """A terminal that lost a date, or remembers the 29th of February, could never take back what it sold."""
    line = await port.open()
    reply = await line.ask(sealed(port, VOID.with_fields({F.ORIGINAL: original})))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("25", "original.not_found")
    line.close()


@pytest.mark.parametrize("name", PRIVATE_BYTES)
async def test_what_nobody_reads_is_nowhere_to_be_read(port: Port, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """A script in a private field would run in the browser of whoever reads the host's log or report."""
    line = await port.open()
    reply = await line.ask(sealed(port, changed(PRIVATE_BYTES[name])))
    assert reply.text(F.RESPONSE_CODE) == "00"
    assert len(caplog.records) == 1
    assert len(caplog.text) < 400
    assert await hostile.captured(port) == 1
    assert await asyncio.to_thread(port.lab.violations) == []
    line.close()
    kept = [file.read_bytes() for file in port.lab.path.parent.iterdir()]
    assert len(kept) >= 1
    shown = [seal(reply), caplog.text.encode(), *kept]
    assert [place for place, raw in enumerate(shown) if MARKUP[:16] in raw] == []


@pytest.mark.parametrize("name", DIALECT_BODIES)
async def test_a_body_of_another_dialect_gets_one_line(port: Port, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """A terminal that is set to another dialect would be booked for something that it never said."""
    before = await state(port)
    line = await port.open()
    await line.send(framed(ENVELOPE + DIALECT_BODIES[name][1]))
    line.writer.write_eof()
    answer = await line.reader.read()
    if answer:
        reply = unseal(answer[2:]).message
        assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == ("30", "message.malformed")
    assert len(caplog.records) == 1
    assert await state(port) == before
    assert await port.is_alive()
    line.close()


def _void(ours: Wire, theirs: Wire, sold: Sold) -> bytes:
    return ours.void(sold)


def _void_under_their_id(ours: Wire, theirs: Wire, sold: Sold) -> bytes:
    fields = unseal(ours.void(sold)).message.fields
    return ours.build("sale_void", {**fields, F.TERMINAL_ID: theirs.terminal_id}, batch=sold.batch)


def _reversal_under_their_id(ours: Wire, theirs: Wire, sold: Sold) -> bytes:
    fields = unseal(ours.reversal(sold.amount_fen, sold.stan)).message.fields
    return ours.build("sale_reversal", {**fields, F.TERMINAL_ID: theirs.terminal_id}, batch=sold.batch)


def _reversal_without_a_name(ours: Wire, theirs: Wire, sold: Sold) -> bytes:
    """Field 59 is left out, so that terminal id and MAC alone say who it is."""
    ours.serial_number = ""
    return _reversal_under_their_id(ours, theirs, sold)


OF_ANOTHER: dict[str, tuple[Callable[[Wire, Wire, Sold], bytes], str, str]] = {
    "B61 void of another terminal's sale": (_void, "25", "original.not_found"),
    "B61 void under another terminal's id": (_void_under_their_id, "97", "terminal.other_device"),
    "B61 reversal under another terminal's id": (_reversal_under_their_id, "97", "terminal.other_device"),
    "B61 reversal under another terminal's id, unnamed": (_reversal_without_a_name, "A0", "message.mac"),
}


@pytest.mark.parametrize("name", OF_ANOTHER)
async def test_nobody_undoes_what_another_terminal_sold(
    port: Port, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """One terminal could take back what another one sold, and the shop next door would not be paid."""
    spoil, code, reason = OF_ANOTHER[name]
    ours = await asyncio.to_thread(lambda: Wire(port.lab, "PXE90-0002", "10000002").activated())
    sold = await asyncio.to_thread(port.wire.sell, 1_234)
    before = await state(port)
    caplog.clear()
    line = await port.open()
    reply = await line.ask(spoil(ours, port.wire, sold))
    assert (reply.text(F.RESPONSE_CODE), refusal(reply).reason) == (code, reason)
    assert len(caplog.records) == 1
    assert await state(port) == before
    line.close()


async def test_a_reversal_of_a_number_that_another_terminal_used_too_leaves_that_sale_alone(port: Port) -> None:
    """Two terminals count alike: a reversal by one would undo the sale of the other (B61)."""
    ours = await asyncio.to_thread(lambda: Wire(port.lab, "PXE90-0002", "10000002").activated())
    sold = await asyncio.to_thread(port.wire.sell, 1_234)
    before = await state(port)
    line = await port.open()
    await line.ask(ours.reversal(sold.amount_fen, sold.stan, batch=sold.batch))
    assert await state(port) == before
    line.close()
