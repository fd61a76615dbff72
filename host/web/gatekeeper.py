"""What reaches the API at all: small bodies, for this host by name, from no foreign page (invariant P4, faults X08).

A page of another site may make a browser call this host; it cannot add a token, and it is refused here before anything
is read. A number is never another site's name, so a host may be called by any of its addresses.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from host.web.problems import response

BODY_MAX: Final = 1 << 20
READ_OFF_MAX: Final = 16 << 20
READ_OFF_S: Final = 5.0
TOO_LARGE: Final = f"a body has {BODY_MAX} bytes at most"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Gatekeeper:
    """ASGI middleware. ``hosts`` are the names by which this host may be called besides those of loopback."""

    def __init__(self, app: Any, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = LOOPBACK | hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            return

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        refusal = self._refusal(scope)
        if refusal:
            await _read_off(receive)
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, _Bounded(receive), guarded)

    def _refusal(self, scope: Any) -> Any:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        name = _name(f"//{host}")
        if name not in self._hosts and not _is_address(name):
            return response("foreign", "this host is not called by that name", field="Host")
        origin = headers.get(b"origin", "")
        if origin and origin.split("://")[-1] != host:
            return response("foreign", "a page of another site asked for it", field="Origin")
        size = headers.get(b"content-length", "0")
        if not (size.isascii() and size.isdigit()) or int(size[:12]) > BODY_MAX:
            return response("too_large", TOO_LARGE, field="Content-Length")
        return None


async def _read_off(receive: Any) -> None:
    """Read what a client still sends and throw it away, within bounds: who is hung up on does not read the answer."""
    left = READ_OFF_MAX
    try:
        async with asyncio.timeout(READ_OFF_S):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return


class _Bounded:
    """The body of a request; HTTPException 413 where it is longer than it may be."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._size = 0

    async def __call__(self) -> Any:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > BODY_MAX:
            if message.get("more_body"):
                await _read_off(self._receive)
            raise HTTPException(413, TOO_LARGE)
        return message


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
