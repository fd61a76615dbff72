"""TABLE FIELDS: every field of the UnionPay POS dialect (CUP 2).

One row a field: number, name, element, what a person must not see, the sub-fields that stand at fixed places in it, and
the clause. Sub-fields that depend on the kind of message are in ``protocol.private``. Outside this file fields go by
their name in ``F``, never by a bare number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from protocol.codes import (
    ACCOUNT_TYPES,
    ALGORITHMS,
    AUTHORISATIONS,
    CHIP_CONDITIONS,
    CONDITIONS,
    ENTRIES,
    PARTIAL_APPROVALS,
    PIN_ENTRY,
    PIN_FORMATS,
    READERS,
    TRACKS,
    Codes,
)
from protocol.elements import (
    ASCII,
    CHINESE,
    DIGITS,
    DIGITS_RIGHT,
    OCTETS,
    TRACK,
    TRACK_DIGITS,
    Characters,
    Element,
    Fixed,
    HexOctets,
    Octets,
    Packed,
    ll,
    lll,
)


class F:
    """The fields by name: plain numbers, for a member of an enumeration takes four times as long to look up."""

    MTI: Final = 0
    PAN: Final = 2
    PROCESSING_CODE: Final = 3
    AMOUNT: Final = 4
    STAN: Final = 11
    LOCAL_TIME: Final = 12
    LOCAL_DATE: Final = 13
    EXPIRY: Final = 14
    SETTLEMENT_DATE: Final = 15
    ENTRY_MODE: Final = 22
    PAN_SEQUENCE: Final = 23
    CONDITION_CODE: Final = 25
    PIN_CAPTURE: Final = 26
    ACQUIRER: Final = 32
    TRACK2: Final = 35
    TRACK3: Final = 36
    RRN: Final = 37
    AUTH_ID: Final = 38
    RESPONSE_CODE: Final = 39
    TERMINAL_ID: Final = 41
    MERCHANT_ID: Final = 42
    ADDITIONAL_RESPONSE: Final = 44
    ISSUER_DATA: Final = 47
    TOTALS: Final = 48
    CURRENCY: Final = 49
    PIN_BLOCK: Final = 52
    SECURITY: Final = 53
    ADDITIONAL_AMOUNT: Final = 54
    ICC: Final = 55
    PRIVATE57: Final = 57
    PRIVATE58: Final = 58
    DEVICE: Final = 59
    CONTROL: Final = 60
    ORIGINAL: Final = 61
    PAYLOAD: Final = 62
    TEXT: Final = 63
    MAC: Final = 64


class Mask(Enum):
    """What of a value a person may see unless they typed ``--unmask``.

    Private fields are hidden until a kind says what is in them: they may hold keys, PIN blocks or digits of the PAN.
    """

    OPEN = "everything"
    PAN = "the first six and the last four digits"
    HIDDEN = "only its length"
    UPLOAD_ITEMS = "totals and counts, the items of a batch upload with their PANs masked, nothing of anything else"


class Form(Enum):
    """How a value stands in JSON."""

    DIGITS = "digits"
    TRACK = "track digits"
    TEXT = "text"
    HEX = "upper-case hex"


@dataclass(frozen=True, slots=True)
class Part:
    """A sub-field at a fixed place. ``length`` is in units of its field, 0 for all that is left.

    ``key`` is its name in ``details``; with ``codes`` the words of the code stand there, else the value itself.
    """

    key: str
    chinese: str
    length: int
    clause: str
    codes: Codes | None = None


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A row of FIELDS. Lengths are in units of the element: digits, characters or bytes.

    ``parts`` follow each other from the left; a value may end after any of them. A row of another dialect that has the
    same name means the same in another form.
    """

    number: int
    name: str
    chinese: str
    element: Element
    clause: str
    mask: Mask = Mask.OPEN
    parts: tuple[Part, ...] = ()

    def means(self, other: FieldSpec | None) -> bool:
        """Is the value of the other row the same thing, be its form another one?"""
        return other is not None and self.name == other.name

    @property
    def form(self) -> Form:
        """How the value stands in JSON."""
        coding = self.element.coding
        if isinstance(coding, Octets | HexOctets):
            return Form.HEX
        if isinstance(coding, Packed | Characters):
            return Form.TRACK if coding.alphabet is TRACK_DIGITS else Form.DIGITS
        return Form.TEXT


