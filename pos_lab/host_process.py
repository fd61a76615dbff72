"""A ``poslab host`` of its own process, started, watched and ended by the laboratory."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from protocol.errors import TransportError

START_DEADLINE_S: Final = 20.0
STOP_DEADLINE_S: Final = 5.0


class HostProcess:
    """The process, the URL on which it listens, its database, and the ids of those that answer."""

    def __init__(self, process: Process, url: str, database: Path, workers: Sequence[int] = ()) -> None:
        self._process = process
        self.url = url
        self.database = database
        self.pids = list(workers) or [process.pid]

    @classmethod
    async def start(
        cls,
        database: Path,
        *,
        listen: str = "tcp://127.0.0.1:0",
        more: Sequence[str] = (),
        policy: Path | None = None,
        quiet: bool = False,
        db: str = "",
        workers: int = 1,
        deadline_s: float = START_DEADLINE_S,
    ) -> HostProcess:
        """Start a host with a lab clock and wait until it listens. Raises TransportError with what it said.

        It stands on the file ``database``, unless ``db`` names another; its log and its key lie beside that file. Its
        URL is that of ``listen``; it serves ``more`` besides. It ends with this process, however that ends: its
        standard input does.
        """
        command = [sys.executable, "-m", "pos_lab", "host", "--json", "--lab-clock", "--until-eof"]
        command += ["--listen", listen, "--db", db or str(database)]
        command += [word for url in more for word in ("--listen", url)]
        command += ["--master-key-file", str(database.with_name(database.name + ".key"))] if db else []
        command += ["--workers", str(workers)] if workers > 1 else []
        command += ["--policy", str(policy)] if policy else []
        command += ["--quiet"] if quiet else []
        log = database.with_suffix(".log").open("ab")
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=log)
        log.close()
        assert process.stdout is not None
        line = b""
        try:
            with suppress(TimeoutError):
                line = await asyncio.wait_for(process.stdout.readline(), deadline_s)
        finally:
            if not line:  # late, dead, or nobody waits for it any more
                await cls(process, listen, database).kill()
        answer = json.loads(line or b"{}")
        if "listening" not in answer:
            await process.wait()
            raise TransportError(f"the host did not start: {_reason(answer, database)}", url=listen)
        return cls(process, answer["listening"][0], database, answer.get("workers", ()))

    async def kill(self) -> None:
        """End it as a power failure would: no farewell, nothing flushed."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end; kill it where it does not."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_DEADLINE_S)
        except TimeoutError:
            await self.kill()


def _reason(answer: dict[str, Any], database: Path) -> str:
    """What the host answered instead of where it listens, else the last line of its log."""
    if "error" in answer:
        return str(answer["error"]["message"])
    said = database.with_suffix(".log").read_text(errors="replace").strip().splitlines()
    return said[-1] if said else "it said nothing"
