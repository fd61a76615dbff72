"""Bitmaps as PNG files, bi-level, for people to look at (ISO 15948)."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from protocol.jbig.bitmap import Bitmap

_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_BI_LEVEL: Final = bytes((1, 0, 0, 0, 0))
"""One bit a pixel, grey, deflated, filtered, not interlaced."""
_INVERTED: Final = bytes(byte ^ 0xFF for byte in range(256))


def write_png(bitmap: Bitmap) -> bytes:
    """The image as a PNG file; here 0 is black."""
    size = bitmap.row_bytes
    rows = bitmap.rows.translate(_INVERTED)
    lines = b"".join(b"\0" + rows[start : start + size] for start in range(0, len(rows), size))
    header = struct.pack(">II", bitmap.width, bitmap.height) + _BI_LEVEL
    return _MAGIC + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