_ENTRY: Final = (
    Part("entry", "输入方式", 2, "CUP 2.1", ENTRIES),
    Part("pin", "密码", 1, "CUP 2.1", PIN_ENTRY),
)
_CONDITION: Final = (Part("condition", "交易条件", 2, "CUP 2.2", CONDITIONS),)
_INSTITUTIONS: Final = (Part("issuer", "发卡机构", 11, "CUP 2"), Part("acquirer", "收单机构", 0, "CUP 2"))
_SECURITY: Final = (
    Part("pin_format", "密码格式", 1, "CUP 2.3", PIN_FORMATS),
    Part("algorithm", "加密算法", 1, "CUP 2.3", ALGORITHMS),
    Part("tracks", "磁道", 1, "CUP 2.3", TRACKS),
)
_CONTROL: Final = (
    Part("type", "交易类型码", 2, "CUP 3.3"),
    Part("batch", "批次号", 6, "CUP 7.10"),
    Part("network_management", "网络管理信息码", 3, "CUP 3.4"),
    Part("read_capability", "终端读取能力", 1, "CUP 2.5", READERS),
    Part("chip_condition", "IC卡条件代码", 1, "CUP 2.5", CHIP_CONDITIONS),
    Part("partial_approval", "部分承兑标志", 1, "CUP 2.5", PARTIAL_APPROVALS),
    Part("account_type", "账户类型", 3, "CUP 2.5", ACCOUNT_TYPES),
)
_ORIGINAL: Final = (
    Part("batch", "批次号", 6, "CUP 2.6"),
    Part("stan", "流水号", 6, "CUP 2.6"),
    Part("date", "日期", 4, "CUP 2.6"),
    Part("authorisation", "原授权方式", 2, "CUP 2.6", AUTHORISATIONS),
    Part("institution", "原授权机构", 11, "CUP 2.6"),
)

