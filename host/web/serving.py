"""The API on a port, in the loop of the host: signals are the host's, and so is the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn

from host.admin.office import Office
from host.errors import AdminError
from host.web.api import make_api
from host.web.gatekeeper import LOOPBACK

CONNECTIONS_MAX: Final = 100
STOP_S: Final = 2


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to whoever owns the loop."""
        yield


@asynccontextmanager
async def serving_api(office: Office, address: str, *, public: bool = False) -> AsyncIterator[str]:
    """Serve the API at ``host:port`` until the context ends; yields its URL.

    Raises AdminError for an address that is not loopback's, unless it is to be ``public`` and somebody has a token.
    """
    host, port = _address(address)
    if host not in LOOPBACK:
        if not public:
            raise AdminError(f"{host} can be reached from afar", hint="loopback, or --api-public", code="api_address")
        if not await office.has_tokens():
            raise AdminError("nobody has a token", hint="poslab admin token create makes one", code="api_tokens")
    config = uvicorn.Config(
        make_api(office, frozenset({host})), host=host, port=port, log_config=None, log_level="warning",
        access_log=False, lifespan="off", server_header=False, limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=STOP_S, ws="none",
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(_serve(server, address))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        number = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{number}"
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)


async def _serve(server: uvicorn.Server, address: str) -> None:
    try:
        await server.serve()
    except SystemExit:  # how uvicorn says that it cannot listen
        raise AdminError(f"the API cannot listen on {address}", hint="another port?", code="api_in_use") from None


def _address(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port[:6]) > 0xFFFF:
        raise AdminError(f"{address!r} is no address", hint="like 127.0.0.1:8080", code="api_address")
    return host.strip("[]"), int(port)
