"""Program memory: two slots for signed images, and the durable record of what they hold.

Rules owned here: the record is one value, written as a whole, so no power cut can leave the slots in a state that
nobody decided on; bytes of an image count for nothing until the record says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from firmware_sim.chip import SECTOR_BYTES, Chip
from firmware_sim.errors import NvramFull
from firmware_sim.faults import Faults
from firmware_sim.nvram import Nvram
from firmware_sim.port import Port
from firmware_sim.power import Power, Powered

SLOTS = 2
RECORD_BANK_BYTES = 4 * 1024


class SlotState(StrEnum):
    """What a slot holds: nothing, the firmware in force, one to be tried, one that was booted and not confirmed yet."""

    EMPTY = "empty"
    CONFIRMED = "confirmed"
    STAGED = "staged"
    TRIED_ONCE = "tried_once"
    TRIED_TWICE = "tried_twice"
    TRIED_THRICE = "tried_thrice"


Slots = tuple[SlotState, SlotState]


@dataclass(frozen=True, slots=True)
class Download:
    """An image on its way into the free slot: ``sha256`` of all of it in hex, ``size`` and ``offset`` in bytes.

    ``crc`` is the CRC-32 of the bytes that are there.
    """

    sha256: str
    size: int
    offset: int = 0
    crc: int = 0


@dataclass(frozen=True, slots=True)
class FlashRecord:
    """What the slots hold, the length in bytes of each image, and the security counter below which nothing runs.

    ``refused`` counts what was refused in the life of the device, by code.
    """

    slots: Slots = (SlotState.EMPTY, SlotState.EMPTY)
    sizes: tuple[int, int] = (0, 0)
    security_counter: int = 0
    download: Download | None = None
    refused: Mapping[str, int] = field(default_factory=dict)

    def with_size(self, slot: int, size: int) -> FlashRecord:
        """Return the record with an image of ``size`` bytes in ``slot``."""
        return replace(self, sizes=(size, self.sizes[1]) if slot == 0 else (self.sizes[0], size))

    def with_state(self, slot: int, state: SlotState) -> FlashRecord:
        """Return the record with ``slot`` in ``state``."""
        return replace(self, slots=(state, self.slots[1]) if slot == 0 else (self.slots[0], state))

    def counting(self, code: str) -> FlashRecord:
        """Return the record with one more refusal for the reason ``code``."""
        return replace(self, refused={**self.refused, code: self.refused.get(code, 0) + 1})


class Flash(Powered):
    """The slots of one power epoch, on one chip, and their record, on another."""

    def __init__(self, slots: Chip, record: Chip, power: Power, faults: Faults | None = None) -> None:
        super().__init__(power)
        self._slots = Port(slots, power, faults)
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
        """Write ``data`` at ``offset`` of ``slot``, durable on return; raises PowerLost and ChipError.

        Images are written from the front. Of a sector that holds another image's bytes there, what stands behind
        ``offset`` is lost. Cells that fail are not told here: an image counts when its hash is right.
        """
        start, end = slot * self.slot_bytes + offset, slot * self.slot_bytes + offset + len(data)
        while start < end:
            sector = start // SECTOR_BYTES
            here = data[len(data) - (end - start) :][: (sector + 1) * SECTOR_BYTES - start]
            self._write(sector, start - sector * SECTOR_BYTES, here)
            start += len(here)
        self._slots.barrier()

    def _write(self, sector: int, within: int, data: bytes) -> None:
        start = sector * SECTOR_BYTES
        if not _can_hold(self._slots.read(start + within, len(data)), data):
            before = self._slots.read(start, within)
            self._slots.erase(sector)
            self._slots.barrier()
            self._slots.program(start, before)
        self._slots.program(start + within, data)


def _can_hold(cells: bytes, data: bytes) -> bool:
    """Whether clearing bits is enough to make ``data`` of ``cells``."""
    return int.from_bytes(cells, "big") & int.from_bytes(data, "big") == int.from_bytes(data, "big")


def _read(payload: bytes) -> FlashRecord:
    stored = json.loads(payload)
    first, second = stored["slots"]
    download = stored["download"]
    return FlashRecord(
        slots=(SlotState(first), SlotState(second)),
        sizes=(stored["sizes"][0], stored["sizes"][1]),
        security_counter=stored["security_counter"],
        download=None if download is None else Download(**download),
        refused=stored["refused"],
    )
