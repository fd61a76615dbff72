"""Chips: the bytes that outlive a power epoch, in memory or in a file.

Rules owned here: a fresh chip is all zeros (BLANK); a write is durable when it returns; the file is the owner's alone
(mode 0600) and one process at a time holds it; after a write failed, the chip refuses further writes, because nobody
knows what it holds until it is opened again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

from firmware_sim.errors import ChipError, ChipInUse
from firmware_sim.power import Power, Powered

BLANK = b"\0"


class Chip:
    """``size_bytes`` of memory that survives power cuts and, after ``Chip.open``, the process."""

    def __init__(self, size_bytes: int) -> None:
        self._image = bytearray(size_bytes)
        self._file: int | None = None
        self._path = ""
        self._has_failed = False

    @classmethod
    def holding(cls, image: bytes) -> Chip:
        """Return a chip in memory with the content ``image``."""
        chip = cls(0)
        chip._image = bytearray(image)
        return chip

    @classmethod
    def open(cls, path: Path, size_bytes: int, *, is_new: bool = True) -> Chip:
        """Return the chip kept in the file ``path``; one that ``is_new`` is made blank if it is not there.

        Raises ChipInUse when another holder has it open, ChipError when the path cannot be used or holds another size.
        """
        try:
            flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | (os.O_CREAT if is_new else 0)
            file = os.open(path, flags, 0o600)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            chip = cls(size_bytes)
            chip._load(file, path, is_new=is_new)
        except OSError as error:
            os.close(file)
            raise _unusable(path, error) from error
        except ChipError:
            os.close(file)
            raise
        chip._file, chip._path = file, str(path)
        return chip

    @property
    def size_bytes(self) -> int:
        return len(self._image)

    @property
    def image(self) -> bytes:
        """A copy of every byte, for a test or a checker."""
        return bytes(self._image)

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, both in bytes."""
        self._bounds(offset, length)
        return bytes(self._image[offset : offset + length])

    def write(self, offset: int, data: bytes) -> None:
        """Make ``data`` durable at ``offset``; raises ChipError when the file cannot be written."""
        self._bounds(offset, len(data))
        if self._has_failed:
            raise ChipError(f"{self._path}: an earlier write failed", hint="switch the device off and on")
        if self._file is not None:
            try:
                _write_fully(self._file, data, offset)
            except OSError as error:
                self._has_failed = True
                raise _unusable(self._path, error) from error
        self._image[offset : offset + len(data)] = data

    def close(self) -> None:
        """Let go of the file; a chip in memory has nothing to let go of."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._has_failed = True

    def _bounds(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > len(self._image):
            raise ValueError(f"{length} bytes at {offset} are outside a chip of {len(self._image)} bytes")

    def _load(self, file: int, path: Path, *, is_new: bool) -> None:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ChipError(f"{path} is not a plain file")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise ChipInUse(f"{path} is in use", hint="this device runs in another process") from error
        os.fchmod(file, 0o600)
        content = os.pread(file, self.size_bytes + 1, 0)
        if is_new and len(content) < self.size_bytes and not content.strip(BLANK):
            content = bytes(self.size_bytes)  # the making of the file may have been interrupted; all room is taken now
            _write_fully(file, content, 0)
        if len(content) != self.size_bytes:
            raise ChipError(f"{path} is not a chip of {self.size_bytes} bytes", hint="it belongs to another device")
        self._image[:] = content


class Port(Powered):
    """How a device of one power epoch reaches ``size_bytes`` of a chip from ``start`` on."""

    def __init__(self, chip: Chip, power: Power, start: int = 0, size_bytes: int | None = None) -> None:
        super().__init__(power)
        self._chip = chip
        self._start = start
        self.size_bytes = chip.size_bytes - start if size_bytes is None else size_bytes

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; raises PowerLost."""
        self._check()
        return self._chip.read(self._start + offset, length)

    def write(self, offset: int, data: bytes) -> None:
        """Write durably, as one operation of ``Power.write``; raises PowerLost and ChipError."""
        if offset < 0 or offset + len(data) > self.size_bytes:
            raise ValueError(f"{len(data)} bytes at {offset} are outside a port of {self.size_bytes} bytes")
        self._power.write(self._epoch, data, lambda reached: self._chip.write(self._start + offset, reached))


def _write_fully(file: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, offset)
        rest, offset = rest[written:], offset + written
    os.fsync(file)


def _unusable(path: Path | str, error: OSError) -> ChipError:
    return ChipError(f"{path} cannot be used: {error.strerror}")
