"""Where the databases of tests lie: they are closed and killed, but no test cuts the power of this machine."""

from __future__ import annotations

import os
import shutil
from typing import Final

_MEMORY: Final = "/dev/shm"
_ENOUGH_BYTES: Final = 4 << 30


def _has_room() -> bool:
    return os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ENOUGH_BYTES


QUICK_FOLDER: Final = _MEMORY if _has_room() else ""
"""A folder in memory with room for them, or nothing."""
