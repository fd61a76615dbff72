"""Records that survive a power cut: two banks of one chip, one of them live.

    bank      header 16: "NVB1", generation 4, CRC-32 4, BLANK    then records, then BLANK up to the end
    record    "RC", length 2, CRC-32 4, payload, BLANK up to a multiple of 8              integers big-endian

Rules owned here:
- ``append`` is durable on return: the page with the record's header, a barrier, then the pages behind it and another
  one, so that nothing stands behind a page that never came. Each CRC covers the CRC in front of it, so no stale byte of
  another life of the bank can pass for a record.
- What stands after the last good record is BLANK or the torn part of one record. A torn tail is dropped, and the good
  records move to the other bank before anything is written again: torn bytes never get a second chance. A record that
  the memory did not take moves there too, with those before it.
- ``rewrite`` fills the other bank, then writes its header with the next generation, then erases the old bank, a barrier
  behind each. A cut anywhere leaves the old content or the new one; an erased bank keeps no secret of the past.
- Memory that cannot be erased any more ``is_worn``: what is there stays readable, and ends as it can (a reversal still
  finds the room that is left), but nothing is rewritten.
- A bad record with more behind it than one torn write explains is NvramCorrupt: money is not dropped silently.
- Room is checked before writing. ``reserve_bytes`` are kept for records that must find room (reversals).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from contextlib import suppress
from zlib import crc32

from firmware_sim.chip import BLANK, PAGE_BYTES, Chip
from firmware_sim.errors import NvramCorrupt, NvramFull, NvramWorn
from firmware_sim.faults import Faults
from firmware_sim.port import Port
from firmware_sim.power import Power, Powered

BANKS = 2
PAYLOAD_BYTES_MAX = 0xFFFF
ALIGNMENT_BYTES = 8
"""A record begins at a multiple of its header's size, so that no header lies in two pages."""

_BANK_MAGIC = b"NVB1"
_BANK_HEADER = struct.Struct(">4sII")
_RECORDS_START = 16
_RECORD_MAGIC = b"RC"
_RECORD_HEADER = struct.Struct(">2sHI")
RECORD_OVERHEAD_BYTES = _RECORD_HEADER.size
_FILL_TRIES = 2


class Nvram(Powered):
    """The records on one chip, whose halves are the banks; opening formats a blank chip and repairs a torn tail.

    Raises NvramCorrupt on content that no power cut explains.
    """

    def __init__(self, chip: Chip, power: Power, *, reserve_bytes: int = 0, faults: Faults | None = None) -> None:
        super().__init__(power)
        self._bank_bytes = chip.size_bytes // BANKS
        self._reserve_bytes = reserve_bytes
        self._port = Port(chip, power, faults)
        self._records: list[bytes] = []
        self._end = _RECORDS_START
        self._crc = 0
        self._is_worn = False
        self._bank, self._generation = self._live_bank()
        self._open()

    def records(self) -> tuple[bytes, ...]:
        """Return the payloads in the order of writing; raises PowerLost."""
        self._check()
        return tuple(self._records)

    @property
    def is_worn(self) -> bool:
        """Whether the memory cannot be erased any more; raises PowerLost."""
        self._check()
        return self._is_worn

    @property
    def room_bytes(self) -> int:
        """The longest payload that an ordinary ``append`` takes now, 0 when there is no room."""
        return max(0, self._room(reserved=False))

    @property
    def reserved_room_bytes(self) -> int:
        """The longest payload that ``append(…, reserved=True)`` takes now, 0 when there is no room."""
        return max(0, self._room(reserved=True))

    def append(self, payload: bytes, *, reserved: bool = False) -> None:
        """Add a record, durable on return; ``reserved`` may use the reserve.

        Raises NvramFull before anything is written, NvramWorn when the memory did not take it, PowerLost, ChipError.
        """
        if len(payload) > self._room(reserved=reserved):
            hint = "swap the device" if self._is_worn else "settle the batch to make room"
            raise NvramFull(f"no room for a record of {len(payload)} bytes", hint=hint)
        record, crc = _pack(payload, self._crc)
        port, at = self._port, self._offset(self._bank) + self._end
        head = PAGE_BYTES - at % PAGE_BYTES
        is_good = port.program(at, record[:head])
        if len(record) > head:
            port.fence()
            is_good &= port.program(at + head, record[head:])
        port.barrier()
        if is_good:
            self._records.append(payload)
            self._end += _aligned(len(record))
            self._crc = crc
        else:
            self._end = self._bank_bytes  # nothing may be put behind the damage
            self.rewrite([*self._records, payload])

    def rewrite(self, payloads: Iterable[bytes]) -> None:
        """Replace all records; a cut leaves the old ones or the new ones. May use the reserve.

        Raises NvramFull and NvramWorn before anything is lost, PowerLost, ChipError.
        """
        kept = list(payloads)
        end = _RECORDS_START + sum(_aligned(_RECORD_HEADER.size + len(payload)) for payload in kept)
        if end > self._bank_bytes or any(len(payload) > PAYLOAD_BYTES_MAX for payload in kept):
            raise NvramFull(f"no room for {len(kept)} records that take {end} bytes of {self._bank_bytes}")
        header, crc = _pack_header(self._generation + 1)
        body = bytearray()
        for payload in kept:
            record, crc = _pack(payload, crc)
            body += record.ljust(_aligned(len(record)), BLANK)
        old, new = self._bank, 1 - self._bank
        if self._is_worn or not any(self._fill(new, header, bytes(body)) for _ in range(_FILL_TRIES)):
            self._is_worn = True
            raise NvramWorn("the memory cannot be erased any more", hint="what is in it can still be read")
        self._bank, self._generation = new, self._generation + 1
        self._records, self._end, self._crc = kept, end, crc
        self._is_worn = not self._clear(old)

    def _fill(self, bank: int, header: bytes, body: bytes) -> bool:
        """Write a bank that is not live, its header last; whether the memory took it."""
        if not self._clear(bank):
            return False
        at = self._offset(bank)
        for start, part in ((at + _RECORDS_START, body), (at, header)):
            is_good = not part or self._port.program(start, part)
            self._port.barrier()
            if not is_good:
                return False
        return True

    def _room(self, *, reserved: bool) -> int:
        self._check()
        free = self._bank_bytes - self._end - _RECORD_HEADER.size - (0 if reserved else self._reserve_bytes)
        return min(free, PAYLOAD_BYTES_MAX)

    def _offset(self, bank: int) -> int:
        return bank * self._bank_bytes

    def _read_bank(self, bank: int) -> bytes:
        return self._port.read(self._offset(bank), self._bank_bytes)

    def _clear(self, bank: int) -> bool:
        return self._port.clear(self._offset(bank), self._bank_bytes)

    def _live_bank(self) -> tuple[int, int]:
        """Return (bank, generation) of the newest header; formats a chip on which nothing was ever recorded."""
        headers = [_read_header(self._read_bank(bank)) for bank in range(BANKS)]
        live = max((generation, bank) for bank, generation in enumerate(headers))
        if live[0] > 0:
            return live[1], live[0]
        if any(not _is_blank(self._read_bank(bank)[_RECORDS_START:]) for bank in range(BANKS)):
            raise NvramCorrupt("neither bank has a header, yet there is something in them")
        if not any(self._fill(0, _pack_header(1)[0], b"") for _ in range(_FILL_TRIES)):
            raise NvramWorn("the memory takes nothing")
        return 0, 1

    def _open(self) -> None:
        bank = self._read_bank(self._bank)
        self._records, self._end, self._crc = _read_records(bank)
        rest = bank[self._end :]
        if not _is_blank(rest) and not _is_torn(rest.rstrip(BLANK), len(rest)):
            raise NvramCorrupt(f"a damaged record after {len(self._records)} good ones")
        self._is_worn = not self._clear(1 - self._bank)  # an interrupted rewrite left some of the new or of the old
        if not _is_blank(rest):
            self._end = self._bank_bytes
            if not self._is_worn:
                with suppress(NvramWorn):  # which it is then, and says so; what is there can be read
                    self.rewrite(self._records)


