"""A serial line without hardware: a pty pair, served at its master end and named by its slave end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TypeVar

from protocol.errors import TransportError
from protocol.transport.endpoint import Endpoint
from protocol.transport.file_line import FileTransport
from protocol.transport.listener import Listener, Refused

P = TypeVar("P", bound=asyncio.Protocol)


async def connect(endpoint: Endpoint, factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """TransportError, always: a pair that nobody serves has no other end."""
    raise TransportError(
        f"{endpoint.url!r} can only be served",
        url=endpoint.url,
        hint="connect to the serial:// URL that its server names",
    )


async def serve(endpoint: Endpoint, factory: Callable[[], asyncio.Protocol], refused: Refused) -> Listener:
    """Make a pair for one protocol; the listener's url is the other end as a ``serial://`` URL."""
    import tty

    master, slave = os.openpty()
    # Raw at once: until the peer opens its end, a cooked line would echo our bytes back to us.
    tty.setraw(slave)
    os.set_blocking(master, False)
    name = os.ttyname(slave)

    def close_pair(_drop: bool) -> None:
        os.close(master)
        os.close(slave)

    # The slave stays open here: without any opener left the master would read EIO when the peer closes.
    transport = FileTransport(asyncio.get_running_loop(), factory(), master, close_pair, {"peername": name})
    transport.start()

    return Listener(endpoint.at(f"serial://{name}"), name, transport.wait_closed)
