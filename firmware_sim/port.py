"""How a program reaches a chip: page by page, each step a point at which the power may go.

Rules owned here: an interrupted step leaves its first bytes done, of a page also the lower half of the byte in which
the power went; what was behind no barrier is settled with the chip at the cut.
"""

from __future__ import annotations

from firmware_sim.chip import BLANK, PAGE_BYTES, SECTOR_BYTES, Chip
from firmware_sim.faults import Faults
from firmware_sim.power import Cut, Phase, Power, Powered

_UPPER_HALF = 0xF0


class Port(Powered):
    """The way of one power epoch to a chip; ``faults``, where given, has the chip's points in FAULT_POINTS."""

    def __init__(self, chip: Chip, power: Power, faults: Faults | None = None) -> None:
        super().__init__(power)
        self._chip = chip
        self._faults = faults
        self.size_bytes = chip.size_bytes
        self._program_point = f"{chip.name}.program"
        self._erase_point = f"{chip.name}.erase"
        self._fence_point = f"{chip.name}.fence"
        self._barrier_point = f"{chip.name}.barrier"
        power.on_cut(self._settle)

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; raises PowerLost."""
        self._check()
        return self._chip.read(offset, length)

    def program(self, offset: int, data: bytes) -> bool:
        """Program ``data`` page by page; whether the chip holds it then. Raises PowerLost and ChipError."""
        head = PAGE_BYTES - offset % PAGE_BYTES
        if len(data) <= head:
            return not data or self._program(offset, data)
        is_good = self._program(offset, data[:head])
        for at in range(head, len(data), PAGE_BYTES):
            is_good &= self._program(offset + at, data[at : at + PAGE_BYTES])
        return is_good

    def erase(self, sector: int) -> bool:
        """Erase a sector; whether it is blank then. Raises PowerLost and ChipError."""
        cut = self._power.step(self._epoch, self._erase_point)
        if cut is not None:
            self._chip.erase(sector, cut.reached(SECTOR_BYTES))
            self._power.fall(cut)
        if self._faults is not None and self._faults.fires(f"{self._chip.name}.erase_fails"):
            return False
        return self._chip.erase(sector)

    def fence(self) -> None:
        """Make durable what was done so far, in the middle of something; raises PowerLost and ChipError."""
        self._bar(self._fence_point)

    def barrier(self) -> None:
        """Make durable what was done so far, which ends something; raises PowerLost and ChipError."""
        self._bar(self._barrier_point)

    def clear(self, offset: int, length: int) -> bool:
        """Erase every sector from ``offset`` on that is not blank, behind a barrier; whether all of it is blank then.

        A sector that cannot be erased any more is programmed to zeros, so that it keeps no secret. Both numbers are
        whole sectors, in bytes. Raises PowerLost and ChipError.
        """
        used = [at for at in range(offset, offset + length, SECTOR_BYTES) if self.read(at, SECTOR_BYTES) != _BLANK]
        worn = [at for at in used if not self.erase(at // SECTOR_BYTES)]
        if used:
            self.barrier()
        for at in worn:
            self.program(at, bytes(SECTOR_BYTES))
        if worn:
            self.barrier()
        return not worn

    def _bar(self, point: str) -> None:
        cut = self._power.step(self._epoch, point)
        if cut is not None:
            if cut.phase is Phase.AFTER:
                self._chip.barrier()
            self._power.fall(cut)
        self._chip.barrier()

    def _program(self, offset: int, page: bytes) -> bool:
        cut = self._power.step(self._epoch, self._program_point)
        if cut is not None:
            self._chip.program(offset, _torn(page, cut))
            self._power.fall(cut)
        if self._faults is not None and self._faults.fires(f"{self._chip.name}.stuck_bit"):
            stuck = _with_stuck_bit(page)
            self._chip.program(offset, stuck)
            return stuck == page
        return self._chip.program(offset, page)

    def _settle(self) -> None:
        self._chip.settle(self._power.lost)


_BLANK = BLANK * SECTOR_BYTES


def _torn(page: bytes, cut: Cut) -> bytes:
    reached = cut.reached(len(page))
    if reached in (0, len(page)):
        return page[:reached]
    return page[:reached] + bytes([page[reached] | _UPPER_HALF])


def _with_stuck_bit(page: bytes) -> bytes:
    """The page with the lowest bit that should be cleared left as it was."""
    at = next((at for at, byte in enumerate(page) if byte != BLANK[0]), None)
    return page if at is None else page[:at] + bytes([page[at] | page[at] + 1]) + page[at + 1 :]
