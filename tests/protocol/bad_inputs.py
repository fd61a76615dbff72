"""TABLE BAD: input that deserves one clear error, made in code, by the numbers of the project's list B1 to B69.

A row of STREAMS is bytes as they come over a line; of PAYLOADS, what is done to the payload of a good sale; of
MESSAGES, what is done to the fields of a good request: that still decodes, and the host must say no; of DIALECT_BODIES,
a body of another dialect; of CHIP_DATA, field 55. SOUND_CHIP_DATA and PRIVATE_BYTES look bad and are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pos_lab.fuzz.grammar import Span, sample_of
from protocol import tlv
from protocol.codec import pack, unseal
from protocol.dialect import CUP
from protocol.dialects import DIALECTS
from protocol.elements import Value
from protocol.fields import F
from protocol.message import Message

PAN = "6200000100000004"
SALE = Message(
    "0200",
    {
        F.PAN: PAN,
        F.PROCESSING_CODE: "000000",
        F.AMOUNT: "000000001234",
        F.STAN: "000777",
        F.ENTRY_MODE: "072",
        F.PAN_SEQUENCE: "001",
        F.CONDITION_CODE: "00",
        F.TRACK2: f"{PAN}D30122010000000000000",
        F.TERMINAL_ID: "10000001",
        F.MERCHANT_ID: "898100000000001",
        F.CURRENCY: "156",
        F.CONTROL: "22000002000600",
        F.TEXT: "01 ",
        F.MAC: b"00000000",
    },
)
_NETWORK = SALE.without(*(number for number in SALE.fields if number not in (F.STAN, F.TERMINAL_ID, F.MERCHANT_ID)))
SIGN_ON = Message("0800", {**_NETWORK.fields, F.CONTROL: "00000001003", F.TEXT: "001"})
SIGN_OFF = Message("0820", {**_NETWORK.fields, F.CONTROL: "00000001002", F.MAC: b"00000000"})
ECHO = Message("0820", {**_NETWORK.fields, F.CONTROL: "00000001301"})
SETTLEMENT = Message(
    "0500",
    {
        **_NETWORK.fields,
        F.TOTALS: "0" * 62,
        F.CURRENCY: "156",
        F.CONTROL: "00000001201",
        F.TEXT: "001",
        F.MAC: bytes(8),
    },
)
UPLOAD_END = Message("0320", {**_NETWORK.fields, F.TOTALS: "0000", F.CONTROL: "00000001202", F.MAC: bytes(8)})
REVERSAL = Message("0400", {**SALE.without(F.TRACK2).fields, F.RESPONSE_CODE: "98"})
VOID = SALE.with_fields(
    {F.PROCESSING_CODE: "200000", F.CONTROL: "23000001000600", F.RRN: "000000000001", F.ORIGINAL: "0000010000070301"}
)
MARKUP = b'<"' * 499 + b"<"
MTI_AT, BITMAP_AT, FIELDS_AT = 11, 13, 21
Spoil = Callable[[bytes], bytes]


class Stream(NamedTuple):
    """Bytes of a line, and what the hint speaks of."""

    data: bytes
    hint: str


class Spoiled(NamedTuple):
    """What is done to a payload, the code and field of the one error, and what its hint speaks of."""

    spoil: Spoil
    code: str
    field: int | None
    hint: str = ""


class Misfit(NamedTuple):
    """What is done to the fields of a good request, None for one that is gone, and code and reason of the host's no."""

    changes: dict[int, Value | None]
    code: str
    reason: str
    request: Message = SALE

    @property
    def message(self) -> Message:
        """The request so changed."""
        return changed(self.changes, self.request)


def spans(payload: bytes) -> dict[int, Span]:
    """Where the fields of a good payload stand."""
    return {span.number: span for span in sample_of(unseal(payload).message, CUP).spans}


def put(at: int, new: bytes) -> Spoil:
    """Other bytes at a place."""
    return lambda raw: raw[:at] + new + raw[at + len(new) :]


def prefix(number: int, new: bytes) -> Spoil:
    """Another length before a field."""
    return prefixes({number: new})


