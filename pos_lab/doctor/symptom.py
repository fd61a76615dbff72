"""TABLE SYMPTOMS: everything that can be wrong with bytes, in words, with the setting that cures it.

Rules owned here: the name of each symptom, which is its ``code`` in JSON and never changes; how grave it is; and how
much less likely a reading gets by assuming it (``cost``, between 0 and 1).
"""

# ruff: noqa: E501  (a table reads best with one row a line)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal

Language = Literal["zh", "en"]


class Gravity(Enum):
    """Whether a finding contradicts what the peer is due to send."""

    NOTE = "note"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Symptom:
    """A row of SYMPTOMS. Texts are (Chinese, English) and may name ``{n}``, ``{field}``, ``{name}``, ``{at}``."""

    code: str
    cost: float
    text: tuple[str, str]
    cure: tuple[str, str] = ("", "")
    gravity: Gravity = Gravity.FAULT


@dataclass(frozen=True, slots=True)
class Finding:
    """A symptom at a byte of the input; ``field`` is 0 where it is of no field. No part of it is card data."""

    code: str
    at: int = 0
    field: int = 0
    n: int = 0
    name: str = ""

    @property
    def symptom(self) -> Symptom:
        return SYMPTOMS[self.code]

    def text(self, lang: Language) -> str:
        """What is wrong, in words."""
        return self._say(self.symptom.text, lang)

    def cure(self, lang: Language) -> str:
        """What to set or change, empty where nothing is to be done."""
        return self._say(self.symptom.cure, lang)

    def _say(self, words: tuple[str, str], lang: Language) -> str:
        number = f"域{self.field}" if lang == "zh" else f"field {self.field}"
        everything = ("所有域", "every field")[lang == "en"]
        where = number if self.field else everything
        return words[lang == "en"].format(n=self.n, field=where, name=self.name, at=self.at)


_NONE: Final = ("", "")

