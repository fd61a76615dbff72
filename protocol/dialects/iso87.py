"""ISO 8583:1987 with 128 fields and a second bitmap, in two codings of the same TABLE ELEMENTS.

``iso87-ascii`` writes digits, lengths and bitmap as ASCII and binary fields as hex; ``iso87-bcd`` packs digits to the
right and lengths into BCD, with a binary bitmap and raw bytes. Field 55 holds raw bytes in both. The kind follows from
the MTI, the first two digits of field 3 and the network management code in field 70.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from protocol.dialect import Dialect
from protocol.elements import (
    ASCII,
    ASCII_DIGITS,
    ASCII_LL,
    ASCII_LLL,
    ASCII_SIGNED,
    ASCII_TRACK,
    BCD_LL,
    BCD_LLL,
    DIGITS,
    DIGITS_RIGHT,
    HEX_OCTETS,
    OCTETS,
    SIGNED_DIGITS,
    TRACK,
    Bitmap,
    Coding,
    Element,
    Fixed,
    Prefix,
    Var,
)
from protocol.fields import F, FieldSpec, Mask
from protocol.header import NO_REQUIREMENT, REQUIREMENTS
from protocol.kinds import Kind, KindTable, Presence
from protocol.message import Message

NETWORK_CODE: Final = 70
ORIGINAL_DATA: Final = 90
_CLAUSE: Final = "ISO 8583:1987"


class Content(Enum):
    """What a field is made of, as the standard writes it."""

    N = "digits"
    TEXT = "text"
    TRACK = "track"
    BINARY = "bytes"
    RAW = "raw bytes"
    SIGNED = "a letter C or D, then digits"


class Length(Enum):
    """How long a field is: always so long, or up to so long behind two or three digits of length."""

    FIXED = 0
    LL = 2
    LLL = 3


@dataclass(frozen=True, slots=True)
class IsoElement:
    """A row of ELEMENTS, free of any coding."""

    number: int
    name: str
    chinese: str
    content: Content
    length: Length
    units: int
    mask: Mask = Mask.OPEN


_N, _T, _Z, _B, _RAW, _X = Content
_FIXED, _LL, _LLL = Length
_HIDDEN: Final = Mask.HIDDEN


def _private(number: int, name: str, chinese: str) -> IsoElement:
    return IsoElement(number, name, chinese, _T, _LLL, 999, _HIDDEN)


ELEMENTS: Final = (
    IsoElement(2, "primary account number", "主账号", _N, _LL, 19, Mask.PAN),
    IsoElement(3, "processing code", "交易处理码", _N, _FIXED, 6),
    IsoElement(4, "amount, transaction", "交易金额", _N, _FIXED, 12),
    IsoElement(5, "amount, settlement", "清算金额", _N, _FIXED, 12),
    IsoElement(6, "amount, cardholder billing", "持卡人扣账金额", _N, _FIXED, 12),
    IsoElement(7, "transmission date and time", "交易传输时间", _N, _FIXED, 10),
    IsoElement(8, "amount, cardholder billing fee", "持卡人扣账手续费", _N, _FIXED, 8),
    IsoElement(9, "conversion rate, settlement", "清算汇率", _N, _FIXED, 8),
    IsoElement(10, "conversion rate, cardholder billing", "持卡人扣账汇率", _N, _FIXED, 8),
    IsoElement(11, "system trace audit number", "系统跟踪号", _N, _FIXED, 6),
    IsoElement(12, "local time hhmmss", "所在地时间", _N, _FIXED, 6),
    IsoElement(13, "local date MMDD", "所在地日期", _N, _FIXED, 4),
    IsoElement(14, "expiry YYMM", "卡有效期", _N, _FIXED, 4, _HIDDEN),
    IsoElement(15, "settlement date MMDD", "清算日期", _N, _FIXED, 4),
    IsoElement(16, "conversion date MMDD", "兑换日期", _N, _FIXED, 4),
    IsoElement(17, "capture date MMDD", "受理日期", _N, _FIXED, 4),
    IsoElement(18, "merchant type", "商户类型", _N, _FIXED, 4),
    IsoElement(19, "acquirer country", "受理方国家代码", _N, _FIXED, 3),
    IsoElement(20, "PAN country", "主账号国家代码", _N, _FIXED, 3),
    IsoElement(21, "forwarding institution country", "发送机构国家代码", _N, _FIXED, 3),
    IsoElement(22, "point of service entry mode", "服务点输入方式码", _N, _FIXED, 3),
    IsoElement(23, "PAN sequence number", "卡序列号", _N, _FIXED, 3),
    IsoElement(24, "network international identifier", "网络国际标识", _N, _FIXED, 3),
    IsoElement(25, "condition code", "服务点条件码", _N, _FIXED, 2),
    IsoElement(26, "longest PIN", "服务点PIN获取码", _N, _FIXED, 2),
    IsoElement(27, "length of the authorisation id", "授权码长度", _N, _FIXED, 1),
    IsoElement(28, "amount, transaction fee", "交易手续费", _X, _FIXED, 9),
    IsoElement(29, "amount, settlement fee", "清算手续费", _X, _FIXED, 9),
    IsoElement(30, "amount, transaction processing fee", "交易处理费", _X, _FIXED, 9),
    IsoElement(31, "amount, settlement processing fee", "清算处理费", _X, _FIXED, 9),
    IsoElement(32, "acquirer id", "受理机构标识码", _N, _LL, 11),
    IsoElement(33, "forwarding institution id", "发送机构标识码", _N, _LL, 11),
    IsoElement(34, "extended primary account number", "扩展主账号", _T, _LL, 28, _HIDDEN),
    IsoElement(35, "track 2", "2磁道数据", _Z, _LL, 37, _HIDDEN),
    IsoElement(36, "track 3", "3磁道数据", _Z, _LLL, 104, _HIDDEN),
    IsoElement(37, "retrieval reference number", "检索参考号", _T, _FIXED, 12),
    IsoElement(38, "authorisation id", "授权标识应答码", _T, _FIXED, 6),
    IsoElement(39, "response code", "应答码", _T, _FIXED, 2),
    IsoElement(40, "service restriction code", "服务限制码", _T, _FIXED, 3),
    IsoElement(41, "terminal id", "终端标识码", _T, _FIXED, 8),
    IsoElement(42, "merchant id", "商户标识码", _T, _FIXED, 15),
    IsoElement(43, "card acceptor name and location", "商户名称地址", _T, _FIXED, 40),
    IsoElement(44, "additional response data", "附加响应数据", _T, _LL, 25),
    IsoElement(45, "track 1", "1磁道数据", _T, _LL, 76, _HIDDEN),
    _private(46, "additional data, ISO", "附加数据（ISO）"),
    _private(47, "additional data, national", "附加数据（国家）"),
    _private(48, "additional data, private", "附加数据（私有）"),
    IsoElement(49, "currency, transaction", "交易货币代码", _T, _FIXED, 3),
    IsoElement(50, "currency, settlement", "清算货币代码", _T, _FIXED, 3),
    IsoElement(51, "currency, cardholder billing", "持卡人账户货币代码", _T, _FIXED, 3),
    IsoElement(52, "PIN block", "个人标识码数据", _B, _FIXED, 8, _HIDDEN),
    IsoElement(53, "security control", "安全控制信息", _N, _FIXED, 16),
    IsoElement(54, "additional amounts", "附加金额", _T, _LLL, 120),
    IsoElement(55, "chip data", "IC卡数据域", _RAW, _LLL, 999, _HIDDEN),
    _private(56, "reserved, ISO", "保留域56"),
    *(_private(number, f"reserved, national {number}", f"保留域{number}") for number in range(57, 60)),
    *(_private(number, f"reserved, private {number}", f"自定义域{number}") for number in range(60, 64)),
    IsoElement(64, "message authentication code", "报文鉴别码", _B, _FIXED, 8),
    IsoElement(66, "settlement code", "清算码", _N, _FIXED, 1),
    IsoElement(67, "extended payment code", "扩展支付码", _N, _FIXED, 2),
    IsoElement(68, "receiving institution country", "接收机构国家代码", _N, _FIXED, 3),
    IsoElement(69, "settlement institution country", "清算机构国家代码", _N, _FIXED, 3),
    IsoElement(NETWORK_CODE, "network management code", "网络管理信息码", _N, _FIXED, 3),
    IsoElement(71, "message number", "报文序号", _N, _FIXED, 4),
    IsoElement(72, "last message number", "最后报文序号", _N, _FIXED, 4),
    IsoElement(73, "action date YYMMDD", "动作日期", _N, _FIXED, 6),
    IsoElement(74, "credits, number", "贷记笔数", _N, _FIXED, 10),
    IsoElement(75, "credits reversed, number", "贷记冲正笔数", _N, _FIXED, 10),
    IsoElement(76, "debits, number", "借记笔数", _N, _FIXED, 10),
    IsoElement(77, "debits reversed, number", "借记冲正笔数", _N, _FIXED, 10),
    IsoElement(78, "transfers, number", "转账笔数", _N, _FIXED, 10),
    IsoElement(79, "transfers reversed, number", "转账冲正笔数", _N, _FIXED, 10),
    IsoElement(80, "inquiries, number", "查询笔数", _N, _FIXED, 10),
    IsoElement(81, "authorisations, number", "授权笔数", _N, _FIXED, 10),
    IsoElement(82, "credits, processing fee", "贷记处理费", _N, _FIXED, 12),
    IsoElement(83, "credits, transaction fee", "贷记手续费", _N, _FIXED, 12),
    IsoElement(84, "debits, processing fee", "借记处理费", _N, _FIXED, 12),
    IsoElement(85, "debits, transaction fee", "借记手续费", _N, _FIXED, 12),
    IsoElement(86, "credits, amount", "贷记金额", _N, _FIXED, 16),
    IsoElement(87, "credits reversed, amount", "贷记冲正金额", _N, _FIXED, 16),
    IsoElement(88, "debits, amount", "借记金额", _N, _FIXED, 16),
    IsoElement(89, "debits reversed, amount", "借记冲正金额", _N, _FIXED, 16),
    IsoElement(ORIGINAL_DATA, "original data elements", "原始数据元", _N, _FIXED, 42),
    IsoElement(91, "file update code", "文件修改码", _T, _FIXED, 1),
    IsoElement(92, "file security code", "文件安全码", _T, _FIXED, 2),
    IsoElement(93, "response indicator", "应答标识", _T, _FIXED, 5),
    IsoElement(94, "service indicator", "服务标识", _T, _FIXED, 7),
    IsoElement(95, "replacement amounts", "代替金额", _T, _FIXED, 42),
    IsoElement(96, "message security code", "报文安全码", _B, _FIXED, 8, _HIDDEN),
    IsoElement(97, "net settlement amount", "净清算额", _X, _FIXED, 17),
    IsoElement(98, "payee", "收款人", _T, _FIXED, 25),
    IsoElement(99, "settlement institution id", "清算机构标识码", _N, _LL, 11),
    IsoElement(100, "receiving institution id", "接收机构标识码", _N, _LL, 11),
    IsoElement(101, "file name", "文件名", _T, _LL, 17),
    IsoElement(102, "account 1", "账户标识1", _T, _LL, 28, _HIDDEN),
    IsoElement(103, "account 2", "账户标识2", _T, _LL, 28, _HIDDEN),
    IsoElement(104, "transaction description", "交易描述", _T, _LLL, 100, _HIDDEN),
    *(_private(number, f"reserved, ISO {number}", f"保留域{number}") for number in range(105, 112)),
    *(_private(number, f"reserved, national {number}", f"保留域{number}") for number in range(112, 120)),
    *(_private(number, f"reserved, private {number}", f"自定义域{number}") for number in range(120, 128)),
    IsoElement(128, "second message authentication code", "报文鉴别码2", _B, _FIXED, 8),
)

Codings = Mapping[Content, Coding]
Prefixes = Mapping[Length, Prefix]

_ASCII_CODINGS: Final[Codings] = {
    _N: ASCII_DIGITS, _T: ASCII, _Z: ASCII_TRACK, _B: HEX_OCTETS, _RAW: OCTETS, _X: ASCII_SIGNED,
}  # fmt: skip
_BCD_CODINGS: Final[Codings] = {
    _N: DIGITS_RIGHT, _T: ASCII, _Z: TRACK, _B: OCTETS, _RAW: OCTETS, _X: SIGNED_DIGITS,
}  # fmt: skip


def _fields(codings: Codings, prefixes: Prefixes) -> Mapping[int, FieldSpec]:
    def element(row: IsoElement) -> Element:
        coding = codings[row.content]
        return Fixed(coding, row.units) if row.length is _FIXED else Var(prefixes[row.length], coding, row.units)

    return MappingProxyType(
        {row.number: FieldSpec(row.number, row.name, row.chinese, element(row), _CLAUSE, row.mask) for row in ELEMENTS}
    )


_CLASSES: Final = "1234568"
_FUNCTIONS: Final = "01234"
_ORIGINS: Final = "012345"
ISO_MTIS: Final = frozenset(
    f"0{group}{function}{origin}" for group in _CLASSES for function in _FUNCTIONS for origin in _ORIGINS
)
"""Version 0, the classes of 1987, request to notification, any origin with or without its repeat."""

_MONEY: Final = Presence(
    (F.PROCESSING_CODE, F.AMOUNT, F.STAN), tuple(row.number for row in ELEMENTS if row.number not in (3, 4, 11))
)
_INQUIRY: Final = Presence(
    (F.PROCESSING_CODE, F.STAN), tuple(row.number for row in ELEMENTS if row.number not in (3, 11))
)
_NETWORK: Final = Presence(
    (F.STAN, NETWORK_CODE), tuple(row.number for row in ELEMENTS if row.number not in (11, NETWORK_CODE))
)
_ANY: Final = Presence((F.STAN,), tuple(row.number for row in ELEMENTS if row.number != F.STAN))


def _kind(
    name: str, chinese: str, english: str, mti: str, presence: Presence, type_code: str = "", network: str = ""
) -> Kind:
    """A row; ``type_code`` is how field 3 begins. The code itself may go on with the accounts."""
    return Kind(
        name, chinese, english, mti, type_code, (network,), presence,
        Presence(tuple(number for number in presence.must if number != F.AMOUNT), (F.AMOUNT, *presence.may)),
        clause=_CLAUSE,
    )  # fmt: skip


_TYPES: Final = (
    ("00", "sale", "消费", "purchase", _MONEY),
    ("01", "cash", "取现", "cash withdrawal", _MONEY),
    ("20", "refund", "退货", "refund", _MONEY),
    ("31", "balance", "余额查询", "balance inquiry", _INQUIRY),
)
_USES: Final = (
    ("0100", "{}_authorisation", "{}授权", "{}, authorisation"),
    ("0120", "{}_authorisation_advice", "{}授权通知", "{}, authorisation advice"),
    ("0200", "{}", "{}", "{}"),
    ("0220", "{}_advice", "{}通知", "{}, advice"),
    ("0400", "{}_reversal", "{}冲正", "{}, reversal"),
    ("0420", "{}_reversal_advice", "{}冲正通知", "{}, reversal advice"),
)
_ROWS: Final = (
    *(
        _kind(name.format(what), chinese.format(said), english.format(meant), mti, presence, type_code)
        for mti, name, chinese, english in _USES
        for type_code, what, said, meant, presence in _TYPES
    ),
    _kind("reconciliation", "对账", "reconciliation", "0500", _ANY),
    _kind("reconciliation_advice", "对账通知", "reconciliation advice", "0520", _ANY),
    _kind("sign_in", "签到", "sign-on", "0800", _NETWORK, network="001"),
    _kind("sign_off", "签退", "sign-off", "0800", _NETWORK, network="002"),
    _kind("key_change", "换密钥", "key change", "0800", _NETWORK, network="101"),
    _kind("cut_over", "日切", "cut-over", "0800", _NETWORK, network="201"),
    _kind("echo", "回响测试", "echo", "0800", _NETWORK, network="301"),
)


def _codes(message: Message) -> tuple[str, str]:
    """How field 3 begins, and field 70."""
    return message.text(F.PROCESSING_CODE)[:2], message.text(NETWORK_CODE)


_KINDS: Final = KindTable(_ROWS, _codes)
_REQUIREMENTS: Final = MappingProxyType({NO_REQUIREMENT: REQUIREMENTS[NO_REQUIREMENT]})

ISO87_ASCII: Final = Dialect(
    "iso87-ascii", _fields(_ASCII_CODINGS, {_LL: ASCII_LL, _LLL: ASCII_LLL}), ISO_MTIS, Fixed(ASCII_DIGITS, 4),
    Bitmap.HEX, _KINDS, _REQUIREMENTS,
)  # fmt: skip
ISO87_BCD: Final = Dialect(
    "iso87-bcd", _fields(_BCD_CODINGS, {_LL: BCD_LL, _LLL: BCD_LLL}), ISO_MTIS, Fixed(DIGITS, 4),
    kinds=_KINDS, requirements=_REQUIREMENTS,
)  # fmt: skip
