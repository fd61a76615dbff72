"""TLS at its edges: who is refused and by which name, what is cut, and what is no TLS at all."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from protocol.errors import EndpointWrong, TlsFailed, TransportError
from protocol.transport import Endpoint, Listener, check, connect, serve, tls, tls_line
from protocol.transport.tls_fault import ALERTS, FAULTS, VERIFY
from protocol.transport.tls_trust import client_context, server_context
from tests.certificates import certificates, connecting, listening
from tests.conformance.test_lines import Recorder, first

BAD_HOSTS = {
    "bad-expired": "peer_expired",
    "bad-not_yet_valid": "peer_not_yet_valid",
    "bad-wrong_name": "peer_wrong_name",
    "bad-name_in_cn": "peer_wrong_name",
    "bad-name_in_ou": "peer_wrong_name",
    "bad-other_ca": "peer_other_ca",
    "bad-self_signed": "peer_self_signed",
    "bad-wrong_use": "peer_unfit",
    "terminal": "peer_unfit",
}
"""The certificate that a host shows, and why it is not believed."""

BAD_TERMINALS = {
    "bad-expired": ("peer_expired", "ours_expired"),
    "bad-not_yet_valid": ("peer_not_yet_valid", "ours_refused"),
    "bad-other_ca": ("peer_other_ca", "ours_unknown_ca"),
    "bad-self_signed": ("peer_self_signed", "ours_unknown_ca"),
    "bad-wrong_use": ("peer_unfit", "ours_refused"),
    "host": ("peer_unfit", "ours_refused"),
    "": ("no_certificate", "ours_missing"),
}
"""The certificate that a terminal shows, what the host says of it, and what the terminal hears."""


class Served:
    """Who listens: what came in, and who was not let in."""

    def __init__(self) -> None:
        self.listener: Listener
        self.inside: list[Recorder] = []
        self.refused: list[TransportError] = []
        self._told = asyncio.Event()

    def make(self) -> Recorder:
        self.inside.append(Recorder())
        return self.inside[-1]

    def tell(self, error: TransportError) -> None:
        self.refused.append(error)
        self._told.set()

    async def refusal(self) -> TransportError:
        async with asyncio.timeout(5):
            await self._told.wait()
        return self.refused[0]


@asynccontextmanager
async def served(url: str) -> AsyncIterator[Served]:
    one = Served()
    one.listener = await serve(url, one.make, one.tell)
    try:
        yield one
    finally:
        await one.listener.close()
        for recorder in one.inside:
            recorder.transport.abort()
            await recorder.lost()


async def refused(url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await connect(url, Recorder)
    return caught.value


@pytest.mark.parametrize(("shown", "code"), BAD_HOSTS.items())
async def test_a_bad_host_is_refused_by_name(shown: str, code: str) -> None:
    """A terminal would send cards to whoever sits in the middle (N26)."""
    async with served(listening(shown)) as one:
        error = await refused(connecting(one.listener.url))
        assert (error.code, type(error)) == (code, TlsFailed)
        assert FAULTS[code].what in error.message
        assert error.hint == FAULTS[code].hint
        assert one.listener.name in error.url
        heard = await one.refusal()
        assert heard.code in ("ours_refused", "ours_expired", "ours_unknown_ca", "tls", "ended")
        assert not one.inside


async def test_a_revoked_host_is_refused() -> None:
    """A stolen key of the host would be good until its certificate expires (N26)."""
    crl = f"&crl={certificates()}/crl.pem"
    async with served(listening("bad-revoked")) as one:
        transport, near = await connect(connecting(one.listener.url), Recorder)
        transport.abort()
        await near.lost()
        assert (await refused(connecting(one.listener.url, more=crl))).code == "peer_revoked"
    async with served(listening()) as one:
        transport, near = await connect(connecting(one.listener.url, more=crl), Recorder)
        transport.abort()
        await near.lost()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("shown", "codes"), BAD_TERMINALS.items())
async def test_a_bad_terminal_is_refused_by_name(
    shown: str, codes: tuple[str, str], version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody who finds the port could speak as a terminal (N26); in TLS 1.3 the terminal learns it late (N27)."""

    def newest(endpoint: Endpoint) -> ssl.SSLContext:
        context = client_context(endpoint)
        context.maximum_version = version
        return context

    monkeypatch.setattr(tls, "client_context", newest)
    at_host, at_terminal = codes
    async with served(listening(mutual=True)) as one:
        url = connecting(one.listener.url, shown)
        if version is ssl.TLSVersion.TLSv1_2:
            assert (await refused(url)).code in (at_terminal, "tls")
        else:
            transport, near = await connect(url, Recorder)
            transport.write(b"a sale")  # nothing says yet that the host will not hear it
            await near.lost()
            (error,) = near.losses
            assert isinstance(error, TlsFailed)
            assert error.code == at_terminal
            assert not near.received
        assert (await one.refusal()).code == at_host
        assert not one.inside


