"""The console port: other programs press keys and read the screen, by lines of JSON.

Rules owned here: a line has at most LINE_BYTES_MAX, a longer one is thrown away and told; who does not read is not read
from, and is dropped when QUEUE_BYTES_MAX wait; a browser is sent away; only this machine is served unless told.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Final

from pos_lab.commands.output import as_line
from pos_lab.console.desk import Desk, Document
from pos_lab.console.requests import Request, RequestWrong, carry_out, finished, read, refusal
from protocol.errors import EndpointWrong
from protocol.transport import Endpoint, serve

LINE_BYTES_MAX: Final = 64 * 1024
QUEUE_BYTES_MAX: Final = 256 * 1024
CLIENTS_MAX: Final = 16

log = logging.getLogger("poslab.console")
_HTTP: Final = re.compile(rb"[A-Z]+ [^ ]* HTTP/[0-9.]+\r?")


class ConsoleConnection(asyncio.Protocol):
    """One client. Its requests are carried out in order; events come in between."""

    def __init__(self, desk: Desk, clients: set[ConsoleConnection]) -> None:
        self._desk = desk
        self._clients = clients
        self._buffer = bytearray()
        self._skips = False
        self._waiting: Request | None = None
        self._is_full = False
        self._at_end = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet with the screen, unless there are too many already."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._clients) >= CLIENTS_MAX:
            self._send(refusal(RequestWrong("too many clients", hint=f"at most {CLIENTS_MAX}", code="too_many")))
            transport.close()
            return
        self._clients.add(self)
        self._desk.listen(self._hear)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client; what it has begun goes on."""
        self._transport = None
        self._clients.discard(self)
        self._desk.ignore(self._hear)
        self._buffer.clear()

    def data_received(self, data: bytes) -> None:
        """Carry out the lines that are whole."""
        self._buffer += data
        self._work()

    def eof_received(self) -> bool:
        """Stay until what was asked for is answered."""
        self._at_end = True
        self._work()
        return self._is_held

    def pause_writing(self) -> None:
        """The client does not read: do nothing more for it."""
        self._is_full = True
        self._hold()

    def resume_writing(self) -> None:
        """The client has read."""
        self._is_full = False
        self._work()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def _is_held(self) -> bool:
        return self._is_full or self._waiting is not None

    def _hold(self) -> None:
        if self._transport is None or self._transport.is_closing() or self._at_end:
            return
        if self._is_held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _work(self) -> None:
        while not self._is_held and self._transport is not None and not self._transport.is_closing():
            end = self._buffer.find(b"\n")
            if end < 0:
                self._bound()
                break
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if self._skips:
                self._skips = False
            elif len(line) > LINE_BYTES_MAX:
                self._refuse_length()
            elif line.strip():
                self._obey(line)
        self._hold()
        if self._at_end and not self._is_held and self._transport is not None:
            self._transport.close()

    def _bound(self) -> None:
        """Keep no more of a line than may be of use."""
        if self._skips:
            self._buffer.clear()
        elif len(self._buffer) > LINE_BYTES_MAX:
            self._refuse_length()
            self._skips = True
            self._buffer.clear()

    def _refuse_length(self) -> None:
        message = f"a line has at most {LINE_BYTES_MAX // 1024} KiB"
        self._send(refusal(RequestWrong(message, code="line_too_long", offset=LINE_BYTES_MAX)))

    def _obey(self, line: bytes) -> None:
        if _HTTP.fullmatch(line):
            self._send(refusal(RequestWrong("this is no web server", hint="lines of JSON", code="http")))
            if self._transport is not None:
                self._transport.close()
            return
        try:
            request = read(line)
        except RequestWrong as error:
            self._send(refusal(error))
            return
        if request.command == "wait" and self._desk.flow:
            self._waiting = request
        else:
            self._send(carry_out(self._desk, request))

    def _hear(self, event: Document) -> None:
        self._send(event)
        if event["event"] == "idle" and (waiting := self._waiting) is not None:
            self._waiting = None
            self._send({"id": waiting.id, "ok": True, **finished(self._desk)})
            asyncio.get_running_loop().call_soon(self._work)  # once everybody has heard this

    def _send(self, document: Document) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(as_line(document).encode("utf-8", "backslashreplace") + b"\n")
        if transport.get_write_buffer_size() > QUEUE_BYTES_MAX:
            log.warning("a client of the console that does not read was dropped")
            transport.abort()


def check_endpoint(url: str, *, exposed: bool) -> None:
    """Refuse to serve anybody but this machine, unless ``exposed``; raises EndpointWrong."""
    endpoint = Endpoint.parse(url)
    if endpoint.scheme != "tcp":
        raise EndpointWrong(f"{url!r}: a console is served over TCP", url=url, hint="as tcp://127.0.0.1:0")
    if not exposed and not _is_loopback(endpoint.host):
        hint = "use 127.0.0.1, or --expose-console where whoever reaches it may operate the terminal"
        raise EndpointWrong(f"{url!r}: a console is for this machine only", url=url, hint=hint)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@asynccontextmanager
async def serving(desk: Desk, url: str) -> AsyncIterator[str]:
    """Serve the console of ``desk`` at ``url`` inside the block, which gets its URL. Raises as ``serve``."""
    clients: set[ConsoleConnection] = set()
    listener = await serve(url, lambda: ConsoleConnection(desk, clients))
    try:
        yield listener.url
    finally:
        await listener.close()
        for client in list(clients):
            client.close()
