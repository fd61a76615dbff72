"""BER-TLV: order, duplicates, one spelling, and every hostile input one error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import DecodeError, EncodeError
from protocol.tlv import DEPTH_MAX, Node, Padding, decode, decode_dol, encode, value_of, walk


def fault(data: bytes, **options: object) -> tuple[str, int]:
    with pytest.raises(DecodeError) as caught:
        decode(data, **options)  # type: ignore[arg-type]
    return caught.value.code, caught.value.offset


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = encode([Node(0x70, data)])
    return data


GOOD = [
    ("", ()),
    ("9F26021234", (Node(0x9F26, b"\x12\x34"),)),
    ("9500", (Node(0x95, b""),)),
    ("010101", (Node(1, b"\1"),)),
    ("820101820102", (Node(0x82, b"\1"), Node(0x82, b"\2"))),
    ("9A01018201029A0103", (Node(0x9A, b"\1"), Node(0x82, b"\2"), Node(0x9A, b"\3"))),
    ("7003820139", (Node(0x70, (Node(0x82, b"\x39"),)),)),
    ("7000", (Node(0x70, ()),)),
    ("DF810503010203", (Node(0xDF8105, b"\1\2\3"),)),
    ("DF81820400", (Node(0xDF818204),)),
    ("828180" + "AA" * 128, (Node(0x82, b"\xaa" * 128),)),
    ("8281FF" + "AA" * 255, (Node(0x82, b"\xaa" * 255),)),
    ("82820100" + "AA" * 256, (Node(0x82, b"\xaa" * 256),)),
]


@pytest.mark.parametrize(("spelt", "nodes"), GOOD)
def test_there_and_back(spelt: str, nodes: tuple[Node, ...]) -> None:
    """A card's data would reach the issuer in another order, and its cryptogram would be wrong."""
    data = bytes.fromhex(spelt)
    assert decode(data) == nodes
    assert encode(nodes) == data


BAD = [
    ("95", "tlv_end", 1),  # no length
    ("9F", "tlv_end", 1),  # half a tag
    ("9F26", "tlv_end", 2),
    ("9F260812", "tlv_end", 3),  # cut off
    ("9500" + "9F2608", "tlv_end", 5),
    ("9580", "tlv_length", 1),  # B62: indefinite
    ("708095000000", "tlv_length", 1),
    ("9584FFFFFFFF", "tlv_length", 1),  # B63
    ("95887FFFFFFFFFFFFFFF", "tlv_length", 1),  # B64
    ("9588" + "80" + "00" * 7, "tlv_length", 1),
    ("9583010000", "tlv_length", 1),
    ("95FF", "tlv_length", 1),
    ("1F" + "80" * 500, "tlv_tag", 0),  # B65
    ("9F81818100", "tlv_tag", 0),
    ("9500" + "9F81818100", "tlv_tag", 2),
    ("9500" + "1F8080", "tlv_end", 5),
    ("958105" + "00" * 5, "tlv_length", 1),  # not the shortest
    ("95820005" + "00" * 5, "tlv_length", 1),
    ("958200FF" + "00" * 255, "tlv_length", 1),
    ("958105", "tlv_length", 1),
    ("9581", "tlv_end", 2),
    ("958201", "tlv_end", 3),
    ("9582FFFF00", "tlv_end", 4),  # nothing is allocated by what is claimed
    ("00", "tlv_padding", 0),  # B68
    ("95010000", "tlv_padding", 3),
    ("FF", "tlv_end", 1),
    ("FFFFFFFFFF", "tlv_tag", 0),
    ("7003820239", "tlv_end", 4),  # a child longer than its parent
    ("70038201398201", "tlv_end", 7),
    ("70029F26", "tlv_end", 4),
    ("7003829F26FF", "tlv_length", 3),
]


@pytest.mark.parametrize(("spelt", "code", "offset"), BAD)
def test_hostile_inputs(spelt: str, code: str, offset: int) -> None:
    """One crooked card could stop a terminal or a host."""
    assert fault(bytes.fromhex(spelt)) == (code, offset)


def test_depth() -> None:
    """Objects within objects would exhaust the stack of the host (B66)."""
    deep = nested(DEPTH_MAX)
    assert encode(decode(deep)) == deep
    assert fault(nested(DEPTH_MAX + 1)) == ("tlv_depth", 2 * DEPTH_MAX)
    assert fault(b"\x70\x82\xff\xff" * 10_000)[0] in ("tlv_end", "tlv_depth")
    assert fault(nested(10_000))[0] == "tlv_depth"


@pytest.mark.parametrize("padding", Padding)
@pytest.mark.parametrize("flat", [False, True])
@given(data=st.binary(max_size=60) | st.text("0123456789ABCDEF", max_size=40).map(lambda t: bytes.fromhex(t + t)))
def test_one_spelling_or_one_error(padding: Padding, flat: bool, data: bytes) -> None:
    """Two programs would see two sales in one message."""
    fault: DecodeError | None = None
    try:
        nodes = decode(data, padding=padding, flat=flat)
    except DecodeError as error:
        fault = error
    if fault:
        assert 0 <= fault.offset <= len(data)
        assert fault.code.startswith("tlv_")
        return
    spelt = encode(nodes)
    if padding is Padding.NONE:
        assert spelt == data
    assert decode(spelt, padding=padding, flat=flat) == nodes


