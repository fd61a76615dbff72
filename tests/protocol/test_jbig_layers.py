"""JBIG images of several layers: recorded files, the reference tool where it is installed, predictions, bad input."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from random import Random
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import DecodeError
from protocol.jbig.arithmetic import ASK, BLACK, CODED, WHITE
from protocol.jbig.bitmap import HEIGHT_MAX, Bitmap, write_pbm
from protocol.jbig.decoder import decode
from protocol.jbig.header import Header, Option, Order, read_header
from protocol.jbig.prediction import NOTHING_TOLD, PHASES, STATIC, forecasts, kinds, standard_table
from protocol.jbig.reduction import MADE, reduced
from protocol.jbig.segments import Marker, marker, read_stripes
from tests.protocol.pictures import STROKE, drawn, needs_jbigkit, picture

ALL = Option.DPON | Option.TPBON | Option.TPDON
ORDERS = tuple(Order(loops | way) for loops in (0, 2, 3, 4, 5, 6) for way in (0, 8))

SMALL_STROKE = drawn(
    """
    ....##..
    .#.#..#.
    ..##..#.
    .......#
    """
)
STRIPES = picture([[x % 4 == 0 for x in range(100)] for _ in range(60)])
BLOTS = picture(
    [[(x // 6 + y // 5) % 3 == 0 and abs((x * x + 3 * y) % 17 - 8) > 2 for x in range(37)] for y in range(23)]
)

# --- recorded files of the reference tool ---

PLAIN_STROKE = "0001010000000010000000080000000408000300 7C626C0440FF02 4CB9BFEE2A555D9D1440402880FF02"
TOLD_STROKE = "0001010000000010000000080000000408000304 7C626C0440FF02 4C2151A5B3CFBFF2A66AFF02"
RECORDED = [
    (
        "two layers",
        STROKE,
        "000101000000001000000008000000040800031C BC06921A80FF02 5947108DD9E6B142A99C40FF02",
    ),
    ("no predictions", STROKE, PLAIN_STROKE),
    ("deterministic prediction", STROKE, TOLD_STROKE),
    (
        "typical prediction",
        STROKE,
        "0001010000000010000000080000000408000310 7C626C0440FF02 4C3FDFF6CF555767817CF45096FF02",
    ),
    (
        "three layers in two stripes, the highest first",
        STROKE,
        "0002010000000010000000080000000108000E5C 5947108DD9E8FF02 B73CFF02 C8FF02 4D095C8520FF02 E120FF02 40FF02",
    ),
    (
        "more layers than the image has halves",
        STROKE,
        "000501000000001000000008000000010800031C E0FF02 FF02 80FF02 7BFF02 B73E3A80FF02 5947108DD9E6B142A99C40FF02",
    ),
    (
        "the adaptive pixel moves in the upper layer",
        STRIPES,
        "00010100000000640000003C0000001E08000300 BCA2AC5FA8FF02 FF06000000170400 A5E30A0D32B200000008F6D180FF02",
    ),
    (
        "an odd size",
        BLOTS,
        "000101000000002500000017000000640800031C E6A3C01EF1EB95308FB96485A38914D6493B9CAC0BD300F8FF02"
        "1920ACCD42F77493ED9CA83080EE0B086DA155AA918070C1B5EA4760E7FC5832F4206DA4ECA692F1C0DAEB2A306CFCA083F2585E24FF02",
    ),
    (
        "an odd size in three stripes, the highest layer first",
        BLOTS,
        "0002010000000025000000170000000208000E1C 1920ACCD42F77493ED9CA83080EE0B0838D4D8FF02 38DDD5FF006B1F80FF02"
        "DCB0F6FF02 84B1806C1F88EA476A8086A82E9DA1AF72AF624060FF02 7E2017DD5F8E9DA8FF02 84AD50FF02"
        "DACF8887417B08DFDCCEBDD84D80FF02 AEE11EC46A5680FF02 162180FF02",
    ),
    (
        "stripes that begin anew",
        STROKE,
        "000101000000001000000008000000020800031C BC0690FF03 C1B120FF03 5947108DD9E8FF03 01BF48DF9210FF03",
    ),
    (
        "an odd size in stripes that begin anew",
        BLOTS,
        "000201000000002500000017000000020800041C DCB0F6FF03 38DDD5FF006B1F80FF03"
        "1920ACCD42F77493ED9CA83080EE0B0838D4D8FF03"
        "C16F90FF03 544157F4932440FF03 6888A2982483BA96118A60EE63F05BEFBA41F5AAC380FF03 DCB131FF03"
        "37053492CF621C50FF03 1C14ECC322175B11AF41C3FAA2A16E9DE040FF03",
    ),
    (
        "a comment",
        STROKE,
        "000101000000001000000008000000020800031C FF07000000026869 BC0690FF02 6D12FF02 5947108DD9E8FF02 4D095C8520FF02",
    ),
    (
        "a new length in front of a last stripe",
        STROKE,
        "000101000000001000000014000000020800033C BC0690FF02 FF0500000008 6D12FF02 5947108DD9E8FF02 4D095C8520FF02",
    ),
    (
        "a new length within the last but one stripe of all layers",
        STROKE,
        "000101000000001000000014000000020800063C BC0690FF02 FF0500000008 5947108DD9E8FF02 6D12FF02 4D095C8520FF02",
    ),
    (
        "a new length behind the only stripe of the lower layer",
        STROKE,
        "000101000000001000000014000000040800033C BC06921A80FF02 FF0500000008FF02 5947108DD9E6B142A99C40FF02",
    ),
    (
        "a new length behind the only stripe of the upper layer",
        STROKE,
        "0001010000000010000000140000000408000E3C 5947108DD9E6B142A99C40FF02 FF0500000008FF02 BC06921A80FF02",
    ),
    (
        "a new length within the only stripe of all layers",
        STROKE,
        "000101000000001000000014000000040800043C BC06921A80FF02 FF0500000008FF02 5947108DD9E6B142A99C40FF02",
    ),
]


@pytest.mark.parametrize(("name", "image", "digits"), RECORDED, ids=[row[0] for row in RECORDED])
def test_recorded_files(name: str, image: Bitmap, digits: str) -> None:
    """A page that the usual tools write, in layers unless told otherwise, could not be shown."""
    assert decode(bytes.fromhex(digits)) == image


def test_the_adaptive_pixel_moves_in_one_layer_only() -> None:
    """A dithered logo would turn to noise in its upper layer."""
    recorded = bytes.fromhex(RECORDED[6][2])
    header, start = read_header(recorded)
    _, layers = read_stripes(recorded, start, header)
    assert [[stripe.moves for stripe in stripes] for stripes in layers] == [[{}], [{23: 4}]]


# --- the layer below ---


def halved(image: Bitmap) -> Bitmap:
    large = [bytes(image.width + 3)] + [b"\0" + image.row(y) + b"\0\0" for y in range(image.height)]
    large += [bytes(image.width + 3)] * 2
    small = [bytes((image.width + 1) // 2 + 1)]
    for y in range(1, image.height + 1, 2):
        row = bytearray(1)
        for x in range(1, image.width + 1, 2):
            above = small[-1][x // 2 : x // 2 + 2]
            around = [pixel for line in large[y - 1 : y + 2] for pixel in line[x - 1 : x + 2]]
            labels = [*above, row[-1], 0, *around]
            row.append(reduced(sum(pixel << label for label, pixel in enumerate(labels))))
        small.append(bytes(row))
    return picture(row[1:] for row in small[1:])


def test_the_layer_below_is_the_reference_tools() -> None:
    """A table mistyped would spoil only the pictures that reach it."""
    assert halved(STROKE) == SMALL_STROKE
    assert decode(bytes.fromhex("000001000000000800000004000000040800031C BC06921A80FF02")) == SMALL_STROKE


# --- predictions ---


def entries(table: bytes) -> list[list[int]]:
    """The entries of a header's table by phase."""
    flat = iter([byte >> shift & 3 for byte in table for shift in (6, 4, 2, 0)])
    return [[next(flat) for _ in range(1 << phase)] for phase in PHASES]


