"""How a program reaches a chip: every step counted, every step interruptible, failing cells told."""

from __future__ import annotations

import pytest

from firmware_sim.chip import BLANK, PAGE_BYTES, SECTOR_BYTES, Chip
from firmware_sim.faults import Faults
from firmware_sim.port import Port
from firmware_sim.power import Phase, Power, PowerLost

SIZE = 2 * SECTOR_BYTES


@pytest.fixture
def chip() -> Chip:
    return Chip(SIZE, name="journal")


def test_long_data_goes_page_by_page(chip: Chip, power: Power) -> None:
    """A cut in the middle of a long record could not be rehearsed."""
    port, data = Port(chip, power), bytes(range(256)) * 3
    with power.watched() as points:
        assert port.program(PAGE_BYTES - 10, data)
        port.barrier()
        assert port.program(5, b"")
        assert port.erase(1)
        port.barrier()
    assert points == ["journal.program"] * 4 + ["journal.barrier", "journal.erase", "journal.barrier"]
    assert port.read(PAGE_BYTES - 10, len(data)) == data


@pytest.mark.parametrize(
    ("phase", "torn_bytes", "lost", "left"),
    [
        (Phase.BEFORE, None, 0, b"one" + BLANK * 4),
        (Phase.TORN, 2, 0, b"oneab\xf3" + BLANK),
        (Phase.TORN, None, 0b01, BLANK * 3 + b"ab\xf3" + BLANK),
        (Phase.AFTER, None, 0, b"oneabcd"),
        (Phase.AFTER, None, 0b10, b"one" + BLANK * 4),
        (Phase.AFTER, None, 0b11, BLANK * 7),
    ],
)
def test_what_an_interrupted_program_leaves(
    chip: Chip, power: Power, phase: Phase, torn_bytes: int | None, lost: int, left: bytes
) -> None:
    """The journal would be proven against cuts that leave less than a real one."""
    port = Port(chip, power)
    port.program(0, b"one")
    power.cut_at(1, phase, torn_bytes=torn_bytes, lost=lost)
    with pytest.raises(PowerLost):
        port.program(3, b"abcd")
    assert chip.read(0, 7) == left
    with pytest.raises(PowerLost):
        port.read(0, 1)


@pytest.mark.parametrize(("phase", "blank"), [(Phase.BEFORE, 0), (Phase.TORN, 100), (Phase.AFTER, SECTOR_BYTES)])
def test_what_an_interrupted_erasure_leaves(chip: Chip, power: Power, phase: Phase, blank: int) -> None:
    """Half of an erased bank would never be seen before it happens in a shop."""
    port = Port(chip, power)
    for at in range(0, SECTOR_BYTES, PAGE_BYTES):
        port.program(at, bytes(PAGE_BYTES))
    port.barrier()
    power.cut_at(1, phase, torn_bytes=100)
    with pytest.raises(PowerLost):
        port.erase(0)
    assert chip.image == (BLANK * blank).ljust(SECTOR_BYTES, b"\0").ljust(SIZE, BLANK)


@pytest.mark.parametrize(("phase", "left"), [(Phase.BEFORE, BLANK), (Phase.AFTER, b"x")])
def test_a_barrier_that_was_not_reached_keeps_nothing(chip: Chip, power: Power, phase: Phase, left: bytes) -> None:
    """What the program believes durable would not be."""
    port = Port(chip, power)
    port.program(0, b"x")
    power.cut_at(1, phase, lost=1)
    with pytest.raises(PowerLost):
        port.barrier()
    assert chip.read(0, 1) == left


def test_clearing_takes_what_is_not_blank_and_keeps_no_secret(power: Power) -> None:
    """A worn chip would keep last year's keys for whoever finds the device."""
    chip = Chip(SIZE, cycles_max=1)
    port = Port(chip, power)
    assert port.clear(0, SIZE)
    assert chip.wear == (0, 0)
    port.program(SECTOR_BYTES, b"secret")
    port.barrier()
    assert port.clear(0, SIZE)
    assert (chip.wear, chip.image) == ((0, 1), BLANK * SIZE)
    port.program(SECTOR_BYTES, b"secret")
    port.barrier()
    assert not port.clear(0, SIZE)
    assert chip.image == (BLANK * SECTOR_BYTES).ljust(SIZE, b"\0")


def test_faults_of_the_cells(chip: Chip, power: Power) -> None:
    """Memory that fails could not be rehearsed."""
    faults = Faults()
    port = Port(chip, power, faults)
    faults.arm("journal.stuck_bit")
    assert not port.program(0, b"\xff\x00\x00")
    assert chip.read(0, 3) == b"\xff\x01\x00"
    faults.arm("journal.stuck_bit")
    assert port.program(3, BLANK)
    port.barrier()
    faults.arm("journal.erase_fails")
    assert not port.erase(0)
    assert chip.read(0, 3) == b"\xff\x01\x00"
    assert port.erase(0)
    assert (faults.fired["journal.stuck_bit"], faults.fired["journal.erase_fails"]) == (2, 1)
