"""Memory in two banks of records, as a chip holds it: what the examiner finds in the bytes of keys and slots.

Rules owned here: the layout of bank and record (magic, CRC chain), read from a whole image: these chips are small.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

BANK: Final = (b"NVB1", 12, 16)
"""Magic of a bank, length of its header, where its records begin."""
RECORD: Final = (b"RC", 8, 8)
"""Magic of a record, length of its header, alignment."""


def records_of(image: bytes) -> list[bytes]:
    """The records of the live bank, in the order of writing; none where no bank is live."""
    half = len(image) // 2
    generation, bank = max((_generation(image[at : at + BANK[1]]), at) for at in (0, half))
    if not generation:
        return []
    magic, length, alignment = RECORD
    at, end, crc, found = bank + BANK[2], bank + half, crc32(generation.to_bytes(4, "big"), crc32(BANK[0])), []
    while at + length <= end:
        size = int.from_bytes(image[at + 2 : at + 4], "big")
        payload = image[at + length : at + length + size]
        crc = crc32(payload, crc32(image[at + 2 : at + 4], crc))
        if image[at : at + 2] != magic or image[at + 4 : at + 8] != crc.to_bytes(4, "big") or at + length + size > end:
            break
        found.append(payload)
        at += -(-(length + size) // alignment) * alignment
    return found


def _generation(header: bytes) -> int:
    generation = header[4:8]
    is_good = header[:4] == BANK[0] and header[8:12] == crc32(generation, crc32(BANK[0])).to_bytes(4, "big")
    return int.from_bytes(generation, "big") if is_good else 0
