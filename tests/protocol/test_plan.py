"""The fast forms against the construct that they are derived from: same values, same bytes, same errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.dialects import DIALECTS
from protocol.elements import (
    ASCII,
    ASCII_DIGITS,
    ASCII_LL,
    ASCII_LLL,
    ASCII_SIGNED,
    ASCII_TRACK,
    BCD_LL,
    BCD_LLL,
    CHINESE,
    DIGITS,
    DIGITS_RIGHT,
    HEX_OCTETS,
    OCTETS,
    SIGNED_DIGITS,
    TRACK,
    Base,
    Bitmap,
    Body,
    Characters,
    Element,
    Fixed,
    HexOctets,
    Octets,
    Packed,
    Prefix,
    Signed,
    Value,
    Var,
)
from protocol.errors import DecodeError, EncodeError
from protocol.message import Message
from protocol.plan import LAYOUTS_MAX, PATIENCE, TWINS_MAX, Plan
from tests.protocol.samples import SAMPLES

CODINGS = (DIGITS, DIGITS_RIGHT, TRACK, ASCII, CHINESE, OCTETS, ASCII_DIGITS, ASCII_TRACK, HEX_OCTETS)
BINARY_L = Prefix(Base.BINARY, 1)
BINARY_LL = Prefix(Base.BINARY, 2)
PREFIXES = (BCD_LL, BCD_LLL, ASCII_LL, ASCII_LLL, BINARY_L, BINARY_LL)
MOST = (7, 8, 9, 5, 6, 3)
_VARS = [Var(prefix, coding, most) for coding in CODINGS for prefix, most in zip(PREFIXES, MOST, strict=True)]
_FIXED = [Fixed(coding, units) for coding in CODINGS for units in (3, 4)]
_SIGNED = [Fixed(SIGNED_DIGITS, 9), Fixed(SIGNED_DIGITS, 8), Fixed(ASCII_SIGNED, 9)]
_NUMBERS = [*range(2, 64), *range(66, 128)]
_EVERY: dict[int, Element] = {
    **dict(zip(_NUMBERS, [*_VARS, *_FIXED, *_SIGNED], strict=False)),
    64: Fixed(OCTETS, 8),
    128: Fixed(OCTETS, 8),
}

BODIES: dict[str, Body] = {name: dialect.body for name, dialect in DIALECTS.items()} | {
    "every element, binary": Body(_EVERY),
    "every element, hex": Body(_EVERY, Fixed(ASCII_DIGITS, 4), Bitmap.HEX, ("0200", "0210", "0800")),
    "characters only": Body(
        {2: Var(ASCII_LL, ASCII_TRACK, 9), 3: Fixed(OCTETS, 2)}, Fixed(ASCII_DIGITS, 4), Bitmap.HEX
    ),
    "bytes only": Body({3: Fixed(OCTETS, 2), 4: Var(BINARY_L, OCTETS, 4)}),
}
MTI = dict.fromkeys(BODIES, "0800")


def values(element: Element) -> st.SearchStrategy[Value]:
    low, high = element.bounds()
    high = min(high, max(low, 24))
    match element.coding:
        case Octets() | HexOctets():
            return st.binary(min_size=low, max_size=high)
        case Signed():
            return st.from_regex(rf"[CD][0-9]{{{low - 1}}}", fullmatch=True)
        case Packed() | Characters():
            letters = "0123456789" if element.coding.alphabet.what == "decimal digits" else "0123456789ABCDEF"
            return st.text(letters, min_size=low, max_size=high)
        case _ if element.coding is CHINESE:
            if low:
                return st.sampled_from(["成" * (low // 2) + "x" * (low % 2), "y" * low])
            return st.text(st.sampled_from("成功已停用 aZ09<\"'&€"), max_size=high // 4)
    return st.text("0aZ <\"'&~", min_size=low, max_size=high)


def field_sets(name: str) -> st.SearchStrategy[dict[int, Value]]:
    elements = BODIES[name].elements
    some = st.lists(st.sampled_from(sorted(elements)), min_size=1, max_size=9, unique=True).filter(
        lambda numbers: not (64 in numbers and max(numbers) > 64)
    )
    return some.flatmap(lambda numbers: st.fixed_dictionaries({number: values(elements[number]) for number in numbers}))


CASES = st.sampled_from(sorted(BODIES)).flatmap(lambda name: st.tuples(st.just(name), field_sets(name)))


def outcome(call: Callable[[], object]) -> object:
    """What comes of it, errors with everything that they say."""
    try:
        return call()
    except (DecodeError, EncodeError) as error:
        return type(error), str(error), sorted(vars(error).items())


def read(plan: Plan, raw: bytes) -> object:
    message, mac_bytes = plan.read(raw)
    return message.mti, dict(message.fields), message.numbers, mac_bytes


def defined(body: Body, raw: bytes) -> object:
    mti, fields = body.parse(raw)
    last = max(fields)
    mac_bytes = body.elements[last].coding.size_bytes(body.elements[last].bounds()[1]) if last in (64, 128) else 0
    return mti, fields, tuple(fields), mac_bytes


def same_reading(plan: Plan, body: Body, raw: bytes) -> None:
    assert outcome(lambda: read(plan, raw)) == outcome(lambda: defined(body, raw))


def same_writing(plan: Plan, body: Body, mti: str, fields: dict[int, Value]) -> None:
    assert outcome(lambda: plan.write(Message(mti, fields))) == outcome(lambda: body.build(mti, fields))


def taught(body: Body, raw: bytes) -> Plan:
    """A plan that has seen these bytes once, and both ways."""
    plan = Plan(body, patience=0)
    plan.write(plan.read(raw)[0])
    return plan


def without_body(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the plan must do without its construct."""

    def refuse(*_: object) -> None:
        raise AssertionError("the construct was asked")

    monkeypatch.setattr(Body, "parse", refuse)
    monkeypatch.setattr(Body, "build", refuse)


