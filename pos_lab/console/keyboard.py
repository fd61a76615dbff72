"""Lines from standard input, as the event loop waits for them; what must not be read over a shoulder is not echoed.

Rules owned here: who leaves gets a terminal back that echoes; nothing is read ahead of a line that was asked for.
"""

from __future__ import annotations

import asyncio
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

CHARACTERS_MAX: Final = 64 * 1024
_LOCAL_FLAGS: Final = 3


class Keyboard:
    """The lines of a file descriptor: a terminal, a pipe or a file."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.is_terminal: Final = os.isatty(number)
        self._buffer = bytearray()
        self._ended = False

    async def line(self) -> str | None:
        """The next line without its end, None after the last one; a line without an end is none."""
        while (end := self._buffer.find(b"\n")) < 0:
            if self._ended or len(self._buffer) > CHARACTERS_MAX:
                return None
            await self._ready()
            data = os.read(self._number, 4096)
            self._ended = not data
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.decode("utf-8", "replace").rstrip("\r")

    def echo(self, *, on: bool) -> None:
        """Let a terminal show what is typed, or not."""
        if self.is_terminal:
            flags = termios.tcgetattr(self._number)
            flags[_LOCAL_FLAGS] = flags[_LOCAL_FLAGS] | termios.ECHO if on else flags[_LOCAL_FLAGS] & ~termios.ECHO
            termios.tcsetattr(self._number, termios.TCSADRAIN, flags)

    def forget(self) -> None:
        """Throw away what was typed at a terminal and not taken yet."""
        termios.tcflush(self._number, termios.TCIFLUSH)
        self._buffer.clear()

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Give the terminal back as it was."""
        before = termios.tcgetattr(self._number) if self.is_terminal else None
        try:
            yield
        finally:
            if before is not None:
                termios.tcsetattr(self._number, termios.TCSADRAIN, before)

    async def _ready(self) -> None:
        """Wait until something can be read, or the end."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(self._number, ready.set)
        except PermissionError:  # a file, which never lets anybody wait
            await asyncio.sleep(0)
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._number)
