"""A ``poslab terminal`` of its own process, operated through its console: flows in, what the cashier is told out."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

START_DEADLINE_S: Final = 60.0
FLOW_DEADLINE_S: Final = 120.0
_LINE_BYTES_MAX: Final = 1 << 20
Document = Mapping[str, Any]
Hear = Callable[[Document], Awaitable[None]]
Look = Callable[[], None]


class TillGone(Exception):
    """The process has ended, or was killed."""


class TillProcess:
    """One device in ``place``: its key card, its memory, its log. ``hear`` is told every outcome, in order.

    ``dark`` is called before each start and ``booted`` behind it. ``transcript`` is every line that came through the
    console. The process ends with this one, however that ends: its standard input does.
    """

    def __init__(self, place: Path, *, url: str, timeout_s: float, hear: Hear, dark: Look, booted: Look) -> None:
        self.transcript: list[bytes] = []
        self._command = [sys.executable, "-m", "pos_lab", "terminal", "--json", "--lang", "en"]
        self._command += ["--key-card", str(place / "card.json"), "--state", str(place / "till"), "--connect", url]
        self._command += ["--timeout", str(timeout_s), "--console", "tcp://127.0.0.1:0", "--until-eof"]
        self._log = place / "terminal.log"
        self._hear, self._dark, self._booted = hear, dark, booted
        self._process: Process | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    @property
    def is_alive(self) -> bool:
        """Does it run?"""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Switch it on: its memory is as the last process left it. Raises TillGone where it is killed as it boots."""
        self._dark()
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE, stderr=log)
        self._process = process
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_DEADLINE_S)
            host, _, port = str(json.loads(line)["console"]).removeprefix("tcp://").rpartition(":")
            self._reader, self._writer = await asyncio.open_connection(host, int(port), limit=_LINE_BYTES_MAX)
        except (OSError, ValueError, KeyError, TimeoutError):
            await self.kill()
            raise TillGone from None
        self._booted()

    async def play(self, flow: str, *words: str) -> bool:
        """Let the cashier do something and wait for its end; was it good? Raises TillGone."""
        self._say({"do": flow, "words": list(words)})
        begun = False
        with suppress(TimeoutError):
            async with asyncio.timeout(FLOW_DEADLINE_S):
                while True:
                    document = await self._next()
                    if document.get("event") == "outcome":
                        await self._hear(document)
                    elif document.get("event") == "idle" and begun:
                        return bool(document["good"])
                    elif "ok" in document and not document["ok"]:
                        return False
                    begun |= "ok" in document
        await self.kill()
        raise TillGone

    async def kill(self) -> None:
        """End it as a power failure would."""
        process, self._process = self._process, None  # who kills it twice would be told that nobody knows it
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _say(self, request: Document) -> None:
        if self._writer is None or self._process is None:
            raise TillGone
        self._writer.write(json.dumps(request).encode() + b"\n")

    async def _next(self) -> dict[str, Any]:
        try:
            line = await self._reader.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise TillGone
        self.transcript.append(line)
        document: dict[str, Any] = json.loads(line)
        return document
