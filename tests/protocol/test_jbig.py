"""JBIG images of one layer: the standard's own sequence, recorded files, the reference tool if installed, bad input."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import DecodeError, EncodeError
from protocol.jbig import bitmap as limits
from protocol.jbig.arithmetic import CONTEXT_BITS, ArithmeticDecoder, ArithmeticEncoder, fresh_states
from protocol.jbig.bitmap import Bitmap, read_pbm, write_pbm
from protocol.jbig.decoder import decode
from protocol.jbig.encoder import STRIPE_LINES_MAX, EncodeOptions, encode
from protocol.jbig.header import Header, Option, Order, read_header
from protocol.jbig.probabilities import PROBABILITIES
from protocol.jbig.segments import Stripe, read_stripes, write_stripe
from tests.protocol.pictures import STROKE, bitmaps, drawn, needs_jbigkit, picture

DIAGONAL = picture([[(x + 3 * y) % 7 < 3 for x in range(100)] for y in range(40)])
PLAIN = Option.DPON | Option.TPDON
TWO_LINES = Option.LRLTWO


def options(**chosen: Any) -> EncodeOptions:
    return replace(EncodeOptions(), **chosen)


# --- the arithmetic coder ---

SEQUENCES = [
    (
        "T.82 7.1",
        "05E0 0000 8B00 01C4 1700 0034 7FFF 1A3F 951B 05D8 1D17 E770 0000 0000 0656 0E6A",
        "0FE0 0000 0F00 00F0 FF00 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000",
        "69 89 99 5C 32 EA FA A0 D5 FF 52 7F FF FF FF C0 00 00 00 3F FF 2D 20 82 91",
    ),
    (
        "T.81 K.4.1",
        "0002 0051 0000 00C0 0352 872A AAAA AAAA 82C0 2000 FCD7 9EF6 74EA ABF7 697E E74C",
        "0" * 64,
        "65 5B 51 44 F7 96 9D 51 78 55 BF FF FC 51 84 C7 CE F9 39 00 28 7D 46 70 8E CB C0 F6",
    ),
]


def bits(digits: str) -> list[int]:
    return [int(bit) for byte in bytes.fromhex(digits) for bit in f"{byte:08b}"]


@pytest.mark.parametrize(("name", "pixels", "contexts", "coded"), SEQUENCES, ids=[row[0] for row in SEQUENCES])
def test_the_standards_own_sequence(name: str, pixels: str, contexts: str, coded: str) -> None:
    """No other maker's machine could read our images."""
    states = fresh_states()
    encoder = ArithmeticEncoder(states)
    encoder.encode(pixel << CONTEXT_BITS | seen for pixel, seen in zip(bits(pixels), bits(contexts), strict=True))
    assert encoder.finish() == bytes.fromhex(coded)
    decoder = ArithmeticDecoder(bytes.fromhex(coded), fresh_states())
    assert list(decoder.decode(bits(contexts))) == bits(pixels)


def test_the_table_is_whole() -> None:
    """A row mistyped would spoil only the pictures that reach it."""
    assert len(PROBABILITIES) == 113
    switches = [number for number, row in enumerate(PROBABILITIES) if row.switches]
    assert switches == [0, 14, 36, 64, 80, 88, 95, 105, 110, 112]
    for row in PROBABILITIES:
        assert 0 < row.interval < 0x8000
        assert max(row.after_less, row.after_more) < 113


# --- recorded files ---

RECORDED = [
    ("three lines", STROKE, {}, "0000010000000010000000080000000808 00031C 7162B7D379382B88007EFF02"),
    (
        "no prediction",
        STROKE,
        {"flags": Option(0)},
        "0000010000000010000000080000000808 000300 6224F57F8FDC36F6147D88A0FF02",
    ),
    (
        "two lines",
        STROKE,
        {"flags": TWO_LINES},
        "0000010000000010000000080000000808 000340 621C54871E0620EEF495CB56FF02",
    ),
    (
        "two lines, prediction, a stuffed byte",
        STROKE,
        {"flags": TWO_LINES | Option.TPBON},
        "0000010000000010000000080000000808 000348 70B71DFF00BD4773B1D754FF02",
    ),
    (
        "facsimile",
        STROKE,
        {"flags": Option.TPBON, "order": Order(0), "stripe_lines": 128, "offset_max": 127},
        "000001000000001000000008000000807F 000008 7162B7D379382B88007EFF02",
    ),
    (
        "three stripes",
        STROKE,
        {"stripe_lines": 3},
        "0000010000000010000000080000000308 00031C 7162B7D380FF02 AF4DAB80FF02 C00DE0FF02",
    ),
    (
        "the adaptive pixel moves",
        DIAGONAL,
        {},
        "0000010000000064000000280000002808 00031C FF06000000170700 FF00CE03B81C41208F3BDEEC6C059C46"
        "16CC80BCC79CFA541A6504FADBDEFF02",
    ),
]


