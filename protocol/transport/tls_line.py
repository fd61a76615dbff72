"""TLS on any transport: the handshake, then a line that a protocol uses like every other.

Rules owned here: a protocol is made when the handshake is done, not before; a handshake has HANDSHAKE_S, and first
bytes that are no TLS end it at once; a connection that ends without close_notify is lost with an error, never ended; an
alert of the peer after the handshake is that error by its name. The records are OpenSSL's (ssl.SSLObject); all bytes
pass through the transport below, so that whatever it carries, the rules are the same.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from protocol.errors import TlsFailed
from protocol.transport.line import HalfClosing
from protocol.transport.tls_fault import failed, failure_of

HANDSHAKE_S: Final = 10.0
LINGER_S: Final = 1.0
"""How long a refused peer has to take our alert before the connection is cut."""
READ_SIZE: Final = 64 * 1024
_RECORD: Final = 16 * 1024
_RECORDS: Final = frozenset({0x15, 0x16})
"""What the first byte of a TLS peer can be: an alert or a handshake."""
EXTRA: Final = ("peername", "sockname", "socket")


class Records:
    """TLS between clear bytes and those of the wire, without a line: an SSLObject between two memories."""

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, name: str | None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side, server_hostname=name)

    def put(self, data: bytes) -> None:
        """Bytes have come over the wire."""
        self._incoming.write(data)

    def take(self) -> bytes:
        """The bytes that the wire has to carry now."""
        return self._outgoing.read()


class TlsTransport(HalfClosing, asyncio.Protocol):
    """A transport to the protocol above it, and a protocol to the transport below it, its carrier."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.Protocol,
        carrier: asyncio.Transport,
        records: Records,
        about: str,
    ) -> None:
        extra = {name: carrier.get_extra_info(name) for name in EXTRA}
        super().__init__(loop, protocol, {**extra, "ssl_object": records.tls})
        self._carrier = carrier
        self._records = records
        self._about = about
        self._carrier_full = self._carrier_gone = self._carrier_ended = False
        self._peer_ended = False
        self._why: Exception | None = None

    def data_received(self, data: bytes) -> None:
        """Records have come."""
        self._records.put(data)
        self._read()

    def eof_received(self) -> bool:
        """The carrier's peer sends nothing more; without its close_notify that is a cut."""
        self._carrier_ended = True
        self._read()
        return not self._lost

    def pause_writing(self) -> None:
        """The carrier is full."""
        self._carrier_full = True

    def resume_writing(self) -> None:
        """It has room."""
        self._carrier_full = False
        if not self._lost:
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The carrier is gone: only who has said farewell, or has lost this transport already, is not told of it."""
        self._carrier_gone = True
        if self._lost:
            self._finish(self._why)
        else:
            self._lose(exc or failed("cut_off", about=self._about))

    def abort(self) -> None:
        self._carrier.abort()
        super().abort()

    def _flush(self) -> None:
        try:
            while self._buffer and not self._carrier_full:
                written = self._records.tls.write(bytes(self._buffer[:_RECORD]))
                del self._buffer[:written]
                self._pass_on()
        except ssl.SSLError as error:
            self._lose(failure_of(error, about=self._about))
            return
        if self._ended and not self._buffer:
            self._farewell()
        self._drained()

    def _watch(self) -> None:
        if self.is_reading():
            self._loop.call_soon(self._read)
            self._carrier.resume_reading()
        elif not self._carrier_gone:
            self._carrier.pause_reading()

    def _read(self) -> None:
        """Hand on what can be read, while somebody reads."""
        while self.is_reading() and not self._peer_ended:
            try:
                data = self._records.tls.read(READ_SIZE)
            except ssl.SSLWantReadError:
                if self._carrier_ended:
                    self._lose(failed("cut_off", about=self._about))
                break
            except ssl.SSLError as error:
                self._lose(failure_of(error, about=self._about))
                break
            if data:
                self._deliver(data)
            else:
                self._peer_ended = True
                if not self._protocol.eof_received():
                    self.close()
        self._pass_on()

    def _pass_on(self) -> None:
        if (data := self._records.take()) and not self._carrier_gone:
            self._carrier.write(data)

    def _farewell(self) -> None:
        """Write our close_notify; that the peer's has not come yet is no error."""
        with suppress(ssl.SSLError):
            self._records.tls.unwrap()
        self._pass_on()

    def _release(self, error: Exception | None) -> None:
        self._why = error
        if self._carrier_gone:
            self._loop.call_soon(self._finish, error)
        elif error is None:
            if not self._ended:
                self._farewell()
            self._carrier.close()
        else:
            self._pass_on()  # an alert may tell the peer why
            self._carrier.abort()


