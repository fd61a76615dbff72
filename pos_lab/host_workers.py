"""Several host processes on one port: started, watched, replaced where one dies, and ended together.

Each is a ``poslab host`` of its own that listens with ``reuse=yes``, so that the kernel shares connections out among
them; the first one alone serves the API. A worker ends when its standard input does, so none outlives this process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from protocol.errors import EndpointWrong, TransportError
from protocol.transport import Endpoint

log = logging.getLogger("poslab.host")
START_DEADLINE_S: Final = 30.0
STOP_DEADLINE_S: Final = 10.0
PAUSE_S: Final = 1.0
"""Before one that died is replaced."""
_WITH_VALUE: Final = ("--listen", "--workers", "--api")
_FLAGS: Final = ("--json", "--api-public")


class Workers:
    """``words`` are the options of ``poslab host`` that all of them get, ``first`` those of the first one besides."""

    def __init__(self, count: int, listen: Sequence[str], words: Sequence[str], first: Sequence[str] = ()) -> None:
        self._count = count
        self._words = list(words)
        self._first = list(first)
        self._urls = [_reusing(url) for url in listen]
        self._watching: list[asyncio.Task[None]] = []
        self._processes: dict[int, Process] = {}
        self.told: dict[str, Any] = {}

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [process.pid for process in self._processes.values()]

    async def start(self) -> None:
        """Start the first, which finds the ports, then the others. Raises TransportError with what the first said."""
        try:
            first, self.told = await self._spawn(0)
            self._urls = list(self.told["listening"])
            others = await asyncio.gather(*(self._spawn(number) for number in range(1, self._count)))
        except BaseException:
            await self.stop()
            raise
        started = [first, *(process for process, _ in others)]
        self._watching = [asyncio.create_task(self._watch(number, each)) for number, each in enumerate(started)]

    def reload(self) -> None:
        """The first one publishes the policy file again, and all take it over."""
        if 0 in self._processes and any(word.startswith("--policy") for word in self._words):
            self._processes[0].send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """End them all; kill those that do not."""
        for task in self._watching:
            task.cancel()
        for process in self._processes.values():
            if process.stdin:
                process.stdin.close()
        for process in tuple(self._processes.values()):
            try:
                await asyncio.wait_for(process.wait(), STOP_DEADLINE_S)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def _watch(self, number: int, process: Process) -> None:
        while True:
            status = await process.wait()
            log.warning("worker %d ended with status %d and is replaced", number, status)
            await asyncio.sleep(PAUSE_S)
            with suppress(TransportError):
                process, _ = await self._spawn(number)

    async def _spawn(self, number: int) -> tuple[Process, dict[str, Any]]:
        words = [*self._words, *(self._first if number == 0 else [])]
        for url in self._urls:
            words += ["--listen", url]
        command = [sys.executable, "-m", "pos_lab", "host", "--json", "--until-eof", *words]
        process = self._processes[number] = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        assert process.stdout
        line = b""
        with suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), START_DEADLINE_S)
        told = json.loads(line or b"{}")
        if "listening" not in told:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            error = told.get("error", {"message": "it said nothing", "hint": ""})
            message = f"worker {number} did not start: {error['message']}"
            raise TransportError(message, url=self._urls[0], hint=error["hint"])
        return process, told


def common(arguments: Sequence[str]) -> list[str]:
    """Of the words that ``poslab host`` was called with, those that every worker gets."""
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in _WITH_VALUE:
            next(words, None)
        elif word not in _FLAGS and not word.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
            kept.append(word)
    return kept


def _reusing(url: str) -> str:
    endpoint = Endpoint.parse(url)
    if endpoint.scheme != "tcp":
        raise EndpointWrong(f"{url!r} cannot be shared by several workers", url=url, hint="only tcp:// can")
    return url if endpoint.options["reuse"] else f"{url}{'&' if endpoint.query else '?'}reuse=yes"