@settings(max_examples=250, deadline=None)
@given(CASES, st.data())
def test_the_fast_forms_do_what_the_elements_say(case: tuple[str, dict[int, Value]], data: st.DataObject) -> None:
    """A message would be read in one way while it is rare and in another when it is frequent."""
    name, fields = case
    body = BODIES[name]
    raw = body.build(MTI[name], fields)
    plan = taught(body, raw)
    same_reading(plan, body, raw)
    same_writing(plan, body, MTI[name], fields)
    same_writing(plan, body, MTI[name], dict(sorted(fields.items())))
    other = {number: data.draw(values(body.elements[number])) for number in fields}
    same_writing(plan, body, MTI[name], other)
    same_reading(plan, body, body.build(MTI[name], other))
    changed = bytearray(raw)
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        changed[at] = data.draw(st.sampled_from((0, 0x0F, 0x20, 0x30, 0x3D, 0x41, 0x44, 0x61, 0x7F, 0x80, 0xD1, 0xFF)))
    same_reading(plan, body, bytes(changed))


@settings(max_examples=150, deadline=None)
@given(CASES, st.data())
def test_values_that_do_not_fit_get_the_same_error(case: tuple[str, dict[int, Value]], data: st.DataObject) -> None:
    """A terminal would send a shifted amount once it has sent sixty good ones."""
    name, fields = case
    body = BODIES[name]
    plan = taught(body, body.build(MTI[name], fields))
    number = data.draw(st.sampled_from(sorted(fields)))
    wrong = st.one_of(
        st.text(st.sampled_from("0123456789Dd=C成١\n\0 "), max_size=30),
        st.binary(max_size=30),
        st.just("1" * 1001),
        st.just(b"1" * 1001),
    )
    same_writing(plan, body, MTI[name], {**fields, number: data.draw(wrong)})
    same_writing(plan, body, data.draw(st.sampled_from(("", "08", "08x0", "09000", "9999"))), fields)


@pytest.mark.parametrize("number", [2, 52, 60, 63])
@pytest.mark.parametrize("value", [None, 12, bytearray(b"12345678"), memoryview(b"12345678"), ["1"] * 8])
def test_values_of_foreign_types_are_never_sent(number: int, value: object) -> None:
    """A programming mistake would reach the line as digits."""
    body = BODIES["cup"]
    fields: dict[int, Value] = {2: "12", 52: b"12345678", 60: "12", 63: "12"}
    plan = taught(body, body.build("0200", fields))
    for _ in range(2):
        with pytest.raises(EncodeError):
            plan.write(Message("0200", {**fields, number: value}))  # type: ignore[dict-item]


@pytest.mark.parametrize("name", SAMPLES)
def test_truncation_and_every_flipped_bit_get_the_same_error(name: str) -> None:
    """The engineer would be told one thing for the first broken message and another for the hundredth."""
    body = BODIES["cup"]
    raw = body.build(SAMPLES[name].mti, SAMPLES[name].fields)
    plan = taught(body, raw)
    for size in range(len(raw)):
        same_reading(plan, body, raw[:size])
    for bit in range(8 * len(raw)):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        same_reading(plan, body, bytes(flipped))
    same_reading(plan, body, raw + b"\0")


