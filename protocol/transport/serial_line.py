"""Serial lines by pyserial: a device of this machine, or any URL that pyserial understands."""

from __future__ import annotations

import asyncio
import errno
import io
import sys
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import serial

from protocol.errors import EndpointInUse, TransportError
from protocol.transport.endpoint import Endpoint
from protocol.transport.file_line import FileTransport
from protocol.transport.line import LineTransport
from protocol.transport.listener import Listener, Refused
from protocol.transport.thread_line import ThreadTransport

P = TypeVar("P", bound=asyncio.Protocol)

OPENING_ERRORS: tuple[type[Exception], ...] = (OSError, ValueError, TypeError, NotImplementedError)
"""What pyserial raises when it opens: it says NotImplementedError where a URL's handler lacks a setting."""
if sys.platform != "win32":
    import termios

    OPENING_ERRORS += (termios.error,)

HINTS = {
    errno.ENOENT: "no such device: is the cable plugged in?",
    errno.EACCES: "no permission: is this user in the group that owns the device?",
    errno.ENOTTY: "that is not a serial device",
}


async def connect(endpoint: Endpoint, factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """Open the line; TransportError where there is none, EndpointInUse where another program holds it."""
    port = await _opened(endpoint)
    protocol = factory()
    return _start(endpoint, port, protocol), protocol


async def serve(endpoint: Endpoint, factory: Callable[[], asyncio.Protocol], refused: Refused) -> Listener:
    """Open the line for one protocol; errors as ``connect``."""
    port = await _opened(endpoint)
    transport = _start(endpoint, port, factory())
    return Listener(endpoint.url, endpoint.address, transport.wait_closed)


async def _opened(endpoint: Endpoint) -> serial.SerialBase:
    """Open in a thread, since a device or a network may block; a port that opens after a cancellation is closed."""
    loop = asyncio.get_running_loop()
    opening = loop.run_in_executor(None, _open, endpoint)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(
            lambda opened: opened.exception() or loop.run_in_executor(None, opened.result().close)
        )
        raise


def _open(endpoint: Endpoint) -> serial.SerialBase:
    options = endpoint.options
    try:
        return serial.serial_for_url(
            endpoint.address,
            baudrate=options["baud"],
            bytesize=options["bytesize"],
            parity=options["parity"],
            stopbits=options["stopbits"],
            rtscts=options["rtscts"],
            xonxoff=options["xonxoff"],
            exclusive=True,
        )
    except OPENING_ERRORS as error:
        number = getattr(error, "errno", None)
        if number in (errno.EAGAIN, errno.EBUSY):
            raise EndpointInUse(
                f"{endpoint.url!r} is in use", url=endpoint.url, hint="another program holds the line"
            ) from error
        raise TransportError(
            f"cannot open {endpoint.url!r}", url=endpoint.url, hint=HINTS.get(number or 0, str(error))
        ) from error


def _start(endpoint: Endpoint, port: serial.SerialBase, protocol: asyncio.Protocol) -> LineTransport:
    loop = asyncio.get_running_loop()
    extra = {"peername": endpoint.address, "serial": port}
    try:
        # spy:// has a descriptor, but sees only what goes through its own calls.
        fd = None if endpoint.address.startswith("spy:") else port.fileno()
    except io.UnsupportedOperation:
        fd = None
    transport: LineTransport
    if fd is None:
        transport = ThreadTransport(loop, protocol, port, extra)
    else:
        transport = FileTransport(loop, protocol, fd, partial(_close, port), extra)
    transport.start()
    return transport


def _close(port: serial.SerialBase, drop: bool) -> None:
    try:
        if drop:
            port.reset_output_buffer()
    finally:
        port.close()