async def test_the_name_may_be_another_than_the_address() -> None:
    """A host behind a tunnel could not be reached without giving up its proof."""
    async with served(listening()) as one:
        url = connecting(one.listener.url, more="&name=localhost")
        transport, near = await connect(url, Recorder)
        transport.abort()
        await near.lost()
        assert (await refused(connecting(one.listener.url, more="&name=another.invalid"))).code == "peer_wrong_name"


async def test_without_a_ca_only_the_systems_are_believed() -> None:
    """A laboratory's host would be believed by a terminal that was told of no CA."""
    async with served(listening()) as one:
        error = await refused(one.listener.url)
        assert error.code == "peer_other_ca"
        assert "?ca=" in error.hint


async def test_a_cut_is_no_end() -> None:
    """A reply that an attacker cut off would pass as the whole of it (N28)."""
    async with served(listening()) as one:
        _, near = await connect(connecting(one.listener.url), Recorder)
        far = await first(one.inside)
        far.transport.write(b"half a re")
        await near.until(lambda: near.received == b"half a re")
        far.transport._carrier.close()  # type: ignore[attr-defined]
        await near.lost()
        (error,) = near.losses
        assert isinstance(error, TlsFailed)
        assert error.code == "cut_off"
        assert near.ends == 0


async def test_a_farewell_is_an_end() -> None:
    """Every polite host would look like an attack (N28)."""
    async with served(listening()) as one:
        _, near = await connect(connecting(one.listener.url), Recorder)
        far = await first(one.inside)
        far.transport.close()
        await near.lost()
        assert (near.losses, near.ends) == ([None], 1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_there_is_no_early_data(version: ssl.TLSVersion) -> None:
    """A recorded sale could be sent again as early data, before anybody has proved anything (N29)."""
    async with served(listening()) as one:
        host, _, port = one.listener.name.partition(":")
        context = client_context(Endpoint.parse(connecting(one.listener.url)))
        context.maximum_version = version

        def call(session: ssl.SSLSession | None = None) -> tuple[ssl.SSLSession | None, bool]:
            with (
                socket.create_connection((host, int(port))) as plain,
                context.wrap_socket(plain, server_hostname="localhost", session=session) as secured,
            ):
                secured.settimeout(0.05)
                with pytest.raises(TimeoutError):
                    secured.recv(1)  # a ticket would come now
                assert secured.session is None or not secured.session.has_ticket
                return secured.session, bool(secured.session_reused)

        session, _ = await asyncio.to_thread(call)
        _, resumed = await asyncio.to_thread(call, session)
        # TLS 1.2 may resume a session, but knows no early data
        assert not resumed or version is ssl.TLSVersion.TLSv1_2
    context = server_context(Endpoint.parse(listening()))
    assert context.num_tickets == 0
    assert context.options & ssl.OP_NO_TICKET
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_an_old_version_is_refused() -> None:
    """A terminal could be talked down to a TLS that is broken (A08)."""
    async with served(listening()) as one:
        host, _, port = one.listener.name.partition(":")
        # a ClientHello that knows TLS 1.1 at most
        suites = bytes.fromhex("0004c014c013")
        body = b"\x03\x02" + bytes(32) + b"\x00" + suites + b"\x01\x00"
        hello = b"\x16\x03\x01" + (len(body) + 4).to_bytes(2, "big") + b"\x01" + len(body).to_bytes(3, "big") + body
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(hello)
        answer = await reader.read(100)
        assert answer[:1] == b"\x15"  # an alert
        assert (await one.refusal()).code == "too_old"
        writer.close()
        await writer.wait_closed()


STRANGERS = {
    "an HTTP request": b"GET / HTTP/1.1\r\n\r\n",
    "SSH": b"SSH-2.0-scan\r\n",
    "a message in the clear": b"\x00\x4a\x60\x00\x03\x00\x00",
    "an STX frame in the clear": b"\x02\x00\x4a\x60",
    "": b"\xff\xfe\xfd",
}


@pytest.mark.parametrize(("looks", "said"), STRANGERS.items())
async def test_what_is_no_tls_is_refused_at_once(looks: str, said: bytes) -> None:
    """A terminal with the wrong setting would hold a place until the time is up, and nobody would know why (N30)."""
    async with served(listening()) as one:
        host, _, port = one.listener.name.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(said)
        assert await reader.read(100) in (b"", reader._buffer)  # type: ignore[attr-defined]
        error = await one.refusal()
        assert error.code == "not_tls"
        assert looks in error.message
        assert "\n" not in error.message
        assert not one.inside
        writer.close()


async def test_a_scanner_that_says_nothing_or_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand silent visitors would fill the host (N30)."""
    monkeypatch.setattr(tls_line, "HANDSHAKE_S", 0.1)
    async with served(listening()) as one:
        host, _, port = one.listener.name.partition(":")
        silent, open_ = await asyncio.open_connection(host, int(port))
        assert await silent.read(1) == b""
        assert (await one.refusal()).code == "silent"
        open_.close()
        _, gone = await asyncio.open_connection(host, int(port))
        gone.close()
        await gone.wait_closed()
        while len(one.refused) < 2:
            await asyncio.sleep(0.01)
        assert one.refused[1].code == "ended"


async def test_handshakes_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of half handshakes would use up the host's files (N18, N30)."""
    monkeypatch.setattr(tls, "HANDSHAKES_MAX", 1)
    async with served(listening()) as one:
        host, _, port = one.listener.name.partition(":")
        _, waits = await asyncio.open_connection(host, int(port))
        turned, away = await asyncio.open_connection(host, int(port))
        with suppress(ConnectionResetError):
            assert await turned.read(1) == b""
        assert (await one.refusal()).code == "crowded"
        waits.close()
        away.close()
        while len(one.refused) < 2:
            await asyncio.sleep(0.01)
        transport, near = await connect(connecting(one.listener.url), Recorder)
        transport.abort()
        await near.lost()


async def test_a_closed_listener_ends_its_handshakes() -> None:
    """A host could not be stopped while somebody is knocking."""
    async with served(listening()) as one:
        host, _, port = one.listener.name.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await asyncio.sleep(0.01)
        await one.listener.close()
        with suppress(ConnectionResetError):
            assert await reader.read(1) == b""
        writer.close()


async def test_a_terminal_at_a_port_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped scheme would look like a host that is down (N30)."""
    monkeypatch.setattr(tls_line, "HANDSHAKE_S", 0.1)
    served_: list[Recorder] = []

    def make() -> Recorder:
        served_.append(Recorder())
        return served_[-1]

    listener = await serve("tcp://127.0.0.1:0", make)
    silent = connecting(f"tls://{listener.name}")
    assert (await refused(silent)).code == "silent"
    dialling = asyncio.ensure_future(refused(silent))
    while len(served_) < 2:
        await asyncio.sleep(0)
    await served_[1].made.wait()
    served_[1].transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    error = await dialling
    assert (error.code, "HTTP server" in error.message) == ("not_tls", True)
    dialling = asyncio.ensure_future(refused(silent))
    while len(served_) < 3:
        await asyncio.sleep(0)
    await served_[2].made.wait()
    served_[2].transport.close()
    assert (await dialling).code == "ended"
    for recorder in served_:
        await recorder.lost()
    await listener.close()


async def test_a_dialling_that_is_given_up_leaves_nothing() -> None:
    """A terminal that lost patience would keep a half open line for ever."""
    served_: list[Recorder] = []

    def make() -> Recorder:
        served_.append(Recorder())
        return served_[-1]

    listener = await serve("tcp://127.0.0.1:0", make)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await connect(connecting(f"tls://{listener.name}"), Recorder)
    await served_[0].lost()
    await listener.close()


async def test_a_lost_line_tells_by_connection_lost() -> None:
    """A sale would wait out its time on a line that takes every byte and carries none (N31)."""
    async with served(listening()) as one:
        transport, near = await connect(connecting(one.listener.url), Recorder)
        (await first(one.inside)).transport.abort()
        await near.lost()
        transport.write(b"to nobody")
        assert transport.get_write_buffer_size() == 0
        assert len(near.losses) == 1


FILES = [
    ("", "who listens needs a certificate", "?cert="),
    ("?cert={0}/none.pem", "cert {0}/none.pem cannot be read", "No such file"),
    ("?cert={0}", "cert {0} cannot be read", "directory"),
    ("?cert=%00", "names no file", ""),
    ("?cert={0}/host.pem&key={0}/none.key", "key {0}/none.key cannot be read", "No such file"),
    ("?cert={0}/host.pem", "cert {0}/host.pem", "PRIVATE KEY"),
    ("?cert={0}/host.pem&key={0}/terminal.key", "key {0}/terminal.key does not fit cert {0}/host.pem", "made with"),
    ("?cert={0}/host.pem&key={1}/locked.key", "key {1}/locked.key has a password", "password_file"),
    ("?cert={0}/host.pem&key={1}/locked.key&password_file={1}/wrong", "another password than password_file", ""),
    ("?cert={0}/host.pem&key={1}/locked.key&password_file={1}/empty", "password_file {1}/empty is empty", "first"),
    ("?cert={0}/host.pem&key={1}/locked.key&password_file={1}/none", "password_file {1}/none cannot", "No such"),
    ("?cert={0}/host.key&key={0}/host.key", "cert {0}/host.key", "BEGIN CERTIFICATE"),
    ("?cert={0}/host.pem&key={0}/host.key&client_certificate=yes", "go together", "whose certificates"),
    ("?cert={0}/host.pem&key={0}/host.key&ca={0}/ca.pem", "go together", "whose certificates"),
    ("?cert={0}/host.pem&key={0}/host.key&name=x", "name is for who connects", "stand in its certificate"),
    ("?cert={0}/host.pem&key={0}/host.key&client_certificate=yes&ca={1}/none", "ca {1}/none cannot", "No such"),
    ("?cert={0}/host.pem&key={0}/host.key&client_certificate=yes&ca={0}/host.key", "ca {0}/host.key", "CERTIFICATE"),
    ("?cert={0}/host.pem&key={0}/host.key&crl={0}/crl.pem", "crl has no use without ca", "?ca="),
    (
        "?cert={0}/host.pem&key={0}/host.key&client_certificate=yes&ca={0}/ca.pem&crl={0}/ca.pem",
        "crl {0}/ca.pem holds none",
        "X509 CRL",
    ),
]


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A key with a password, and files that do not open it."""
    key = load_pem_private_key((certificates() / "host.key").read_bytes(), None)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    (tmp_path / "locked.key").write_bytes(sealed)
    (tmp_path / "right").write_bytes(b"open sesame\n")
    (tmp_path / "wrong").write_bytes(b"open barley\n")
    (tmp_path / "empty").write_bytes(b"\n")
    return tmp_path


@pytest.mark.parametrize(("query", "says", "hint"), FILES)
async def test_a_file_that_does_not_serve_is_named(query: str, says: str, hint: str, locked: Path) -> None:
    """An engineer would get a line of OpenSSL instead of the name of the wrong file."""
    where = (certificates(), locked)
    with pytest.raises(EndpointWrong) as caught:
        await serve("tls://127.0.0.1:0" + query.format(*where), Recorder)
    assert says.format(*where) in caught.value.message
    assert hint in caught.value.hint
    assert "sesame" not in str(caught.value)
    assert "barley" not in str(caught.value)


async def test_a_key_with_a_password(locked: Path) -> None:
    """A host whose key is kept locked, as it should be, could not start."""
    folder = certificates()
    url = f"tls://127.0.0.1:0?cert={folder}/host.pem&key={locked}/locked.key&password_file={locked}/right"
    async with served(url) as one:
        assert one.listener.url == f"tls://{one.listener.name}"
        transport, near = await connect(connecting(one.listener.url), Recorder)
        transport.abort()
        await near.lost()


async def test_a_name_of_a_file_may_be_encoded(locked: Path) -> None:
    """A folder with & in its name would need to be renamed."""
    odd = locked / "a&b 100%"
    odd.mkdir()
    for name in ("host.pem", "host.key"):
        (odd / name).write_bytes((certificates() / name).read_bytes())
    spelt = f"{locked}/a%26b%20100%25"
    async with served(f"tls://127.0.0.1:0?cert={spelt}/host.pem&key={spelt}/host.key&framing=stx") as one:
        assert one.listener.url == f"tls://{one.listener.name}?framing=stx"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?ca={0}/none.pem", "ca {0}/none.pem cannot be read"),
        ("?client_certificate=yes", "client_certificate is for who listens"),
        ("?crl={0}/crl.pem", "crl has no use without ca"),
        ("?key={0}/terminal.key", "key has no use without cert"),
        ("?password_file={0}/none", "password_file has no use without cert"),
        ("?ca={0}/ca.pem&cert={0}/terminal.pem&key={0}/host.key", "does not fit"),
        ("?ca=", "ca is empty"),
        ("?cafile=x", "unknown option 'cafile'"),
    ],
)
def test_what_who_connects_has_wrong_is_known_before(query: str, says: str) -> None:
    """A till would open, and only the first sale of the day would tell that a file is missing."""
    folder = certificates()
    with pytest.raises(EndpointWrong) as caught:
        check("tls://localhost:1" + query.format(folder))
    assert says.format(folder) in caught.value.message


def test_every_name_has_a_row() -> None:
    """A refusal would end in a KeyError."""
    assert {*VERIFY.values(), *ALERTS.values()} <= set(FAULTS)
