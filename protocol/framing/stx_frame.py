"""One STX frame: STX, 2-byte BCD length of the payload, payload, ETX, LRC (CUP 9).

The length says where it ends: a payload is binary and may hold every control byte (MTI 0200 begins with an STX).
"""

from __future__ import annotations

from typing import Final

from protocol.framing.framer import MAX_PAYLOAD, MIN_PAYLOAD, check_size

STX, ETX, EOT, ACK, NAK = 0x02, 0x03, 0x04, 0x06, 0x15

HEAD: Final = 3
"""STX and length."""

TAIL: Final = 2
"""ETX and LRC."""

MIN_FRAME: Final = HEAD + MIN_PAYLOAD + TAIL
MAX_FRAME: Final = HEAD + MAX_PAYLOAD + TAIL


def stx_frame(payload: bytes) -> bytes:
    """The frame of ``payload``; FrameError outside MIN_PAYLOAD..MAX_PAYLOAD."""
    check_size(payload)
    block = bytes.fromhex(f"{len(payload):04d}") + payload + bytes([ETX])
    return bytes([STX]) + block + bytes([lrc(block)])


def lrc(block: bytes | bytearray) -> int:
    """XOR of all bytes, by folding the block in halves: a damaged stream is searched for sound frames at every STX."""
    value, width = int.from_bytes(block, "big"), len(block)
    while width > 1:
        width = (width + 1) // 2
        value = value >> 8 * width ^ value & (1 << 8 * width) - 1
    return value


def claimed_end(data: bytes | bytearray, at: int) -> int:
    """Where the frame at ``at`` says that it ends, ``at`` if that is no length; its HEAD must be there."""
    digits = data[at + 1 : at + HEAD].hex()
    length = int(digits) if digits.isdecimal() else 0
    return at + HEAD + length + TAIL if MIN_PAYLOAD <= length <= MAX_PAYLOAD else at


def is_sound(data: bytes | bytearray, at: int, end: int) -> bool:
    """Do ETX and LRC fit? LRC misses swapped bytes (12 in 100 of double bit flips): money needs its MAC besides."""
    return data[end - TAIL] == ETX and lrc(data[at + 1 : end - 1]) == data[end - 1]
