"""The link: a framer on a transport, and the one loop timer that keeps the framer's time.

Rules owned here: what the framing has to send leaves before the payloads are handed on, so that an ACK goes before any
reply; and before an error is told, so that the peer hears our EOT.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from protocol.errors import FrameError
from protocol.framing import Framer, Timer


class Link:
    """One framed stream over ``transport``, to be used inside its event loop.

    ``take`` is called with the payloads of every arrival, be it none, and ``fail`` with a FrameError: whether the line
    ends then is its owner's to say, but without the code UNANSWERED it can go on with a new link only. After ``close``
    no timer runs.
    """

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        framer: Framer,
        take: Callable[[list[bytes]], None],
        fail: Callable[[FrameError], None],
    ) -> None:
        self.framer = framer
        self._transport = transport
        self._take = take
        self._fail = fail
        self._loop = asyncio.get_running_loop()
        self._timer: Timer | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._closed = False

    def feed(self, data: bytes) -> None:
        """Bytes have come."""
        self._advance(partial(self.framer.feed, data))

    def send(self, payload: bytes) -> None:
        """Send ``payload`` in a frame; FrameError if no frame carries it."""
        self._write(self.framer.wrap(payload))
        self._keep_time()

    def close(self) -> None:
        """Wait for nothing any more; the transport is its owner's to close."""
        self._closed = True
        self._stop()

    def _advance(self, step: Callable[[], list[bytes]]) -> None:
        try:
            payloads = step()
        except FrameError as error:
            self._write(self.framer.outgoing())
            self._keep_time()
            self._fail(error)
            return
        self._write(self.framer.outgoing())
        self._keep_time()
        self._take(payloads)

    def _keep_time(self) -> None:
        if self._timer == (timer := self.framer.timer):
            return
        self._stop()
        if timer and not self._closed:
            self._timer = timer
            self._handle = self._loop.call_later(timer.timeout_s, self._expire)

    def _stop(self) -> None:
        self._timer = None
        if self._handle:
            self._handle.cancel()
            self._handle = None

    def _expire(self) -> None:
        self._stop()
        self._advance(self.framer.expire)

    def _write(self, data: bytes) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data)
