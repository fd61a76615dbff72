"""What a host remembers of its database outside of it: how many numbers it had given out.

A database that knows of fewer is an old copy that somebody put in its place (H09); the file lies beside the key file,
and a number comes into it only after the commit that took it.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger("poslab.host")


class Witness:
    """The file ``NAME.mark`` beside ``NAME.key``."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file.with_name(key_file.name.removesuffix(".key") + ".mark")
        self._high = self._read()

    def saw_more_than(self, number: int) -> bool:
        """Did this host, or one beside it, give out more than the database knows of?"""
        self._high = self._read()
        return self._high > number

    def note(self, number: int) -> None:
        """The database has committed that so many were taken; a file that cannot be written costs only the warning."""
        if number <= self._high:
            return
        self._high = number
        part = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        try:
            part.write_text(f"{max(number, self._read())}\n", encoding="ascii")
            os.replace(part, self._file)
        except OSError as error:
            log.warning("%s cannot be written, an old copy of the database would go unnoticed: %s", self._file, error)

    def _read(self) -> int:
        try:
            return int(self._file.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0
