"""Signatures: what is drawn is what is sent, and nothing that a pen does goes on for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from random import Random

import pytest

from firmware_sim.errors import PadError
from firmware_sim.faults import Faults
from firmware_sim.models import MODELS
from firmware_sim.power import Power, PowerLost
from firmware_sim.signature_pad import (
    CELL,
    HEIGHT,
    IMAGE_BYTES_MAX,
    POINTS_MAX,
    SEGMENTS,
    SIGNATURES,
    WIDTH,
    Point,
    SignaturePad,
    Strokes,
)
from protocol.jbig.bitmap import Bitmap
from protocol.jbig.decoder import decode


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def pad(power: Power, faults: Faults) -> SignaturePad:
    return SignaturePad(power, faults)


def black(bitmap: Bitmap) -> set[Point]:
    """The pixels that are set."""
    return {(x, y) for y in range(bitmap.height) for x, pixel in enumerate(bitmap.row(y)) if pixel}


@pytest.mark.parametrize("name", SIGNATURES)
async def test_the_image_is_the_signature(pad: SignaturePad, name: str) -> None:
    """The signature in a dispute would not be the one that was given."""
    pad.sign(SIGNATURES[name])
    signature = await pad.capture(0, feature_code="0123ABCD")
    assert (signature.bitmap.width, signature.bitmap.height) == (WIDTH, HEIGHT)
    assert len(signature.image) <= IMAGE_BYTES_MAX
    assert decode(signature.image) == signature.bitmap
    drawn = black(signature.bitmap)
    assert {point for stroke in SIGNATURES[name] for point in stroke} <= drawn


async def test_a_line_is_drawn_from_point_to_point(pad: SignaturePad) -> None:
    """A fast pen would leave dots."""
    pad.sign([[(10, 10), (14, 10)], [(50, 20)]])
    drawn = black((await pad.capture(0)).bitmap)
    assert drawn == {(x, y) for x in range(10, 16) for y in (10, 11)} | {(x, y) for x in (50, 51) for y in (20, 21)}


async def test_points_beside_the_pad_are_at_its_edge(pad: SignaturePad) -> None:
    """A pen that slips off would crash the device."""
    pad.sign([[(-50, -3), (10_000, 500)]])
    drawn = black((await pad.capture(0)).bitmap)
    assert {(0, 0), (WIDTH - 1, HEIGHT - 1)} <= drawn


async def test_the_feature_code_stands_in_the_middle(pad: SignaturePad) -> None:
    """A signature could be put under another sale."""
    codes = {}
    for code in ("", *SEGMENTS, "89ABCDEF"):
        pad.sign([[(0, 0)]])
        codes[code] = black((await pad.capture(0, feature_code=code)).bitmap) - {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert codes[""] == set()
    assert len({frozenset(points) for points in codes.values()}) == 18
    left, top = (WIDTH - CELL * 8) // 2, (HEIGHT - CELL) // 2
    assert all(left <= x < left + CELL * 8 and top <= y < top + CELL for x, y in codes["89ABCDEF"])


async def test_signing_ahead_and_taking_it_back(pad: SignaturePad) -> None:
    """The signature of one customer would end under the sale of the next."""
    waiting = asyncio.create_task(pad.capture(1))
    await asyncio.sleep(0)
    pad.sign(SIGNATURES["wave"])
    assert (await waiting).image
    pad.sign(SIGNATURES["wave"])
    pad.clear()
    with pytest.raises(PadError) as late:
        await pad.capture(0.01)
    assert late.value.code == "timeout"
    pad.cancel()
    with pytest.raises(PadError) as cancelled:
        await pad.capture(0)
    assert cancelled.value.code == "cancelled"


@pytest.mark.parametrize("strokes", [(), ((),), ((), ())])
async def test_nothing_is_no_signature(pad: SignaturePad, strokes: Strokes) -> None:
    """A sale would count as signed that nobody signed."""
    pad.sign(strokes)
    with pytest.raises(PadError) as empty:
        await pad.capture(0)
    assert empty.value.code == "empty"


async def test_a_scribble_that_cannot_be_sent_is_refused(pad: SignaturePad) -> None:
    """The upload would fail after the sale, again and again."""
    chance = Random(1)
    pad.sign([[(chance.randrange(WIDTH), chance.randrange(HEIGHT))] for _ in range(POINTS_MAX)])
    with pytest.raises(PadError, match="bytes") as large:
        await pad.capture(0)
    assert large.value.code == "too_large"


@pytest.mark.parametrize("empty", [False, True], ids=["points", "strokes"])
async def test_a_pen_that_never_stops_is_bounded(pad: SignaturePad, empty: bool) -> None:
    """A child with a pen would stop the till for ever."""
    taken = count()

    def endless() -> Iterator[Point]:
        for number in taken:
            yield number % 200, number % 40

    pad.sign((iter(()) for _ in taken) if empty else [endless()])
    if empty:
        with pytest.raises(PadError):
            await pad.capture(0)
    else:
        assert (await pad.capture(0)).image
    assert next(taken) <= POINTS_MAX + 1


@pytest.mark.parametrize(
    ("fault", "code"), [("pad.cancelled", "cancelled"), ("pad.no_touch", "timeout"), ("pad.empty", "empty")]
)
async def test_fault_nobody_signs(pad: SignaturePad, faults: Faults, fault: str, code: str) -> None:
    """Nobody would see what a terminal does with a sale that is not signed."""
    faults.arm(fault)
    with pytest.raises(PadError) as unsigned:
        await pad.capture(1)
    assert (unsigned.value.code, faults.fired[fault]) == (code, 1)
    pad.sign(SIGNATURES["wave"])
    assert await pad.capture(0)


async def test_fault_endless_strokes_end(pad: SignaturePad, faults: Faults) -> None:
    """The till would wait for a pen that is stuck."""
    faults.arm("pad.endless")
    signature = await pad.capture(0)
    assert 0 < len(signature.image) <= IMAGE_BYTES_MAX
    assert faults.fired["pad.endless"] == 1


async def test_a_cut_ends_the_wait(power: Power, pad: SignaturePad) -> None:
    """A power cut at the signature would leave the flow waiting for ever."""
    waiting = asyncio.create_task(pad.capture())
    await asyncio.sleep(0)
    power.cut()
    with pytest.raises(PowerLost):
        await waiting
    for use in (pad.cancel, pad.clear, lambda: pad.sign(SIGNATURES["wave"])):
        with pytest.raises(PowerLost):
            use()


def test_models_with_a_touch_screen_have_a_pad() -> None:
    """An electronic-signature device would print a line to sign on."""
    with_pad = {model.family.value for model in MODELS.values() if model.signature_pad}
    assert with_pad == {"e_sign", "smart"}
