"""The sub-fields of the private fields: 48, 59, 60, 61, 62 and 63 (CUP 2.5 to 2.9 and 3.7).

Each shape reads itself from a field's value with ``parse`` and writes itself with ``str`` or ``bytes``; ``parse``
raises DecodeError with the field. Lists of tagged values (two ASCII characters, a length of three ASCII digits, the
value; the form of field 59) also carry our extensions in field 62.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from protocol.errors import DecodeError, EncodeError
from protocol.fields import F

TEXT_CHARSET: Final = "gb18030"
UPLOAD_ITEMS_PER_MESSAGE: Final = 8
_ITEM_DIGITS: Final = 40
_GROUP_DIGITS: Final = 31


@dataclass(frozen=True, slots=True)
class Control:
    """Field 60: type code 60.1, batch 60.2, network management code 60.3; ``rest`` is 60.4 on, as it came (CUP 2.5)."""

    type_code: str
    batch: str
    network: str = ""
    rest: str = ""

    def __str__(self) -> str:
        return f"{self.type_code}{self.batch}{self.network}{self.rest}"

    @classmethod
    def parse(cls, digits: str) -> Control:
        """Eight digits at least; shorter by whole sub-fields from the right is allowed."""
        if len(digits) < 8 or len(digits) in (9, 10):
            raise DecodeError(f"{len(digits)} digits hold no 60.1, 60.2 and 60.3", field=F.CONTROL, code="control")
        return cls(digits[:2], digits[2:8], digits[8:11], digits[11:])


@dataclass(frozen=True, slots=True)
class Original:
    """Field 61: batch, STAN and date MMDD of the original; zeros where unknown (CUP 2.6)."""

    batch: str
    stan: str
    date: str = ""

    def __str__(self) -> str:
        return f"{self.batch}{self.stan}{self.date}"

    @classmethod
    def parse(cls, digits: str) -> Original:
        """Twelve digits at least."""
        if len(digits) < 12:
            raise DecodeError(f"{len(digits)} digits hold no batch and STAN", field=F.ORIGINAL, code="original")
        return cls(digits[:6], digits[6:12], digits[12:16])


@dataclass(frozen=True, slots=True)
class GroupTotals:
    """Sums of one card group in fen, and how many; ``result`` is 0 asked, 1 balanced, 2 unbalanced, 3 error."""

    debit_fen: int = 0
    debit_count: int = 0
    credit_fen: int = 0
    credit_count: int = 0
    result: int = 0

    def __str__(self) -> str:
        return f"{self.debit_fen:012d}{self.debit_count:03d}{self.credit_fen:012d}{self.credit_count:03d}{self.result}"


@dataclass(frozen=True, slots=True)
class Totals:
    """Field 48 of a settlement: domestic cards, then foreign cards (CUP 2.8)."""

    domestic: GroupTotals = GroupTotals()
    foreign: GroupTotals = GroupTotals()

    def __str__(self) -> str:
        return f"{self.domestic}{self.foreign}"

    @classmethod
    def parse(cls, digits: str) -> Totals:
        """Sixty-two digits."""
        if len(digits) != 2 * _GROUP_DIGITS:
            raise DecodeError(
                f"{len(digits)} digits are not the 62 of settlement totals", field=F.TOTALS, code="totals"
            )
        return cls(_group(digits[:_GROUP_DIGITS]), _group(digits[_GROUP_DIGITS:]))


def _group(digits: str) -> GroupTotals:
    return GroupTotals(int(digits[:12]), int(digits[12:15]), int(digits[15:27]), int(digits[27:30]), int(digits[30]))


@dataclass(frozen=True, slots=True)
class UploadItem:
    """One row of a batch upload (CUP 2.8); ``card_group`` is 00 domestic, 01 foreign. ``repr`` hides the PAN."""

    card_group: str
    stan: str
    pan: str
    amount_fen: int

    def __str__(self) -> str:
        return f"{self.card_group}{self.stan}{self.pan.zfill(20)}{self.amount_fen:012d}"

    def __repr__(self) -> str:
        return f"UploadItem(stan={self.stan!r}, amount_fen={self.amount_fen})"


def pack_upload(items: Sequence[UploadItem]) -> str:
    """Field 48 of a batch upload: at most eight items."""
    if len(items) > UPLOAD_ITEMS_PER_MESSAGE:
        raise EncodeError(f"{len(items)} items where {UPLOAD_ITEMS_PER_MESSAGE} fit", field=F.TOTALS)
    return f"{len(items):02d}" + "".join(map(str, items))


def unpack_upload(digits: str) -> list[UploadItem]:
    """The items of field 48; DecodeError where the count and the digits disagree."""
    if len(digits) < 2 or len(digits) != 2 + int(digits[:2]) * _ITEM_DIGITS:
        raise DecodeError(f"{len(digits)} digits do not hold the items that they count", field=F.TOTALS, code="upload")
    rows = (digits[at : at + _ITEM_DIGITS] for at in range(2, len(digits), _ITEM_DIGITS))
    return [UploadItem(row[:2], row[2:8], row[8:28].lstrip("0"), int(row[28:])) for row in rows]


Tags = Sequence[tuple[str, bytes]]


def pack_tags(tags: Iterable[tuple[str, bytes]]) -> bytes:
    """Tagged values one after the other. Raises EncodeError for a tag or a value that does not fit."""
    parts: list[bytes] = []
    for tag, value in tags:
        if not re.fullmatch(r"[0-9A-Z]{2}", tag) or len(value) > 999:
            raise EncodeError(f"tag {tag!r} with {len(value)} bytes fits no tag list")
        parts.append(f"{tag}{len(value):03d}".encode() + value)
    return b"".join(parts)


def unpack_tags(raw: bytes, *, field: int) -> dict[str, bytes]:
    """The inverse; a tag that comes twice, an overrun and a length that is not three digits raise DecodeError."""
    tags: dict[str, bytes] = {}
    at = 0
    while at < len(raw):
        head = re.fullmatch(rb"([0-9A-Z]{2})([0-9]{3})", raw[at : at + 5])
        if not head:
            raise DecodeError("no tag and length of three digits", field=field, offset=at, raw=raw, code="tags")
        tag, size_bytes = head[1].decode(), int(head[2])
        value = raw[at + 5 : at + 5 + size_bytes]
        if len(value) != size_bytes or tag in tags:
            reason = "comes twice" if tag in tags else f"claims {size_bytes} bytes and {len(value)} are left"
            raise DecodeError(f"tag {tag} {reason}", field=field, offset=at, raw=raw, code="tags")
        tags[tag] = value
        at += 5 + size_bytes
    return tags


def text_tag(tags: Mapping[str, bytes], tag: str) -> str:
    """A tag's value as text, empty where it is absent. Raises DecodeError where it is no text."""
    try:
        return tags.get(tag, b"").decode(TEXT_CHARSET)
    except UnicodeDecodeError:
        raise DecodeError(f"tag {tag} is not text", field=F.PAYLOAD, code="tags") from None


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Field 59 tag A2: who the device is (CUP 2.9). ``version`` is eight digits; sub-tag 06, the model, is ours."""

    serial_number: str = ""
    version: str = ""
    model: str = ""

    def __bytes__(self) -> bytes:
        parts = [("02", self.serial_number), ("05", self.version), ("06", self.model)]
        return pack_tags([("A2", pack_tags([(tag, value.encode("ascii")) for tag, value in parts if value]))])

    @classmethod
    def parse(cls, raw: bytes) -> DeviceInfo:
        """What tag A2 tells; empty where field 59 is another acquirer's or absent."""
        if not raw.startswith(b"A2"):
            return cls()
        inner = unpack_tags(unpack_tags(raw, field=F.DEVICE)["A2"], field=F.DEVICE)
        try:
            return cls(*(inner.get(tag, b"").decode("ascii") for tag in ("02", "05", "06")))
        except UnicodeDecodeError:
            raise DecodeError("device information is not ASCII", field=F.DEVICE, code="tags") from None


