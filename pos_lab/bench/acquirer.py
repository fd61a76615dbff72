"""What a sale costs the host: sales a second through a host process, against an echo on the same kind of loop.

Both are processes of their own on loopback, loaded in turn by this one over so many connections, each with one request
in flight; a sale is answered after its durable commit. What goes out is made before the clock runs and what came back
is read after it stopped, so that both are loaded by the same caller at the same pace.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from firmware_sim.cards import TEST_CARDS
from host.admin.acts import conduct, desk_at
from host.keys import KeyDesk
from host.store.books import Books
from host.store.bulk import fill
from host.store.database import open_store
from pos_lab.bench.paired import Row, Spread
from pos_lab.host_process import HostProcess
from pos_lab.wall_clock import fresh_bytes, wall_clock
from protocol.codec import seal, unseal
from protocol.crypto.key import MacKey
from protocol.crypto.keys import unpack_working_keys
from protocol.crypto.mac import cup_ecb_mac
from protocol.elements import Value
from protocol.fields import F
from protocol.header import Header, Tpdu
from protocol.message import Message

CONNECTIONS: Final = (50, 1000)
ROUNDS: Final = 5
SALES_A_ROUND: Final = 10_000
SIGN_ONS_AT_ONCE: Final = 100
_CARD: Final = TEST_CARDS["debit"]
_MERCHANT: Final = "898000000000001"
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_LENGTH_BYTES: Final = 2
_ECHO: Final = """
import asyncio
import protocol.transport.tcp
class Echo(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(data)
async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured: on a database of its own where ``db`` names none, with so many rows in the ledger before."""

    db: str = ""
    ledger_rows: int = 0
    workers: int = 1
    connections: Sequence[int] = CONNECTIONS


def host(setting: Setting) -> list[Row]:
    """Sales a second, their slowest hundredth and what they cost, with an echo of the same bytes as the peer."""
    return asyncio.run(_measure(setting))


async def _measure(setting: Setting) -> list[Row]:
    rows = []
    with TemporaryDirectory(prefix="poslab-bench-") as directory:
        async with _host(setting, Path(directory)) as (tills, ports, pids), _echo() as (echo_port, echo_pid):
            for count in setting.connections:
                rows += await _rounds(tills[:count], ports, pids, echo_port, echo_pid)
    return rows


@dataclass(slots=True)
class _Load:
    """What the rounds of one kind came to."""

    rates: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def note(self, calls: int, took_s: float, latencies_s: list[float], cpu_s: float) -> None:
        self.rates.append(calls / took_s)
        self.p99_ms.append(statistics.quantiles(latencies_s, n=100)[98] * 1e3)
        self.cpu_us.append(cpu_s / calls * 1e6)


async def _rounds(tills: list[_Till], ports: list[int], pids: list[int], echo_port: int, echo_pid: int) -> list[Row]:
    sales, echoes = _Load(), _Load()
    each = max(5, SALES_A_ROUND // len(tills))
    for _ in range(ROUNDS):
        frames = [[till.sale() for _ in range(each)] for till in tills]
        for till, replies in zip(tills, await _load(frames, ports, pids, sales), strict=True):
            till.check(replies)
        await _load(frames, [echo_port] * len(tills), [echo_pid], echoes)
    name = f"host.{len(tills)}"
    return [
        Row(f"{name}.sale", "1/s", Spread.of(sales.rates), {"echo": Spread.of(echoes.rates)}, more_is_better=True),
        Row(f"{name}.p99", "ms", Spread.of(sales.p99_ms), {"echo": Spread.of(echoes.p99_ms)}),
        Row(f"{name}.cpu", "us", Spread.of(sales.cpu_us), {"echo": Spread.of(echoes.cpu_us)}),
    ]


async def _load(frames: list[list[bytes]], ports: list[int], pids: list[int], load: _Load) -> list[list[bytes]]:
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(partial(_Caller, own), "127.0.0.1", port))[1]
        for own, port in zip(frames, ports, strict=False)
    ]
    cpu_s, began_s = _cpu_s(pids), loop.time()
    for caller in callers:
        caller.begin()
    await asyncio.gather(*(caller.done for caller in callers))
    took_s = loop.time() - began_s
    calls = sum(map(len, frames))
    load.note(calls, took_s, [each for caller in callers for each in caller.latencies_s], _cpu_s(pids) - cpu_s)
    for caller in callers:
        caller.close()
    return [caller.replies for caller in callers]


class _Caller(asyncio.Protocol):
    """One connection, one frame in flight."""

    def __init__(self, frames: list[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._frames = frames
        self._received = b""
        self._sent_s = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = self._loop.create_future()
        self.replies: list[bytes] = []
        self.latencies_s: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received = data = self._received + data
        if len(data) < _LENGTH_BYTES or len(data) < _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big"):
            return
        self._received = b""
        self.latencies_s.append(self._loop.time() - self._sent_s)
        self.replies.append(data[_LENGTH_BYTES:])
        if len(self.replies) < len(self._frames):
            self.begin()
        else:
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the host hung up in the middle of the measurement"))

    def begin(self) -> None:
        """Send the next frame."""
        assert self._transport
        self._sent_s = self._loop.time()
        self._transport.write(self._frames[len(self.replies)])

    def close(self) -> None:
        """Hang up."""
        assert self._transport
        self._transport.close()


async def call(port: int, frame: bytes) -> bytes:
    """One frame over a connection of its own; the payload of the reply."""
    _, caller = await asyncio.get_running_loop().create_connection(lambda: _Caller([frame]), "127.0.0.1", port)
    caller.begin()
    await caller.done
    caller.close()
    return caller.replies[0]


class _Till:
    """A registered terminal that sells."""

    def __init__(self, number: int) -> None:
        self.terminal_id = f"{number:08d}"
        self.tmk = number.to_bytes(2, "big") * 8
        self._stan = 0
        self._mak: MacKey | None = None
        self._batch = "000001"

    async def sign_in(self, port: int) -> None:
        fields = {F.STAN: self._next(), F.CONTROL: f"00{self._batch}003", F.TEXT: "01 "}
        reply = unseal(await call(port, _frame(seal(self._message("0800", fields))))).message
        self._mak = unpack_working_keys(self.tmk, reply.octets(F.PAYLOAD)).mak
        self._batch = reply.text(F.CONTROL)[2:8]

    def sale(self) -> bytes:
        assert self._mak is not None
        mak = self._mak
        fields = {
            F.PAN: _CARD.pan,
            F.PROCESSING_CODE: "000000",
            F.AMOUNT: "000000000100",
            F.STAN: self._next(),
            F.ENTRY_MODE: "022",
            F.CONDITION_CODE: "00",
            F.TRACK2: _CARD.track2,
            F.CURRENCY: "156",
            F.SECURITY: "0600000000000000",
            F.CONTROL: f"22{self._batch}000",
        }
        return _frame(seal(self._message("0200", fields), lambda data: cup_ecb_mac(mak, data)))

    def check(self, replies: list[bytes]) -> None:
        for reply in replies:
            message = unseal(reply).message
            if message.text(F.RESPONSE_CODE) != "00":
                raise RuntimeError(f"a sale was refused: {message.text(F.RESPONSE_CODE)} {message.text(F.TEXT)}")

    def _next(self) -> str:
        self._stan += 1
        return f"{self._stan:06d}"

    def _message(self, mti: str, fields: Mapping[F, str]) -> Message:
        till: dict[int, Value] = {F.TERMINAL_ID: self.terminal_id, F.MERCHANT_ID: _MERCHANT}
        return Message(mti, {**till, **{int(name): value for name, value in fields.items()}}, Tpdu(), Header())


def _frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(_LENGTH_BYTES, "big") + payload


@asynccontextmanager
async def _host(setting: Setting, directory: Path) -> AsyncIterator[tuple[list[_Till], list[int], list[int]]]:
    database = directory / "bench.db"
    db = setting.db or str(database)
    key_file = database.with_name(database.name + ".key")
    store = open_store(db, fresh_bytes, key_file=key_file)
    fill(store, setting.ledger_rows)
    store.close()
    process = await HostProcess.start(database, quiet=True, db=setting.db, workers=setting.workers)
    try:
        store = open_store(db, fresh_bytes, create=False, key_file=key_file)
        port = int(process.url.partition("?")[0].rpartition(":")[2])
        tills = [_Till(number) for number in range(1, max(setting.connections) + 1)]
        store.run(lambda books: _register(books, store.keys, tills))
        store.close()
        for some in range(0, len(tills), SIGN_ONS_AT_ONCE):
            await asyncio.gather(*(till.sign_in(port) for till in tills[some : some + SIGN_ONS_AT_ONCE]))
        yield tills, [port] * len(tills), process.pids
    finally:
        await process.stop()


def _register(books: Books, keys: KeyDesk, tills: list[_Till]) -> None:
    desk = desk_at(books, keys, wall_clock(), actor="bench")
    for till in tills:
        words = {"terminal_id": till.terminal_id, "merchant_id": _MERCHANT, "tmk": till.tmk.hex()}
        conduct(desk, "register", words)


@asynccontextmanager
async def _echo() -> AsyncIterator[tuple[int, int]]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _ECHO, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline()), process.pid
    finally:
        process.kill()
        await process.wait()


def _cpu_s(pids: list[int]) -> float:
    """Processor time that some processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S
