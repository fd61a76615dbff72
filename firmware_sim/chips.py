"""The chips of one device, in memory or in a directory of its own.

Rules owned here: TABLES SIZES and CYCLES; the fuse lies in a file apart from what it seals, and is burnt once, at
birth. The journal's file is opened first, and its lock guards the directory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.chip import CYCLES_MAX, Chip
from firmware_sim.errors import ChipError
from firmware_sim.flash import RECORD_BANK_BYTES, SLOTS
from firmware_sim.fuse import Fuse
from firmware_sim.models import Family, Model
from firmware_sim.nvram import BANKS
from firmware_sim.secure_module import STORAGE_BANK_BYTES
from protocol.crypto.vault import KEY_BYTES

FUSE_FILE = "fuse.key"

# chip -> its size in bytes; the file of a chip has its name
SIZES: Mapping[str, Callable[[Model], int]] = {
    "journal": lambda model: BANKS * model.nvram_kib * 1024,
    "keys": lambda model: BANKS * STORAGE_BANK_BYTES,
    "slots": lambda model: SLOTS * model.slot_kib * 1024,
    "slot_record": lambda model: BANKS * RECORD_BANK_BYTES,
}

CHEAP_CYCLES_MAX = 10_000

# chip -> how often a sector of it can be erased
CYCLES: Mapping[str, Callable[[Model], int]] = {
    "journal": lambda model: CHEAP_CYCLES_MAX if model.family is Family.MPOS else CYCLES_MAX,
    "keys": lambda model: CYCLES_MAX,
    "slots": lambda model: CHEAP_CYCLES_MAX,
    "slot_record": lambda model: CYCLES_MAX,
}


@dataclass(frozen=True, slots=True)
class Chips:
    """What survives a power cut; the ``fuse`` is part of the secure module."""

    journal: Chip
    keys: Chip
    slots: Chip
    slot_record: Chip
    fuse: Fuse = field(repr=False)

    @classmethod
    def in_memory(cls, model: Model, fresh: Callable[[int], bytes]) -> Chips:
        """Return blank chips that last as long as the process; ``fresh(n)`` = n random bytes."""
        return cls(
            **{name: Chip(size(model), name=name, cycles_max=CYCLES[name](model)) for name, size in SIZES.items()},
            fuse=Fuse(fresh(KEY_BYTES)),
        )

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
                path = directory / f"{name}.chip"
                chips[name] = Chip.open(path, size(model), is_new=is_new, name=name, cycles_max=CYCLES[name](model))
            return cls(**chips, fuse=Fuse.open(directory / FUSE_FILE, fresh))
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