@pytest.mark.parametrize(("name", "image", "chosen", "digits"), RECORDED, ids=[row[0] for row in RECORDED])
def test_recorded_files(name: str, image: Bitmap, chosen: dict[str, Any], digits: str) -> None:
    """A host that compares stored signatures would find another one after an update."""
    recorded = bytes.fromhex(digits)
    assert encode(image, options(**chosen)) == recorded
    assert decode(recorded) == image


READ_ONLY = [
    ("a comment", "0000010000000010000000080000000808 00031C FF07000000026869 7162B7D379382B88007EFF02"),
    (
        "stripes that begin anew",
        "0000010000000010000000080000000308 00031C 7162B7D380FF03 BE56DDD4E0FF03 BAADF2FF03",
    ),
    (
        "a new length behind the last stripe",
        "0000010000000010000000630000000308 00033C 7162B7D380FF02 AF4DAB80FF02 C00DE0FF02 FF0500000008 FF02",
    ),
    (
        "a new length in front of the last stripe",
        "000001000000001000000063000000037F 000028 7162B7D380FF02 AF4DAB80FF02 FF0500000008 C00DE0FF02",
    ),
    (
        "a new length that nothing closes",
        "0000010000000010000000630000000308 00033C 7162B7D380FF02 AF4DAB80FF02 C00DE0FF02 FF0500000008",
    ),
    (
        "a move for a stripe that does not follow",
        "0000010000000010000000080000000808 00031C 7162B7D379382B88007EFF02 FF06000000000700",
    ),
    (
        "a prediction table for layers that are not there",
        "0000010000000010000000080000000808 00031E" + "00" * 1728 + "7162B7D379382B88007EFF02",
    ),
]


@pytest.mark.parametrize(("name", "digits"), READ_ONLY, ids=[row[0] for row in READ_ONLY])
def test_what_others_write_is_read(name: str, digits: str) -> None:
    """A signature of another maker's terminal could not be shown in a dispute."""
    assert decode(bytes.fromhex(digits)) == STROKE


def test_the_adaptive_pixel_stays_where_it_went_in_the_next_stripe() -> None:
    """A dithered logo would turn to noise in its second stripe."""
    image = Bitmap(100, 80, DIAGONAL.rows * 2)
    written = encode(image, options(stripe_lines=40))
    header, start = read_header(written)
    _, (stripes,) = read_stripes(written, start, header)
    assert [stripe.moves for stripe in stripes] == [{23: 7}, {}]
    assert decode(written) == image
    assert b"".join((header.pack(), *map(write_stripe, stripes))) == written


# --- there and back ---


choices = st.builds(
    EncodeOptions,
    flags=st.sets(st.sampled_from([Option.DPON, Option.TPBON, Option.TPDON, Option.LRLTWO])).map(
        lambda some: Option(sum(some))
    ),
    order=st.sampled_from([0, 2, 3, 4, 5, 6, 8, 14]).map(Order),
    stripe_lines=st.sampled_from([0, 1, 2, 5, 200, STRIPE_LINES_MAX]),
    offset_max=st.sampled_from([0, 8, 127]),
)


@given(image=bitmaps(), chosen=choices)
def test_there_and_back(image: Bitmap, chosen: EncodeOptions) -> None:
    """A signature would not be the one that was written."""
    written = encode(image, chosen)
    assert decode(written) == image
    assert encode(image, chosen) == written
    assert read_pbm(write_pbm(image)) == image


# --- the reference tool ---