def begin(carrier: asyncio.Transport, records: Records, protocol: asyncio.Protocol, about: str) -> TlsTransport:
    """Give a carrier whose handshake is done to ``protocol``; ``about`` names the peer in errors."""
    line = TlsTransport(asyncio.get_running_loop(), protocol, carrier, records, about)
    carrier.set_protocol(line)
    line.start()
    return line


class Handshake(asyncio.Protocol):
    """Until both sides believe each other; then ``proven`` gets carrier and records and goes on with them.

    ``refused`` is told of every other end, once. ``under_way`` has it until it is proven or its carrier is gone.
    ``name`` is what the host must prove, and with ``url`` only who connects knows it.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        under_way: set[Handshake],
        proven: Callable[[asyncio.Transport, Records], None],
        refused: Callable[[TlsFailed], None],
        *,
        name: str | None = None,
        url: str = "",
    ) -> None:
        self._server_side = name is None
        self._records = Records(context, server_side=self._server_side, name=name)
        self._under_way = under_way
        self._proven, self._refused = proven, refused
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._began = self._over = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def about(self) -> str:
        """Whom the handshake is with."""
        return f"{self._url!r}" if self._url else peer_of(self._carrier)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._carrier = transport
        self._under_way.add(self)
        self._timer = self._loop.call_later(HANDSHAKE_S, self._expire)
        self._step()

    def data_received(self, data: bytes) -> None:
        """A step of the peer; after a refusal nobody looks at it."""
        if self._over:
            return
        if not self._began and data[0] not in _RECORDS:
            self.refuse(failed("not_tls", url=self._url, about=self.about, detail=looks_like(data)))
            return
        self._began = True
        self._records.put(data)
        self._step()

    def eof_received(self) -> None:
        """The peer has gone."""
        self.refuse(failed("ended", url=self._url, about=self.about))

    def connection_lost(self, exc: Exception | None) -> None:
        """The carrier has gone."""
        self._under_way.discard(self)
        self.refuse(failed("ended", url=self._url, about=self.about))
        self._stop()

    def refuse(self, error: TlsFailed) -> None:
        """End it, with an alert where there is one; a peer that is still sending gets the time to read that."""
        if self._over:
            return
        self._over = True
        self._stop()
        self._refused(error)
        if (alert := self._records.take()) and self._server_side and not self._carrier.is_closing():
            self._carrier.write(alert)
            self._carrier.write_eof()
            self._timer = self._loop.call_later(LINGER_S, self._carrier.abort)
            return
        self._carrier.write(alert)
        self._carrier.close()

    def abort(self) -> None:
        """End it without a word."""
        self._over = True
        self._stop()
        self._carrier.abort()

    def _step(self) -> None:
        try:
            self._records.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._carrier.write(self._records.take())
            return
        except ssl.SSLError as error:
            self.refuse(failure_of(error, url=self._url, about=self.about))
            return
        self._carrier.write(self._records.take())
        self._over = True
        self._stop()
        self._under_way.discard(self)
        self._proven(self._carrier, self._records)

    def _expire(self) -> None:
        self.refuse(failed("silent", url=self._url, about=self.about))
        self._carrier.abort()

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def peer_of(transport: asyncio.Transport) -> str:
    """Who is at the other end, as a line of a log names it."""
    return str(transport.get_extra_info("peername") or "?")


_LOOKS: Final = (
    ((b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN"), "it looks like an HTTP request"),
    ((b"HTTP",), "it looks like an HTTP server"),
    ((b"SSH-",), "it looks like SSH"),
    ((b"\x02",), "it looks like an STX frame in the clear"),
)


def looks_like(head: bytes) -> str:
    """What the first bytes of a peer without TLS look like, "" where that is unknown; no part of them is told."""
    if said := next((look for starts, look in _LOOKS if head.startswith(starts)), ""):
        return said
    return "it looks like a message in the clear" if head[2:3] == b"\x60" else ""
