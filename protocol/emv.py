"""The data objects of chip cards: their names, what of them a person may see, and what a cryptogram is over.

Rules owned here: TABLE EMV_TAGS (EMV Book 3 A, PBOC 3.0, and the DF tags of the CUP downloads, CUP 3.7); a tag that is
not in it is hidden, and so is a value longer than its object can be; the check value of a CA public key; which objects,
in which order, an ARQC is made over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from cryptography.hazmat.primitives.constant_time import bytes_eq

from protocol.errors import DecodeError, EncodeError
from protocol.fields import Mask
from protocol.masking import cover
from protocol.tlv import Node, decode, decode_dol, value_of

Format = Literal["b", "n", "cn", "an", "ans", "tlv"]
"""How a value reads: raw bytes, packed digits filled with 0 or with F, text, or objects (EMV Book 3, 4.3)."""

RID_BYTES: Final = 5
_CAPK_TAGS: Final = (0x9F06, 0x9F22, 0xDF02, 0xDF04, 0xDF03)
_IAD: Final = 0x9F10
_CVR_LENGTH_AT: Final = 3


@dataclass(frozen=True, slots=True)
class EmvTag:
    """One row of EMV_TAGS: what an object is, how long, how its value reads and what of it a person may see."""

    tag: int
    most_bytes: int
    zh: str
    en: str
    format: Format = "b"
    mask: Mask = Mask.OPEN

    def shown(self, octets: bytes, *, unmask: bool = False) -> str:
        """The value for a person: digits or text where it is such, else upper-case hex; masked unless ``unmask``.

        More bytes than the object can have are something else under its tag, and hidden.
        """
        is_hidden = self.mask is Mask.HIDDEN or self.format == "tlv" or len(octets) > self.most_bytes
        if is_hidden and not unmask:
            return f"<{len(octets)} bytes hidden>"
        if self.format == "cn":
            digits = octets.hex().upper().rstrip("F")
            return digits if unmask else cover(digits, self.mask)
        if self.format in ("an", "ans") and octets.isascii() and octets.decode("ascii").isprintable():
            return octets.decode("ascii")
        return octets.hex().upper()


@dataclass(frozen=True, slots=True)
class Described:
    """One object for a person; ``depth`` is 0 at the top, ``shown`` is "" for an object that holds others."""

    tag: str
    name: str
    length: int
    depth: int
    shown: str


_HIDDEN, _MASKED = Mask.HIDDEN, Mask.PAN
_LONG: Final = 252
"""What a record or a template leaves to an object of any length (EMV Book 3, A1)."""

_ROWS = (
    EmvTag(0x42, 3, "发卡行标识号", "issuer identification number", "n"),
    EmvTag(0x4F, 16, "应用标识符", "application identifier"),
    EmvTag(0x50, 16, "应用标签", "application label", "ans"),
    EmvTag(0x56, 76, "磁道1等效数据", "track 1 equivalent data", "ans", _HIDDEN),
    EmvTag(0x57, 19, "磁道2等效数据", "track 2 equivalent data", "b", _HIDDEN),
    EmvTag(0x5A, 10, "应用主账号", "primary account number", "cn", _MASKED),
    EmvTag(0x5F20, 26, "持卡人姓名", "cardholder name", "ans", _HIDDEN),
    EmvTag(0x5F24, 3, "应用失效日期", "expiry date", "n"),
    EmvTag(0x5F25, 3, "应用生效日期", "effective date", "n"),
    EmvTag(0x5F28, 2, "发卡行国家代码", "issuer country code", "n"),
    EmvTag(0x5F2A, 2, "交易货币代码", "transaction currency code", "n"),
    EmvTag(0x5F2D, 8, "首选语言", "language preference", "an"),
    EmvTag(0x5F30, 2, "服务码", "service code", "n"),
    EmvTag(0x5F34, 1, "应用主账号序列号", "PAN sequence number", "n"),
    EmvTag(0x61, _LONG, "应用模板", "application template", "tlv"),
    EmvTag(0x6F, _LONG, "文件控制信息模板", "file control information template", "tlv"),
    EmvTag(0x70, _LONG, "响应报文模板", "record template", "tlv"),
    EmvTag(0x71, _LONG, "发卡行脚本模板1", "issuer script template 1", "tlv"),
    EmvTag(0x72, _LONG, "发卡行脚本模板2", "issuer script template 2", "tlv"),
    EmvTag(0x77, _LONG, "响应报文模板格式2", "response template format 2", "tlv"),
    EmvTag(0x80, _LONG, "响应报文模板格式1", "response template format 1", "b", _HIDDEN),
    EmvTag(0x81, 4, "授权金额(二进制)", "amount authorised, binary"),
    EmvTag(0x82, 2, "应用交互特征", "application interchange profile"),
    EmvTag(0x83, _LONG, "命令模板", "command template", "b", _HIDDEN),
    EmvTag(0x84, 16, "专用文件名称", "dedicated file name"),
    EmvTag(0x86, _LONG, "发卡行脚本命令", "issuer script command", "b", _HIDDEN),
    EmvTag(0x87, 1, "应用优先指示符", "application priority indicator"),
    EmvTag(0x88, 1, "短文件标识符", "short file identifier"),
    EmvTag(0x89, 6, "授权码", "authorisation code", "an"),
    EmvTag(0x8A, 2, "授权响应代码", "authorisation response code", "an"),
    EmvTag(0x8C, _LONG, "卡片风险管理数据对象列表1", "card risk management DOL 1"),
    EmvTag(0x8D, _LONG, "卡片风险管理数据对象列表2", "card risk management DOL 2"),
    EmvTag(0x8E, _LONG, "持卡人验证方法列表", "cardholder verification method list"),
    EmvTag(0x8F, 1, "认证中心公钥索引", "CA public key index"),
    EmvTag(0x90, 248, "发卡行公钥证书", "issuer public key certificate"),
    EmvTag(0x91, 16, "发卡行认证数据", "issuer authentication data"),
    EmvTag(0x92, 248, "发卡行公钥余项", "issuer public key remainder"),
    EmvTag(0x93, 248, "签名的静态应用数据", "signed static application data"),
    EmvTag(0x94, _LONG, "应用文件定位器", "application file locator"),
    EmvTag(0x95, 5, "终端验证结果", "terminal verification results"),
    EmvTag(0x97, _LONG, "交易证书数据对象列表", "transaction certificate DOL"),
    EmvTag(0x98, 20, "交易证书哈希值", "transaction certificate hash"),
    EmvTag(0x99, 12, "交易PIN数据", "transaction PIN data", "b", _HIDDEN),
    EmvTag(0x9A, 3, "交易日期", "transaction date", "n"),
    EmvTag(0x9B, 2, "交易状态信息", "transaction status information"),
    EmvTag(0x9C, 1, "交易类型", "transaction type", "n"),
    EmvTag(0x9D, 16, "目录定义文件名称", "directory definition file name"),
    EmvTag(0x9F01, 6, "收单行标识", "acquirer identifier", "n"),
    EmvTag(0x9F02, 6, "授权金额", "amount authorised", "n"),
    EmvTag(0x9F03, 6, "其他金额", "amount other", "n"),
    EmvTag(0x9F06, 16, "应用标识符(终端)", "application identifier of the terminal"),
    EmvTag(0x9F07, 2, "应用用途控制", "application usage control"),
    EmvTag(0x9F08, 2, "应用版本号(卡片)", "application version of the card"),
    EmvTag(0x9F09, 2, "应用版本号(终端)", "application version of the terminal"),
    EmvTag(0x9F0D, 5, "发卡行行为代码-缺省", "issuer action code, default"),
    EmvTag(0x9F0E, 5, "发卡行行为代码-拒绝", "issuer action code, denial"),
    EmvTag(0x9F0F, 5, "发卡行行为代码-联机", "issuer action code, online"),
    EmvTag(0x9F10, 32, "发卡行应用数据", "issuer application data"),
    EmvTag(0x9F11, 1, "发卡行代码表索引", "issuer code table index", "n"),
    EmvTag(0x9F12, 16, "应用首选名称", "application preferred name", "ans"),
    EmvTag(0x9F13, 2, "上次联机交易计数器", "last online ATC"),
    EmvTag(0x9F14, 1, "连续脱机交易下限", "lower consecutive offline limit"),
    EmvTag(0x9F15, 2, "商户类别码", "merchant category code", "n"),
    EmvTag(0x9F16, 15, "商户标识", "merchant identifier", "ans"),
    EmvTag(0x9F17, 1, "PIN尝试计数器", "PIN try counter"),
    EmvTag(0x9F18, 4, "发卡行脚本标识", "issuer script identifier"),
    EmvTag(0x9F1A, 2, "终端国家代码", "terminal country code", "n"),
    EmvTag(0x9F1B, 4, "终端最低限额", "terminal floor limit"),
    EmvTag(0x9F1C, 8, "终端标识", "terminal identification", "an"),
    EmvTag(0x9F1E, 8, "接口设备序列号", "interface device serial number", "an"),
    EmvTag(0x9F1F, _LONG, "磁道1自定义数据", "track 1 discretionary data", "ans", _HIDDEN),
    EmvTag(0x9F20, _LONG, "磁道2自定义数据", "track 2 discretionary data", "cn", _HIDDEN),
    EmvTag(0x9F21, 3, "交易时间", "transaction time", "n"),
    EmvTag(0x9F22, 1, "认证中心公钥索引(终端)", "CA public key index of the terminal"),
    EmvTag(0x9F23, 1, "连续脱机交易上限", "upper consecutive offline limit"),
    EmvTag(0x9F26, 8, "应用密文", "application cryptogram"),
    EmvTag(0x9F27, 1, "密文信息数据", "cryptogram information data"),
    EmvTag(0x9F2D, 248, "IC卡PIN加密公钥证书", "ICC PIN encipherment key certificate"),
    EmvTag(0x9F32, 3, "发卡行公钥指数", "issuer public key exponent"),
    EmvTag(0x9F33, 3, "终端性能", "terminal capabilities"),
    EmvTag(0x9F34, 3, "持卡人验证结果", "cardholder verification results"),
    EmvTag(0x9F35, 1, "终端类型", "terminal type", "n"),
    EmvTag(0x9F36, 2, "应用交易计数器", "application transaction counter"),
    EmvTag(0x9F37, 4, "不可预知数", "unpredictable number"),
    EmvTag(0x9F38, _LONG, "处理选项数据对象列表", "processing options DOL"),
    EmvTag(0x9F39, 1, "POS输入方式", "POS entry mode", "n"),
    EmvTag(0x9F40, 5, "附加终端性能", "additional terminal capabilities"),
    EmvTag(0x9F41, 4, "交易序列计数器", "transaction sequence counter", "n"),
    EmvTag(0x9F42, 2, "应用货币代码", "application currency code", "n"),
    EmvTag(0x9F44, 1, "应用货币指数", "application currency exponent", "n"),
    EmvTag(0x9F45, 2, "数据认证码", "data authentication code"),
    EmvTag(0x9F46, 248, "IC卡公钥证书", "ICC public key certificate"),
    EmvTag(0x9F47, 3, "IC卡公钥指数", "ICC public key exponent"),
    EmvTag(0x9F48, 248, "IC卡公钥余项", "ICC public key remainder"),
    EmvTag(0x9F49, _LONG, "动态数据认证数据对象列表", "dynamic data authentication DOL"),
    EmvTag(0x9F4A, _LONG, "静态数据认证标签列表", "static data authentication tag list"),
    EmvTag(0x9F4B, 248, "签名的动态应用数据", "signed dynamic application data"),
    EmvTag(0x9F4C, 8, "IC卡动态数", "ICC dynamic number"),
    EmvTag(0x9F4D, 2, "交易日志入口", "log entry"),
    EmvTag(0x9F4E, _LONG, "商户名称", "merchant name", "ans"),
    EmvTag(0x9F4F, _LONG, "交易日志格式", "log format"),
    EmvTag(0x9F5A, 16, "应用程序标识", "application program identifier"),
    EmvTag(0x9F5B, _LONG, "发卡行脚本结果", "issuer script results"),
    EmvTag(0x9F5D, 6, "可用脱机消费金额", "available offline spending amount", "n"),
    EmvTag(0x9F61, 40, "持卡人证件号", "cardholder document number", "ans", _HIDDEN),
    EmvTag(0x9F62, 1, "持卡人证件类型", "cardholder document type", "n"),
    EmvTag(0x9F63, 16, "卡产品标识信息", "card product identification"),
    EmvTag(0x9F66, 4, "终端交易属性", "terminal transaction qualifiers"),
    EmvTag(0x9F69, 16, "卡片认证相关数据", "card authentication related data"),
    EmvTag(0x9F6B, 19, "磁道2数据", "track 2 data", "cn", _HIDDEN),
    EmvTag(0x9F6C, 2, "卡片交易属性", "card transaction qualifiers"),
    EmvTag(0x9F6D, 6, "电子现金重置阈值", "electronic cash reset threshold", "n"),
    EmvTag(0x9F74, 6, "电子现金发卡行授权码", "electronic cash issuer authorisation code", "an"),
    EmvTag(0x9F77, 6, "电子现金余额上限", "electronic cash balance limit", "n"),
    EmvTag(0x9F78, 6, "电子现金单笔交易限额", "electronic cash single transaction limit", "n"),
    EmvTag(0x9F79, 6, "电子现金余额", "electronic cash balance", "n"),
    EmvTag(0x9F7A, 1, "电子现金终端支持指示器", "electronic cash terminal support indicator", "n"),
    EmvTag(0x9F7B, 6, "电子现金终端交易限额", "electronic cash terminal transaction limit", "n"),
    EmvTag(0xA5, _LONG, "文件控制信息专用模板", "file control information proprietary template", "tlv"),
    EmvTag(0xBF0C, _LONG, "发卡行自定义数据", "issuer discretionary data", "tlv"),
    EmvTag(0xDF01, 1, "应用选择指示符", "application selection indicator"),
    EmvTag(0xDF02, 248, "公钥模", "public key modulus"),
    EmvTag(0xDF03, 20, "公钥校验值", "public key check value"),
    EmvTag(0xDF04, 3, "公钥指数", "public key exponent"),
    EmvTag(0xDF05, 8, "公钥有效期", "public key expiry date", "ans"),
    EmvTag(0xDF06, 1, "哈希算法标识", "hash algorithm"),
    EmvTag(0xDF07, 1, "公钥算法标识", "public key algorithm"),
    EmvTag(0xDF11, 5, "终端行为代码-缺省", "terminal action code, default"),
    EmvTag(0xDF12, 5, "终端行为代码-联机", "terminal action code, online"),
    EmvTag(0xDF13, 5, "终端行为代码-拒绝", "terminal action code, denial"),
    EmvTag(0xDF14, _LONG, "缺省动态数据认证数据对象列表", "default dynamic data authentication DOL"),
    EmvTag(0xDF15, 4, "偏置随机选择阈值", "threshold for biased random selection"),
    EmvTag(0xDF16, 1, "偏置随机选择最大目标百分比", "maximum target percentage", "n"),
    EmvTag(0xDF17, 1, "随机选择目标百分比", "target percentage", "n"),
    EmvTag(0xDF18, 1, "终端联机PIN支持能力", "online PIN capability"),
    EmvTag(0xDF19, 6, "非接触脱机最低限额", "contactless offline floor limit", "n"),
    EmvTag(0xDF20, 6, "非接触交易限额", "contactless transaction limit", "n"),
    EmvTag(0xDF21, 6, "非接触持卡人验证限额", "contactless CVM limit", "n"),
    EmvTag(0xDF23, _LONG, "加密的主密钥", "encrypted master key", "b", _HIDDEN),
    EmvTag(0xDF24, 16, "主密钥校验值", "master key check value"),
    EmvTag(0xDF31, _LONG, "发卡行脚本执行结果", "issuer script results"),
)

EMV_TAGS: Final[Mapping[int, EmvTag]] = MappingProxyType({row.tag: row for row in _ROWS})
"""Tag number to row."""

CRYPTOGRAM_TAGS: Final = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36)
"""What an ARQC is over, in this order, before the card verification results (EMV Book 2, 8.1.1)."""


def row_of(tag: int) -> EmvTag:
    """The row of ``tag``; one that nobody knows may hold anything and is hidden."""
    return EMV_TAGS.get(tag) or EmvTag(tag, _LONG, "未知标签", "unknown tag", "b", _HIDDEN)


def decode_chip_data(data: bytes) -> tuple[Node, ...]:
    """Return the objects of field 55; raises DecodeError as ``tlv.decode``, and tells a list without values."""
    try:
        return decode(data)
    except DecodeError as error:
        if _is_dol(data):
            error.hint = "these bytes are a list of tags and lengths (a DOL), which has no values"
        raise


def describe(nodes: Iterable[Node], *, unmask: bool = False, lang: str = "en", depth: int = 0) -> Iterable[Described]:
    """The objects for a person, each before the ones in it; ``lang`` is "zh" or "en"."""
    for node in nodes:
        row = row_of(node.tag)
        name = row.zh if lang == "zh" else row.en
        shown = "" if node.children else row.shown(node.octets, unmask=unmask)
        yield Described(f"{node.tag:02X}", name, len(node.octets), depth, shown)
        yield from describe(node.children, unmask=unmask, lang=lang, depth=depth + 1)


def capk_check_value(rid: bytes, index: int, modulus: bytes, exponent: bytes) -> bytes:
    """Return the SHA-1 over RID (5 bytes), index, modulus and exponent that DF03 states of a CA public key (CUP 3.7).

    Raises EncodeError on another RID or index.
    """
    if len(rid) != RID_BYTES or index not in range(256):
        raise EncodeError("a RID has 5 bytes, an index one")
    # SHA-1 is what the standard asks for; it finds damage, it proves nothing
    return hashlib.sha1(rid + bytes((index,)) + modulus + exponent, usedforsecurity=False).digest()


def verify_capk(nodes: Iterable[Node]) -> bool:
    """Whether DF03 of a downloaded CA public key is right; raises DecodeError when an object of it is missing.

    A RID or an index of another length makes it wrong.
    """
    key = tuple(nodes)
    rid, index, modulus, exponent, stated = (value_of(key, tag) for tag in _CAPK_TAGS)
    if (len(rid), len(index)) != (RID_BYTES, 1):
        return False
    return bytes_eq(capk_check_value(rid, index[0], modulus, exponent), stated)


def cryptogram_data(nodes: Iterable[Node]) -> bytes:
    """Return what the ARQC of field 55 is over: CRYPTOGRAM_TAGS, then the card verification results out of 9F10.

    Raises DecodeError when an object is missing, or 9F10 ends before its results do (EMV Book 2, 8.1.1; PBOC 3.0).
    """
    chip = tuple(nodes)
    iad = value_of(chip, _IAD)
    length = iad[_CVR_LENGTH_AT] if len(iad) > _CVR_LENGTH_AT else 0
    results = iad[_CVR_LENGTH_AT : _CVR_LENGTH_AT + 1 + length]
    if not length or len(results) != 1 + length:
        raise DecodeError("tag 9F10 holds no card verification results", code="emv")
    return b"".join(value_of(chip, tag) for tag in CRYPTOGRAM_TAGS) + results


def _is_dol(data: bytes) -> bool:
    """Known tags with lengths up to the end; broken objects do not look like that by chance."""
    try:
        entries = decode_dol(data)
    except DecodeError:
        return False
    return len(entries) > 1 and all(tag in EMV_TAGS for tag, _ in entries)
