"""Valid messages drawn from the tables: FIELDS and KINDS of every dialect, any length that an element admits.

Rules owned here: what a drawn message looks like, and where in its bytes each field stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from protocol import tlv
from protocol.codec import seal
from protocol.dialect import Dialect
from protocol.elements import TRACK_DIGITS, Characters, Coding, Element, HexOctets, Octets, Packed, Signed, Text, Value
from protocol.fields import F
from protocol.header import ENVELOPE_BYTES, Header, Tpdu
from protocol.kinds import Kind
from protocol.message import Message
from protocol.private import pack_tags

UNITS_MAX: Final = 60
"""How long a drawn value is at most, unless its element demands more or chance asks for the most."""

_NETWORK_FIELD: Final = 70
_ISO: Final = "iso87"
_ASCII: Final = "".join(map(chr, range(0x20, 0x7F)))
_HANZI: Final = "消费撤销退货结算签到余额交易成功卡号"
_CHIP_TAGS: Final = (0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x5F34, 0x82, 0x5A, 0x57)
_TEMPLATES: Final = (0x71, 0x72, 0x61, 0x70)
_TAGS: Final = ("A2", "SN", "01", "ZH", "KD", "FW")


@dataclass(frozen=True, slots=True)
class Span:
    """Where a field stands in a payload: its prefix from ``start``, its value from ``value``, both to ``end``."""

    number: int
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A payload, and where its bitmap and its fields stand."""

    payload: bytes
    bitmap: tuple[int, int] = (0, 0)
    spans: tuple[Span, ...] = ()


def draw_message(chance: Random, dialect: Dialect) -> Message:
    """A message that the dialect can carry: one of its kinds half of the time, else any fields."""
    rows = tuple(dialect.kinds.rows.values())
    kind = chance.choice(rows) if chance.random() < 0.5 else None
    if kind is None:
        numbers = chance.sample(sorted(dialect.fields), chance.randint(1, 12))
        mti = chance.choice(sorted(dialect.mtis))
    else:
        is_request = chance.random() < 0.5
        presence = kind.request if is_request else kind.reply
        extra = chance.sample(sorted(presence.may), min(len(presence.may), chance.randint(0, 4)))
        numbers = [*presence.must, *presence.due, *extra, *([] if is_request else [F.RESPONSE_CODE])]
        mti = chance.choice((kind.mti, *kind.other_mtis)) if is_request else kind.reply_mti
    if max(numbers) > F.MAC:
        numbers = [number for number in numbers if number != F.MAC]
    elements = {number: dialect.fields[number].element for number in sorted({*numbers}) if number in dialect.fields}
    fields = {number: _field(chance, number, element) for number, element in elements.items()}
    if kind:
        fields |= {number: value for number, value in _codes(dialect, kind).items() if number in fields}
    requirement, status = chance.choice("0123456789ABCDEF"), chance.choice("0123")
    return Message(mti, fields, Tpdu(), Header(terminal_status=status, processing_requirement=requirement))


def sample_of(message: Message, dialect: Dialect) -> Sample:
    """The payload of a message and where everything stands in it."""
    payload = seal(message, dialect=dialect)
    at = ENVELOPE_BYTES + dialect.mti.coding.size_bytes(dialect.mti.most)
    sizes = {number: dialect.fields[number].element for number in sorted(message.fields)}
    maps = 2 if max(sizes) > F.MAC else 1
    bitmap = (at, at + maps * dialect.bitmap.value)
    spans, at = [], bitmap[1]
    for number, element in sizes.items():
        prefix = element.prefix.size_bytes if element.prefix else 0
        end = at + len(element.build(message.fields[number]))
        spans.append(Span(number, at, at + prefix, end))
        at = end
    return Sample(payload, bitmap, tuple(spans))


def draw_chip_data(chance: Random, depth: int = 0) -> tuple[tlv.Node, ...]:
    """Objects as a card or an issuer sends them, nested now and then."""
    nodes = []
    for _ in range(chance.randint(1, 4)):
        if depth < tlv.DEPTH_MAX - 1 and chance.random() < 0.2:
            nodes.append(tlv.Node(chance.choice(_TEMPLATES), draw_chip_data(chance, depth + 1)))
        else:
            nodes.append(tlv.Node(chance.choice(_CHIP_TAGS), chance.randbytes(chance.choice((0, 1, 3, 8)))))
    return tuple(nodes)


def draw_tags(chance: Random) -> bytes:
    """Tagged values as fields 59 and 62 hold them."""
    return pack_tags((chance.choice(_TAGS), chance.randbytes(chance.randint(0, 20))) for _ in range(2))


def _codes(dialect: Dialect, kind: Kind) -> dict[int, Value]:
    """What makes a message of this kind recognisable."""
    network = kind.networks[0]
    if dialect.name.startswith(_ISO):
        return {F.PROCESSING_CODE: f"{kind.type_code or '00'}0000", _NETWORK_FIELD: network or "301"}
    codes: dict[int, Value] = {F.CONTROL: f"{kind.type_code}000001{network}"}
    return codes | {F.PROCESSING_CODE: kind.processing_code} if kind.processing_code else codes


def _field(chance: Random, number: int, element: Element) -> Value:
    if chance.random() < 0.5 and element.prefix and isinstance(element.coding, Octets):
        told = tlv.encode(draw_chip_data(chance)) if number == F.ICC else draw_tags(chance)
        if len(told) <= element.most:
            return told
    if element.prefix is None:
        return _value(chance, element.coding, element.most)
    units = chance.choice((0, 1, min(element.most, chance.randint(1, UNITS_MAX)), min(element.most, UNITS_MAX)))
    if chance.random() < 0.02:
        units = element.most
    return _value(chance, element.coding, units)


def _value(chance: Random, coding: Coding, units: int) -> Value:
    match coding:
        case Packed() | Characters():
            letters = "0123456789ABCDEF" if coding.alphabet is TRACK_DIGITS else "0123456789"
            return "".join(chance.choices(letters, k=units))
        case Text("ascii"):
            return "".join(chance.choices(_ASCII, k=units))
        case Text():
            doubles = chance.randint(0, units // 2)
            return "".join(chance.choices(_HANZI, k=doubles) + chance.choices(_ASCII, k=units - 2 * doubles))
        case Octets() | HexOctets():
            return chance.randbytes(units)
        case Signed():
            return chance.choice("CD") + str(_value(chance, coding.digits, units - 1)) if units else ""
