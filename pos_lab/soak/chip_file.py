"""The chips of a device as they lie on the disk, read beside the process that writes them.

Rules owned here: what is read is what a file was at one moment: two readings that agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from firmware_sim.chips import FUSE_FILE, SIZES
from firmware_sim.models import Model

BLANK: Final = b"\xff"
READ_AHEAD: Final = ("journal", "keys", "slot_record")
"""Chips of which a moment is kept; the others are large, and read as they are."""
_READINGS_MAX: Final = 50


class ChipFile:
    """``size_bytes`` of a chip in a file, blank as long as there is none; ``refresh`` takes the moment."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._path = path
        self._image = BLANK * size_bytes

    def refresh(self) -> None:
        """See what is there now; a file that is being written is looked at again."""
        before = b""
        for _ in range(_READINGS_MAX):
            image = self._content(0, self.size_bytes)
            if image == before:
                break
            before = image
        self._image = before.ljust(self.size_bytes, BLANK)

    def read(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset`` of that moment."""
        return self._image[offset : offset + length]

    def read_now(self, offset: int, length: int) -> bytes:
        """The same of this moment."""
        return self._content(offset, length).ljust(length, BLANK)

    def _content(self, offset: int, length: int) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError:
            return b""


class DeviceFiles:
    """The folder of a device of ``model``; ``chips`` by name."""

    def __init__(self, folder: Path, serial_number: str, model: Model) -> None:
        self.serial_number = serial_number
        self.model = model
        self.chips: Mapping[str, ChipFile] = MappingProxyType(
            {name: ChipFile(folder / f"{name}.chip", size(model)) for name, size in SIZES.items()}
        )
        self._fuse = folder / FUSE_FILE

    def refresh(self) -> None:
        """Take a moment of the chips that are read ahead."""
        for name in READ_AHEAD:
            self.chips[name].refresh()

    def fuse(self) -> bytes:
        """Every byte of the fuse."""
        return self._fuse.read_bytes()
