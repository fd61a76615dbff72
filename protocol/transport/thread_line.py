"""A line that only blocking calls can read and write: pyserial's loop://, rfc2217:// and spy://, and COM ports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Event
from typing import Any

import serial

from protocol.transport.line import LineTransport, failure

POLL_S = 0.05
"""How long the reading thread blocks before it looks whether it is still wanted."""

CLOSING_S = 1.0
"""How long a write that is under way may hold up the closing of its port."""

CHUNK = 4096
"""Most bytes that one blocking write carries, so that the water marks mean something."""


class ThreadTransport(LineTransport):
    """One thread reads ``port``, another writes it; the loop's thread alone touches buffer and protocol."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.Protocol,
        port: serial.SerialBase,
        extra: Mapping[str, object],
    ) -> None:
        super().__init__(loop, protocol, extra)
        self._port = port
        self._port.timeout = POLL_S
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="serial")
        self._wanted = Event()
        self._stopped = Event()
        self._reader = self._threads.submit(self._read_on)
        self._writers: list[Future[Any]] = []

    def start(self) -> None:
        asyncio.wrap_future(self._reader, loop=self._loop).add_done_callback(self._read_ended)
        super().start()

    def _watch(self) -> None:
        """While closing the thread reads on for nobody, so that a writer blocked by a full loop:// comes free."""
        if self._reading or self._closing:
            self._wanted.set()
        else:
            self._wanted.clear()

    def _read_on(self) -> None:
        while not self._stopped.is_set() and not self._loop.is_closed():
            if self._wanted.wait(POLL_S) and (data := self._port.read(1)):
                data += self._port.read(self._port.in_waiting)
                self._loop.call_soon_threadsafe(self._received, data)

    def _received(self, data: bytes) -> None:
        if not self._closing:
            self._deliver(data)

    def _read_ended(self, ended: asyncio.Future[Any]) -> None:
        self._lose(failure(ended))

    def _flush(self) -> None:
        if not self._writers and self._buffer:
            chunk = bytes(self._buffer[:CHUNK])
            self._writers = [self._threads.submit(self._port.write, chunk)]
            written = asyncio.wrap_future(self._writers[0], loop=self._loop)
            written.add_done_callback(partial(self._written, len(chunk)))

    def _written(self, count: int, written: asyncio.Future[Any]) -> None:
        self._writers = []
        if written.exception() is not None:
            self._lose(failure(written))
        elif not self._lost:
            del self._buffer[:count]
            self._flush()
            self._drained()

    def _release(self, error: Exception | None) -> None:
        closing = self._loop.run_in_executor(None, self._close_port)
        closing.add_done_callback(lambda closed: self._finish(error or failure(closed)))

    def _close_port(self) -> None:
        """End the threads, then close: a descriptor that is closed under a reader may be somebody else's by then."""
        if hasattr(self._port, "cancel_write"):
            self._port.cancel_write()
        wait(self._writers, timeout=CLOSING_S)
        self._stopped.set()
        wait([self._reader], timeout=CLOSING_S)
        self._port.close()
        self._threads.shutdown(wait=False)
