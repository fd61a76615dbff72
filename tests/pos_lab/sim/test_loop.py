"""The loop in virtual time: asyncio as everybody knows it, without waiting, and the same again for the same seed."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from random import Random
from time import perf_counter

import pytest

from pos_lab.sim.chance import Streams
from pos_lab.sim.loop import Deadlocked, Escaped, Livelocked, SimLoop, run_virtual
from pos_lab.sim.net import Network
from protocol.errors import EndpointInUse, TransportError
from protocol.transport import connect, serve

TIE_S = 30.0


async def _race(loop: SimLoop) -> str:
    """An answer that comes on the very tick of its timeout, among others that are due."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    loop.call_later(TIE_S, queue.put_nowait, "answered")
    try:
        return await asyncio.wait_for(queue.get(), TIE_S)
    except TimeoutError:
        return "late"


def test_a_tie_has_both_ends_and_a_seed_has_one() -> None:
    """An answer on the tick of the timeout would always lose here, and win in one shop of a thousand."""
    ends = [run_virtual(_race, Random(seed)) for seed in range(40)]
    assert set(ends) == {"answered", "late"}
    assert ends == [run_virtual(_race, Random(seed)) for seed in range(40)]


def test_years_take_no_time() -> None:
    """A retirement of ninety days would have to be waited for."""

    async def main(loop: SimLoop) -> float:
        await asyncio.sleep(365 * 86_400)
        return loop.time()

    began = perf_counter()
    assert run_virtual(main, Random(0)) == 365 * 86_400
    assert perf_counter() - began < 5


def test_tasks_interleave_by_the_seed_and_callbacks_keep_their_order() -> None:
    """A bug that needs two terminals in the other order would never be met; a transport hear of bytes first."""

    async def main(loop: SimLoop) -> tuple[list[int], list[int]]:
        tasks, callbacks = list[int](), list[int]()

        async def one(number: int) -> None:
            for _ in range(3):
                await asyncio.sleep(0)
                tasks.append(number)

        for number in range(5):
            loop.call_soon(callbacks.append, number)
        await asyncio.gather(*(one(number) for number in range(4)))
        return tasks, callbacks

    runs = [run_virtual(main, Random(seed)) for seed in range(20)]
    assert len({tuple(tasks) for tasks, _ in runs}) > 10
    assert all(callbacks == [0, 1, 2, 3, 4] for _, callbacks in runs)
    assert runs == [run_virtual(main, Random(seed)) for seed in range(20)]


def test_a_deadlock_says_when() -> None:
    """A host and a terminal that wait for each other would hang the tests instead of failing one."""

    async def main(loop: SimLoop) -> None:
        await asyncio.sleep(12.5)
        await loop.create_future()

    with pytest.raises(Deadlocked, match=r"12\.5"):
        run_virtual(main, Random(0))


def test_whoever_goes_round_in_circles_is_told_when() -> None:
    """A loop of the product that waits for nothing would hang a run of days, and name no seed."""
    ended = []

    async def spin() -> None:
        try:
            while True:
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    async def main(loop: SimLoop) -> None:
        await asyncio.sleep(12.5)
        await spin()

    with pytest.raises(Livelocked, match=r"12\.5"):
        run_virtual(main, Random(0))
    assert ended


def test_threads_run_here_or_not_at_all() -> None:
    """A thread would end whenever it likes, and no seed would ever come back."""

    async def main(loop: SimLoop) -> str:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        with pytest.raises(RuntimeError, match="no threads"):
            loop.run_in_executor(object(), print)  # type: ignore[arg-type]
        with pytest.raises(NotImplementedError):
            loop.add_reader(0, print)
        return await asyncio.to_thread("done".upper)

    assert run_virtual(main, Random(0)) == "DONE"


@pytest.mark.virtual
async def test_streams_and_servers_are_asyncios() -> None:
    """Code that was written for sockets would have to be written again for the simulation."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.readline():
            await asyncio.sleep(1)
            writer.write(data.upper())
        writer.close()

    server = await asyncio.start_server(answer, "host", 8583)
    reader, writer = await asyncio.open_connection("host", 8583)
    writer.write(b"one\ntwo\n")
    writer.write_eof()
    assert await reader.read() == b"ONE\nTWO\n"
    assert 2 < asyncio.get_running_loop().time() < 3
    writer.close()
    await writer.wait_closed()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("host", 8583)


@pytest.mark.virtual(seed=7)
async def test_endpoints_work_as_they_stand() -> None:
    """The host and the terminals would meet another kind of line in the simulation than in a shop."""
    listener = await serve("tcp://host:8583", asyncio.Protocol)
    with pytest.raises(EndpointInUse):
        await serve("tcp://host:8583", asyncio.Protocol)
    transport, _ = await connect("tcp://till-1.host:8583", asyncio.Protocol)
    assert transport.get_extra_info("peername") == "host:8583"
    await listener.close()
    with pytest.raises(TransportError):
        await connect("tcp://host:8583", asyncio.Protocol)


class TestMarked:
    """The marker works on methods, and with fixtures."""

    @pytest.mark.virtual
    @pytest.mark.parametrize("hours", [1, 48])
    async def test_in_a_class(self, hours: int, tmp_path: Path) -> None:
        """A test in a class would run in real time, for two days."""
        await asyncio.sleep(hours * 3600)
        assert asyncio.get_running_loop().time() == hours * 3600
        assert tmp_path.exists()


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's, which trusts it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "host")])
    began = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=365 * 100))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("host"), x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "host.pem").write_bytes(pem)
    (folder / "host.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(folder / "host.pem", folder / "host.key")
    client.load_verify_locations(folder / "host.pem")
    return server, client


@pytest.mark.virtual
async def test_real_tls_over_simulated_pipes(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A terminal that speaks TLS could not be simulated at all."""
    server, client = contexts

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(5))[::-1])
        await writer.drain()
        writer.close()

    await asyncio.start_server(answer, "host", 443, ssl=server)
    reader, writer = await asyncio.open_connection("host", 443, ssl=client)
    writer.write(b"abcde")
    assert await reader.readexactly(5) == b"edcba"
    assert writer.get_extra_info("cipher")
    writer.close()
    await writer.wait_closed()


def test_a_stream_of_chance_has_its_own_name() -> None:
    """A fault that is added to the network would change what every cashier does, and no old seed would fail again."""
    streams = Streams(3)
    assert streams.of("a").random() == Streams(3).of("a").random() != streams.of("b").random()


def test_no_network_no_connection() -> None:
    """A loop without a network would go out to the real one."""

    async def main(loop: SimLoop) -> None:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("host", 1)
        Network(loop, Streams(0).of)

    run_virtual(main, Random(0))


def test_what_a_callback_raises_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    """A terminal that shows a traceback at night would pass every seed."""

    async def main(loop: SimLoop) -> None:
        loop.call_later(1.0, lambda: {}["sale"])
        await asyncio.sleep(2.0)

    with pytest.raises(Escaped, match="KeyError in a callback: 'sale'") as told:
        run_virtual(main, Random(0))
    assert isinstance(told.value.__cause__, KeyError)
    assert "Exception in callback" in caplog.text
