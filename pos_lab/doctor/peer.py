"""A peer asked: an echo 0820 in one framing after another, and what came back.

Rules owned here: TABLE PROBES, the settings that are tried in order; each has a connection of its own, so that a peer
that was confused by one is not asked the next. A peer answers if one of its messages is the reply that a terminal
would take (``Exchange``); what else it says is none. Who floods the line is not asked twice.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pos_lab.doctor.examination import Case, Verdict, examine
from pos_lab.doctor.hypothesis import WIRE
from pos_lab.doctor.symptom import Finding
from protocol.codec import pack, seal
from protocol.elements import Value
from protocol.errors import TlsFailed, TransportError
from protocol.exchange import Event, Exchange
from protocol.fields import F
from protocol.framing import ETX, STX, lrc
from protocol.header import Header, Tpdu
from protocol.message import Message
from protocol.transport import Endpoint, connect

BATCH: Final = "000001"
_NO_TLS: Final = frozenset({"not_tls", "ended", "silent"})
"""Codes of TlsFailed that a peer without TLS causes."""
REPLY_BYTES_MAX: Final = 1024
"""No reply to an echo is so long, noise before it included."""

QUIET_S: Final = 0.02
"""Bytes that come at shorter distances are examined together."""


def _len2(payload: bytes) -> bytes:
    return len(payload).to_bytes(2, "big") + payload


def _stx(payload: bytes) -> bytes:
    block = bytes.fromhex(f"{len(payload):04d}") + payload + bytes([ETX])
    return bytes([STX]) + block + bytes([lrc(block)])


@dataclass(frozen=True, slots=True)
class Probe:
    """A row of PROBES: how an echo is wrapped."""

    name: str
    framing: str
    wrap: Callable[[bytes], bytes]
    has_envelope: bool = True


PROBES: Final = (
    Probe("?framing=len2", "len2", _len2),
    Probe("?framing=stx", "stx", _stx),
    Probe("?framing=ascii4", "ascii4", lambda payload: f"{len(payload):04d}".encode() + payload),
    Probe("?framing=bcd2", "bcd2", lambda payload: bytes.fromhex(f"{len(payload):04d}") + payload),
    Probe("no TPDU and header", "len2", _len2, has_envelope=False),
)


def echo(terminal: str, merchant: str) -> Message:
    """The request that every host answers without changing anything (CUP 3.4, 60.3 = 301)."""
    fields: dict[int, Value] = {F.TERMINAL_ID: terminal, F.MERCHANT_ID: merchant, F.CONTROL: f"00{BATCH}301"}
    return Message("0820", fields, Tpdu(), Header())


async def ask(url: str, message: Message, timeout_s: float) -> tuple[list[Case], list[Finding]]:
    """What the peer at ``url`` made of an echo. TransportError where nobody is there or lets us in.

    Where one side speaks TLS and the other does not, the URL that would do is told.
    """
    endpoint = Endpoint.parse(url)
    if endpoint.scheme == "tls":
        return await _ask_tls(endpoint, message, timeout_s)
    cases, findings = await _ask(url, message, timeout_s)
    if endpoint.scheme == "tcp" and not _is_certain(findings) and await _speaks_tls(endpoint, timeout_s):
        return [], [Finding("peer_tls", name=f"tls://{endpoint.address}?ca=FILE")]
    return cases, findings


async def _ask_tls(endpoint: Endpoint, message: Message, timeout_s: float) -> tuple[list[Case], list[Finding]]:
    try:
        return await _ask(endpoint.url, message, timeout_s)
    except TlsFailed as error:
        if error.code not in _NO_TLS:
            raise
        plain = endpoint.at(f"tcp://{endpoint.address}")
        cases, findings = await _ask(plain, message, timeout_s)
        if not any(finding.code == "peer_answers" for finding in findings):
            raise
        return cases, [Finding("peer_plain", name=plain)]


async def _speaks_tls(endpoint: Endpoint, timeout_s: float) -> bool:
    """Does the peer answer a ClientHello in its own language? Whether it can be believed is not asked here."""
    try:
        async with asyncio.timeout(timeout_s):
            transport, _ = await connect(f"tls://{endpoint.address}", asyncio.Protocol)
    except TlsFailed as error:
        return error.code not in _NO_TLS
    except (TransportError, TimeoutError):
        return False
    transport.abort()
    return True


def _is_certain(findings: list[Finding]) -> bool:
    """Has the peer shown that it speaks our protocol, or echoes it?"""
    return bool(findings) and findings[0].code not in ("peer_silent", "peer_closed")


async def _ask(url: str, message: Message, timeout_s: float) -> tuple[list[Case], list[Finding]]:
    chosen = str(Endpoint.parse(url).options["framing"])
    closed, last = False, list[Case]()
    for probe in sorted(PROBES, key=lambda each: each.framing != chosen):
        frame = _framed(probe, message)
        raw, closed = await _once(url, frame, message, timeout_s)
        cases = examine(raw, source=WIRE) if raw else []
        if _is_answered(message, cases):
            is_due = probe.framing == chosen and probe.has_envelope
            found = Finding("peer_answers") if is_due else Finding("peer_other_setting", name=probe.name)
            return cases, [found]
        if raw.startswith(frame):
            return cases, [Finding("peer_loopback")]
        if len(raw) >= REPLY_BYTES_MAX:
            return cases, [Finding("peer_floods", n=len(raw))]
        if any(case.verdict is not Verdict.UNKNOWN for case in cases):
            return cases, [Finding("peer_no_reply")]
        last = cases or last
    if last:
        return last, []
    return [], [Finding("peer_closed") if closed else Finding("peer_silent", n=int(timeout_s * 1000))]


def _is_answered(message: Message, cases: list[Case]) -> bool:
    """Is one of these whole messages the reply to ``message``?"""
    exchange = Exchange()
    exchange.begin(message, math.inf)
    whole = [case.hypothesis for case in cases if case.hypothesis and case.hypothesis.is_whole]
    return any(exchange.receive(each.message, 0.0) is Event.REPLY for each in whole)


def _framed(probe: Probe, message: Message) -> bytes:
    return probe.wrap(seal(message) if probe.has_envelope else pack(message))


class _Listening(asyncio.Protocol):
    """Keeps what comes up to REPLY_BYTES_MAX, and tells when something came or the peer has gone."""

    def __init__(self) -> None:
        self.raw = b""
        self.came = asyncio.Event()
        self.over = asyncio.Event()
        self.closed = False

    def data_received(self, data: bytes) -> None:
        self.raw = (self.raw + data)[:REPLY_BYTES_MAX]
        self.came.set()
        if len(self.raw) >= REPLY_BYTES_MAX:
            self.over.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self.over.set()
        self.came.set()


async def _once(url: str, frame: bytes, message: Message, timeout_s: float) -> tuple[bytes, bool]:
    """The bytes that came back within the time, and whether the peer closed the connection."""
    transport, listening = await connect(url, _Listening)
    try:
        transport.write(frame)
        try:
            async with asyncio.timeout(timeout_s):
                await _answered(listening, message)
        except TimeoutError:
            return listening.raw, listening.closed
        return listening.raw, listening.closed
    finally:
        transport.close()


async def _answered(listening: _Listening, message: Message) -> None:
    """Return when the reply is there, the peer has gone or has said too much."""
    while not listening.over.is_set():
        listening.came.clear()
        await listening.came.wait()
        # what comes in many pieces is examined once, and not once for each
        size = -1
        while size != len(listening.raw) and not listening.over.is_set():
            size = len(listening.raw)
            await asyncio.sleep(QUIET_S)
        if not listening.over.is_set() and _is_answered(message, examine(listening.raw, source=WIRE)):
            return
