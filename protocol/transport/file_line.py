"""A line that is a non-blocking file descriptor: a serial device, a pty, a socket under pyserial."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping

from protocol.transport.line import LineTransport, failure

READ_SIZE = 64 * 1024


class FileTransport(LineTransport):
    """Reads and writes ``fd`` when the loop says that it is ready.

    ``close_file`` runs in a thread, since it may block until the line has taken everything; it is told whether it
    shall drop that instead.

    pyserial's own ``write`` is not used: without a time limit it spins while the line is full.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.Protocol,
        fd: int,
        close_file: Callable[[bool], None],
        extra: Mapping[str, object],
    ) -> None:
        super().__init__(loop, protocol, extra)
        self._fd = fd
        self._close_file = close_file
        self._writing = False
        self._aborted = False

    def abort(self) -> None:
        self._aborted = not self._lost
        super().abort()

    def _watch(self) -> None:
        if self.is_reading():
            self._loop.add_reader(self._fd, self._read)
        else:
            self._loop.remove_reader(self._fd)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._deliver(data)
        else:
            self._lose(ConnectionResetError("the line is gone"))

    def _flush(self) -> None:
        if not self._writing:
            self._write()

    def _write(self) -> None:
        try:
            written = os.write(self._fd, self._buffer)
        except (BlockingIOError, InterruptedError):
            written = 0
        except OSError as error:
            self._lose(error)
            return
        del self._buffer[:written]
        self._await_room(bool(self._buffer))
        self._drained()

    def _await_room(self, wanted: bool) -> None:
        if wanted and not self._writing:
            self._loop.add_writer(self._fd, self._write)
        elif self._writing and not wanted:
            self._loop.remove_writer(self._fd)
        self._writing = wanted

    def _release(self, error: Exception | None) -> None:
        self._await_room(False)
        closing = self._loop.run_in_executor(None, self._close_file, self._aborted)
        closing.add_done_callback(lambda closed: self._finish(error or failure(closed)))
