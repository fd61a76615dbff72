"""What a sale costs the host: sales a second through a host process, against an echo on the same kind of loop.

Both are processes of their own on loopback, loaded in turn by this one over CONNECTIONS connections, each with one
request in flight; a sale is answered after its durable commit.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from firmware_sim.cards import TEST_CARDS
from host.admin.acts import perform
from host.store.database import Store, open_store
from pos_lab.bench.paired import Row, Spread
from pos_lab.host_process import HostProcess
from pos_lab.wall_clock import fresh_bytes, wall_clock
from protocol.codec import seal, unseal
from protocol.crypto.keys import WorkingKeys, unpack_working_keys
from protocol.crypto.mac import cup_ecb_mac
from protocol.elements import Value
from protocol.fields import F
from protocol.header import Header, Tpdu
from protocol.message import Message

CONNECTIONS: Final = 50
ROUNDS: Final = 5
SALES_A_ROUND: Final = 40
_CARD: Final = TEST_CARDS["debit"]
_MERCHANT: Final = "898000000000001"
_ECHO: Final = """
import asyncio, sys
class Echo(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(data)
async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def host() -> list[Row]:
    """Sales a second, with an echo of the same bytes as the peer."""
    return [asyncio.run(_measure())]


async def _measure() -> Row:
    rates: dict[str, list[float]] = {"sale": [], "echo": []}
    with TemporaryDirectory(prefix="poslab-bench-") as directory:
        async with _host(Path(directory)) as tills, _echo() as port:
            for _ in range(ROUNDS):
                rates["sale"].append(await _rate([till.sell for till in tills]))
                rates["echo"].append(await _echo_rate(port, tills[0].sale()))
    return Row("host.sale", "1/s", Spread.of(rates["sale"]), {"echo": Spread.of(rates["echo"])}, more_is_better=True)


async def _echo_rate(port: int, payload: bytes) -> float:
    callers = [await _Caller.open(port) for _ in range(CONNECTIONS)]
    rate = await _rate([partial(caller.call, payload) for caller in callers])
    for caller in callers:
        caller.close()
    return rate


async def _rate(calls: Sequence[Callable[[], Awaitable[object]]]) -> float:
    async def repeat(call: Callable[[], Awaitable[object]]) -> None:
        for _ in range(SALES_A_ROUND):
            await call()

    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(repeat(call) for call in calls))
    return len(calls) * SALES_A_ROUND / (loop.time() - began)


class _Caller:
    """One connection, one request in flight."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> _Caller:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def call(self, payload: bytes) -> bytes:
        self._writer.write(len(payload).to_bytes(2, "big") + payload)
        size = int.from_bytes(await self._reader.readexactly(2), "big")
        return await self._reader.readexactly(size)

    def close(self) -> None:
        self._writer.close()


class _Till:
    """A registered terminal that sells as fast as it is answered."""

    def __init__(self, number: int, tmk: bytes, caller: _Caller) -> None:
        self._terminal_id = f"{number:08d}"
        self._tmk, self._caller = tmk, caller
        self._stan = 0
        self._keys: WorkingKeys | None = None
        self._batch = "000001"

    async def sign_in(self) -> None:
        fields = {F.STAN: self._next(), F.CONTROL: f"00{self._batch}003", F.TEXT: "01 "}
        reply = unseal(await self._caller.call(seal(self._message("0800", fields)))).message
        self._keys = unpack_working_keys(self._tmk, reply.octets(F.PAYLOAD))
        self._batch = reply.text(F.CONTROL)[2:8]

    def sale(self) -> bytes:
        assert self._keys is not None
        mak = self._keys.mak
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
        return seal(self._message("0200", fields), lambda data: cup_ecb_mac(mak, data))

    async def sell(self) -> None:
        reply = unseal(await self._caller.call(self.sale())).message
        if reply.text(F.RESPONSE_CODE) != "00":
            raise RuntimeError(f"a sale was refused: {reply.text(F.RESPONSE_CODE)} {reply.text(F.TEXT)}")

    def _next(self) -> str:
        self._stan += 1
        return f"{self._stan:06d}"

    def _message(self, mti: str, fields: Mapping[F, str]) -> Message:
        till: dict[int, Value] = {F.TERMINAL_ID: self._terminal_id, F.MERCHANT_ID: _MERCHANT}
        return Message(mti, {**till, **{int(name): value for name, value in fields.items()}}, Tpdu(), Header())


@asynccontextmanager
async def _host(directory: Path) -> AsyncIterator[list[_Till]]:
    process = await HostProcess.start(directory / "bench.db", quiet=True)
    try:
        store = open_store(str(directory / "bench.db"), fresh_bytes, create=False)
        port = int(process.url.rpartition(":")[2])
        tills = [await _till(store, number, port) for number in range(1, CONNECTIONS + 1)]
        store.close()
        yield tills
    finally:
        await process.stop()


async def _till(store: Store, number: int, port: int) -> _Till:
    tmk = bytes([number]) * 16
    perform(store, "register", wall_clock(), terminal_id=f"{number:08d}", merchant_id=_MERCHANT, tmk=tmk.hex())
    till = _Till(number, tmk, await _Caller.open(port))
    await till.sign_in()
    return till


@asynccontextmanager
async def _echo() -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _ECHO, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()
