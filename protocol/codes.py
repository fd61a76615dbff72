"""TABLES of what a coded sub-field says: fields 22, 25, 53, 60, 61 and the states of field 48 and of a status upload.

A table maps the code as it stands on the wire to its Chinese and its English words. A code that a table lacks is
unknown, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

Words = tuple[str, str]
Codes = Mapping[str, Words]

ENTRIES: Final[Codes] = MappingProxyType(
    {
        "00": ("未指明", "unspecified"),
        "01": ("手工", "manual"),
        "02": ("磁条", "magnetic stripe"),
        "03": ("二维码", "bar code or QR"),
        "04": ("光学", "optical"),
        "05": ("接触式芯片", "chip"),
        "07": ("非接触式", "contactless"),
        "09": ("软POS", "soft POS"),
        "90": ("可靠磁条", "reliable magnetic stripe"),
        "91": ("非接触式磁条", "contactless magnetic stripe"),
        "95": ("不可靠芯片", "chip, unreliable data"),
        "96": ("云端", "cloud"),
        "98": ("云端", "cloud"),
    }
)
"""Field 22, digits 1 and 2 (CUP 2.1)."""

PIN_ENTRY: Final[Codes] = MappingProxyType(
    {"0": ("未指明", "unspecified"), "1": ("可输入密码", "can be entered"), "2": ("无密码", "none")}
)
"""Field 22, digit 3 (CUP 2.1)."""

CONDITIONS: Final[Codes] = MappingProxyType(
    {
        "00": ("正常", "normal"),
        "06": ("预授权", "pre-authorisation"),
        "08": ("邮购或电话订购", "mail or telephone order"),
        "18": ("邮购或电话订购预授权", "mail or telephone order, pre-authorisation"),
        "51": ("电子商务", "e-commerce"),
        "52": ("电子商务", "e-commerce"),
        "60": ("追加预授权", "additional pre-authorisation"),
        "64": ("分期付款", "instalment"),
        "65": ("积分", "points"),
        "66": ("磁条卡账户充值", "top-up of a stripe card from an account"),
        "67": ("预约", "reservation"),
        "91": ("电子钱包或电子现金圈存", "load of an e-purse or electronic cash"),
    }
)
"""Field 25 (CUP 2.2)."""

PIN_FORMATS: Final[Codes] = MappingProxyType(
    {
        "0": ("无", "none"),
        "1": ("X9.8，不带主账号", "X9.8 without PAN"),
        "2": ("X9.8，带主账号", "X9.8 with PAN"),
    }
)
"""Field 53, digit 1 (CUP 2.3)."""

ALGORITHMS: Final[Codes] = MappingProxyType(
    {
        "0": ("单倍长DES", "single DES"),
        "3": ("国密SM4", "SM4"),
        "6": ("双倍长3DES", "double-length 3DES"),
    }
)
"""Field 53, digit 2 (CUP 2.3)."""

TRACKS: Final[Codes] = MappingProxyType({"0": ("明文", "plain"), "1": ("加密", "encrypted")})
"""Field 53, digit 3 (CUP 2.3)."""

READERS: Final[Codes] = MappingProxyType(
    {
        "0": ("未知", "unknown"),
        "2": ("磁条", "magnetic stripe"),
        "5": ("芯片", "chip"),
        "6": ("非接触式", "contactless"),
    }
)
"""Field 60.4 (CUP 2.5)."""

CHIP_CONDITIONS: Final[Codes] = MappingProxyType(
    {
        "0": ("未使用", "not used"),
        "1": ("上一笔不是芯片交易或芯片交易成功", "the transaction before was none with a chip, or a good one"),
        "2": ("上一笔芯片交易失败", "the transaction before was one with a chip that failed"),
    }
)
"""Field 60.5 (CUP 2.5)."""

PARTIAL_APPROVALS: Final[Codes] = MappingProxyType({"0": ("不支持", "not supported"), "1": ("支持", "supported")})
"""Field 60.6 (CUP 2.5)."""

ACCOUNT_TYPES: Final[Codes] = MappingProxyType(
    {
        "000": ("默认", "default"),
        "048": ("发卡行积分", "issuer points"),
        "065": ("联盟积分", "alliance points"),
    }
)
"""Field 60.7 (CUP 2.5)."""

AUTHORISATIONS: Final[Codes] = MappingProxyType(
    {
        "00": ("POS预授权", "at the terminal"),
        "01": ("电话授权", "by telephone"),
        "02": ("代授权", "stand-in"),
    }
)
"""Field 61.4 (CUP 2.6)."""

BALANCE: Final[Codes] = MappingProxyType(
    {
        "0": ("请求", "asked"),
        "1": ("对账平", "balanced"),
        "2": ("对账不平", "unbalanced"),
        "3": ("出错", "error"),
    }
)
"""The last digit of a card group in field 48 of a settlement (CUP 2.8)."""

PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {"01": "keyboard", "02": "pin_pad", "03": "card_reader", "04": "printer", "05": "display"}
)
"""The parts of a status upload, by the key that their state has in ``details`` (CUP 3.7)."""

PART_STATES: Final[Codes] = MappingProxyType({"0": ("故障", "bad"), "1": ("正常", "good")})
"""The state of a part in a status upload (CUP 3.7)."""

PACKETS: Final[Codes] = MappingProxyType(
    {
        "0": ("无", "nothing"),
        "1": ("已全部下发", "all is in this packet"),
        "2": ("还有后续", "more follow"),
        "3": ("最后一包", "the last packet"),
    }
)
"""The flag before the items of a download reply (CUP 3.7)."""

CARD_GROUPS: Final[Codes] = MappingProxyType({"00": ("内卡", "domestic"), "01": ("外卡", "foreign")})
"""Card groups of uploads (CUP 2.8, 3.7)."""

CRYPTOGRAMS: Final[Codes] = MappingProxyType(
    {"1": ("AAC", "AAC"), "2": ("ARPC错但仍承兑", "wrong ARPC, approved nevertheless")}
)
"""Why a chip transaction is notified of (CUP 3.7)."""

AMOUNT_TYPES: Final[Codes] = MappingProxyType(
    {"01": ("账面余额", "ledger balance"), "02": ("可用余额", "available balance")}
)
"""Field 54, digits 3 and 4 (CUP 2.4)."""
