"""The one place that reads the wall clock and the system's randomness; everybody else is given both."""

from __future__ import annotations

import os
from datetime import datetime

from host.written import CHINA_TIME


def wall_clock() -> datetime:
    """Now, aware, in China's time: the zone in which fields 12 and 13 count."""
    return datetime.now(CHINA_TIME)  # noqa: TID251


def fresh_bytes(size: int) -> bytes:
    """Bytes that nobody can guess, for keys and nonces."""
    return os.urandom(size)  # noqa: TID251
