"""Lists of tagged values: two ASCII characters, a length of ASCII digits, the value (CUP 2.9).

Our own lists have lengths of three digits; real field 59 come with two or three, so a foreign one is read by what fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from protocol.errors import DecodeError, EncodeError
from protocol.fields import F

TEXT_CHARSET: Final = "gb18030"
_TAG_BYTES: Final = 2
_WIDTHS: Final = {3: "three", 2: "two"}


def pack_tags(tags: Iterable[tuple[str, bytes]], *, width: int = 3) -> bytes:
    """Tagged values one after the other, with lengths of ``width`` digits.

    Raises EncodeError for a tag or a value that does not fit.
    """
    parts: list[bytes] = []
    for tag, value in tags:
        if not re.fullmatch(r"[0-9A-Z]{2}", tag) or len(value) >= 10**width:
            raise EncodeError(f"tag {tag!r} with {len(value)} bytes fits no tag list")
        parts.append(f"{tag}{len(value):0{width}d}".encode() + value)
    return b"".join(parts)


def unpack_tags(raw: bytes, *, field: int, width: int = 3) -> dict[str, bytes]:
    """The inverse, with lengths of ``width`` digits.

    A tag that comes twice, an overrun and a length that is not digits raise DecodeError; its code is "tag_length" where
    all would be well with lengths of another width, as a known fault of terminals writes them.
    """
    try:
        return _unpack(raw, field, width)
    except DecodeError as error:
        for other in _WIDTHS.keys() - {width}:
            if _fits(raw, field, other):
                what = f"tag lengths: {other} digits, not {width}"  # short, for it has to fit in field 63
                raise DecodeError(what, field=field, raw=raw, code="tag_length") from error
        raise


def tag_width(raw: bytes, *, field: int) -> int:
    """How many digits the lengths of any acquirer's list have: three, else two. Raises DecodeError if neither fits."""
    for width in _WIDTHS:
        if _fits(raw, field, width):
            return width
    raise DecodeError("no list of tagged values", field=field, raw=raw, code="tags")


def _fits(raw: bytes, field: int, width: int) -> bool:
    try:
        _unpack(raw, field, width)
    except DecodeError:
        return False
    return True


def _unpack(raw: bytes, field: int, width: int) -> dict[str, bytes]:
    tags: dict[str, bytes] = {}
    head_bytes, at = _TAG_BYTES + width, 0
    while at < len(raw):
        head = re.fullmatch(rb"([0-9A-Z]{2})([0-9]{%d})" % width, raw[at : at + head_bytes])
        if not head:
            raise DecodeError(
                f"no tag and length of {_WIDTHS[width]} digits", field=field, offset=at, raw=raw, code="tags"
            )
        tag, size_bytes = head[1].decode(), int(head[2])
        value = raw[at + head_bytes : at + head_bytes + size_bytes]
        if len(value) != size_bytes or tag in tags:
            reason = "comes twice" if tag in tags else f"claims {size_bytes} bytes and {len(value)} are left"
            raise DecodeError(f"tag {tag} {reason}", field=field, offset=at, raw=raw, code="tags")
        tags[tag] = value
        at += head_bytes + size_bytes
    return tags


def number_tag(tags: Mapping[str, bytes], tag: str) -> int:
    """A tag's value as a number of one to nine ASCII digits. Raises DecodeError where it is none, or absent."""
    if not re.fullmatch(rb"[0-9]{1,9}", tags.get(tag, b"")):
        raise DecodeError(f"tag {tag} is no number", field=F.PAYLOAD, code="tags")
    return int(tags[tag])


def unpack_binary_tags(raw: bytes, *, field: int) -> dict[str, bytes]:
    """Values behind one byte of tag and one of length, by the tag in hex. Raises DecodeError."""
    tags: dict[str, bytes] = {}
    at = 0
    while at < len(raw):
        tag, size_bytes = raw[at : at + 1].hex().upper(), int.from_bytes(raw[at + 1 : at + 2], "big")
        value = raw[at + 2 : at + 2 + size_bytes]
        if len(raw) < at + 2 or len(value) != size_bytes or tag in tags:
            raise DecodeError(f"tag {tag} is no tag of a list", field=field, offset=at, raw=raw, code="tags")
        tags[tag] = value
        at += 2 + size_bytes
    return tags


def text_tag(tags: Mapping[str, bytes], tag: str) -> str:
    """A tag's value as text, empty where it is absent. Raises DecodeError where it is no text."""
    try:
        return tags.get(tag, b"").decode(TEXT_CHARSET)
    except UnicodeDecodeError:
        raise DecodeError(f"tag {tag} is not text", field=F.PAYLOAD, code="tags") from None
