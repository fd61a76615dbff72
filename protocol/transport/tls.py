"""TLS over TCP: ``tls://host:port?ca=…&cert=…&key=…``, for who connects and for who listens.

Rules owned here: who listens has HANDSHAKES_MAX handshakes under way at most, and tells of every peer that it does not
let in; a connection that is let in is a TLS line (``tls_line``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from protocol.transport import tcp
from protocol.transport.endpoint import Endpoint
from protocol.transport.listener import Listener, Refused
from protocol.transport.tls_fault import failed
from protocol.transport.tls_line import Handshake, Records, begin, peer_of
from protocol.transport.tls_trust import client_context, server_context

P = TypeVar("P", bound=asyncio.Protocol)

HANDSHAKES_MAX: Final = 1000


async def connect(endpoint: Endpoint, factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """Connect and believe the host; TlsFailed says why not, EndpointWrong which file does not serve.

    In TLS 1.3 that does not mean that the host believes us: it may still refuse our certificate, which is then the
    error with which the connection is lost.
    """
    context = client_context(endpoint)
    loop = asyncio.get_running_loop()
    proven: asyncio.Future[tuple[asyncio.Transport, P]] = loop.create_future()

    def go_on(carrier: asyncio.Transport, records: Records) -> None:
        protocol = factory()
        proven.set_result((begin(carrier, records, protocol, endpoint.address), protocol))

    def make() -> Handshake:
        name = str(endpoint.options["name"]) or endpoint.host
        return Handshake(context, set(), go_on, proven.set_exception, name=name, url=endpoint.url)

    _, handshake = await tcp.connect(endpoint, make)
    try:
        return await proven
    except asyncio.CancelledError:
        handshake.abort()
        raise


async def serve(endpoint: Endpoint, factory: Callable[[], asyncio.Protocol], refused: Refused) -> Listener:
    """Listen as ``tcp.serve`` does; EndpointWrong says which file does not serve."""
    context = server_context(endpoint)
    under_way: set[Handshake] = set()

    def go_on(carrier: asyncio.Transport, records: Records) -> None:
        begin(carrier, records, factory(), peer_of(carrier))

    def answer() -> asyncio.Protocol:
        if len(under_way) >= HANDSHAKES_MAX:
            return _TurnedAway(refused)
        return Handshake(context, under_way, go_on, refused)

    listener = await tcp.serve(endpoint, answer, refused)

    async def close() -> None:
        await listener.close()
        for handshake in tuple(under_way):
            handshake.abort()

    return Listener(listener.url, listener.name, close)


class _TurnedAway(asyncio.Protocol):
    """Somebody for whom there is no room."""

    def __init__(self, refused: Refused) -> None:
        self._refused = refused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
        self._refused(failed("crowded", about=peer_of(transport)))
