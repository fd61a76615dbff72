"""Puts a report into a file: whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


class ReportError(OSError):
    """A report that could not be written; ``filename`` says which."""

    def __str__(self) -> str:
        return f"the report {self.filename} cannot be written: {self.strerror}"


def can_write_report(path: Path) -> None:
    """Finds out before a long run whether its report can be written. Raises ReportError."""
    target = Path(os.path.realpath(path))
    trial = target.with_name(f".{target.name}.{os.getpid()}.trial")
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise ReportError(error.errno, error.strerror or str(error), str(path)) from error


def write_report(path: Path, content: str) -> None:
    """Writes UTF-8 beside the file and renames it into place, so that nobody ever reads half a report.

    Directories are made as needed; a device or a pipe is written to as it is. Raises ReportError.
    """
    target = Path(os.path.realpath(path))
    # The process number keeps two runs that write the same report out of each other's way.
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    octets = content.encode("utf-8")
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode) and not target.is_dir():
            target.write_bytes(octets)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(octets)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(error.errno, error.strerror or str(error), str(path)) from error