_FRAME_ROWS: Final = (
    Symptom(
        "missing_length",
        0.0,
        ("报文前没有长度", "no length stands before the message"),
        ("decode --frame none；线路上对方须加2字节长度", "decode --frame none; on a line, the peer has to put two bytes of length before it"),
        Gravity.NOTE,
    ),
    Symptom(
        "length_byte_order",
        0.05,
        ("长度的字节序相反（低字节在前）", "the length has its bytes in the wrong order: low byte first"),
        ("让对方改为大端（高字节在前），即 ?framing=len2", "make the peer send the high byte first, as ?framing=len2 has it"),
    ),
    Symptom(
        "length_includes_itself",
        0.05,
        ("长度把自身的{n}字节也算进去了", "the length counts its own {n} bytes too"),
        ("对方的长度应减{n}", "make the peer state {n} less"),
    ),
    Symptom(
        "length_wrong",
        0.12,
        ("第{at}字节的长度错了{n}字节", "the length at byte {at} is wrong by {n:+d} bytes"),
        ("检查对方的长度算的是哪一段", "look at which part the peer counts"),
    ),
    Symptom(
        "length_ascii4",
        0.01,
        ("长度是4个ASCII数字", "the length is four ASCII digits"),
        ("{name}", "{name}"),
    ),
    Symptom(
        "length_bcd2",
        0.02,
        ("长度是2字节BCD", "the length is two bytes of BCD"),
        ("{name}", "{name}"),
    ),
    Symptom(
        "length_four_bytes",
        0.03,
        ("长度是4字节二进制", "the length is four binary bytes"),
        ("对方改用2字节长度，即 ?framing=len2", "make the peer use two bytes, as ?framing=len2 has it"),
    ),
    Symptom(
        "length_twice",
        0.05,
        ("长度出现了两次", "the length stands there twice"),
        ("去掉多余的一个：网关和应用都加了长度", "drop one of them: gateway and application both put it there"),
    ),
    Symptom(
        "stx_binary_length",
        0.05,
        ("STX后的长度是二进制而非BCD", "the length after STX is binary, not BCD"),
        ("对方须用BCD，即 ?framing=stx", "make the peer write it in BCD, as ?framing=stx has it"),
    ),
    Symptom("lrc_wrong", 0.06, ("LRC错误", "the LRC is wrong"), ("LRC是长度到ETX的异或，不含STX", "it is the XOR from the length to ETX, without STX")),
    Symptom("etx_missing", 0.08, ("报文后没有ETX", "no ETX follows the message"), ("串口帧以ETX和LRC结束", "a serial frame ends with ETX and LRC")),
    Symptom(
        "truncated",
        0.15,
        ("报文被截断（{name}字节）：至少还缺{n}字节", "the message is truncated ({name} bytes): at least {n} are missing"),
        ("再等待后续字节：接收方须按长度凑齐一帧", "wait for the rest: a receiver has to collect a frame by its length"),
    ),
    Symptom(
        "merged",
        0.10,
        ("多条报文并在一起，第{at}字节起是下一条", "messages are merged: the next begins at byte {at}"),
        ("按长度切分，每帧只放一条", "cut them by their lengths, and put one in a frame"),
    ),
    Symptom(
        "leading_bytes",
        0.12,
        ("帧前有{n}个无关字节", "{n} foreign bytes stand before the frame"),
        ("从第{at}字节开始取（前面可能是IP/TCP头或控制字符）", "take it from byte {at} on: IP and TCP headers or control bytes stand before it"),
    ),
    Symptom(
        "trailing_bytes",
        0.12,
        ("第{at}字节起多出{n}字节", "{n} bytes too many from byte {at} on"),
        ("去掉填充，或检查长度", "drop the padding, or look at the length"),
    ),
    Symptom("foreign", 1.0, ("不是8583：{name}", "not ISO 8583: {name}"), ("检查端口", "look at the port")),
    Symptom("odd_hex", 0.0, ("十六进制字符数是奇数", "an odd number of hex digits"), ("少抄了一个字符", "one digit was lost in copying")),
    Symptom("hex_twice", 0.0, ("报文本身是十六进制文本", "the message itself is hex text"), ("发送前转成二进制", "turn it into bytes before it is sent")),
    Symptom("not_hex", 0.0, ("没有十六进制数据", "there is no hex in it"), ("粘贴十六进制转储", "paste a hex dump")),
    Symptom("not_understood", 1.0, ("没有一种读法成立", "no reading fits"), ("取完整的一帧，从长度开始", "take a whole frame, from its length on")),
)  # fmt: skip
_ENVELOPE_ROWS: Final = (
    Symptom("no_envelope", 0.0, ("没有TPDU和报文头", "neither TPDU nor header"), ("decode --header none", "decode --header none"), Gravity.NOTE),
    Symptom("tpdu_and_header_missing", 0.06, ("帧内缺TPDU和报文头", "TPDU and header are missing in the frame"), ("decode --header none；对方须加11字节", "decode --header none; the peer has to send 11 bytes more")),
    Symptom("tpdu_missing", 0.06, ("缺TPDU", "the TPDU is missing"), ("对方须在报文头前加5字节TPDU（60 0003 0000）", "make the peer put 5 bytes of TPDU (60 0003 0000) before the header")),
    Symptom("header_missing", 0.06, ("缺6字节报文头", "the header of 6 bytes is missing"), ("对方须在TPDU后加报文头（603200000000）", "make the peer put a header (603200000000) after the TPDU")),
    Symptom("tpdu_twice", 0.06, ("TPDU出现了两次", "the TPDU stands there twice"), ("去掉一个：NAC和终端都加了", "drop one: NAC and terminal both put it there")),
    Symptom("header_twice", 0.06, ("报文头出现了两次", "the header stands there twice"), ("去掉一个", "drop one")),
    Symptom("header_ascii", 0.06, ("报文头是12个ASCII字符", "the header is 12 ASCII characters"), ("压缩成6字节", "pack it into 6 bytes")),
    Symptom("lri_block", 0.04, ("TPDU后有33字节LRI监控块", "33 bytes of LRI monitoring block follow the TPDU"), ("主机须剥去，或关掉NAC的LRI", "the host has to strip it, or switch it off at the NAC")),
    Symptom("tpdu_id", 0.10, ("TPDU不以60开头", "the TPDU does not begin with 60"), ("设为60", "set it to 60")),
)  # fmt: skip
_BODY_ROWS: Final = (
    Symptom("dialect", 0.0, ("方言是{name}", "the dialect is {name}"), ("--dialect {name}", "--dialect {name}"), Gravity.NOTE),
    Symptom("ascii_mti", 0.06, ("MTI是4个ASCII数字", "the MTI is four ASCII digits"), ("MTI用2字节BCD；若全部是ASCII则 --dialect iso87-ascii", "send two bytes of BCD; if all is ASCII, --dialect iso87-ascii")),
    Symptom("bcd_mti", 0.06, ("MTI是2字节BCD", "the MTI is two bytes of BCD"), ("MTI用4个ASCII数字；若全部是BCD则 --dialect iso87-bcd", "send four ASCII digits; if all is BCD, --dialect iso87-bcd")),
    Symptom("ascii_bitmap", 0.06, ("位图是16个ASCII十六进制字符", "the bitmap is 16 ASCII hex characters"), ("位图用8个二进制字节", "send the bitmap as 8 binary bytes")),
    Symptom("binary_bitmap", 0.06, ("位图是二进制", "the bitmap is binary"), ("位图用ASCII十六进制字符", "send the bitmap as ASCII hex characters")),
    Symptom("second_bitmap", 0.06, ("有第二位图（位1为1）", "a second bitmap follows (bit 1 is set)"), ("--dialect iso87-bcd，或去掉64以上的域", "--dialect iso87-bcd, or drop the fields above 64")),
    Symptom("unknown_mti", 0.10, ("MTI {name}不属于此方言", "the MTI {name} is none of this dialect"), ("检查MTI", "look at the MTI")),
    Symptom("bcd_length_in_bytes", 0.05, ("{field}的BCD长度按字节计，应按数字位数计", "{field}: the length of BCD is counted in bytes instead of digits"), ("长度写数字的位数", "state the number of digits")),
    Symptom("length_in_digits", 0.06, ("{field}的二进制长度按半字节计，应按字节计", "{field}: the length of binary data is counted in nibbles instead of bytes"), ("长度写字节数", "state the number of bytes")),
    Symptom("ascii_length", 0.05, ("{field}的长度是ASCII数字", "{field}: the length is ASCII digits"), ("长度用BCD，或 --dialect iso87-ascii", "write it in BCD, or --dialect iso87-ascii")),
    Symptom("bcd_length", 0.05, ("{field}的长度是BCD", "{field}: the length is BCD"), ("长度用ASCII数字，或 --dialect iso87-bcd", "write it in ASCII digits, or --dialect iso87-bcd")),
    Symptom("binary_length", 0.06, ("{field}的长度是二进制而非BCD", "{field}: the length is binary, not BCD"), ("长度写BCD：十进制位直接作十六进制位", "write it in BCD: decimal digits as hex digits")),
    Symptom("short_length", 0.12, ("{field}的长度少一字节（LL而非LLL）", "{field}: the length is one byte short (LL, not LLL)"), ("三位长度占两字节", "three digits take two bytes")),
    Symptom("long_length", 0.12, ("{field}的长度多一字节（LLL而非LL）", "{field}: the length is one byte long (LLL, not LL)"), ("两位长度占一字节", "two digits take one byte")),
    Symptom("ascii_digits", 0.06, ("{field}的数字是ASCII而非BCD", "{field}: the digits are ASCII, not BCD"), ("压缩成BCD", "pack them into BCD")),
    Symptom("packed_digits", 0.06, ("{field}的数字是BCD而非ASCII", "{field}: the digits are BCD, not ASCII"), ("用ASCII数字", "write them in ASCII")),
    Symptom("other_align", 0.05, ("{field}的奇数位数字补零在另一侧", "{field}: an odd number of digits is filled on the other side"), ("补零方向与域表一致", "fill as the field table says")),
    Symptom("other_fill", 0.05, ("{field}的补位不是0", "{field}: an odd number of digits is not filled with 0"), ("补位用0", "fill with 0")),
    Symptom("hex_text", 0.06, ("{field}的二进制写成了十六进制文本", "{field}: binary data is written as hex text"), ("直接放字节", "put the bytes there")),
    Symptom("other_charset", 0.05, ("{field}的文字编码不同（{name}）", "{field}: the text is in another charset ({name})"), ("按域表的字符集编码", "write it in the charset of the field table")),
    Symptom("field_length_wrong", 0.11, ("{field}在第{at}字节的长度错了{n}", "{field}: its length at byte {at} is wrong by {n:+d}"), ("改正长度，或补齐数据", "correct the length, or send as much as it states")),
    Symptom("field_size_wrong", 0.13, ("{field}在第{at}字节错了{n}字节（定长）", "{field}: its fixed size at byte {at} is wrong by {n:+d} bytes"), ("定长域补齐或截断到域表的长度", "fill it up or cut it to the length of the field table")),
    Symptom("bit_without_field", 0.10, ("位图有{field}，报文中没有", "{field}: its bit is set and the field is not there"), ("清除该位，或发送该域", "clear the bit, or send the field")),
    Symptom("field_without_bit", 0.12, ("报文中有{field}，位图没有", "{field}: the field is there and its bit is not set"), ("设置该位", "set the bit")),
    Symptom("undefined_field", 0.10, ("此方言没有{field}", "{field}: this dialect has no such field"), ("换方言：--dialect，或去掉该位", "try another --dialect, or clear the bit")),
    Symptom("tag_length", 0.0, ("{field}的子标签长度位数不对：{name}", "{field}: {name}"), ("终端程序的错误：子标签长度须为三位数字，请更新固件", "a fault of the terminal's program: it has to write three digits; update its firmware")),
    Symptom("undecodable", 0.10, ("从第{at}字节起读不下去：{field}，{name}", "nothing can be read from byte {at} on: {field}, {name}"), ("核对此域的长度和编码", "look at the length and the coding of this field")),
)  # fmt: skip
_KEY_ROWS: Final = (
    Symptom("mac_right", 0.0, ("MAC正确（{name}）", "the MAC is right ({name})"), _NONE, Gravity.NOTE),
    Symptom("mac_absent", 0.0, ("没有MAC域", "there is no MAC"), ("此类报文是否要MAC？", "is a MAC due in this kind of message?"), Gravity.NOTE),
    Symptom("mac_other_algorithm", 0.0, ("MAC用的是另一算法：{name}", "the MAC is made by another algorithm: {name}"), ("双方设为同一算法", "set both sides to the same")),
    Symptom("mac_single_des", 0.0, ("MAC用单DES计算（只用左半密钥，{name}）", "the MAC is made by single DES under the left key half alone ({name})"), ("双倍长MAK须用3DES", "a double-length MAK is due for 3DES")),
    Symptom("mac_right_half", 0.0, ("MAC用了密钥的右半（{name}）", "the MAC is made with the other half of the key, the right one ({name})"), ("用整个MAK，单倍长时用左半", "use the whole MAK, or its left half where it is single")),
    Symptom("mac_halves_swapped", 0.0, ("MAC的密钥左右两半对调（{name}）", "the MAC is made with the halves of the key swapped ({name})"), ("先左后右", "the left half goes first")),
    Symptom("mac_triple_des", 0.0, ("MAC的密钥被补成双倍长（{name}）", "the MAC is made with the key filled up to double length ({name})"), ("单倍长MAK用单DES", "a single-length MAK is due for DES")),
    Symptom("mac_other_range", 0.0, ("MAC的数据范围不同：{name}", "the MAC covers other data: {name}"), ("MAC覆盖从MTI到64域之前", "it is due over the MTI up to the byte before field 64")),
    Symptom("mac_other_form", 0.0, ("MAC域的写法不同：{name}", "the MAC stands in another form: {name}"), ("UnionPay的MAC域是8个大写十六进制字符", "UnionPay puts 8 upper-case hex characters there")),
    Symptom("mac_wrong", 0.0, ("用这个密钥的任何算法和范围都算不出MAC", "no algorithm, half or range makes this MAC of this key"), ("密钥不同（重新签到），或数据被改", "the keys differ: sign on again; or the data was changed")),
    Symptom("kcv_right", 0.0, ("校验值正确（{name}）", "the check values are right ({name})"), _NONE, Gravity.NOTE),
    Symptom("kcv_wrong", 0.0, ("校验值不符：{name}", "the check value differs: {name}"), ("主密钥不同，或数据损坏；核对TMK的KCV", "the master keys differ or the data was damaged: compare the KCV of the TMK")),
    Symptom("kcv_other_key", 0.0, ("校验值只在主密钥的{name}下相符", "the check values fit under {name} of the master key only"), ("双方按同一方式使用TMK", "use the TMK the same way on both sides")),
    Symptom("kcv_other_cipher", 0.0, ("密钥用{name}加密", "the keys are encrypted by {name}"), ("poslab crypto unwrap --cipher {name}", "poslab crypto unwrap --cipher {name}")),
    Symptom("keys_layout", 0.0, ("域62有{n}字节，不是任何密钥格式", "field 62 has {n} bytes and is no layout of keys"), ("核对60.3与域62的长度：24、40、60、56或84", "compare 60.3 and field 62: 24, 40, 60, 56 or 84 bytes")),
)  # fmt: skip
_PEER_ROWS: Final = (
    Symptom("peer_answers", 0.0, ("对方应答了回响测试", "the peer answers an echo"), _NONE, Gravity.NOTE),
    Symptom("peer_other_setting", 0.05, ("对方只在{name}下应答", "the peer answers only under {name}"), ("用{name}", "use {name}")),
    Symptom("peer_loopback", 1.0, ("对方原样送回了我方的报文（线路环回）", "the peer gives our own request back: the line is in loopback"), ("取下环回插头，或关掉调制解调器、服务器的回送", "take the loopback plug off, or switch the echo of the modem or server off")),
    Symptom("peer_no_reply", 1.0, ("对方送来的不是对回响测试的完整应答", "what the peer sends is no whole reply to the echo"), ("应答的MTI为请求加10，终端号、商户号、流水号和60域与请求相同", "a reply has the MTI + 10 and the terminal, merchant, STAN and field 60 of its request")),
    Symptom("peer_floods", 1.0, ("对方发送的远多于一条应答（已收{n}字节）", "the peer sends far more than a reply: {n} bytes came"), ("检查端口、波特率和校验位", "look at the port, or at baud rate and parity")),
    Symptom("peer_silent", 1.0, ("对方连接了但{n}毫秒内没有应答", "the peer connects and says nothing within {n} ms"), ("检查终端号、商户号、TPDU和成帧", "look at terminal, merchant, TPDU and framing")),
    Symptom("peer_closed", 1.0, ("对方收到后关闭了连接", "the peer closes the connection when asked"), ("检查成帧和TPDU；换端口", "look at framing and TPDU, or try another port")),
    Symptom("peer_tls", 1.0, ("对方要求TLS加密", "the peer speaks TLS"), ("用{name}", "use {name}")),
    Symptom("peer_plain", 0.05, ("对方不加密，明文应答了回响测试", "the peer does not speak TLS: it answers an echo in the clear"), ("用{name}", "use {name}")),
)  # fmt: skip

SYMPTOMS: Final[Mapping[str, Symptom]] = MappingProxyType(
    {row.code: row for row in (*_FRAME_ROWS, *_ENVELOPE_ROWS, *_BODY_ROWS, *_KEY_ROWS, *_PEER_ROWS)}
)
