"""Bi-level images as rows of packed bits, and the PBM files that carry them.

Rules owned here: the limits that bound every image, 1 is black, rows are padded with zero bits to whole bytes, and PBM
in both its forms, plain (P1) and raw (P4), one image a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NoReturn

from protocol.errors import DecodeError, EncodeError

WIDTH_MAX: Final = 16_384
HEIGHT_MAX: Final = 16_384
PIXELS_MAX: Final = 4 * 1024 * 1024

_PBM_HEAD: Final = re.compile(
    rb"P([14])(?:[ \t\r\n]|#[^\r\n]*[\r\n])+([0-9]{1,9})(?:[ \t\r\n]|#[^\r\n]*[\r\n])+([0-9]{1,9})"
)
_COMMENT: Final = re.compile(rb"#[^\r\n]*")
_PACKED_DIGITS: Final = bytes.maketrans(b"\0\1", b"01")
_PIXELS_OF_BYTE: Final = tuple(bytes(byte >> 7 - x & 1 for x in range(8)) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Bitmap:
    """``width`` x ``height`` pixels; ``rows`` holds them from the top, the leftmost pixel in the highest bit.

    Raises EncodeError on sizes beyond the limits, on rows of another length and on padding that is not zero.
    """

    width: int
    height: int
    rows: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if fault := size_fault(self.width, self.height):
            raise EncodeError(fault, code="too_large")
        if len(self.rows) != self.row_bytes * self.height:
            raise EncodeError(
                f"{len(self.rows)} bytes of rows", hint=f"{self.height} rows of {self.row_bytes} bytes", code="value"
            )
        padding = (1 << 8 * self.row_bytes - self.width) - 1
        if any(last & padding for last in self.rows[self.row_bytes - 1 :: self.row_bytes]):
            raise EncodeError("the padding of a row is not zero", code="value")

    @property
    def row_bytes(self) -> int:
        """Bytes of a row with its padding."""
        return row_bytes(self.width)

    def row(self, y: int) -> bytes:
        """Row ``y`` as ``width`` pixels, each a byte 0 or 1."""
        packed = self.rows[y * self.row_bytes : (y + 1) * self.row_bytes]
        return b"".join(map(_PIXELS_OF_BYTE.__getitem__, packed))[: self.width]


def row_bytes(width: int) -> int:
    """Bytes of a row of ``width`` pixels."""
    return (width + 7) // 8


def pack_row(pixels: bytes) -> bytes:
    """Pixels, each a byte 0 or 1, as packed bits."""
    size = row_bytes(len(pixels))
    return (int(pixels.translate(_PACKED_DIGITS), 2) << 8 * size - len(pixels)).to_bytes(size, "big")


def size_fault(width: int, height: int, pixels_max: int = PIXELS_MAX) -> str:
    """Say which limit an image of that size breaks, or nothing."""
    if not 1 <= width <= WIDTH_MAX:
        return f"an image {width} pixels wide, where 1 to {WIDTH_MAX} are read"
    if not 1 <= height <= HEIGHT_MAX:
        return f"an image {height} pixels high, where 1 to {HEIGHT_MAX} are read"
    if width * height > pixels_max:
        return f"an image of {width} x {height} pixels, where {pixels_max} are the limit"
    return ""


def write_pbm(bitmap: Bitmap) -> bytes:
    """The image as a raw PBM file (P4)."""
    return b"P4\n%d %d\n" % (bitmap.width, bitmap.height) + bitmap.rows


def read_pbm(data: bytes) -> Bitmap:
    """Return the image of a PBM file, P1 or P4; raises DecodeError with the byte at which it goes wrong.

    Bits of padding, which PBM leaves open, are read as zero.
    """
    head = _PBM_HEAD.match(data)
    if not head:
        _refuse("not a PBM image", 0, "magic", "P1 or P4, width, height, rows")
    form, width, height = (int(number) for number in head.groups())
    if fault := size_fault(width, height):
        _refuse(fault, head.start(2), "too_large")
    if not re.match(rb"[ \t\r\n]", data[head.end() : head.end() + 1]):
        _refuse("no blank after the height", head.end(), "truncated" if head.end() == len(data) else "value")
    return (_plain if form == 1 else _raw)(data, head.end() + 1, width, height)


def _raw(data: bytes, start: int, width: int, height: int) -> Bitmap:
    size = row_bytes(width)
    end = start + size * height
    _check_end(len(data), end)
    rows = bytearray(data[start:end])
    visible = 0xFF << 8 * size - width & 0xFF
    rows[size - 1 :: size] = bytes(last & visible for last in rows[size - 1 :: size])
    return Bitmap(width, height, bytes(rows))


def _plain(data: bytes, start: int, width: int, height: int) -> Bitmap:
    blanked = _COMMENT.sub(lambda comment: b" " * len(comment[0]), data[start:])
    if strange := re.search(rb"[^01 \t\r\n]", blanked):
        _refuse("neither 0 nor 1", start + strange.start(), "value")
    digits = blanked.translate(None, b" \t\r\n")
    if len(digits) > width * height:
        _refuse(f"{len(digits)} pixels, {width * height} stated", len(data), "trailing_bytes")
    if len(digits) < width * height:
        _refuse(f"{len(digits)} pixels, {width * height} stated", len(data), "truncated")
    pixels = digits.translate(bytes.maketrans(b"01", b"\0\1"))
    return Bitmap(width, height, b"".join(pack_row(pixels[x : x + width]) for x in range(0, len(pixels), width)))


def _check_end(size: int, end: int) -> None:
    if size < end:
        _refuse(f"the rows end after {size} bytes of {end}", size, "truncated")
    if size > end:
        _refuse(f"{size - end} bytes after the last row", end, "trailing_bytes", "one image a file")


def _refuse(message: str, offset: int, code: str, hint: str = "") -> NoReturn:
    raise DecodeError(message, offset=offset, code=code, hint=hint)