def with_table(written: bytes, table: bytes) -> bytes:
    return written[:19] + bytes((written[19] | Option.DPPRIV | Option.DPON,)) + table + written[20:]


def test_as_much_is_predicted_as_the_standard_counts() -> None:
    """A table mistyped would spoil only the pictures that reach it."""
    told = [sum(entry < 2 for entry in phase) for phase in entries(standard_table())]
    assert told == [20, 108, 526, 1044]


def test_a_forecast_tells_what_the_table_tells() -> None:
    """A picture would be right only where its neighbours are white."""
    table = entries(standard_table())
    for row, (static, told) in enumerate(zip(STATIC, forecasts(standard_table()), strict=True)):
        known = 1 << static
        for labels in range(known):
            for seen in range(4):
                nearest, farther = seen & 1, seen >> 1
                left = table[2 * row][labels + known * nearest]
                right = table[2 * row + 1][labels + known * (farther + 2 * nearest)]
                got = [forecast >> 2 * seen & 3 for forecast in told[labels]]
                assert got == [(WHITE, BLACK, CODED)[left], (WHITE, BLACK, CODED)[right]]
            assert kinds(told[labels + known]) == bytes((BLACK if labels >> MADE & 1 else WHITE,)) * 2


def test_what_is_asked_is_what_matters_to_the_left() -> None:
    """A pixel would be told before it can be known."""
    assert kinds(bytes((0, 0b10101010, 0xFF, 0b10101000))) == bytes((CODED, WHITE, BLACK, ASK))