TAGS = [0x82, 0x95, 0x9F26, 0x9F36, 0xDF8105, 0xDF818204]
leaves = st.builds(Node, st.sampled_from(TAGS), st.binary(max_size=300))
trees = st.recursive(
    leaves,
    lambda inner: st.builds(Node, st.sampled_from([0x70, 0x77, 0xBF0C]), st.lists(inner, max_size=4).map(tuple)),
    max_leaves=12,
)


@given(nodes=st.lists(trees, max_size=5).map(tuple), cut=st.integers(1, 20))
def test_generated_objects_round_trip(nodes: tuple[Node, ...], cut: int) -> None:
    """Chip data that a card may have could not be carried."""
    data = encode(nodes)
    assert decode(data) == nodes
    assert sum(len(node.octets) for node in nodes) < len(data) or not nodes
    with pytest.raises(DecodeError):
        decode(data + b"\x95" + b"\x7f" * cut)


@pytest.mark.parametrize(
    ("padding", "spelt", "count"),
    [
        (Padding.ZEROS, "000095010000820102", 2),
        (Padding.ZEROS, "00", 0),
        (Padding.ZEROS, "7005009501FF00", 1),
        (Padding.TRAILING, "95010000000000", 1),
        (Padding.TRAILING, "9501FFFFFFFF", 1),
        (Padding.TRAILING, "950100", 1),
        (Padding.TRAILING, "FFFF", 0),
        (Padding.TRAILING, "0000", 0),
        (Padding.TRAILING, "", 0),
        (Padding.TRAILING, "010101", 1),  # one byte repeated, and no padding
        (Padding.TRAILING, "FF0003820101", 1),
    ],
)
def test_padding_by_name(padding: Padding, spelt: str, count: int) -> None:
    """A reply that a host filled up to a fixed length could not be read."""
    nodes = decode(bytes.fromhex(spelt), padding=padding)
    assert len(nodes) == count
    assert decode(encode(nodes)) == nodes


@pytest.mark.parametrize(
    ("padding", "spelt", "code", "offset"),
    [
        (Padding.ZEROS, "9500FF", "tlv_end", 3),
        (Padding.TRAILING, "009500", "tlv_padding", 0),
        (Padding.TRAILING, "700595010000FF", "tlv_padding", 5),
        (Padding.TRAILING, "700495010000", "tlv_padding", 5),
    ],
)
def test_other_padding_is_refused(padding: Padding, spelt: str, code: str, offset: int) -> None:
    """Bytes that are no padding would be dropped without a word."""
    assert fault(bytes.fromhex(spelt), padding=padding) == (code, offset)


def test_flat_leaves_receipts_alone() -> None:
    """The merchant's name on a receipt would be read as objects (tags FF00 to FF70 hold text)."""
    receipt = bytes.fromhex("FF0004") + b"SHOP" + bytes.fromhex("FF600100")
    assert decode(receipt, flat=True) == (Node(0xFF00, b"SHOP"), Node(0xFF60, b"\0"))
    assert encode(decode(receipt, flat=True)) == receipt
    assert fault(receipt)[0] == "tlv_end"


def test_walk_and_value_of() -> None:
    """The second of two scripts, or one inside a template, would not be seen."""
    nodes = decode(bytes.fromhex("9A0101" + "7006820102820103" + "9A0104"))
    assert [node.tag for node in walk(nodes)] == [0x9A, 0x70, 0x82, 0x82, 0x9A]
    assert value_of(nodes, 0x70) == bytes.fromhex("820102820103")
    for tag, code in ((0x9A, "tlv_twice"), (0x82, "tlv_missing"), (0x95, "tlv_missing")):
        with pytest.raises(DecodeError) as caught:
            value_of(nodes, tag)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "node",
    [
        Node(0),
        Node(-1),
        Node(1 << 32),
        Node(0x9F),
        Node(0x9F81),
        Node(0x8201),
        Node(0x9F2600),
        Node(0x82, (Node(0x95),)),
        Node(0x82, bytes(0x10000)),
    ],
)
def test_what_cannot_be_spelt(node: Node) -> None:
    """A terminal would send chip data that no host can read."""
    with pytest.raises(EncodeError):
        encode([node])


def test_values_are_not_shown() -> None:
    """The PAN of a card would stand in a log."""
    assert repr(Node(0x5A, b"\x62\0\0")) == f"Node(tag={0x5A})"


@pytest.mark.parametrize(
    ("spelt", "entries"),
    [("", ()), ("9F02069505", ((0x9F02, 6), (0x95, 5))), ("9F3704DF810502", ((0x9F37, 4), (0xDF8105, 2)))],
)
def test_dol(spelt: str, entries: tuple[tuple[int, int], ...]) -> None:
    """A card would get other data than it asked for."""
    assert decode_dol(bytes.fromhex(spelt)) == entries


@pytest.mark.parametrize(
    ("spelt", "code", "offset"),
    [
        ("95", "tlv_end", 1),
        ("9F02069F37", "tlv_end", 5),
        ("9F", "tlv_end", 1),
        ("0001", "tlv_padding", 0),
        ("9F8181810101", "tlv_tag", 0),
    ],
)
def test_what_is_no_dol(spelt: str, code: str, offset: int) -> None:
    """Rubbish from a card would be taken for a list of what it wants."""
    with pytest.raises(DecodeError) as caught:
        decode_dol(bytes.fromhex(spelt))
    assert (caught.value.code, caught.value.offset) == (code, offset)
