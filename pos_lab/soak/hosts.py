"""The host processes of a soak: killed, started again, and looked up by who wants a connection.

Rules owned here: a host that does not start within AWAY_S is an error of the environment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from pos_lab.host_process import HostProcess
from protocol.errors import TransportError

AWAY_S: Final = 60.0
_RETRY_S: Final = 0.5


class Hosts:
    """``count`` processes on one database, each of which listens at ``listen``; ``shown`` is added to their URLs."""

    def __init__(
        self, count: int, database: Path, listen: Sequence[str], *, db: str, shown: str, chance: Random
    ) -> None:
        self.count = count
        self._database = database
        self._listen = listen
        self._db = db
        self._shown = shown
        self._chance = chance
        self._running: dict[int, HostProcess] = {}

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [pid for host in self._running.values() for pid in host.pids]

    async def start(self) -> None:
        """Start them all, the first one before the others: it makes what is not there."""
        for number in range(self.count):
            await self.boot(number)

    def find(self) -> tuple[int, str] | None:
        """One that runs: its number and its URL."""
        if not self._running:
            return None
        number = self._chance.choice(list(self._running))
        return number, self._running[number].url + self._shown

    async def kill(self, number: int) -> None:
        """End one as a power failure would, if it runs."""
        host = self._running.pop(number, None)
        if host is not None:
            await host.kill()

    async def boot(self, number: int, *, dies_within_s: float | None = None) -> None:
        """Start one, which may be killed so long after. Raises TransportError where it never starts."""
        if dies_within_s is not None:
            starting = asyncio.create_task(self._start())
            await asyncio.wait([starting], timeout=dies_within_s)
            if starting.done():
                await starting.result().kill()
            else:
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
        for left in reversed(range(int(AWAY_S / _RETRY_S))):
            try:
                self._running[number] = await self._start()
            except TransportError:
                if not left:
                    raise
                await asyncio.sleep(_RETRY_S)
            else:
                return

    def adopt(self, number: int, host: HostProcess) -> None:
        """Let one count among ours that somebody else has started."""
        self._running[number] = host

    async def stop(self) -> None:
        """Ask all of them to end."""
        running, self._running = self._running, {}
        for host in running.values():
            await host.stop()

    async def _start(self) -> HostProcess:
        first, *more = self._listen
        return await HostProcess.start(
            self._database, listen=first, more=more, quiet=True, db=self._db, deadline_s=AWAY_S
        )
