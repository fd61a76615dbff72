"""The two doors to every transport, ``connect`` and ``serve``; TABLE SCHEMES says who opens what.

One asyncio.Protocol class serves TCP, TLS, serial lines and memory alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

from protocol.errors import TransportError
from protocol.transport import memory, pty_line, serial_line, tcp, tls
from protocol.transport.endpoint import Endpoint
from protocol.transport.listener import Listener, Refused
from protocol.transport.tls_trust import client_context

P = TypeVar("P", bound=asyncio.Protocol)


class Connect(Protocol):
    async def __call__(self, endpoint: Endpoint, factory: Callable[[], P], /) -> tuple[asyncio.Transport, P]: ...


class Serve(Protocol):
    async def __call__(
        self, endpoint: Endpoint, factory: Callable[[], asyncio.Protocol], refused: Refused, /
    ) -> Listener: ...


class Scheme(NamedTuple):
    """How the endpoints of one scheme are opened at either end."""

    connect: Connect
    serve: Serve


SCHEMES: Mapping[str, Scheme] = {
    "memory": Scheme(memory.connect, memory.serve),
    "pty": Scheme(pty_line.connect, pty_line.serve),
    "serial": Scheme(serial_line.connect, serial_line.serve),
    "tcp": Scheme(tcp.connect, tcp.serve),
    "tls": Scheme(tls.connect, tls.serve),
}


async def connect(url: str, factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """Open ``url`` for one protocol, whose ``connection_made`` has been called on return.

    TransportError: the URL is wrong, or nothing answers there; EndpointInUse: another program holds the line;
    TlsFailed: host and terminal do not believe each other.
    """
    endpoint = Endpoint.parse(url)
    return await _schemes()[endpoint.scheme].connect(endpoint, factory)


def check(url: str) -> Endpoint:
    """The endpoint that somebody wants to connect to; EndpointWrong where the URL or a file that it names is wrong."""
    endpoint = Endpoint.parse(url)
    if endpoint.scheme == "tls":
        client_context(endpoint)
    return endpoint


def _untold(error: TransportError) -> None:
    """Nobody wants to know."""


async def serve(url: str, factory: Callable[[], asyncio.Protocol], refused: Refused = _untold) -> Listener:
    """Serve ``url``: a protocol for each connection, or one for a serial line; ``refused`` hears of peers not let in.

    TransportError: the URL is wrong, or cannot be served; EndpointInUse: somebody else does.
    """
    endpoint = Endpoint.parse(url)
    return await _schemes()[endpoint.scheme].serve(endpoint, factory, refused)


def _schemes() -> Mapping[str, Scheme]:
    """The table, unless the running loop brings ``schemes`` of its own, as one in virtual time does."""
    own: Mapping[str, Scheme] = getattr(asyncio.get_running_loop(), "schemes", SCHEMES)
    return own
