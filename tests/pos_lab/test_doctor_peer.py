"""The doctor asks peers that answer, answer otherwise, stay silent, hang up or speak something else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pos_lab.doctor.examination import Verdict
from pos_lab.doctor.peer import ask, echo
from pos_lab.doctor.report import verdict_of
from protocol.codec import pack, seal, unpack, unseal
from protocol.errors import TlsFailed, TransportError
from protocol.framing import Len2Framer, StxFramer
from protocol.message import Message
from protocol.transport import serve
from tests.certificates import certificates, connecting, listening

ECHO = echo("62000001", "100000000000001")


def reply_to(request: Message) -> Message:
    assert request.tpdu
    return Message("0830", {**request.fields, 39: "00"}, request.tpdu.reply(), request.header)


def len2_host(raw: bytes) -> bytes:
    if raw[2:3] != b"\x60":
        return b""
    return Len2Framer().wrap(seal(reply_to(unseal(raw[2:]).message)))


def stx_host(raw: bytes) -> bytes:
    found = StxFramer(ack=False).feed(raw)
    return b"\x06" + StxFramer().wrap(seal(reply_to(unseal(found[0]).message))) if found else b""


def ascii_host(raw: bytes) -> bytes:
    if not raw[:4].isdigit():
        return b""
    payload = seal(reply_to(unseal(raw[4:]).message))
    return f"{len(payload):04d}".encode() + payload


def bare_host(raw: bytes) -> bytes:
    if raw[2:4] != b"\x08\x20":
        return b""
    body = pack(Message("0830", {**unpack(raw[2:]).fields, 39: "00"}))
    return len(body).to_bytes(2, "big") + body


def half_host(raw: bytes) -> bytes:
    return len2_host(raw)[:40]


def other_terminal_host(raw: bytes) -> bytes:
    if raw[2:3] != b"\x60":
        return b""
    reply = reply_to(unseal(raw[2:]).message)
    return Len2Framer().wrap(seal(reply.with_fields({41: "62000009"})))


PEERS: list[tuple[str, Callable[[bytes], bytes | None], str, Verdict]] = [
    ("a good host", len2_host, "peer_answers", Verdict.UNDERSTOOD),
    ("a serial host", stx_host, "?framing=stx", Verdict.FINDINGS),
    ("a host with ASCII lengths", ascii_host, "?framing=ascii4", Verdict.FINDINGS),
    ("a host without TPDU and header", bare_host, "no TPDU and header", Verdict.FINDINGS),
    ("a line that echoes before the host answers", lambda raw: raw + len2_host(raw), "peer_answers",
     Verdict.UNDERSTOOD),
    ("a loopback", lambda raw: raw, "peer_loopback", Verdict.FINDINGS),
    ("a host that says half", half_host, "peer_no_reply", Verdict.FINDINGS),
    ("a host that answers another terminal", other_terminal_host, "peer_no_reply", Verdict.FINDINGS),
    ("a flood of STX", lambda raw: b"\x02" * 70_000, "peer_floods", Verdict.UNKNOWN),
    ("a silent host", lambda raw: b"", "peer_silent", Verdict.UNKNOWN),
    ("a host that hangs up", lambda raw: None, "peer_closed", Verdict.UNKNOWN),
    ("a web server", lambda raw: b"HTTP/1.1 400 Bad Request\r\n\r\n", "foreign", Verdict.UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "told", "verdict"), PEERS, ids=[row[0] for row in PEERS])
async def test_a_peer_is_told_for_what_it_is(
    name: str, answer: Callable[[bytes], bytes | None], told: str, verdict: Verdict
) -> None:
    """The engineer would stare at a terminal that says "no answer"."""

    class Peer(asyncio.Protocol):
        transport: asyncio.Transport

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            reply = answer(data)
            if reply is None:
                self.transport.close()
            elif reply:
                self.transport.write(reply)

    listener = await serve("tcp://127.0.0.1:0", Peer)
    try:
        cases, findings = await ask(listener.url, ECHO, 0.15)
    finally:
        await listener.close()
    everything = [*findings, *(each for case in cases for each in case.findings)]
    assert told in {each.code for each in everything} | {each.name for each in everything}
    assert verdict_of(cases, findings) is verdict
    assert "peer_answers" not in {each.code for each in findings} - {told}


async def test_a_peer_that_never_stops_sending_is_left_in_time() -> None:
    """The doctor itself would hang, and the engineer would call that the fault."""

    class Flood(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.sending = asyncio.ensure_future(self.send(transport))

        async def send(self, transport: asyncio.Transport) -> None:
            while not transport.is_closing():
                transport.write(b"\x02" * 1000)
                await asyncio.sleep(0)

    listener = await serve("tcp://127.0.0.1:0", Flood)
    try:
        async with asyncio.timeout(2):
            cases, findings = await ask(listener.url, ECHO, 1.0)
    finally:
        await listener.close()
    assert [each.code for each in findings] == ["peer_floods"]
    assert verdict_of(cases, findings) is Verdict.UNKNOWN


async def test_nobody_there_is_an_error_of_the_environment() -> None:
    """A host that is not running would be called broken."""
    with pytest.raises(TransportError):
        await ask("tcp://127.0.0.1:1", ECHO, 0.1)


class Answering(asyncio.Protocol):
    """A good host."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(len2_host(data))


async def test_a_peer_that_speaks_tls_is_told() -> None:
    """The engineer would try every framing on a port that is encrypted (N30)."""
    listener = await serve(listening(mutual=True), Answering)
    try:
        cases, findings = await ask(f"tcp://{listener.name}", ECHO, 0.5)
        assert [(each.code, each.name) for each in findings] == [("peer_tls", f"tls://{listener.name}?ca=FILE")]
        assert verdict_of(cases, findings) is Verdict.UNKNOWN
        cases, findings = await ask(connecting(listener.url, "terminal"), ECHO, 0.5)
        assert [each.code for each in findings] == ["peer_answers"]
        with pytest.raises(TlsFailed, match="CA that we do not trust"):
            await ask(f"tls://{listener.name}?ca={certificates()}/bad-other_ca.pem", ECHO, 0.5)
    finally:
        await listener.close()


async def test_a_peer_that_speaks_no_tls_is_told() -> None:
    """The engineer would look for a wrong certificate where there is none (N30)."""

    class Strict(Answering):
        def data_received(self, data: bytes) -> None:
            if data[0] == 0x16:
                self.transport.close()
            else:
                super().data_received(data)

    listener = await serve("tcp://127.0.0.1:0", Strict)
    try:
        _, findings = await ask(connecting(f"tls://{listener.name}"), ECHO, 0.5)
        assert [(each.code, each.name) for each in findings] == [("peer_plain", f"tcp://{listener.name}")]
    finally:
        await listener.close()
    with pytest.raises(TransportError):
        await ask(connecting(f"tls://{listener.name}"), ECHO, 0.5)
