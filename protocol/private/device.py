"""Fields 47, 57 and 59: who the device is and where it stands (CUP 2.9).

Rules owned here: TABLE DEVICE_TAGS, the tags that acquirers are known to use, and TABLE GROUP_TAGS, those of the
private group PI in field 47. What gives digits of a card or a payment code away is a secret of its row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.errors import DecodeError
from protocol.fields import F
from protocol.private.tags import pack_tags, unpack_binary_tags, unpack_foreign_tags


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
    }
)
"""Tags of field 59, and A1 of field 57 (CUP 2.9)."""

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
        inner = unpack_foreign_tags(unpack_foreign_tags(raw, field=F.DEVICE)["A2"], field=F.DEVICE)
        try:
            return cls(*(inner.get(tag, b"").decode("ascii") for tag in ("02", "05", "06")))
        except UnicodeDecodeError:
            raise DecodeError("device information is not ASCII", field=F.DEVICE, code="tags") from None


def read_tags(raw: bytes, *, field: int) -> list[tuple[Tag, bytes]]:
    """The tagged values of field 57 or 59 in order, inner lists in place of what holds them. Raises DecodeError.

    A tag that no table has comes as a secret row of its own.
    """
    return _rows(unpack_foreign_tags(raw, field=field), DEVICE_TAGS, field)


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


def _rows(tags: Mapping[str, bytes], table: Mapping[str, Tag], field: int) -> list[tuple[Tag, bytes]]:
    rows: list[tuple[Tag, bytes]] = []
    for tag, value in tags.items():
        row = table.get(tag, Tag(tag, tag, secret=True))
        rows += _rows(unpack_foreign_tags(value, field=field), row.inner, field) if row.inner else [(row, value)]
    return rows
