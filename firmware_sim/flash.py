"""Program memory: two slots for signed images, and the durable record of what they hold.

Rules owned here: the record is one value, written as a whole, so no power cut can leave the slots in a state that
nobody decided on; bytes of an image count for nothing until the record says so.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from firmware_sim.chip import Chip, Port
from firmware_sim.errors import NvramFull
from firmware_sim.nvram import Nvram
from firmware_sim.power import Power, Powered

SLOTS = 2
SLOT_BYTES = 256 * 1024
RECORD_BANK_BYTES = 4 * 1024


class SlotState(StrEnum):
    """What a slot holds: nothing, the firmware in force, one to be tried, one that was tried and not confirmed."""

    EMPTY = "empty"
    CONFIRMED = "confirmed"
    STAGED = "staged"
    TRIED = "tried"


Slots = tuple[SlotState, SlotState]


@dataclass(frozen=True, slots=True)
class Download:
    """An image on its way into the free slot: ``sha256`` of all of it in hex, ``size`` and ``offset`` in bytes."""

    sha256: str
    size: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class FlashRecord:
    """What the slots hold, the length in bytes of each image, and the security counter below which nothing runs."""

    slots: Slots = (SlotState.EMPTY, SlotState.EMPTY)
    sizes: tuple[int, int] = (0, 0)
    security_counter: int = 0
    download: Download | None = None

    def with_size(self, slot: int, size: int) -> FlashRecord:
        """Return the record with an image of ``size`` bytes in ``slot``."""
        return replace(self, sizes=(size, self.sizes[1]) if slot == 0 else (self.sizes[0], size))


class Flash(Powered):
    """The slots of one power epoch, on one chip, and their record, on another."""

    def __init__(self, slots: Chip, record: Chip, power: Power) -> None:
        super().__init__(power)
        self._slots = Port(slots, power)
        self._nvram = Nvram(record, power)
        records = self._nvram.records()
        self._record = _read(records[-1]) if records else FlashRecord()
        self.slot_bytes = self._slots.size_bytes // SLOTS

    @property
    def record(self) -> FlashRecord:
        """What the slots hold."""
        self._check()
        return self._record

    def save(self, record: FlashRecord) -> None:
        """Make ``record`` the one that counts, durably; raises PowerLost."""
        payload = json.dumps(asdict(record), separators=(",", ":")).encode()
        try:
            self._nvram.append(payload)
        except NvramFull:
            self._nvram.rewrite([payload])
        self._record = record

    def read(self, slot: int, size: int) -> bytes:
        """Return the first ``size`` bytes in ``slot``; raises PowerLost."""
        return self._slots.read(slot * self.slot_bytes, size)

    def write(self, slot: int, offset: int, data: bytes) -> None:
        """Write ``data`` at ``offset`` of ``slot``; raises PowerLost."""
        self._slots.write(slot * self.slot_bytes + offset, data)


def _read(payload: bytes) -> FlashRecord:
    stored = json.loads(payload)
    first, second = stored["slots"]
    download = stored["download"]
    return FlashRecord(
        slots=(SlotState(first), SlotState(second)),
        sizes=(stored["sizes"][0], stored["sizes"][1]),
        security_counter=stored["security_counter"],
        download=None if download is None else Download(**download),
    )
