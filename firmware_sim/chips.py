"""The chips of one device, in memory or in a directory of its own.

Rules owned here: TABLE SIZES; the fuse key lies in a file apart from what it seals, and is made once, at birth. The
journal's file is opened first, and its lock guards the directory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.chip import Chip
from firmware_sim.errors import ChipError
from firmware_sim.flash import RECORD_BANK_BYTES, SLOT_BYTES, SLOTS
from firmware_sim.models import Model
from firmware_sim.nvram import BANKS
from firmware_sim.secure_module import STORAGE_BANK_BYTES
from protocol.crypto.vault import KEY_BYTES

FUSE_FILE = "fuse.key"

# chip -> its size in bytes; the file of a chip has its name
SIZES: Mapping[str, Callable[[Model], int]] = {
    "journal": lambda model: BANKS * model.nvram_kib * 1024,
    "keys": lambda model: BANKS * STORAGE_BANK_BYTES,
    "slots": lambda model: SLOTS * SLOT_BYTES,
    "slot_record": lambda model: BANKS * RECORD_BANK_BYTES,
}


@dataclass(frozen=True, slots=True)
class Chips:
    """What survives a power cut; ``fuse_key``, 32 bytes, is burnt into the secure module."""

    journal: Chip
    keys: Chip
    slots: Chip
    slot_record: Chip
    fuse_key: bytes = field(repr=False)

    @classmethod
    def in_memory(cls, model: Model, fresh: Callable[[int], bytes]) -> Chips:
        """Return blank chips that last as long as the process; ``fresh(n)`` = n random bytes."""
        return cls(**{name: Chip(size(model)) for name, size in SIZES.items()}, fuse_key=fresh(KEY_BYTES))

    @classmethod
    def open(cls, directory: Path, model: Model, fresh: Callable[[int], bytes]) -> Chips:
        """Return the chips kept in ``directory``, made if they are not there.

        Raises ChipInUse when the device runs already, ChipError when the directory or a file in it cannot be used.
        """
        chips: dict[str, Chip] = {}
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_new = not (directory / FUSE_FILE).exists()  # the fuse is burnt last, into a device that is whole
            for name, size in SIZES.items():
                chips[name] = Chip.open(directory / f"{name}.chip", size(model), is_new=is_new)
            return cls(**chips, fuse_key=_fuse_key(directory / FUSE_FILE, fresh))
        except OSError as error:
            _close(chips.values())
            raise ChipError(f"{error.filename or directory} cannot be used: {error.strerror}") from error
        except ChipError:
            _close(chips.values())
            raise

    def close(self) -> None:
        """Let go of the files."""
        _close((self.journal, self.keys, self.slots, self.slot_record))


def _close(chips: Iterable[Chip]) -> None:
    for chip in chips:
        chip.close()


def _fuse_key(path: Path, fresh: Callable[[int], bytes]) -> bytes:
    """Return the key in ``path``; a missing file is written in full under another name first."""
    if not path.exists():
        unfinished = path.with_suffix(".new")
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, fresh(KEY_BYTES))
            os.fsync(file)
        finally:
            os.close(file)
        unfinished.replace(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ChipError(f"{path} is not a fuse key of {KEY_BYTES} bytes")
    return key
