"""TABLE TARGETS: what is fuzzed, and what must hold for whatever bytes come.

A target draws an input from chance and checks it: True where it was read, False where one error of our tree refused
it. Anything else is a finding: a foreign exception as it flies, a broken rule as ``Broken``.

Rules owned here: what is read is written again to the same bytes (canonical); the fast plan says what the construct
says; a stream gives the same payloads however it is split; what is shown can be read back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from types import MappingProxyType
from typing import Final

from pos_lab.fuzz.grammar import Sample, draw_chip_data, draw_message, draw_tags, sample_of
from pos_lab.fuzz.mutation import mutate
from protocol import emv, tlv
from protocol.codec import seal, unseal
from protocol.describe import describe, document, message_from_document
from protocol.dialect import Dialect
from protocol.dialects import DIALECTS
from protocol.errors import DecodeError, EncodeError, FrameError
from protocol.fields import F
from protocol.framing import FRAMINGS, Framer
from protocol.header import ENVELOPE_BYTES
from protocol.jbig.bitmap import Bitmap, row_bytes
from protocol.jbig.decoder import decode as decode_jbig
from protocol.jbig.encoder import EncodeOptions
from protocol.jbig.encoder import encode as encode_jbig
from protocol.jbig.header import Option
from protocol.plan import Plan
from protocol.private import unpack_tags

PLAN_CHECK_AT: Final = 1 / 64
"""How often the fast plan is held against the construct: a plan has to be compiled for it."""

PIXELS_MAX: Final = 1 << 12
_ANSWERED: Final = "stx"
"""The framing whose frames are answered and sent again: inside damage it believes only what is there as a whole."""

_DIALECTS: Final = tuple(DIALECTS.values())
_STRANGE: Final[tuple[object, ...]] = (
    None, True, -1, 1.5, "", "-1", "１２", "\ud800", "\x00", "A" * 2_000, [], {}, {"64": "00"}, "00" * 5_000, "D", "zz",
)  # fmt: skip


class Broken(AssertionError):
    """A rule that did not hold."""


@dataclass(frozen=True, slots=True)
class Input:
    """Bytes to check, and the rule to check them by."""

    data: bytes
    check: Callable[[bytes], bool]
    about: str = ""


def _demand(holds: bool, rule: str) -> None:
    if not holds:
        raise Broken(rule)


def draw_codec(chance: Random) -> Input:
    """A message of any dialect gone wrong, or one in twenty as it should be."""
    dialect, sample, data = _message(chance)
    if data == sample.payload or chance.random() >= PLAN_CHECK_AT:
        return Input(data, partial(check_codec, dialect), dialect.name)
    return Input(data, partial(check_plan, dialect, sample.payload), f"{dialect.name}, plan against construct")


def _message(chance: Random) -> tuple[Dialect, Sample, bytes]:
    dialect = chance.choice(_DIALECTS)
    sample = sample_of(draw_message(chance, dialect), dialect)
    if chance.random() < 0.05:
        return dialect, sample, sample.payload
    other = seal(draw_message(chance, dialect), dialect=dialect) if chance.random() < 0.2 else sample.payload[::-1]
    return dialect, sample, mutate(chance, sample, other)


def check_codec(dialect: Dialect, data: bytes) -> bool:
    """Read and written again to the same bytes, or refused with one DecodeError that tells where."""
    try:
        read = unseal(data, dialect)
    except DecodeError as error:
        _demand(bool(error.code and error.message), "an error has a code and a message")
        _demand(-ENVELOPE_BYTES <= error.offset <= len(data), "the offset lies in the message")
        return False
    _demand(seal(read.message, dialect=dialect) == data, "encode(decode(x)) == x")
    _demand(data[ENVELOPE_BYTES:].startswith(read.mac_input), "the MAC is over the bytes that came")
    return True


def check_plan(dialect: Dialect, valid: bytes, data: bytes) -> bool:
    """A plan that was made fast by a valid message reads, writes and refuses this one as the construct does."""
    plan = Plan(dialect.body, patience=0)
    for _ in range(2):
        message, _ = plan.read(valid[ENVELOPE_BYTES:])
        _demand(plan.write(message) == valid[ENVELOPE_BYTES:], "the fast writer writes a valid message")
    body = data[ENVELOPE_BYTES:]
    try:
        mti, fields = dialect.body.parse(body)
    except DecodeError as slow:
        try:
            plan.read(body)
        except DecodeError as fast:
            _demand((str(slow), slow.field, slow.offset) == (str(fast), fast.field, fast.offset), "one error for both")
            return False
        raise Broken("the plan reads what the construct refuses") from None
    message, _ = plan.read(body)
    _demand((message.mti, dict(message.fields)) == (mti, fields), "the plan reads what the construct reads")
    _demand(plan.write(message) == body, "the plan writes what it has read")
    return True


def draw_framing(chance: Random) -> Input:
    """Frames of one framing, merged, damaged and split anyhow."""
    name = chance.choice(tuple(FRAMINGS))
    sender = FRAMINGS[name]()
    payloads = [
        seal(draw_message(chance, dialect), dialect=dialect)
        for dialect in chance.choices(_DIALECTS, k=chance.randint(1, 3))
    ]
    stream = b"".join(map(sender.wrap, payloads))
    whole = chance.random() < 0.2
    data = stream if whole else mutate(chance, Sample(stream), stream[::-1])
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(0, 8)))
    return Input(data, partial(check_framing, name, tuple(cuts), tuple(payloads) if whole else None), name)


def check_framing(name: str, cuts: tuple[int, ...], sent: tuple[bytes, ...] | None, data: bytes) -> bool:
    """The same payloads in one piece and in many, after damage too; all that were sent where nothing was damaged."""
    pieces = [data[start:end] for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True)]
    make = partial(FRAMINGS[name], ack=False) if name == _ANSWERED else FRAMINGS[name]
    whole, split = _cut(make(), [data]), _cut(make(), pieces)
    _demand(whole == split, "a stream gives the same payloads however it is split")
    payloads, failed = whole
    _demand(sum(map(len, payloads)) <= len(data), "no more comes out than went in")
    _demand(sent is None or (payloads == list(sent) and not failed), "what was sent arrives")
    _cut(FRAMINGS[name](), pieces)
    return not failed


def _cut(framer: Framer, pieces: list[bytes]) -> tuple[list[bytes], bool]:
    payloads: list[bytes] = []
    try:
        for piece in pieces:
            payloads += framer.feed(piece)
            framer.outgoing()
        payloads += framer.feed(b"")
    except FrameError:
        return payloads, True
    return payloads, False


def draw_tlv(chance: Random) -> Input:
    """Chip data gone wrong, or tagged text."""
    if chance.random() < 0.2:
        return Input(mutate(chance, Sample(draw_tags(chance)), draw_tags(chance)), check_tags, "tags")
    data = tlv.encode(draw_chip_data(chance))
    return Input(mutate(chance, Sample(data), data[::-1]), check_tlv)


def check_tlv(data: bytes) -> bool:
    """Objects are written again to the same bytes and shown; every way of reading refuses with one DecodeError."""
    for read in (
        lambda: emv.decode_chip_data(data),
        lambda: tlv.decode_dol(data),
        lambda: tlv.decode(data, padding=tlv.Padding.ZEROS),
        lambda: tlv.decode(data, padding=tlv.Padding.TRAILING, flat=True),
    ):
        _refusing(read)
    try:
        nodes = tlv.decode(data)
    except DecodeError as error:
        _demand(0 <= error.offset <= len(data), "the offset lies in the data")
        return False
    _demand(tlv.encode(nodes) == data, "encode(decode(x)) == x")
    list(emv.describe(nodes))
    _refusing(lambda: emv.verify_capk(nodes))
    _refusing(lambda: emv.cryptogram_data(nodes))
    return True


def check_tags(data: bytes) -> bool:
    """Tags are read or refused."""
    return _refusing(lambda: unpack_tags(data, field=F.DEVICE))


def _refusing(read: Callable[[], object]) -> bool:
    try:
        read()
    except (DecodeError, EncodeError):
        return False
    return True


def draw_jbig(chance: Random) -> Input:
    """A small image in any options, gone wrong or not."""
    width, height = chance.randint(1, 40), chance.randint(1, 24)
    filled = chance.choice((0, 0x0F, 0xFF))
    mask = (0xFF << (-width % 8)) & 0xFF
    row = row_bytes(width)
    rows = bytearray(byte & filled for byte in chance.randbytes(row * height))
    rows[row - 1 :: row] = bytes(byte & mask for byte in rows[row - 1 :: row])
    flags = Option(sum(chance.sample((Option.DPON, Option.TPBON, Option.TPDON, Option.LRLTWO), chance.randint(0, 4))))
    image = Bitmap(width, height, bytes(rows))
    data = encode_jbig(image, EncodeOptions(flags=flags, stripe_lines=chance.choice((0, 1, 8, height))))
    if chance.random() < 0.2:
        return Input(data, partial(check_image, image))
    return Input(mutate(chance, Sample(data), data[::-1]), check_jbig)


def check_image(image: Bitmap, data: bytes) -> bool:
    """What was written is read."""
    _demand(decode_jbig(data, pixels_max=PIXELS_MAX) == image, "decode(encode(x)) == x")
    return True


def check_jbig(data: bytes) -> bool:
    """A picture within the limit, or one DecodeError."""
    try:
        image = decode_jbig(data, pixels_max=PIXELS_MAX)
    except DecodeError as error:
        _demand(0 <= error.offset <= len(data), "the offset lies in the data")
        return False
    _demand(image.width * image.height <= PIXELS_MAX, "no picture above the limit")
    return True


def draw_document(chance: Random) -> Input:
    """A message to be shown and read back, or its JSON document with something strange in it."""
    dialect, sample, data = _message(chance)
    if chance.random() < 0.5:
        return Input(data, partial(check_document, dialect), dialect.name)
    given = document(unseal(sample.payload, dialect).message, unmask=True, dialect=dialect)
    holder = chance.choice([given, *(part for part in given.values() if isinstance(part, dict) and part)])
    holder[chance.choice([*holder, "65", "x"])] = chance.choice(_STRANGE)
    return Input(json.dumps(given).encode(), partial(check_json, dialect), f"{dialect.name}, JSON")


def check_document(dialect: Dialect, data: bytes) -> bool:
    """Whatever is read can be shown in both languages, and its document is the same bytes again."""
    try:
        message = unseal(data, dialect).message
    except DecodeError:
        return False
    describe(message, lang="zh", dialect=dialect)
    describe(message, unmask=True, dialect=dialect)
    shown = json.loads(json.dumps(document(message, unmask=True, dialect=dialect)))
    _demand(message_from_document(shown, dialect) == data, "the document of a message is the message")
    return True


def check_json(dialect: Dialect, data: bytes) -> bool:
    """A document is written to a message that can be read, or refused with one EncodeError."""
    try:
        payload = message_from_document(json.loads(data), dialect)
    except EncodeError:
        return False
    _demand(len(payload) > 0, "a message has bytes")
    return True


TARGETS: Final[Mapping[str, Callable[[Random], Input]]] = MappingProxyType(
    {
        "codec": draw_codec,
        "framing": draw_framing,
        "tlv": draw_tlv,
        "jbig": draw_jbig,
        "document": draw_document,
    }
)
