"""What a sale costs the host: sales a second through a host process, against an echo on the same kind of loop.

Both are processes of their own on loopback, loaded in turn by this one over so many connections, each with one request
in flight (``pos_lab.bench.load``); a sale is answered after its durable commit. What goes out is made before the clock
runs and what came back is read after it stopped, so that both are loaded by the same caller at the same pace.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from firmware_sim.cards import TEST_CARDS
from host.admin.acts import conduct, desk_at
from host.keys import KeyDesk
from host.policy import Activation
from host.store.books import Books
from host.store.bulk import fill
from host.store.database import open_store
from pos_lab.bench.load import LENGTH_BYTES, close, connect, exchange
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
TILLS_AT_ONCE: Final = 100
ACTIVATING_FEN: Final = Activation().turnover_fen
_CARD: Final = TEST_CARDS["debit"]
_MERCHANT: Final = "898000000000001"
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
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
                rows += _rounds(tills[:count], ports, pids, echo_port, echo_pid)
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


def _rounds(tills: list[_Till], ports: list[int], pids: list[int], echo_port: int, echo_pid: int) -> list[Row]:
    sales, echoes = _Load(), _Load()
    each = max(5, SALES_A_ROUND // len(tills))
    for _ in range(ROUNDS):
        frames = [[till.sale() for _ in range(each)] for till in tills]
        for till, replies in zip(tills, _load(frames, ports, pids, sales), strict=True):
            till.check(replies)
        _load(frames, [echo_port] * len(tills), [echo_pid], echoes)
    name = f"host.{len(tills)}"
    return [
        Row(f"{name}.sale", "1/s", Spread.of(sales.rates), {"echo": Spread.of(echoes.rates)}, more_is_better=True),
        Row(f"{name}.p99", "ms", Spread.of(sales.p99_ms), {"echo": Spread.of(echoes.p99_ms)}),
        Row(f"{name}.cpu", "us", Spread.of(sales.cpu_us), {"echo": Spread.of(echoes.cpu_us)}),
    ]


def _load(frames: list[list[bytes]], ports: list[int], pids: list[int], load: _Load) -> list[list[bytes]]:
    callers = [connect(port, own) for own, port in zip(frames, ports, strict=False)]
    cpu_s = _cpu_s(pids)
    try:
        took_s = exchange(callers, perf_counter)
    finally:
        close(callers)
    calls = sum(map(len, frames))
    load.note(calls, took_s, [each for caller in callers for each in caller.latencies_s], _cpu_s(pids) - cpu_s)
    return [caller.replies for caller in callers]


class _Till:
    """A registered terminal that sells."""

    def __init__(self, number: int) -> None:
        self.terminal_id = f"{number:08d}"
        self.tmk = number.to_bytes(2, "big") * 8
        self._stan = 0
        self._mak: MacKey | None = None
        self._batch = "000001"

    def sign_on(self) -> bytes:
        fields = {F.STAN: self._next(), F.CONTROL: f"00{self._batch}003", F.TEXT: "01 "}
        return _frame(seal(self._message("0800", fields)))

    def signed_on(self, payload: bytes) -> None:
        reply = unseal(payload).message
        self._mak = unpack_working_keys(self.tmk, reply.octets(F.PAYLOAD)).mak
        self._batch = reply.text(F.CONTROL)[2:8]

    def sale(self, amount_fen: int = 100) -> bytes:
        assert self._mak is not None
        mak = self._mak
        fields = {
            F.PAN: _CARD.pan,
            F.PROCESSING_CODE: "000000",
            F.AMOUNT: f"{amount_fen:012d}",
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

    def _message(self, mti: str, fields: Mapping[int, str]) -> Message:
        till: dict[int, Value] = {F.TERMINAL_ID: self.terminal_id, F.MERCHANT_ID: _MERCHANT}
        return Message(mti, {**till, **fields}, Tpdu(), Header())


def _frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


@asynccontextmanager
async def _host(setting: Setting, directory: Path) -> AsyncIterator[tuple[list[_Till], list[int], list[int]]]:
    database = directory / "bench.db"
    db = setting.db or str(database)
    key_file = database.with_name(database.name + ".key")
    store = open_store(db, fresh_bytes, key_file=key_file)
    fill(store, setting.ledger_rows, lambda done: print(f"{done:,} rows in the ledger", file=sys.stderr))
    store.close()
    process = await HostProcess.start(database, quiet=True, db=setting.db, workers=setting.workers)
    try:
        store = open_store(db, fresh_bytes, create=False, key_file=key_file)
        port = int(process.url.partition("?")[0].rpartition(":")[2])
        tills = [_Till(number) for number in range(1, max(setting.connections) + 1)]
        store.run(lambda books: _register(books, store.keys, tills))
        store.close()
        for begin in range(0, len(tills), TILLS_AT_ONCE):
            _open_shop(tills[begin : begin + TILLS_AT_ONCE], port)
        yield tills, [port] * len(tills), process.pids
    finally:
        await process.stop()


def _open_shop(tills: list[_Till], port: int) -> None:
    """Sign on, and sell once for so much that every till is activated: what is measured is its everyday life."""
    for till, reply in zip(tills, _once([till.sign_on() for till in tills], port), strict=True):
        till.signed_on(reply)
    for till, reply in zip(tills, _once([till.sale(ACTIVATING_FEN) for till in tills], port), strict=True):
        till.check([reply])


def _once(frames: list[bytes], port: int) -> list[bytes]:
    callers = [connect(port, [frame]) for frame in frames]
    exchange(callers, perf_counter)
    close(callers)
    return [caller.replies[0] for caller in callers]


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
