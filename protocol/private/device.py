"""Fields 47, 57 and 59: who the device is and where it stands (CUP 2.9).

Rules owned here: TABLE DEVICE_TAGS, the tags that acquirers are known to use, and TABLE GROUP_TAGS, those of the
private group PI in field 47. What gives digits of a card or a payment code away is a secret of its row. Lengths inside
a tag have as many digits as the tag's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from protocol.errors import DecodeError
from protocol.fields import F
from protocol.private.tags import pack_tags, tag_width, unpack_binary_tags, unpack_tags


@dataclass(frozen=True, slots=True)
class Tag:
    """A row of a table of tags: its key in ``details``, and the tags inside where it holds a list of its own."""

    key: str
    chinese: str
    secret: bool = False
    inner: Mapping[str, Tag] | None = None


_LOCATION: Final[Mapping[str, Tag]] = MappingProxyType(
    {"01": Tag("longitude", "经度"), "02": Tag("latitude", "纬度"), "10": Tag("ip_address", "IP地址")}
)
_TERMINAL: Final[Mapping[str, Tag]] = MappingProxyType(
    {
        "01": Tag("device_type", "设备类型"),
        "02": Tag("serial_number", "序列号"),
        "03": Tag("random_factor", "加密随机因子", secret=True),
        "04": Tag("cipher", "硬件序列号密文"),
        "05": Tag("version", "版本"),
        "06": Tag("model", "机型"),
    }
)
DEVICE_TAGS: Final[Mapping[str, Tag]] = MappingProxyType(
    {
        "A1": Tag("location", "位置", inner=_LOCATION),
        "A2": Tag("terminal", "终端信息", inner=_TERMINAL),
        "A3": Tag("payment_code", "付款码", secret=True),
        "A4": Tag("order_number", "订单号"),
        "12": Tag("iccid", "SIM卡号"),
        "13": Tag("device_id", "设备号"),
        "14": Tag("time", "时间"),
        "15": Tag("flag", "标志"),
        "17": Tag("position", "经纬度"),
        "BT": Tag("batches", "批次"),
    }
)
"""Tags of field 59, and A1 of field 57 (CUP 2.9); BT is ours."""

GROUP_TAGS: Final[Mapping[str, Tag]] = MappingProxyType(
    {
        "03": Tag("model", "机型"),
        "04": Tag("device_type", "设备类型"),
        "05": Tag("serial_number", "序列号"),
        "06": Tag("random_factor", "加密随机因子", secret=True),
        "07": Tag("cipher", "硬件序列号密文"),
        "08": Tag("version", "版本"),
    }
)
"""Binary tags of the group PI of field 47 (CUP 2.9)."""


_DEVICES_KEPT: Final = 10_000
_ORDER_NUMBER: Final = re.compile(rb"[ -~]{1,32}")


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Field 59: who the device is (tag A2), and the code that a customer showed (tag A3, CUP 2.9).

    ``version`` is eight digits; sub-tag 06, the model, is ours.
    """

    serial_number: str = ""
    version: str = ""
    model: str = ""
    payment_code: str = field(default="", repr=False)

    def __bytes__(self) -> bytes:
        return self.pack()

    def pack(self, *, width: int = 3) -> bytes:
        """Field 59, the sub-tags with lengths of ``width`` digits; other than three is a fault of old firmware."""
        parts = [("02", self.serial_number), ("05", self.version), ("06", self.model)]
        inner = pack_tags([(tag, value.encode("ascii")) for tag, value in parts if value], width=width)
        code = [("A3", self.payment_code.encode("ascii"))] if self.payment_code else []
        return pack_tags([("A2", inner), *code])

    @staticmethod
    def parse(raw: bytes) -> DeviceInfo:
        """What tags A2 and A3 tell; empty where field 59 is another acquirer's or absent."""
        if not raw.startswith((b"A2", b"A3")):
            return _NOBODY
        return _read_device(raw) if b"A3" in raw else _read_known_device(raw)


def _read_device(raw: bytes) -> DeviceInfo:
    width = tag_width(raw, field=F.DEVICE)
    outer = unpack_tags(raw, field=F.DEVICE, width=width)
    inner = unpack_tags(outer.get("A2", b""), field=F.DEVICE, width=width)
    told = [*(inner.get(tag, b"") for tag in ("02", "05", "06")), outer.get("A3", b"")]
    try:
        return DeviceInfo(*(value.decode("ascii") for value in told))
    except UnicodeDecodeError:
        raise DecodeError("device information is not ASCII", field=F.DEVICE, code="tags") from None


_NOBODY: Final = DeviceInfo()
_read_known_device: Final = lru_cache(_DEVICES_KEPT)(_read_device)
"""A device tells the same in every request; what a customer showed is not kept."""


def order_number(raw: bytes) -> str:
    """What a QR partner calls the payment: tag A4 of field 59 of its reply, empty without one (CUP 2.9)."""
    try:
        told = unpack_tags(raw, field=F.DEVICE, width=tag_width(raw, field=F.DEVICE)).get("A4", b"")
    except DecodeError:
        return ""  # a foreign acquirer's field 59
    return told.decode("ascii") if _ORDER_NUMBER.fullmatch(told) else ""


def read_tags(raw: bytes, *, field: int) -> list[tuple[Tag, bytes]]:
    """The tagged values of field 57 or 59 in order, inner lists in place of what holds them. Raises DecodeError.

    A tag that no table has comes as a secret row of its own.
    """
    width = tag_width(raw, field=field)
    return _rows(unpack_tags(raw, field=field, width=width), DEVICE_TAGS, field, width)


def read_group(raw: bytes) -> list[tuple[Tag, bytes]]:
    """The values of the private group in field 47, none where it is another acquirer's. Raises DecodeError."""
    head = re.match(rb"PI([0-9]{3})", raw)
    if not head:
        return []
    inner = raw[head.end() :]
    if len(inner) != int(head[1]):
        raise DecodeError(
            f"the group PI claims {int(head[1])} bytes and {len(inner)} are left", field=F.ISSUER_DATA, code="tags"
        )
    return _rows(unpack_binary_tags(inner, field=F.ISSUER_DATA), GROUP_TAGS, F.ISSUER_DATA)


def _rows(tags: Mapping[str, bytes], table: Mapping[str, Tag], field: int, width: int = 3) -> list[tuple[Tag, bytes]]:
    rows: list[tuple[Tag, bytes]] = []
    for tag, value in tags.items():
        row = table.get(tag, Tag(tag, tag, secret=True))
        if row.inner:
            rows += _rows(unpack_tags(value, field=field, width=width), row.inner, field, width)
        else:
            rows.append((row, value))
    return rows