_SEQUENCE: Final = b"Sequence No"
_LICENCE: Final = "0000"


def pack_sequence_number(serial_number: str) -> bytes:
    """Field 62 of a sign-on request: a licence of four characters and the serial number (CUP 3.7)."""
    value = (_LICENCE + serial_number).encode("ascii")
    return _SEQUENCE + f"{len(value):02d}".encode() + value


def unpack_sequence_number(raw: bytes) -> str:
    """The serial number in field 62 of a sign-on request; empty where the field tells none."""
    head = re.fullmatch(rb"Sequence No([0-9]{2})([ -~]+)", raw)
    return head[2][4:].decode() if head and len(head[2]) == int(head[1]) else ""


@dataclass(frozen=True, slots=True)
class RefusalText:
    """Field 63 of a reply (CUP 2.7): the organisation, then 20 issuer, 20 UnionPay, 20 acquirer, 60 merchant.

    A refusal of ours puts its reason into the places of UnionPay and the acquirer (40 characters) and its Chinese text
    into the merchant's place (60 bytes). The rest is told by the why query (product decision 12).
    """

    reason: str = ""
    chinese: str = ""
    organisation: str = "CUP"

    def __str__(self) -> str:
        text = self.chinese
        while len(text.encode(TEXT_CHARSET)) > 60:
            text = text[:-1]
        return f"{self.organisation:3.3}{'':20}{self.reason:40.40}{text}".rstrip() if self.reason else self.organisation

    @classmethod
    def parse(cls, text: str) -> RefusalText:
        """The parts, empty where a foreign host left them out."""
        raw = text.encode(TEXT_CHARSET)
        reason = raw[23:63].decode(TEXT_CHARSET, "replace").strip()
        return cls(reason, raw[63:].decode(TEXT_CHARSET, "replace").strip(), raw[:3].decode(TEXT_CHARSET, "replace"))


def keys_digest(rows: Iterable[tuple[str, str, int]]) -> bytes:
    """SHA-256 over the sorted (STAN, type code, amount in fen) of a batch's money rows.

    Sent as tag ``KD`` of field 62 in a settlement (an extension of ours): two errors that compensate each other in the
    sums do not compensate here.
    """
    lines = sorted(f"{stan}:{type_code}:{amount_fen}" for stan, type_code, amount_fen in rows)
    return hashlib.sha256("\n".join(lines).encode()).digest()
