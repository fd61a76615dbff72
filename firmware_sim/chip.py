"""Chips: flash, whose bytes outlive a power epoch, in memory or in a file.

    file      the image, then the number of erasures of each sector, 4 bytes each, big-endian

Rules owned here:
- An erased bit is 1, a fresh chip is BLANK. ``program`` clears bits of one page and can set none; ``erase`` sets all
  bits of one sector, which wears it: after ``cycles_max`` it stays as it is. Both tell whether it worked.
- What was done since the last ``barrier`` may be lost when the power goes, any subset of it (``settle``). Between two
  barriers a sector is programmed or erased, not both, so the order does not matter.
- The file is the owner's alone (mode 0600) and one process at a time holds it; after a write failed, the chip refuses
  further ones, because nobody knows what it holds until it is opened again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from firmware_sim.errors import ChipError, ChipInUse

BLANK: Final = b"\xff"
PAGE_BYTES: Final = 256
SECTOR_BYTES: Final = 4096
CYCLES_MAX: Final = 100_000
"""How often a sector of good memory can be erased."""

_COUNTER_BYTES: Final = 4


_Operation = tuple[int, bytearray, bytes, bool]
"""What is not behind a barrier yet: offset, what was there before, the data, whether it is an erasure."""


class Chip:
    """``size_bytes``, whole sectors, of memory that survives power cuts and, after ``Chip.open``, the process.

    ``name`` is what its power points and fault points are called by.
    """

    def __init__(self, size_bytes: int, *, name: str = "chip", cycles_max: int = CYCLES_MAX) -> None:
        if size_bytes % SECTOR_BYTES:
            raise ValueError(f"{size_bytes} bytes are not whole sectors of {SECTOR_BYTES}")
        self.name = name
        self.cycles_max = cycles_max
        self.size_bytes = size_bytes
        self._image = bytearray(BLANK) * size_bytes
        self._wear = [0] * (size_bytes // SECTOR_BYTES)
        self._pending: list[_Operation] = []
        self._erasing: dict[int, bool] = {}
        self._file: int | None = None
        self._path = ""
        self._has_failed = False

    @classmethod
    def holding(cls, image: bytes, *, name: str = "chip", cycles_max: int = CYCLES_MAX) -> Chip:
        """Return a chip in memory with the content ``image``, its sectors unused."""
        chip = cls(len(image), name=name, cycles_max=cycles_max)
        chip._image[:] = image
        return chip

    @classmethod
    def open(
        cls, path: Path, size_bytes: int, *, is_new: bool = True, name: str = "chip", cycles_max: int = CYCLES_MAX
    ) -> Chip:
        """Return the chip kept in the file ``path``; one that ``is_new`` is made blank if it is not there.

        Raises ChipInUse when another holder has it open, ChipError when the path cannot be used or holds another size.
        """
        try:
            flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | (os.O_CREAT if is_new else 0)
            file = os.open(path, flags, 0o600)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            chip = cls(size_bytes, name=name, cycles_max=cycles_max)
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
    def image(self) -> bytes:
        """A copy of every byte, for a test or a checker."""
        return bytes(self._image)

    @property
    def wear(self) -> tuple[int, ...]:
        """How often each sector was erased."""
        return tuple(self._wear)

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, both in bytes."""
        self._bounds(offset, length)
        return bytes(self._image[offset : offset + length])

    def program(self, offset: int, data: bytes) -> bool:
        """Clear the bits that are 0 in ``data``, inside one page; whether the chip holds ``data`` then.

        Raises ChipError when the file cannot be written.
        """
        end = offset + len(data)
        if offset < 0 or end > self.size_bytes or offset % PAGE_BYTES + len(data) > PAGE_BYTES:
            raise ValueError(f"{len(data)} bytes at {offset} are not inside a page of this chip")
        if self._erasing.setdefault(offset // SECTOR_BYTES, False):
            raise ValueError("a sector is programmed that was erased without a barrier behind it")
        before = self._image[offset:end]
        after = data if not before.strip(BLANK) else _and(before, data)
        self._put(offset, after)
        self._pending.append((offset, before, data, False))
        return after == data

    def erase(self, sector: int, reached_bytes: int = SECTOR_BYTES) -> bool:
        """Make a sector blank, or its first ``reached_bytes``; False when it is worn and stays as it is.

        Raises ChipError when the file cannot be written.
        """
        self._bounds(sector * SECTOR_BYTES, SECTOR_BYTES)
        if not self._erasing.setdefault(sector, True):
            raise ValueError("a sector is erased that was programmed without a barrier behind it")
        if self._wear[sector] >= self.cycles_max:
            return False
        offset = sector * SECTOR_BYTES
        self._wear[sector] += 1
        self._store(self.size_bytes + sector * _COUNTER_BYTES, _counter(self._wear[sector]))
        before = self._image[offset : offset + reached_bytes]
        self._put(offset, BLANK * reached_bytes)
        self._pending.append((offset, before, BLANK * reached_bytes, True))
        return True

    def barrier(self) -> None:
        """Make durable what was done so far; raises ChipError when the file cannot be written."""
        self._pending.clear()
        self._erasing.clear()
        if self._file is not None:
            try:
                os.fsync(self._file)
            except OSError as error:
                self._has_failed = True
                raise _unusable(self._path, error) from error

    def settle(self, lost: int) -> None:
        """The power went: what is behind no barrier never happened where its bit in ``lost`` is set, bit 0 the first.

        Raises ChipError when the file cannot be written.
        """
        pending = list(self._pending)
        self._pending.clear()
        self._erasing.clear()
        if not lost & ((1 << len(pending)) - 1):
            return
        for offset, before, _, _ in reversed(pending):
            self._put(offset, before)
        for number, (offset, _, data, is_erasure) in enumerate(pending):
            if not lost >> number & 1:
                self._put(offset, data if is_erasure else _and(self._image[offset : offset + len(data)], data))
        self.barrier()

    def blank(self) -> None:
        """Lose everything, as memory does whose battery is empty; raises ChipError when the file cannot be written."""
        self._put(0, BLANK * self.size_bytes)
        self.barrier()

    def close(self) -> None:
        """Let go of the file; a chip in memory has nothing to let go of."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._has_failed = True

    def _bounds(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise ValueError(f"{length} bytes at {offset} are outside a chip of {self.size_bytes} bytes")

    def _put(self, offset: int, data: bytes | bytearray) -> None:
        if self._file is not None or self._has_failed:
            self._store(offset, data)
        self._image[offset : offset + len(data)] = data

    def _store(self, offset: int, data: bytes | bytearray) -> None:
        if self._has_failed:
            raise ChipError(f"{self._path}: an earlier write failed", hint="switch the device off and on")
        if self._file is None:
            return
        try:
            _write_fully(self._file, data, offset)
        except OSError as error:
            self._has_failed = True
            raise _unusable(self._path, error) from error

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
        fresh = bytes(self._image) + b"".join(map(_counter, self._wear))
        content = os.pread(file, len(fresh) + 1, 0)
        if is_new and len(content) < len(fresh) and fresh.startswith(content):
            content = fresh  # the making of the file may have been interrupted; all room is taken now
            _write_fully(file, content, 0)
            os.fsync(file)
        if len(content) != len(fresh):
            raise ChipError(f"{path} is not a chip of {self.size_bytes} bytes", hint="it belongs to another device")
        self._image[:] = content[: self.size_bytes]
        counters = content[self.size_bytes :]
        self._wear = [
            int.from_bytes(counters[at : at + _COUNTER_BYTES], "big") for at in range(0, len(counters), _COUNTER_BYTES)
        ]


def _and(old: bytes | bytearray, data: bytes) -> bytes:
    return (int.from_bytes(old, "big") & int.from_bytes(data, "big")).to_bytes(len(data), "big")


def _counter(cycles: int) -> bytes:
    return cycles.to_bytes(_COUNTER_BYTES, "big")


def _write_fully(file: int, data: bytes | bytearray, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, offset)
        rest, offset = rest[written:], offset + written


def _unusable(path: Path | str, error: OSError) -> ChipError:
    return ChipError(f"{path} cannot be used: {error.strerror}")