def _aligned(length: int) -> int:
    return -(-length // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _pack_header(generation: int) -> tuple[bytes, int]:
    crc = crc32(generation.to_bytes(4, "big"), crc32(_BANK_MAGIC))
    return _BANK_HEADER.pack(_BANK_MAGIC, generation, crc), crc


def _read_header(bank: bytes) -> int:
    """Return the generation, 0 when there is no whole header."""
    magic, generation, _ = _BANK_HEADER.unpack_from(bank)
    return generation if bank.startswith(_pack_header(generation)[0]) and magic == _BANK_MAGIC else 0


def _pack(payload: bytes, crc_before: int) -> tuple[bytes, int]:
    length = len(payload).to_bytes(2, "big")
    crc = crc32(payload, crc32(length, crc_before))
    return _RECORD_HEADER.pack(_RECORD_MAGIC, len(payload), crc) + payload, crc


def _read_records(bank: bytes) -> tuple[list[bytes], int, int]:
    """Return the good records from the front, the offset behind them and the last CRC."""
    end = _RECORDS_START
    crc = _pack_header(_read_header(bank))[1]
    records: list[bytes] = []
    while end + _RECORD_HEADER.size <= len(bank):
        _, length, _ = _RECORD_HEADER.unpack_from(bank, end)
        payload = bank[end + _RECORD_HEADER.size : end + _RECORD_HEADER.size + length]
        if len(payload) < length:
            break
        record, next_crc = _pack(payload, crc)
        if bank[end : end + len(record)] != record:
            break
        records.append(payload)
        end, crc = end + _aligned(len(record)), next_crc
    return records, end, crc


def _is_blank(rest: bytes) -> bool:
    return rest == BLANK * len(rest)


def _is_torn(tail: bytes, room: int) -> bool:
    """Whether ``tail``, its blank end cut off, is what a cut left of one record: bits may lack, but none in front."""
    if tail.startswith(BLANK) or any(was & meant != meant for was, meant in zip(tail, _RECORD_MAGIC, strict=False)):
        return False
    if len(tail) < _RECORD_HEADER.size:
        return True
    _, length, _ = _RECORD_HEADER.unpack_from(tail)
    return bool(len(tail) <= _RECORD_HEADER.size + length <= room)
