"""TCP, by asyncio's own transport."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import TypeVar

from protocol.errors import EndpointInUse, TransportError
from protocol.transport.endpoint import Endpoint
from protocol.transport.listener import Listener, Refused

P = TypeVar("P", bound=asyncio.Protocol)

# glibc maps and unmaps memory for each receive buffer of asyncio (256 KiB) until a larger block has once been freed:
# a pair that echoes 200 bytes over 50 connections does 2.5 times the rate after it.
bytearray(8 * 1024 * 1024)

HINTS = {
    errno.ECONNREFUSED: "nobody listens there: is the host running?",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
    errno.EACCES: "ports below 1024 need a privilege: choose a higher one",
}


async def connect(endpoint: Endpoint, factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """Connect; TransportError where that is refused or unreachable."""
    try:
        return await asyncio.get_running_loop().create_connection(factory, endpoint.host, endpoint.port)
    except OSError as error:
        raise _unreachable(endpoint, "cannot connect to", error) from error


async def serve(endpoint: Endpoint, factory: Callable[[], asyncio.Protocol], refused: Refused) -> Listener:
    """Listen on the first address of the host name, so that port 0 chooses one port; EndpointInUse where taken."""
    loop = asyncio.get_running_loop()
    try:
        addresses = await loop.getaddrinfo(
            endpoint.host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        reuse = bool(endpoint.options["reuse"])  # other processes that ask so too may listen beside this one
        server = await loop.create_server(factory, str(addresses[0][4][0]), endpoint.port, reuse_port=reuse or None)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise EndpointInUse(
                f"{endpoint.url!r} is in use",
                url=endpoint.url,
                hint="another program listens there: choose another port",
            ) from error
        raise _unreachable(endpoint, "cannot listen on", error) from error
    host, _, _ = endpoint.address.rpartition(":")
    name = f"{host}:{server.sockets[0].getsockname()[1]}"

    async def close() -> None:
        # Not wait_closed(): from Python 3.12 on that waits for the connections too.
        server.close()

    return Listener(endpoint.at(f"{endpoint.scheme}://{name}"), name, close)


def _unreachable(endpoint: Endpoint, what: str, error: OSError) -> TransportError:
    if isinstance(error, socket.gaierror):
        hint = "the host name is not known"
    else:
        hint = HINTS.get(error.errno or 0, error.strerror or str(error))
    return TransportError(f"{what} {endpoint.url!r}", url=endpoint.url, hint=hint)
