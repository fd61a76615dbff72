"""Program memory as flash: images over the remains of others, cells that fail, cuts in between."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.chip import BLANK, PAGE_BYTES, SECTOR_BYTES, Chip
from firmware_sim.faults import Faults
from firmware_sim.flash import RECORD_BANK_BYTES, SLOTS, Flash, FlashRecord
from firmware_sim.nvram import BANKS
from firmware_sim.power import Power, PowerLost, cuts

SLOT_BYTES = 3 * SECTOR_BYTES
OLD = random.Random(1).randbytes(2 * SECTOR_BYTES + 100)
NEW = random.Random(2).randbytes(SECTOR_BYTES + 700)
CHUNK_BYTES = 1500
CHUNKS = [NEW[at : at + CHUNK_BYTES] for at in range(0, len(NEW), CHUNK_BYTES)]


class Bench:
    """A flash that survives cuts, with an old image in slot 1."""

    def __init__(self, power: Power) -> None:
        self.power = power
        self.faults = Faults()
        self.slots = Chip(SLOTS * SLOT_BYTES, name="slots")
        self.record = Chip(BANKS * RECORD_BANK_BYTES, name="slot_record")

    def flash(self) -> Flash:
        if not self.power.is_on:
            self.power.switch_on()
        return Flash(self.slots, self.record, self.power, self.faults)


@pytest.fixture
def bench(power: Power) -> Bench:
    return Bench(power)


@pytest.mark.parametrize("chunk", [1000, PAGE_BYTES, SECTOR_BYTES, len(NEW)])
def test_an_image_over_the_remains_of_another(bench: Bench, chunk: int) -> None:
    """The second update of a terminal would never pass its check."""
    flash = bench.flash()
    flash.write(0, 0, OLD)
    flash.write(1, 0, OLD)
    for at in range(0, len(NEW), chunk):
        flash.write(1, at, NEW[at : at + chunk])
    assert flash.read(1, len(NEW)) == NEW
    assert flash.read(0, len(OLD)) == OLD
    assert max(bench.slots.wear) == 1


def test_blank_memory_is_not_worn_by_writing(bench: Bench) -> None:
    """An update would cost more of the memory's life than it must."""
    flash = bench.flash()
    flash.write(1, 0, OLD)
    flash.write(1, 0, OLD)
    assert set(bench.slots.wear) == {0}
    assert flash.record == FlashRecord()


def download(flash: Flash, done: int) -> int:
    """Write the chunks behind the first ``done`` ones; how many are there when it ends or the power goes."""
    try:
        for number in range(done, len(CHUNKS)):
            flash.write(1, number * CHUNK_BYTES, CHUNKS[number])
            done += 1
    except PowerLost:
        pass
    return done


def test_every_cut_of_a_download_leaves_one_that_can_go_on(bench: Bench) -> None:
    """A plug pulled during a download would spoil the image for good."""
    flash = bench.flash()
    flash.write(0, 0, OLD)
    flash.write(1, 0, OLD)
    image = bench.slots.image
    with bench.power.watched() as points:
        download(flash, 0)
    for number, phase in cuts(points):
        for lost in (0, 0b1, 0b10101, ~0):
            bench.slots = Chip.holding(image, name="slots")
            bench.power.cut()
            flash = bench.flash()
            bench.power.cut_at(number, phase, lost=lost)
            done = download(flash, 0)
            assert not bench.power.is_on
            flash = bench.flash()
            assert flash.read(0, len(OLD)) == OLD
            assert download(flash, done) == len(CHUNKS)
            assert flash.read(1, len(NEW)) == NEW, (points[number - 1], number, phase, lost)


@pytest.mark.parametrize("name", ["slots.stuck_bit", "slots.erase_fails"])
def test_failing_cells_fault_spoil_the_image_and_nothing_else(bench: Bench, name: str) -> None:
    """An image with a wrong bit would run."""
    flash = bench.flash()
    flash.write(0, 0, OLD)
    flash.write(1, 0, OLD)
    bench.faults.arm(name)
    flash.write(1, 0, NEW)
    assert flash.read(1, len(NEW)) != NEW
    assert flash.read(0, len(OLD)) == OLD
    assert bench.faults.fired[name] == 1
    flash.write(1, 0, NEW)
    assert flash.read(1, len(NEW)) == NEW


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_chunks_in_order_make_the_image(data: st.DataObject) -> None:
    """A host with an odd chunk size could not update this terminal."""
    power = Power()
    power.switch_on()
    flash = Bench(power).flash()
    for image in (OLD, NEW, OLD):
        at = 0
        while at < len(image):
            size = data.draw(st.integers(500, 2 * SECTOR_BYTES))
            flash.write(1, at, image[at : at + size])
            at += size
        assert flash.read(1, len(image)) == image
    assert flash.read(0, PAGE_BYTES) == BLANK * PAGE_BYTES