TABLES = [
    ("the standard's own", TOLD_STROKE, standard_table()),
    ("nothing told", PLAIN_STROKE, NOTHING_TOLD),
    ("nothing told in another way", PLAIN_STROKE, b"\xff" * len(NOTHING_TOLD)),
]


@pytest.mark.parametrize(("name", "digits", "table"), TABLES, ids=[row[0] for row in TABLES])
def test_a_table_in_the_header_is_used(name: str, digits: str, table: bytes) -> None:
    """A picture of a machine with a table of its own would be noise."""
    written = with_table(bytes.fromhex(digits), table)
    header, start = read_header(written)
    assert header.pack() == written[:start]
    assert decode(written) == STROKE


def test_a_table_may_contradict_what_is_typical() -> None:
    """Two decoders would show two pictures."""
    white = bytes.fromhex("000101000000000800000008000000040800031C FF02 80FF02")
    assert decode(white) == Bitmap(8, 8, bytes(8))
    assert decode(with_table(white, b"\x55" * 1728)) == Bitmap(8, 8, bytes(8))
    untypical = white[:19] + bytes((white[19] & ~Option.TPDON,)) + white[20:]
    assert decode(with_table(untypical, b"\x55" * 1728)) == Bitmap(8, 8, b"\xff" * 8)


# --- the reference tool ---