def prefixes(lengths: dict[int, bytes]) -> Spoil:
    """Other lengths before some fields."""

    def spoil(raw: bytes) -> bytes:
        places = spans(raw)
        for number, new in lengths.items():
            raw = put(places[number].start, new)(raw)
        return raw

    return spoil


def value(number: int, new: bytes) -> Spoil:
    """Other bytes in a field, as many as it had."""

    def spoil(raw: bytes) -> bytes:
        span = spans(raw)[number]
        assert len(new) == span.end - span.value
        return put(span.value, new)(raw)

    return spoil


def instead(number: int, new: bytes) -> Spoil:
    """Other bytes in the place of a field with its length."""
    return lambda raw: raw[: spans(raw)[number].start] + new + raw[spans(raw)[number].end :]


def bits(*numbers: int) -> Spoil:
    """More bits in the bitmap, with no field for them."""

    def spoil(raw: bytes) -> bytes:
        bitmap = int.from_bytes(raw[BITMAP_AT:FIELDS_AT], "big")
        for number in numbers:
            bitmap |= 1 << (64 - number)
        return put(BITMAP_AT, bitmap.to_bytes(8, "big"))(raw)

    return spoil


STREAMS = {
    "B3 length 0": Stream(bytes(60), "4-byte length"),
    "B4 length 1": Stream(b"\x00\x01\x60\x00", "another framing"),
    "B7 FFFF and silence": Stream(b"\xff\xff", "another framing"),
    "B8 FFFF and zeros": Stream(b"\xff\xff" + bytes(65_535), "another framing"),
    "B9 ASCII -001": Stream(b"-001" + bytes(60), "another framing"),
    "B9 ASCII +010": Stream(b"+010" + bytes(60), "another framing"),
    "B9 ASCII blank": Stream(b" 010" + bytes(60), "another framing"),
    "B9 ASCII 1_0": Stream(b"1_0 " + bytes(60), "another framing"),
    "B9 ASCII 0x10": Stream(b"0x10" + bytes(60), "another framing"),
    "B9 Arabic digits": Stream("٠١٢٣".encode() + bytes(60), "another framing"),
    "B9 ASCII length": Stream(b"0079" + bytes(79), "ASCII length"),
    "B10 2^31": Stream(b"\x80\x00\x00\x00" + bytes(60), "another framing"),
    "B10 2^32-1": Stream(b"\xff\xff\xff\xff" + bytes(60), "another framing"),
    "B10 4-byte length": Stream(b"\x00\x00\x00\x60" + bytes(60), "4-byte length"),
    "B14 HTTP": Stream(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n", "HTTP"),
    "B14 TLS": Stream(bytes.fromhex("16030100c8010000c40303") + bytes(200), "TLS"),
    "B14 SSH": Stream(b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
}

PAYLOADS = {
    "B13 TPDU missing": Spoiled(lambda raw: raw[5:], "header", None),
    "B13 TPDU short": Spoiled(lambda raw: raw[1:], "tpdu", None),
    "B13 TPDU begins otherwise": Spoiled(put(0, b"\x68"), "tpdu", None),
    "B13 header missing": Spoiled(lambda raw: raw[:5] + raw[11:], "header", None),
    "B13 header of another class": Spoiled(put(5, b"\x70"), "header", None),
    "B15 one byte more": Spoiled(lambda raw: raw + b"\x00", "trailing_bytes", None),
    "B15 two messages in one": Spoiled(lambda raw: raw + raw, "trailing_bytes", None),
    "B16 MTI in letters": Spoiled(put(MTI_AT, b"SA"), "mti", 0),
    "B17 MTI 0000": Spoiled(put(MTI_AT, b"\x00\x00"), "mti", 0),
    "B18 MTI of version 9": Spoiled(put(MTI_AT, b"\x92\x00"), "mti", 0),
    "B20 MTI with repeat flag": Spoiled(put(MTI_AT, b"\x02\x01"), "mti", 0),
    "B21 MTI in EBCDIC": Spoiled(put(MTI_AT, b"\xf0\xf2\xf0\xf0"), "mti", 0, "EBCDIC"),
    "B22 MTI with A to F": Spoiled(put(MTI_AT, b"\x02\xa0"), "mti", 0),
    "B23 bitmap all zero": Spoiled(put(BITMAP_AT, bytes(8)), "bitmap", 0, "right after the MTI"),
    "B24 bitmap all ones": Spoiled(put(BITMAP_AT, b"\xff" * 8), "undefined_field", 1),
    "B25 bit 1 alone": Spoiled(bits(1), "undefined_field", 1),
    "B26 second bitmap of zeros": Spoiled(
        lambda raw: bits(1)(raw)[:FIELDS_AT] + bytes(8) + raw[FIELDS_AT:], "undefined_field", 1
    ),
    "B28 bit of no field": Spoiled(bits(5), "undefined_field", 5, "clear bit 5"),
    "B31 bitmap in hex": Spoiled(
        lambda raw: raw[:BITMAP_AT] + raw[BITMAP_AT:FIELDS_AT].hex().upper().encode() + raw[FIELDS_AT:],
        "undefined_field",
        6,
        "is the bitmap sent as text?",
    ),
    "B31 MTI and bitmap in ASCII": Spoiled(
        lambda raw: raw[:MTI_AT] + raw[MTI_AT:FIELDS_AT].hex().upper().encode() + raw[FIELDS_AT:], "mti", 0, "as text"
    ),
    "B32 last field missing": Spoiled(lambda raw: raw[:-8], "truncated", F.MAC),
    "B34 nothing behind the bitmap": Spoiled(lambda raw: raw[:FIELDS_AT], "truncated", F.PAN),
    "B35 LL 99 for 19": Spoiled(prefix(F.PAN, b"\x99"), "value", F.PAN),
    "B36 LL 1A": Spoiled(prefix(F.PAN, b"\x1a"), "value", F.PAN),
    "B37 LL with A to F": Spoiled(prefix(F.PAN, b"\xff"), "value", F.PAN),
    "B38 LLL -1": Spoiled(prefix(F.CONTROL, b"-1"), "value", F.CONTROL),
    "B40 LLL beyond the end": Spoiled(
        lambda raw: bits(F.PAYLOAD)(raw[: spans(raw)[F.TEXT].start]) + b"\x09\x99abc", "truncated", F.PAYLOAD
    ),
    "B41 BCD length in bytes": Spoiled(
        prefix(F.PAN, b"\x08"), "value", F.TERMINAL_ID, "field 2: the length counts bytes"
    ),
    "B41 every BCD length in bytes": Spoiled(
        prefixes({F.PAN: b"\x08", F.TRACK2: b"\x19", F.CONTROL: b"\x00\x07"}),
        "value",
        F.TERMINAL_ID,
        "fields 2, 35, 60: the length counts bytes",
    ),
    "B42 BCD length in binary": Spoiled(prefix(F.PAN, b"\x10"), "value", F.ENTRY_MODE, "field 2: the length is binary"),
    "B43 LLL above 999": Spoiled(
        lambda raw: bits(F.PAYLOAD)(raw[: spans(raw)[F.TEXT].start]) + b"\x99\x99abc", "value", F.PAYLOAD
    ),
    "B45 filled on the left": Spoiled(value(F.ENTRY_MODE, b"\x00\x72"), "value", F.ENTRY_MODE),
    "B45 filled on the right": Spoiled(value(F.PAN_SEQUENCE, b"\x10\x10"), "value", F.PAN_SEQUENCE),
    "B46 filled with F": Spoiled(value(F.ENTRY_MODE, b"\x07\x2f"), "value", F.ENTRY_MODE),
    "B47 A inside digits": Spoiled(value(F.STAN, b"\x00\x07\xa7"), "value", F.STAN),
    "B49 sign nibble": Spoiled(value(F.AMOUNT, bytes.fromhex("00000001234C")), "value", F.AMOUNT),
    "B50 amount with a minus": Spoiled(value(F.AMOUNT, b"-00012"), "value", F.AMOUNT),
    "B50 full-width digits": Spoiled(value(F.AMOUNT, "１２".encode()), "value", F.AMOUNT),
    "B53 PAN of 20 digits": Spoiled(instead(F.PAN, b"\x20" + bytes.fromhex("62000001000000041234")), "value", F.PAN),
    "B56 NUL in text": Spoiled(value(F.TERMINAL_ID, b"1000\x00001"), "value", F.TERMINAL_ID, "filled with blanks"),
    "B57 no GB18030": Spoiled(value(F.TEXT, b"\xff\xff\xff"), "value", F.TEXT, "another charset"),
    "B57 half a character": Spoiled(value(F.TEXT, b"01\xb0"), "value", F.TEXT, "half a character"),
    "B57 ESC": Spoiled(value(F.TEXT, b"\x1b[2"), "value", F.TEXT, "control"),
    "B57 bidi override": Spoiled(instead(F.TEXT, b"\x00\x04" + "\u202e".encode("gb18030")), "value", F.TEXT, "control"),
    "B57 lone surrogate": Spoiled(instead(F.TEXT, b"\x00\x03\xed\xa0\x80"), "value", F.TEXT),
    "B58 999 bytes of markup in field 48": Spoiled(
        lambda raw: (
            bits(F.TOTALS)(raw[: spans(raw)[F.CURRENCY].start])
            + b"\x09\x99"
            + MARKUP
            + raw[spans(raw)[F.CURRENCY].start :]
        ),
        "value",
        F.TOTALS,
    ),
    "B58 999 bytes of markup in field 63": Spoiled(instead(F.TEXT, b"\x09\x99" + MARKUP), "value", F.TEXT),
    "B59 PIN block of 7 bytes": Spoiled(
        lambda raw: (lambda made, at: made[:at] + bytes(7) + made[at:])(
            bits(F.PIN_BLOCK)(raw), spans(raw)[F.CONTROL].start
        ),
        "value",
        F.CONTROL,
    ),
}

_VALUE, _CHIP, _FOREIGN, _MALFORMED = "message.value", "message.chip_data", "message.foreign_field", "message.malformed"
_NO_CARD: dict[int, Value | None] = {F.TRACK2: None}
_PIN: dict[int, Value | None] = {F.PIN_CAPTURE: "12", F.PIN_BLOCK: bytes(8)}

MESSAGES = {
    "B33 no MAC": Misfit({F.MAC: None}, "30", _MALFORMED),
    "B39 length 0 of a mandatory field": Misfit({F.CONTROL: ""}, "40", "message.unsupported"),
    "B39 no number of a card": Misfit({F.PAN: None, **_NO_CARD}, "14", "card.unknown"),
    "B50 amount 0": Misfit({F.AMOUNT: "000000000000"}, "13", "amount.zero"),
    "B50 amount of nines": Misfit({F.AMOUNT: "999999999999"}, "61", "amount.over_limit"),
    "B50 blanks as BCD": Misfit({F.AMOUNT: "202020202020"}, "61", "amount.over_limit"),
    "B51 currency 000": Misfit({F.CURRENCY: "000"}, "12", "currency.unsupported"),
    "B51 currency 999": Misfit({F.CURRENCY: "999"}, "12", "currency.unsupported"),
    "B51 currency in letters": Misfit({F.CURRENCY: "ABC"}, "12", "currency.unsupported"),
    "B52 expiry 1332": Misfit({F.EXPIRY: "1332"}, "30", _VALUE),
    "B52 expiry 3000": Misfit({F.EXPIRY: "3000"}, "30", _VALUE),
    "B52 date 0000": Misfit({F.LOCAL_DATE: "0000"}, "30", _VALUE),
    "B52 date 1332": Misfit({F.LOCAL_DATE: "1332"}, "30", _VALUE),
    "B52 date 0230": Misfit({F.LOCAL_DATE: "0230"}, "30", _VALUE),
    "B52 time 246060": Misfit({F.LOCAL_TIME: "246060"}, "30", _VALUE),
    "B52 time 240000": Misfit({F.LOCAL_TIME: "240000"}, "30", _VALUE),
    "B52 time 235960": Misfit({F.LOCAL_TIME: "235960"}, "30", _VALUE),
    "B52 time 236000": Misfit({F.LOCAL_TIME: "236000"}, "30", _VALUE),
    "B52 time of a sign-on": Misfit({F.LOCAL_TIME: "246060"}, "30", _VALUE, SIGN_ON),
    "B52 date of a sign-on": Misfit({F.LOCAL_DATE: "0000"}, "30", _VALUE, SIGN_ON),
    "B52 date of a settlement": Misfit({F.LOCAL_DATE: "1332"}, "30", _VALUE, SETTLEMENT),
    "B52 time of an echo": Misfit({F.LOCAL_TIME: "246060"}, "30", _VALUE, ECHO),
    "B52 original of 1332": Misfit({F.ORIGINAL: "0000010000071332"}, "30", _VALUE, VOID),
    "B52 original of 0230": Misfit({F.ORIGINAL: "0000010000070230"}, "30", _VALUE, VOID),
    "B52 original of half a date": Misfit({F.ORIGINAL: "00000100000703"}, "30", _VALUE, VOID),
    "B53 PAN of 12 digits": Misfit({F.PAN: PAN[:12], **_NO_CARD}, "14", "card.unknown"),
    "B53 PAN of 13 digits": Misfit({F.PAN: PAN[:13], **_NO_CARD}, "14", "card.unknown"),
    "B53 PAN of 19 digits": Misfit({F.PAN: PAN + "123", **_NO_CARD}, "14", "card.unknown"),
    "B53 Luhn wrong": Misfit({F.PAN: PAN[:-1] + "5", **_NO_CARD}, "14", "card.unknown"),
    "B54 processing code unknown": Misfit({F.PROCESSING_CODE: "990000"}, "40", "message.unsupported"),
    "B55 STAN 0": Misfit({F.STAN: "000000"}, "30", _VALUE),
    "B55 STAN 0 of a sign-on": Misfit({F.STAN: "000000"}, "30", _VALUE, SIGN_ON),
    "B55 STAN 0 of a settlement": Misfit({F.STAN: "000000"}, "30", _VALUE, SETTLEMENT),
    "B55 STAN 0 of an echo": Misfit({F.STAN: "000000"}, "30", _VALUE, ECHO),
    "B55 STAN 0 of a reversal": Misfit({F.STAN: "000000"}, "30", _VALUE, REVERSAL),
    "B58 999 bytes of markup in a sign-off": Misfit({F.PAYLOAD: MARKUP}, "30", _FOREIGN, SIGN_OFF),
    "B58 999 bytes of markup in an upload": Misfit({F.PAYLOAD: MARKUP}, "30", _FOREIGN, UPLOAD_END),
    "B59 PIN block of zeros": Misfit({F.SECURITY: "2600000000000000", **_PIN}, "99", "card.pin_block"),
    "B60 algorithm unknown": Misfit({F.SECURITY: "2900000000000000", **_PIN}, "99", "card.pin_block"),
}

PRIVATE_BYTES: dict[str, dict[int, Value | None]] = {
    "B58 999 bytes of markup in field 62 of a sale": {F.PAYLOAD: MARKUP},
    "B58 163 bytes of markup in field 63 of a sale": {F.TEXT: MARKUP[:163].decode("ascii")},
}
"""What the host takes: acquirers put bytes of their own into field 62 of a sale (instalments, SM4 PIN blocks), and the
operator stands in 63. Neither is wrong; the host reads neither and keeps neither, and no log and no reply shows it."""


def changed(changes: dict[int, Value | None], request: Message = SALE) -> Message:
    """A good request with these fields, None for one that is gone."""
    values = {number: value for number, value in changes.items() if value is not None}
    return request.without(*(number for number in changes if number not in values)).with_fields(values)


_ISO = Message("0200", {3: "000000", 4: "000000001234", 11: "000007"})
_ISO_PAN = _ISO.with_fields({2: PAN})
_ISO_WIDE = _ISO.with_fields({70: "301"})


def _ascii(message: Message, old: bytes, new: bytes) -> bytes:
    body = pack(message, DIALECTS["iso87-ascii"])
    assert old in body
    return body.replace(old, new, 1)


def _bcd(message: Message, old: bytes, new: bytes) -> bytes:
    body = pack(message, DIALECTS["iso87-bcd"])
    assert old in body
    return body.replace(old, new, 1)


DIALECT_BODIES = {
    "B25 second bitmap missing": ("iso87-bcd", b"\x02\x00\x80" + bytes(7), "truncated", 0),
    "B26 second bitmap of zeros": ("iso87-bcd", b"\x02\x00\x80" + bytes(15), "bitmap", 0),
    "B27 bit 65": ("iso87-bcd", b"\x02\x00" + 2 * (b"\x80" + bytes(7)) + bytes(50), "undefined_field", 65),
    "B29 lower-case hex": ("iso87-ascii", _ascii(_ISO_WIDE, b"B020", b"b020"), "bitmap", 0),
    "B30 blanks in hex": ("iso87-ascii", b"020040 00 0000000000" + bytes(20), "bitmap", 0),
    "B31 binary bitmap": ("iso87-ascii", b"0200" + bytes.fromhex("3020000000000000") + bytes(40), "bitmap", 0),
    "B33 MAC in 64 and 128": (
        "iso87-bcd",
        b"\x02\x00" + bytes.fromhex("8000000000000001" + "0000000000000001") + bytes(16),
        "mac_field",
        64,
    ),
    "B36 LL 1A": ("iso87-ascii", _ascii(_ISO_PAN, b"16" + PAN[:4].encode(), b"1A6200"), "value", 2),
    "B38 LL -1": ("iso87-ascii", _ascii(_ISO_PAN, b"16" + PAN[:4].encode(), b"-16200"), "value", 2),
    "B38 LL +5": ("iso87-ascii", _ascii(_ISO_PAN, b"16" + PAN[:4].encode(), b"+56200"), "value", 2),
    "B48 D for =": ("iso87-ascii", _ascii(_ISO.with_fields({35: f"{PAN}D3012"}), b"=", b"D"), "value", 35),
    "B50 amount with a minus": ("iso87-ascii", _ascii(_ISO, b"000000001234", b"00000000-123"), "value", 4),
    "B50 amount of blanks": ("iso87-ascii", _ascii(_ISO, b"000000001234", b" " * 12), "value", 4),
    "B47 A inside digits": ("iso87-bcd", _bcd(_ISO, b"\x12\x34", b"\x12\x3a"), "value", 4),
}


def _nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = tlv.encode([tlv.Node(0x70, data)])
    return data


CHIP_DATA = {
    "B44 child past its parent": (bytes.fromhex("7003820539"), "tlv_end", 4),
    "B62 length 80": (bytes.fromhex("9F2680AA0000"), "tlv_length", 2),
    "B63 length 84 FFFFFFFF": (bytes.fromhex("9F2684FFFFFFFFAA"), "tlv_length", 2),
    "B64 length 88 2^63": (bytes.fromhex("9F26888000000000000000AA"), "tlv_length", 2),
    "B65 endless tag": (b"\x1f" + b"\x80" * 200, "tlv_tag", 0),
    "B66 nested 60 deep": (_nested(60), "tlv_depth", 16),
    "B66 nested 10,000 deep": (_nested(10_000), "tlv_depth", 32),
    "B68 FF between objects": (bytes.fromhex("820101FFFF820102"), "tlv_end", 8),
    "B69 DOL read as objects": (bytes.fromhex("9F02069F03069F1A0295055F2A02"), "tlv_end", 11),
}
ICC_BYTES_MAX = 255

SOUND_CHIP_DATA = {
    "B67 a tag twice": bytes.fromhex("9A01018201029A0103"),
    "B68 00 before, between and after objects": bytes.fromhex("000082010100008201020000"),
}
"""What cards really send (EMV Book 3 B)."""
