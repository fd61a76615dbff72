"""The base of the transports of our own: closing once, ``connection_lost`` once, and flow control by water marks.

A subclass moves bytes out of ``_buffer`` in ``_flush`` and gives its resources back in ``_release``.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

HIGH_WATER = 64 * 1024

CLOSING_S = 1.0
"""How long ``wait_closed`` lets a line that does not drain hold it up."""


class LineTransport(asyncio.Transport):
    """asyncio.Transport without a socket; behaves towards its protocol as asyncio's own TCP transport does."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, extra: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(dict(extra or {}))
        self._loop = loop
        self._protocol = protocol
        self._buffer = bytearray()
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        self._writing_paused = False
        self._reading = True
        self._closing = False
        self._lost = False
        self._gone = asyncio.Event()

    def start(self) -> None:
        """Make the connection: tell the protocol, then read."""
        self._protocol.connection_made(self)
        if not self._closing:
            self._watch()

    @abstractmethod
    def _flush(self) -> None:
        """Start moving ``_buffer`` out; call ``_drained`` whenever it has become shorter."""

    @abstractmethod
    def _watch(self) -> None:
        """Start or stop reading, as ``_reading`` says."""

    @abstractmethod
    def _release(self, error: Exception | None) -> None:
        """Give the resources back, then call ``_finish(error)``."""

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._set_reading(False)

    def resume_reading(self) -> None:
        self._set_reading(True)

    def can_write_eof(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high}) must be >= low ({low}) must be >= 0")
        self._high, self._low = high, low
        self._heed_water()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        self._buffer += data
        self._flush()
        self._heed_water()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._watch()
        if not self._buffer:
            self._lose(None)

    def abort(self) -> None:
        self._lose(None)

    async def wait_closed(self) -> None:
        """Close, and return when the line is free again; what it does not take within CLOSING_S is dropped."""
        self.close()
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._gone.wait()
        except TimeoutError:
            self.abort()
            await self._gone.wait()

    def _set_reading(self, reading: bool) -> None:
        if self._closing or self._reading == reading:
            return
        self._reading = reading
        self._watch()

    def _heed_water(self) -> None:
        size = len(self._buffer)
        if not self._writing_paused and size > self._high:
            self._writing_paused = True
            self._protocol.pause_writing()
        elif self._writing_paused and size <= self._low and not self._lost:
            self._writing_paused = False
            self._protocol.resume_writing()

    def _drained(self) -> None:
        self._heed_water()
        if self._closing and not self._buffer:
            self._lose(None)

    def _deliver(self, data: bytes) -> None:
        """Hand ``data`` to the protocol; one that raises loses its connection, and the loop reports the error."""
        try:
            self._protocol.data_received(data)
        except Exception as error:
            self._lose(error)
            raise

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        self._buffer.clear()
        self._watch()
        self._release(error)

    def _finish(self, error: Exception | None) -> None:
        self._gone.set()
        self._protocol.connection_lost(error)


class HalfClosing(LineTransport):
    """A line that can say that nothing more comes, and go on listening; ``_ended`` once it was said."""

    _ended = False

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._ended and not self._closing:
            raise RuntimeError("cannot write after write_eof()")
        super().write(data)

    def write_eof(self) -> None:
        if not self._closing and not self._ended:
            self._ended = True
            self._flush()


def failure(done: asyncio.Future[Any]) -> Exception | None:
    """The exception of a future that ran in a thread, as ``connection_lost`` takes it."""
    error = done.exception()
    return error if isinstance(error, Exception) else None