def pattern(random: Random) -> Bitmap:
    """Noise, strokes, or what repeats itself with mistakes, which makes the adaptive pixel move."""
    width, height = random.choice([1, 7, 8, 33, 100, 241]), random.choice([1, 2, 9, 40, 80])
    period, slope = random.randrange(2, 14), random.randrange(4)
    tile = [random.random() < random.choice([0.1, 0.5]) for _ in range(period)]
    flips, along, noise = random.random() < 0.3, random.choice([0, 0.03]), random.choice([0, 0.01, 0.05, 0.5])
    base = [tile[x % period] ^ (random.random() < along) for x in range(width + slope * height)]
    kind = random.choice(["repeats", "repeats", "stroke", "white"])
    if kind == "white":
        return Bitmap(width, height, bytes((width + 7) // 8 * height))
    if kind == "stroke":
        return picture([[abs(x * height - y * width) < width for x in range(width)] for y in range(height)])
    return picture(
        [
            [base[x + slope * y] ^ (flips and y & 1) ^ (random.random() < noise) for x in range(width)]
            for y in range(height)
        ]
    )


@pytest.mark.system_tool
@needs_jbigkit
@pytest.mark.parametrize("seed", range(40))
def test_the_reference_tool_writes_the_same_and_reads_ours(tmp_path: Path, seed: int) -> None:
    """An acquirer that reads signatures with the common tools would refuse ours."""
    random = Random(seed)
    image = pattern(random)
    flags = random.choice([PLAIN, PLAIN | Option.TPBON, Option(0), TWO_LINES, TWO_LINES | Option.TPBON])
    stripe = random.choice([image.height, image.height, max(2, image.height // 2)])
    order, offset_max = Order(random.choice([0, 2, 3, 4, 5, 6, 11])), random.choice([0, 8, 16, 127])
    written = encode(image, EncodeOptions(flags, order, max(stripe, 2), offset_max))
    pbm, jbg = tmp_path / "image.pbm", tmp_path / "image.jbg"
    pbm.write_bytes(write_pbm(image))
    words = zip(("-s", "-p", "-o", "-m"), map(str, (max(stripe, 2), int(flags), int(order), offset_max)), strict=True)
    subprocess.run(["pbmtojbg", "-q", *(word for pair in words for word in pair), pbm, jbg], check=True)
    assert written == jbg.read_bytes()
    jbg.write_bytes(written)
    subprocess.run(["jbgtopbm", jbg, pbm], check=True)
    assert read_pbm(pbm.read_bytes()) == image


TOOLS = [
    ["pbmtojbg", "-q"],
    ["pbmtojbg", "-f"],
    ["pbmtojbg", "-q", "-r", "-s", "20"],
    ["pbmtojbg", "-q", "-c", "-s", "30", "-C", "a comment"],
    ["pbmtojbg", "-q", "-c", "-s", "80"],
    ["pbmtojbg", "-q", "-Y", "900", "-s", "25"],
    ["pbmtojbg", "-q", "-Y", "900", "-s", "80", "-p", "72"],
    ["pbmtojbg85", "-s", "16"],
    ["pbmtojbg85", "-s", "16", "-Y", "900", "33"],
    ["pbmtojbg85", "-s", "20", "-Y", "900", "70", "-p", "64"],
]


@pytest.mark.system_tool
@needs_jbigkit
@pytest.mark.parametrize("tool", TOOLS, ids=" ".join)
def test_all_that_the_reference_tools_write_is_read(tmp_path: Path, tool: list[str]) -> None:
    """A signature of another maker's terminal could not be shown in a dispute."""
    random = Random(82)
    upper = [[(x + 3 * y) % 7 < 3 for x in range(200)] for y in range(40)]
    lower = [[(x + y) % 11 < 4 or random.random() < 0.02 for x in range(200)] for y in range(40)]
    image = picture([*upper, *lower])
    pbm, jbg = tmp_path / "image.pbm", tmp_path / "image.jbg"
    pbm.write_bytes(write_pbm(image))
    subprocess.run([*tool, pbm, jbg], check=True)
    assert decode(jbg.read_bytes()) == image


# --- bad input ---

HEAD = Header(16, 8, 8, 8, Order(3), Option.TPBON)
BODY = bytes.fromhex("7162B7D379382B88007E")
GOOD = HEAD.pack() + BODY + b"\xff\x02"
LATE = replace(HEAD, height=99, options=Option.TPBON | Option.VLENGTH).pack()


def patched(offset: int, *values: int) -> bytes:
    return GOOD[:offset] + bytes(values) + GOOD[offset + len(values) :]


def head(**changes: Any) -> bytes:
    return replace(HEAD, **changes).pack() + b"\xff\x02"


def move(line: int, offset: int, up: int = 0) -> bytes:
    return b"\xff\x06" + struct.pack(">IbB", line, offset, up)


def new_length(height: int) -> bytes:
    return b"\xff\x05" + height.to_bytes(4, "big")


BAD = [
    ("nothing", b"", "truncated", 0),
    ("half a header", GOOD[:19], "truncated", 19),
    ("only a header", GOOD[:20], "truncated", 20),
    ("a PNG", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00", "value", 3),
    ("the lowest layer above the highest", patched(0, 1), "value", 0),
    ("no planes", patched(2, 0), "value", 2),
    ("two planes", patched(2, 2), "unsupported", 2),
    ("a fill byte", patched(3, 1), "value", 3),
    ("no width", head(width=0), "too_large", 4),
    ("no height", head(height=0), "too_large", 4),
    ("B70 65535 x 65535", head(width=65535, height=65535, stripe_lines=65535), "too_large", 4),
    ("2^32 - 1 wide", head(width=0xFFFFFFFF), "too_large", 4),
    ("wider than the limit", head(width=limits.WIDTH_MAX + 1, height=1), "too_large", 4),
    ("higher than the limit", head(width=1, height=limits.HEIGHT_MAX + 1, stripe_lines=99999), "too_large", 4),
    ("more than the limit", head(width=2048, height=2049, stripe_lines=2049), "too_large", 4),
    ("stripes of nothing", head(stripe_lines=0), "value", 12),
    ("an adaptive pixel beyond all", head(offset_max=128), "value", 16),
    ("an order that is none", patched(18, 7), "value", 18),
    ("another order that is none", patched(18, 1), "value", 18),
    ("an order with high bits", patched(18, 0x13), "value", 18),
    ("an unknown option", patched(19, 0x88), "value", 19),
    ("a table cut short", patched(19, 0x0E), "truncated", 32),
    ("no end of the stripe", GOOD[:-2], "truncated", 30),
    ("half an end of the stripe", GOOD[:-1], "truncated", 31),
    ("a second stripe", GOOD + b"\xff\x02", "trailing_bytes", 32),
    ("a stripe too few", head(stripe_lines=4), "truncated", 22),
    ("bytes behind", GOOD + b"\x00", "truncated", 33),
    ("given up", HEAD.pack() + BODY + b"\xff\x04", "aborted", 30),
    ("a reserved marker", HEAD.pack() + BODY + b"\xff\x01", "marker", 30),
    ("a comment within a stripe", HEAD.pack() + BODY + b"\xff\x07\0\0\0\0\xff\x02", "marker", 30),
    ("a comment that goes on for ever", HEAD.pack() + b"\xff\x07\xff\xff\xff\xff" + BODY, "truncated", 36),
    ("half a comment's length", HEAD.pack() + b"\xff\x07\0\0", "truncated", 24),
    ("half a move", HEAD.pack() + move(0, 3)[:-1], "truncated", 27),
    ("a move and no stripe", HEAD.pack() + move(0, 3), "truncated", 28),
    ("a move upwards", HEAD.pack() + move(0, 3, 1) + BODY + b"\xff\x02", "unsupported", 20),
    ("a move to the right", HEAD.pack() + move(0, -3) + BODY + b"\xff\x02", "value", 20),
    ("a move farther than announced", HEAD.pack() + move(0, 9) + BODY + b"\xff\x02", "value", 20),
    ("a move beyond the stripe", HEAD.pack() + move(8, 3) + BODY + b"\xff\x02", "value", 20),
    ("two moves at one line", HEAD.pack() + move(1, 3) * 2 + BODY + b"\xff\x02", "value", 28),
    ("a new length unannounced", HEAD.pack() + new_length(7) + BODY + b"\xff\x02", "marker", 20),
    ("a new length twice", LATE + new_length(8) * 2 + BODY + b"\xff\x02", "marker", 26),
    ("a new length of nothing", LATE + new_length(0) + BODY + b"\xff\x02", "value", 20),
    ("a new length that is longer", LATE + new_length(100) + BODY + b"\xff\x02", "value", 20),
    (
        "a stripe behind the new length",
        LATE + BODY + b"\xff\x02" + new_length(8) + b"\x01\xff\x02",
        "trailing_bytes",
        32,
    ),
]


@pytest.mark.parametrize(("name", "data", "code", "offset"), BAD, ids=[row[0] for row in BAD])
def test_bad_input_gets_one_clear_error(name: str, data: bytes, code: str, offset: int) -> None:
    """A host would fall over a broken signature, or blame the wrong byte."""
    with pytest.raises(DecodeError) as caught:
        decode(data)
    assert (caught.value.code, caught.value.offset) == (code, offset)


def test_the_limit_may_be_lower_but_not_higher() -> None:
    """A signature of four million pixels would keep the host busy."""
    assert decode(GOOD, pixels_max=128) == STROKE
    with pytest.raises(DecodeError, match="limit"):
        decode(GOOD, pixels_max=127)
    with pytest.raises(DecodeError, match="limit"):
        decode(head(width=2048, height=2049, stripe_lines=2049), pixels_max=1 << 40)


def test_every_beginning_is_refused() -> None:
    """Half a signature would be stored as a whole one."""
    for written in (GOOD, encode(DIAGONAL), encode(STROKE, options(stripe_lines=2))):
        for size in range(len(written)):
            with pytest.raises(DecodeError):
                decode(written[:size])


@pytest.mark.timeout(60)
def test_every_bit_flipped_is_an_image_or_one_error() -> None:
    """A disturbed line would stop the host."""
    for written in (GOOD, encode(STROKE, options(stripe_lines=3)), bytes.fromhex(READ_ONLY[3][1])):
        for bit in range(8 * len(written)):
            flipped = bytearray(written)
            flipped[bit // 8] ^= 0x80 >> bit % 8
            read_or_refused(bytes(flipped))


@settings(max_examples=200)
@given(
    front=st.sampled_from([b"", HEAD.pack(), LATE, head(width=300, stripe_lines=3)[:20]]),
    parts=st.lists(
        st.one_of(
            st.binary(max_size=8),
            st.sampled_from([bytes((0xFF, kind)) for kind in range(9)]),
            st.builds(move, st.integers(0, 9), st.integers(-9, 9), st.integers(0, 1)),
            st.builds(new_length, st.integers(0, 99)),
        ),
        max_size=12,
    ),
)
def test_garbage_is_an_image_or_one_error(front: bytes, parts: list[bytes]) -> None:
    """Whoever can send a signature could stop the host."""
    read_or_refused(front + b"".join(parts))


def read_or_refused(data: bytes) -> None:
    try:
        image = decode(data, pixels_max=100_000)
    except DecodeError as error:
        where = error.offset
    else:
        where = 0
        assert image.width * image.height <= 100_000
    assert 0 <= where <= len(data)


FLOODS: list[tuple[str, Callable[[], bytes]]] = [
    ("comments", lambda: HEAD.pack() + b"\xff\x07\0\0\0\0" * 100_000),
    ("moves", lambda: head(stripe_lines=STRIPE_LINES_MAX)[:20] + b"".join(move(line, 3) for line in range(100_000))),
    ("stripes", lambda: head(stripe_lines=1)[:20] + b"\xff\x02" * 300_000),
    ("stuffing", lambda: HEAD.pack() + b"\xff\x00" * 300_000),
    ("escapes", lambda: HEAD.pack() + b"\xff" * 600_000),
]


@pytest.mark.timeout(10)
@pytest.mark.parametrize(("name", "build"), FLOODS, ids=[row[0] for row in FLOODS])
def test_floods_are_read_once(name: str, build: Callable[[], bytes]) -> None:
    """A megabyte of markers would keep the host busy for hours."""
    with pytest.raises(DecodeError):
        decode(build())


@pytest.mark.timeout(30)
def test_the_largest_image_is_bounded_work() -> None:
    """Thirty bytes could keep the host busy for ever."""
    image = decode(head(width=2048, height=2048, stripe_lines=2048, options=Option.TPBON))
    assert len(image.rows) == 2048 * 2048 // 8


BAD_OPTIONS: list[dict[str, Any]] = [
    {"flags": Option.VLENGTH},
    {"flags": Option.DPPRIV},
    {"flags": Option(128)},
    {"order": Order(16)},
    {"order": Order(1)},
    {"order": Order(7)},
    {"stripe_lines": -1},
    {"stripe_lines": STRIPE_LINES_MAX + 1},
    {"offset_max": -1},
    {"offset_max": 128},
]


@pytest.mark.parametrize("chosen", BAD_OPTIONS, ids=str)
def test_options_that_no_header_holds_are_refused(chosen: dict[str, Any]) -> None:
    """An image would be written that nobody reads."""
    with pytest.raises(EncodeError):
        options(**chosen)


@pytest.mark.parametrize(
    ("width", "height", "rows", "code"),
    [
        (0, 1, b"", "too_large"),
        (1, limits.HEIGHT_MAX + 1, bytes(limits.HEIGHT_MAX + 1), "too_large"),
        (9, 1, b"\0", "value"),
        (9, 2, b"\0\0\0\1", "value"),
    ],
)
def test_a_bitmap_is_what_it_says(width: int, height: int, rows: bytes, code: str) -> None:
    """Dirty padding would change the bytes of an equal picture."""
    with pytest.raises(EncodeError) as caught:
        Bitmap(width, height, rows)
    assert caught.value.code == code


# --- PBM ---

PBM = [
    ("raw", b"P4\n9 2\n\x80\x80\x00\x00"),
    ("raw with dirty padding", b"P4 9 2 \x80\xff\x00\x7f"),
    ("raw with comments", b"P4 # a\n# b\n9\t#c\r2\n\x80\x80\x00\x00"),
    ("plain", b"P1\n9 2\n1 0 0 0 0 0 0 0 1\n0 0 0 0 0 0 0 0 0\n"),
    ("plain and dense", b"P1\n9 2\n100000001000000000"),
    ("plain with comments", b"P1\n9 2\n100000001 # 1 x\n000000000"),
]


@pytest.mark.parametrize(("name", "data"), PBM, ids=[row[0] for row in PBM])
def test_pbm_files_are_read(name: str, data: bytes) -> None:
    """An image of the usual drawing programs could not be sent."""
    assert read_pbm(data) == drawn("#.......# .........")


BAD_PBM = [
    ("nothing", b"", "magic", 0),
    ("a grey image", b"P5\n1 1\n255\n\0", "magic", 0),
    ("no height", b"P4\n9 ", "magic", 0),
    ("no rows", b"P4\n9 2", "truncated", 6),
    ("a letter for a blank", b"P4\n9 2x", "value", 6),
    ("half a row", b"P4\n9 2\n\x80\x80\x00", "truncated", 10),
    ("two images", b"P4\n9 2\n\x80\x80\x00\x00P4", "trailing_bytes", 11),
    ("too wide", b"P4\n99999 1\n", "too_large", 3),
    ("a pixel too few", b"P1\n2 1\n1", "truncated", 8),
    ("a pixel too many", b"P1\n2 1\n111", "trailing_bytes", 10),
    ("neither black nor white", b"P1\n2 1\n12", "value", 8),
]


@pytest.mark.parametrize(("name", "data", "code", "offset"), BAD_PBM, ids=[row[0] for row in BAD_PBM])
def test_bad_pbm_files_get_one_clear_error(name: str, data: bytes, code: str, offset: int) -> None:
    """The clerk would see a traceback in place of what is wrong with the file."""
    with pytest.raises(DecodeError) as caught:
        read_pbm(data)
    assert (caught.value.code, caught.value.offset) == (code, offset)


def test_a_stripe_that_resets_is_written_as_such() -> None:
    """The next stripe would be read with what the last one learned."""
    assert write_stripe(Stripe(b"\xff", {2: 5}, resets=True)) == move(2, 5) + b"\xff\x00\xff\x03"