def pattern(random: Random) -> Bitmap:
    """Noise, text, strokes, or what repeats itself with mistakes, which makes the adaptive pixel move."""
    width, height = random.choice([1, 2, 7, 8, 33, 100, 140]), random.choice([1, 2, 3, 9, 40, 57])
    period, slope, noise = random.randrange(2, 14), random.randrange(4), random.choice([0, 0.01, 0.5])
    tile = [[random.random() < 0.4 for _ in range(period)] for _ in range(7)]
    kinds_of_picture: list[Callable[[int, int], bool]] = [
        lambda x, y: tile[y % 7][x % period] and (x // 11 + y // 9) % 3 > 0,
        lambda x, y: tile[0][(x + slope * y) % period] ^ (random.random() < noise),
        lambda x, y: abs(x * height - y * width) < width,
    ]
    pixel = random.choice(kinds_of_picture)
    return picture([[pixel(x, y) for x in range(width)] for y in range(height)])


def written_by_the_tool(folder: Path, image: Bitmap, words: Iterable[object]) -> bytes:
    pbm, jbg = folder / "image.pbm", folder / "image.jbg"
    pbm.write_bytes(write_pbm(image))
    subprocess.run(["pbmtojbg", *map(str, words), pbm, jbg], check=True)
    return jbg.read_bytes()


@pytest.mark.system_tool
@needs_jbigkit
@pytest.mark.parametrize("seed", range(40))
def test_all_that_the_reference_tool_writes_is_read(tmp_path: Path, seed: int) -> None:
    """A page that somebody sends as it comes from the usual tool could not be shown."""
    random = Random(seed)
    image = pattern(random)
    words: list[object] = ["-p", sum(random.choice([0, bit]) for bit in (4, 8, 16, 64)), "-o", random.choice(ORDERS)]
    words += ["-d", random.choice([1, 1, 2, 3, 6, 20]), "-s", random.choice([1, 2, 3, 8, 100])]
    words += ["-m", random.choice([0, 3, 8, 16, 127])]
    for extra in (["-r"], ["-C", "a comment"], ["-Y", image.height + random.choice([0, 1, 9, 500])]):
        words += random.choice([[], [], extra])
    assert decode(written_by_the_tool(tmp_path, image, map(str, words))) == image


@pytest.mark.system_tool
@needs_jbigkit
@pytest.mark.parametrize("words", [[], ["-x", "100", "-y", "100"], ["-f"], ["-q"]], ids=" ".join)
def test_pages_are_read_as_they_come(tmp_path: Path, words: list[str]) -> None:
    """A page that somebody sends as it comes from the usual tool could not be shown."""
    random = Random(82)
    image = picture([[(x + 3 * y) % 7 < 3 or random.random() < 0.02 for x in range(700)] for y in range(90)])
    assert decode(written_by_the_tool(tmp_path, image, words)) == image


@pytest.mark.system_tool
@needs_jbigkit
def test_several_planes_and_layers_of_another_file_are_refused(tmp_path: Path) -> None:
    """A grey picture would be shown as noise."""
    grey = tmp_path / "grey.pgm"
    grey.write_bytes(b"P5\n4 4\n3\n" + bytes(x % 4 for x in range(16)))
    jbg = tmp_path / "grey.jbg"
    subprocess.run(["pbmtojbg", grey, jbg], check=True)
    with pytest.raises(DecodeError, match="2 planes"):
        decode(jbg.read_bytes())
    with pytest.raises(DecodeError, match="from 1 on"):
        decode(written_by_the_tool(tmp_path, STROKE, ["-d", "1", "-l", "1"]))


# --- bad input ---

LAYERED = bytes.fromhex(RECORDED[9][2])
HIGH_FIRST = bytes.fromhex(RECORDED[8][2])
HEAD = Header(16, 8, 2, 8, Order(3), ALL, 1)
LATE = replace(HEAD, height=40, options=ALL | Option.VLENGTH)
END = marker(Marker.SDNORM)


def new_length(height: int) -> bytes:
    return marker(Marker.NEWLEN) + height.to_bytes(4, "big")


def move(line: int) -> bytes:
    return marker(Marker.ATMOVE) + line.to_bytes(4, "big") + b"\x03\x00"


BAD = [
    ("layers from the second on", b"\x01" + LAYERED[1:], "unsupported", 0),
    ("a table of another file", LAYERED[:19] + b"\x1f" + LAYERED[20:], "unsupported", 19),
    ("two planes", LAYERED[:2] + b"\x02" + LAYERED[3:], "unsupported", 2),
    ("a table cut short", with_table(LAYERED[:20], NOTHING_TOLD[1:]), "truncated", 1747),
    ("one layer too few", HEAD.pack() + END * 2, "truncated", 24),
    ("a stripe too few", HEAD.pack() + END * 3, "truncated", 26),
    ("a stripe too many", HEAD.pack() + END * 5, "trailing_bytes", 28),
    ("a move within the upper layer's stripe only", HEAD.pack() + move(2) + END * 4, "value", 20),
    ("a move beyond the upper layer's stripe", HEAD.pack() + END * 2 + move(4) + END * 2, "value", 24),
    ("a new length after more", LATE.pack() + END * 3 + new_length(8) + END * 3, "value", 26),
    ("a new length and a stripe too many", LATE.pack() + END + new_length(8) + END * 5, "trailing_bytes", 36),
    ("a new length, closed twice", LATE.pack() + END * 2 + new_length(8) + END * 4, "trailing_bytes", 36),
    ("too high, known at once", replace(HEAD, height=HEIGHT_MAX + 1).pack(), "too_large", 4),
    ("too wide, known at once", replace(LATE, width=99999).pack() + END, "too_large", 4),
    ("too high, no new length", replace(LATE, height=HEIGHT_MAX + 1).pack() + END, "too_large", 4),
]


@pytest.mark.parametrize(("name", "data", "code", "offset"), BAD, ids=[row[0] for row in BAD])
def test_bad_input_gets_one_clear_error(name: str, data: bytes, code: str, offset: int) -> None:
    """A host would fall over a broken page, or blame the wrong byte."""
    with pytest.raises(DecodeError) as caught:
        decode(data)
    assert (caught.value.code, caught.value.offset) == (code, offset)


def test_a_move_on_the_last_line_of_the_upper_layers_stripe_is_read() -> None:
    """A dithered page would be refused for where its pattern begins."""
    assert decode(HEAD.pack() + END * 2 + move(3) + END * 2).height == HEAD.height


def test_every_beginning_is_refused() -> None:
    """Half a page would be stored as a whole one."""
    for size in range(len(LAYERED)):
        with pytest.raises(DecodeError):
            decode(LAYERED[:size])


@pytest.mark.timeout(60)
def test_every_bit_flipped_is_an_image_or_one_error() -> None:
    """A disturbed line would stop the host."""
    for written in (LAYERED, HIGH_FIRST):
        for bit in range(8 * len(written)):
            flipped = bytearray(written)
            flipped[bit // 8] ^= 0x80 >> bit % 8
            read_or_refused(bytes(flipped))


@settings(max_examples=200)
@given(
    differential=st.integers(0, 255),
    stripe_lines=st.integers(1, 5),
    order=st.sampled_from(ORDERS),
    options=st.integers(0, 127),
    parts=st.lists(st.binary(max_size=4), max_size=12),
)
def test_garbage_is_an_image_or_one_error(
    differential: int, stripe_lines: int, order: Order, options: int, parts: list[bytes]
) -> None:
    """Whoever can send a signature could stop the host."""
    header = Header(20, 9, stripe_lines, 8, order, Option(options), differential)
    read_or_refused(header.pack() + END.join((*parts, b"")))
    due = header.stripes * header.layers
    read_or_refused(header.pack() + END.join([*(parts * due)[:due], b""]))


def read_or_refused(data: bytes) -> None:
    try:
        image = decode(data, pixels_max=100_000)
    except DecodeError as error:
        where = error.offset or 0
    else:
        where = 0
        assert image.width * image.height <= 100_000
    assert 0 <= where <= len(data)


FLOODS = [
    ("height known", replace(HEAD, stripe_lines=1), "trailing_bytes"),
    ("height known, one layer", replace(HEAD, stripe_lines=1, differential=0), "trailing_bytes"),
    ("height to come", replace(LATE, height=0xFFFFFFFF, stripe_lines=1), "too_large"),
    ("height to come, all layers together", replace(LATE, height=0xFFFFFFFF, order=Order.SEQ), "too_large"),
    ("height to come, one layer", replace(LATE, height=0xFFFFFFFF, stripe_lines=1, differential=0), "too_large"),
    ("height to come, many layers", replace(LATE, height=0xFFFFFFFF, stripe_lines=1, differential=31), "too_large"),
    ("no height", replace(HEAD, height=0xFFFFFFFF, stripe_lines=1), "too_large"),
]


@pytest.mark.parametrize(("name", "header", "code"), FLOODS, ids=[row[0] for row in FLOODS])
def test_a_flood_of_stripes_is_refused_before_it_is_read(name: str, header: Header, code: str) -> None:
    """A few megabytes of empty stripes would keep the host busy for seconds."""
    flood = header.pack() + END * 2_000_000
    start = process_time()
    with pytest.raises(DecodeError) as caught:
        decode(flood)
    assert caught.value.code == code
    assert (caught.value.offset or 0) < 100
    assert process_time() - start < 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("side", "differential"), [(1024, 1), (256, 255)])
def test_the_largest_image_is_bounded_work(side: int, differential: int) -> None:
    """A few bytes could keep the host busy for ever."""
    header = Header(side, side, side, 8, Order(3), ALL, differential)
    assert len(decode(header.pack() + END * (differential + 1)).rows) == side * side // 8
