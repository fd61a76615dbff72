"""TABLE TROUBLES: what befalls stores and lines of hosts that go on running.

Rules owned here: a trouble ends after a while, and what it broke works again by itself.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pos_lab.certificates import BAD
from pos_lab.soak.shops import Setting, Shops

LASTS_S: Final = (0.2, 2.0)


class Trouble(NamedTuple):
    """A row of TROUBLES. ``bring`` returns when it is over."""

    fits: Callable[[Setting], bool]
    bring: Callable[[Shops], Awaitable[None]]
    english: str


def _on_file(setting: Setting) -> bool:
    return not setting.db


def _on_server(setting: Setting) -> bool:
    return bool(setting.db)


async def _disk_full(shops: Shops) -> None:
    """No file of the hosts grows beyond what its write-ahead log is now: the kernel says so to SQLite."""
    database = shops.setting.database
    wal = database.with_name(database.name + "-wal")
    size = wal.stat().st_size if wal.exists() else 0
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in shops.hosts.pids}
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        await asyncio.sleep(shops.chance.uniform(*LASTS_S))
    finally:
        for pid, before in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


async def _locked(shops: Shops) -> None:
    """Another program writes, and takes its time."""
    with shops.table.locked():
        await asyncio.sleep(shops.chance.uniform(*LASTS_S))


async def _severed(shops: Shops) -> None:
    """The server hangs up on every host."""
    shops.table.sever()


async def _bad_certificate(shops: Shops) -> None:
    """Somebody else than the host answers."""
    line = shops.chance.choice(shops.lines)
    port = int(line.url.rpartition(":")[2])
    await line.listen(shops.door(f"bad-{shops.chance.choice(list(BAD))}", port))
    await asyncio.sleep(shops.chance.uniform(*LASTS_S))
    await line.listen(shops.door(port=port))


TROUBLES: Final[Mapping[str, Trouble]] = MappingProxyType(
    {
        "disk_full": Trouble(
            lambda setting: _on_file(setting) and hasattr(resource, "prlimit"),
            _disk_full,
            "no file of the host can grow",
        ),
        "locked": Trouble(_on_file, _locked, "another program has the file for itself"),
        "severed": Trouble(_on_server, _severed, "the server ends the connections of all hosts"),
        "bad_certificate": Trouble(
            lambda setting: setting.tls, _bad_certificate, "somebody with a bad certificate answers a terminal"
        ),
    }
)
"""Name -> row."""
