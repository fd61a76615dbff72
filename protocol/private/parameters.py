"""Field 62 of parameter downloads and status uploads (CUP 3.7).

Rules owned here: TABLE PARAMETERS of a terminal, TABLE CONTACTLESS with the values that hold until others are loaded,
and the page of a BIN table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.codes import PARTS
from protocol.errors import DecodeError, EncodeError
from protocol.fields import F, Part
from protocol.private.tags import TEXT_CHARSET

_CLAUSE: Final = "CUP 3.7"
_KINDS_ENABLED_MAX: Final = 99
_RATE_CHARACTERS: Final = 11

PARAMETERS: Final[Mapping[str, Part]] = MappingProxyType(
    {
        "11": Part("application_type", "应用类型", 2, _CLAUSE),
        "12": Part("reply_timeout_s", "超时时间（秒）", 2, _CLAUSE),
        "13": Part("retries", "重试次数", 1, _CLAUSE),
        "14": Part("transaction_phone_1", "交易电话号码1", 14, _CLAUSE),
        "15": Part("transaction_phone_2", "交易电话号码2", 14, _CLAUSE),
        "16": Part("transaction_phone_3", "交易电话号码3", 14, _CLAUSE),
        "17": Part("management_phone", "管理电话号码", 14, _CLAUSE),
        "18": Part("tips", "是否支持小费", 1, _CLAUSE),
        "19": Part("tip_percent", "小费百分比", 2, _CLAUSE),
        "20": Part("manual_entry", "是否支持手工输入", 1, _CLAUSE),
        "21": Part("sign_off_after_settlement", "是否自动签退", 1, _CLAUSE),
        "22": Part("merchant_name", "商户名称", 40, _CLAUSE),
        "23": Part("resends", "重发次数", 1, _CLAUSE),
        "24": Part("offline_upload", "离线上送方式", 1, _CLAUSE),
        "25": Part("master_key_index", "主密钥索引", 1, _CLAUSE),
        "26": Part("kinds_enabled", "支持的交易", 0, _CLAUSE),
        "51": Part("dial_statistics", "拨号统计", 12, _CLAUSE),
    }
)
"""By code: two digits, then a value of a fixed length in bytes; the last takes all that is left."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of CONTACTLESS: what a terminal may do without PIN or signature, and the value before any download."""

    key: str
    chinese: str
    default: str


CONTACTLESS: Final[Mapping[str, Setting]] = MappingProxyType(
    {
        "FF805D": Setting("channel", "非接交易通道", "0"),
        "FF803A": Setting("tap_time_s", "闪卡当笔重刷时间（秒）", "010"),
        "FF803C": Setting("total_time_s", "闪卡记录可处理时间（秒）", "060"),
        "FF8054": Setting("no_pin", "免密开关", "1"),
        "FF8055": Setting("bin_table_a", "BIN表A开关", "0"),
        "FF8056": Setting("bin_table_b", "BIN表B开关", "1"),
        "FF8057": Setting("card_device_verification", "CDCVM开关", "1"),
        "FF8058": Setting("no_pin_limit_fen", "免密限额（分）", "000000030000"),
        "FF8059": Setting("no_signature_limit_fen", "免签限额（分）", "000000030000"),
        "FF805A": Setting("no_signature", "免签开关", "1"),
    }
)
"""By tag: six characters, three digits of length, the value (CUP 3.7, 7.9)."""


