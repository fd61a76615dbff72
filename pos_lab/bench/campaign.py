"""What a rehearsed campaign costs: processor time and memory of ``poslab rehearse`` as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final, NamedTuple

from pos_lab.bench.paired import Row, Spread

ROUNDS: Final = 3


class Size(NamedTuple):
    """One rehearsal: as many terminals for so many days, some of which sell on the wire, and how often it is played."""

    terminals: int
    days: int
    on_wire: int
    rounds: int


SIZES: Final = (Size(100, 90, 100, ROUNDS), Size(10_000, 120, 100, 1))


def campaign() -> list[Row]:
    """A fleet that sells on the wire as a whole, and a large one most of which is rows."""
    rows = []
    for size in SIZES:
        name = f"campaign.{size.terminals}x{size.days}"
        played = [_played(size) for _ in range(size.rounds)]
        rows.append(Row(f"{name}.cpu", "s", Spread.of([cpu_s for cpu_s, _ in played]), {}))
        rows.append(Row(f"{name}.memory", "MB", Spread.of([memory_mb for _, memory_mb in played]), {}))
    return rows


def _played(size: Size) -> tuple[float, float]:
    """Processor time in seconds and the most memory in MB. Raises RuntimeError where a check does not hold."""
    words = ["--terminals", str(size.terminals), "--days", str(size.days), "--on-wire", str(size.on_wire), "--json"]
    process = subprocess.Popen([sys.executable, "-m", "pos_lab", "rehearse", *words], stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if process.returncode is None:  # nobody waits for it any more
            process.kill()
            process.wait()
    if process.returncode:
        raise RuntimeError(f"the rehearsal of {size.terminals} terminals ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