_ROWS: Final = (
    FieldSpec(F.PAN, "primary account number", "主账号", ll(DIGITS, 19), "CUP 2", Mask.PAN),
    FieldSpec(F.PROCESSING_CODE, "processing code", "交易处理码", Fixed(DIGITS, 6), "CUP 3.1"),
    FieldSpec(F.AMOUNT, "amount, fen", "交易金额", Fixed(DIGITS, 12), "CUP 2"),
    FieldSpec(F.STAN, "system trace audit number", "受卡方系统跟踪号", Fixed(DIGITS, 6), "CUP 7.8"),
    FieldSpec(F.LOCAL_TIME, "local time hhmmss", "受卡方所在地时间", Fixed(DIGITS, 6), "CUP 2"),
    FieldSpec(F.LOCAL_DATE, "local date MMDD", "受卡方所在地日期", Fixed(DIGITS, 4), "CUP 2"),
    FieldSpec(F.EXPIRY, "expiry YYMM", "卡有效期", Fixed(DIGITS, 4), "CUP 2", Mask.HIDDEN),
    FieldSpec(F.SETTLEMENT_DATE, "settlement date MMDD", "清算日期", Fixed(DIGITS, 4), "CUP 2"),
    FieldSpec(F.ENTRY_MODE, "entry mode", "服务点输入方式码", Fixed(DIGITS, 3), "CUP 2.1", parts=_ENTRY),
    FieldSpec(F.PAN_SEQUENCE, "PAN sequence number", "卡序列号", Fixed(DIGITS_RIGHT, 3), "CUP 2"),
    FieldSpec(F.CONDITION_CODE, "condition code", "服务点条件码", Fixed(DIGITS, 2), "CUP 2.2", parts=_CONDITION),
    FieldSpec(F.PIN_CAPTURE, "longest PIN", "服务点PIN获取码", Fixed(DIGITS, 2), "CUP 2"),
    FieldSpec(F.ACQUIRER, "acquirer id", "受理方标识码", ll(DIGITS, 11), "CUP 2"),
    FieldSpec(F.TRACK2, "track 2", "2磁道数据", ll(TRACK, 37), "CUP 2", Mask.HIDDEN),
    FieldSpec(F.TRACK3, "track 3", "3磁道数据", lll(TRACK, 104), "CUP 2", Mask.HIDDEN),
    FieldSpec(F.RRN, "retrieval reference number", "检索参考号", Fixed(ASCII, 12), "CUP 2"),
    FieldSpec(F.AUTH_ID, "authorisation id", "授权标识应答码", Fixed(ASCII, 6), "CUP 2"),
    FieldSpec(F.RESPONSE_CODE, "response code", "应答码", Fixed(ASCII, 2), "CUP 4"),
    FieldSpec(F.TERMINAL_ID, "terminal id", "受卡机终端标识码", Fixed(ASCII, 8), "CUP 2"),
    FieldSpec(F.MERCHANT_ID, "merchant id", "受卡方标识码", Fixed(ASCII, 15), "CUP 2"),
    FieldSpec(
        F.ADDITIONAL_RESPONSE,
        "issuer and acquirer of the reply",
        "附加响应数据",
        ll(CHINESE, 25),
        "CUP 2",
        parts=_INSTITUTIONS,
    ),
    FieldSpec(F.ISSUER_DATA, "private group of an acquirer", "终端信息", lll(OCTETS, 999), "CUP 2.9", Mask.HIDDEN),
    FieldSpec(F.TOTALS, "totals and batch items", "附加数据", lll(DIGITS, 322), "CUP 2.8", Mask.UPLOAD_ITEMS),
    FieldSpec(F.CURRENCY, "currency", "交易货币代码", Fixed(ASCII, 3), "CUP 2"),
    FieldSpec(F.PIN_BLOCK, "PIN block", "个人标识码数据", Fixed(OCTETS, 8), "CUP 5.3", Mask.HIDDEN),
    FieldSpec(F.SECURITY, "security control", "安全控制信息", Fixed(DIGITS, 16), "CUP 2.3", parts=_SECURITY),
    FieldSpec(F.ADDITIONAL_AMOUNT, "balance or tip", "附加金额", lll(ASCII, 20), "CUP 2.4"),
    FieldSpec(F.ICC, "chip data", "IC卡数据域", lll(OCTETS, 255), "CUP 2", Mask.HIDDEN),
    FieldSpec(F.PRIVATE57, "private 57", "自定义域57", lll(OCTETS, 999), "CUP 2.9", Mask.HIDDEN),
    FieldSpec(F.PRIVATE58, "private 58", "自定义域58", lll(OCTETS, 100), "CUP 2", Mask.HIDDEN),
    FieldSpec(F.DEVICE, "device information", "自定义域59", lll(OCTETS, 999), "CUP 2.9", Mask.HIDDEN),
    FieldSpec(F.CONTROL, "type, batch, network management", "自定义域60", lll(DIGITS, 17), "CUP 2.5", parts=_CONTROL),
    FieldSpec(F.ORIGINAL, "original transaction", "原始信息域", lll(DIGITS, 29), "CUP 2.6", parts=_ORIGINAL),
    FieldSpec(F.PAYLOAD, "payload of the kind", "自定义域62", lll(OCTETS, 999), "CUP 3.7", Mask.HIDDEN),
    FieldSpec(F.TEXT, "operator, organisation, text", "自定义域63", lll(CHINESE, 163), "CUP 2.7"),
    FieldSpec(F.MAC, "message authentication code", "报文鉴别码", Fixed(OCTETS, 8), "CUP 5.4"),
)

FIELDS: Final[Mapping[int, FieldSpec]] = MappingProxyType({row.number: row for row in _ROWS})