@pytest.mark.parametrize("name", sorted(BODIES))
def test_what_was_seen_often_enough_needs_no_construct(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host would be fifteen times slower and nobody would know why."""
    body = BODIES[name]
    samples: dict[int, Value] = {}
    for number, element in body.elements.items():
        low, high = element.bounds()
        units = low or min(high, 4)
        sample: Value = "C" + "1" * (units - 1) if isinstance(element.coding, Signed) else "1" * units
        if element.coding in (TRACK, ASCII_TRACK):
            sample = "1D" * (units // 2) + "1" * (units % 2)
        samples[number] = b"1" * units if isinstance(element.coding, Octets | HexOctets) else sample
    if max(samples) > 64:
        samples.pop(64, None)
    raw = body.build("0800", samples)
    plan = taught(body, raw)
    without_body(plan, monkeypatch)
    message, _ = plan.read(raw)
    assert message.fields == samples
    assert plan.write(message) == raw


def test_a_reply_in_chinese_is_fast_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reply of the host would take the slow way."""
    body = BODIES["cup"]
    sample = SAMPLES["sale_reply"]
    raw = body.build(sample.mti, sample.fields)
    plan = taught(body, raw)
    broken = raw.replace("成".encode("gb18030"), b"\xff\xff")
    same_reading(plan, body, broken)
    without_body(plan, monkeypatch)
    assert plan.read(raw)[0].fields == sample.fields
    assert plan.write(sample) == raw


def test_a_layout_is_compiled_when_it_has_come_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger could make the host compile at every message."""
    body = BODIES["cup"]
    sample = SAMPLES["sale"]
    raw = body.build(sample.mti, sample.fields)
    plan = Plan(body)
    for _ in range(PATIENCE):
        plan.write(plan.read(raw)[0])
    assert not plan._readers
    assert not plan._writers
    plan.write(plan.read(raw)[0])
    without_body(plan, monkeypatch)
    assert plan.write(plan.read(raw)[0]) == raw


def test_layouts_of_one_length_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards of 16 and 19 digits, with chip data that make up the difference, would be read as each other."""
    body = BODIES["cup"]
    raws = [body.build("0200", {2: "1" * (2 * size), 55: b"2" * (9 - size)}) for size in range(TWINS_MAX + 2)]
    assert len({len(raw) for raw in raws}) == 1
    plan = Plan(body, patience=0)
    for raw in raws * 2:
        same_reading(plan, body, raw)
    without_body(plan, monkeypatch)
    for raw in raws[-TWINS_MAX:]:
        assert plan.read(raw)[0].mti == "0200"
    with pytest.raises(AssertionError):
        plan.read(raws[0])


LOOKALIKES: list[tuple[str, dict[int, Value], bytes, bytes]] = [
    ("cup", {41: "12345678"}, b"12345678", b"1234567\x7f"),
    ("cup", {41: "12345678"}, b"12345678", b"1234567\x1f"),
    ("cup", {41: "12345678"}, b"12345678", b"1234567\xb2"),
    ("cup", {63: "12"}, b"12", b"1\x7f"),
    ("iso87-ascii", {35: "62D1"}, b"62=1", b"62D1"),
    ("iso87-ascii", {35: "62D1"}, b"62=1", b"62d1"),
    ("iso87-ascii", {52: bytes(8)}, b"00" * 8, b"0" * 15 + b"a"),
    ("iso87-bcd", {70: "301"}, bytes.fromhex("0400000000000000"), bytes.fromhex("0200000000000000")),
    ("iso87-bcd", {70: "301"}, bytes.fromhex("0400000000000000"), bytes(8)),
]


@pytest.mark.parametrize(("name", "fields", "good", "bad"), LOOKALIKES)
def test_what_looks_like_a_frequent_message_is_checked_as_well(
    name: str, fields: dict[int, Value], good: bytes, bad: bytes
) -> None:
    """A control character or a shifted field would pass because sixty good messages came before."""
    body = BODIES[name]
    raw = body.build("0800", fields)
    assert raw.count(good) == 1
    plan = taught(body, raw)
    same_reading(plan, body, raw.replace(good, bad))
    for number, value in fields.items():
        for wrong in ("1234567\x7f", "1\x7f", "62d1", "62=1"):
            same_writing(plan, body, "0800", {number: wrong if isinstance(value, str) else wrong.encode()})


def test_hostile_layouts_do_not_fill_the_memory() -> None:
    """A stranger who varies bitmap and lengths would take the host's memory."""
    body = BODIES["cup"]
    eager, patient = Plan(body, patience=0), Plan(body)
    numbers = sorted(set(body.elements) - {2, 64})
    fixed = {number: "1" * element.bounds()[0] for number, element in body.elements.items()}
    rows: list[dict[int, Value]] = [{2: "1" * size, 3: fixed[3]} for size in range(20)]
    texts = [number for number in numbers if isinstance(body.elements[number].coding, Packed)]
    rows += [{one: fixed[one], other: fixed[other]} for one in texts for other in texts]
    rows += [{2: "1" * size, number: fixed[number]} for size in range(20) for number in texts]
    raws = {body.build("0200", row): row for row in rows}
    assert len(raws) > LAYOUTS_MAX
    for raw, row in raws.items():
        for plan in (eager, patient):
            plan.read(raw)
            plan.write(Message("0200", row))
    for plan in (eager, patient):
        assert max(len(plan._readers), len(plan._writers)) <= LAYOUTS_MAX
        assert max(len(plan._unread._seen), len(plan._unwritten._seen)) <= LAYOUTS_MAX
    assert len(eager._readers) == len(patient._unread._seen) == LAYOUTS_MAX