def unpack_status(raw: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Part code to state, then parameter code to value, of a status upload or a parameter download.

    Raises DecodeError for bytes that are no text, an unknown code, a code that comes twice and a value cut short.
    """
    try:
        raw.decode(TEXT_CHARSET)
    except UnicodeDecodeError:
        raise _fault("parameters that are not text", "status") from None
    states: dict[str, str] = {}
    parameters: dict[str, str] = {}
    at = 0
    while at < len(raw):
        code = raw[at : at + 2].decode("latin-1")
        row = PARAMETERS.get(code)
        length = (row.length or len(raw)) if row else 1
        value = raw[at + 2 : at + 2 + length]
        into = parameters if row else states
        if (row is None and code not in PARTS) or code in into:
            raise _fault("an unknown code, or one that comes twice", "status", at)
        if not value or (len(value) < length and row is not PARAMETERS["26"]):
            raise _fault(f"code {code} is cut short", "status", at)
        into[code] = value.decode(TEXT_CHARSET, "replace")
        at += 2 + length
    return states, parameters


def pack_parameters(values: Mapping[str, str]) -> bytes:
    """Codes of PARAMETERS with their values in order, each padded with blanks to its length.

    Raises EncodeError for an unknown code and a value that does not fit.
    """
    parts: list[bytes] = []
    for code in sorted(values, key=lambda code: (not _length(code), code)):
        value = values[code].encode(TEXT_CHARSET)
        if not value or len(value) > (_length(code) or _KINDS_ENABLED_MAX):
            raise EncodeError(f"parameter {code} with {len(value)} bytes")
        parts.append(code.encode("ascii") + value.ljust(_length(code)))
    return b"".join(parts)


def _length(code: str) -> int:
    if code not in PARAMETERS:
        raise EncodeError(f"there is no parameter {code!r}")
    return PARAMETERS[code].length


def pack_contactless(values: Mapping[str, str]) -> bytes:
    """Tag, length of three digits and value of contactless parameters. Raises EncodeError for what fits none."""
    for tag, value in values.items():
        if not re.fullmatch(r"[0-9A-F]{6}", tag) or not re.fullmatch(r"[ -~]{1,99}", value):
            raise EncodeError(f"{tag!r} is no contactless parameter, or its value is too long")
    return "".join(f"{tag}{len(value):03d}{value}" for tag, value in values.items()).encode("ascii")


def pack_rates(rates: Mapping[str, str]) -> bytes:
    """Currency of three digits and rate of eight each, the rate as in field 10: decimals, then seven digits (ISO 8583).

    CUP 1.9 names the download and no layout; this one is ours. Raises EncodeError.
    """
    text = "".join(f"{currency}{rate}" for currency, rate in rates.items())
    if not all(re.fullmatch(r"[0-9]{3}", currency) for currency in rates) or len(text) != _RATE_CHARACTERS * len(rates):
        raise EncodeError("a rate is a currency of three digits and eight digits")
    return text.encode("ascii")


def unpack_rates(raw: bytes) -> dict[str, str]:
    """The inverse. Raises DecodeError."""
    text = raw.decode("latin-1")
    if not re.fullmatch(r"([0-9]{11})*", text):
        raise _fault("no currency of three digits and rate of eight", "rates")
    items = [text[at : at + _RATE_CHARACTERS] for at in range(0, len(text), _RATE_CHARACTERS)]
    return {item[:3]: item[3:] for item in items}


def unpack_contactless(raw: bytes) -> dict[str, str]:
    """Tag to value of contactless parameters. Raises DecodeError."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise _fault("contactless parameters that are not ASCII", "contactless") from None
    values: dict[str, str] = {}
    at = 0
    while at < len(text):
        head = re.fullmatch(r"([0-9A-F]{6})([0-9]{3})", text[at : at + 9])
        size = int(head[2]) if head else 0
        value = text[at + 9 : at + 9 + size]
        if not head or len(value) != size or head[1] in values:
            raise _fault("no tag of six characters, length of three digits and value", "contactless", at)
        values[head[1]] = value
        at += 9 + size
    return values


@dataclass(frozen=True, slots=True)
class BinPage:
    """A page of a BIN table or blacklist: whether more follow, the number of the last, and the BINs (CUP 3.7)."""

    flag: str
    last: str
    bins: tuple[str, ...] = ()

    def __bytes__(self) -> bytes:
        return (self.flag + self.last + "".join(f"{len(each):02d}{each:10}" for each in self.bins)).encode("ascii")

    @classmethod
    def parse(cls, raw: bytes) -> BinPage:
        """A flag, three digits, items of twelve characters. Raises DecodeError."""
        text = raw.decode("latin-1")
        items = [text[at : at + 12] for at in range(4, len(text), 12)]
        if not re.fullmatch(r"[0-9]{4}", text[:4]) or not all(map(_is_bin, items)):
            raise _fault("no flag, number and BINs of twelve characters", "bins")
        return cls(text[0], text[1:4], tuple(item[2:].rstrip() for item in items))


def _is_bin(item: str) -> bool:
    found = re.fullmatch(r"([0-9]{2})([0-9]+) *", item)
    return found is not None and len(item) == 12 and len(found[2]) == int(found[1])


def _fault(message: str, code: str, at: int = 0) -> DecodeError:
    return DecodeError(message, field=F.PAYLOAD, offset=at, code=code)
