"""Chips: what flash does, what a cut takes, whose the files are, and what is told when they cannot be used."""

from __future__ import annotations

import os
import stat
from itertools import permutations
from pathlib import Path

import pytest

from firmware_sim.chip import BLANK, PAGE_BYTES, SECTOR_BYTES, Chip
from firmware_sim.errors import ChipError, ChipInUse

SIZE = 2 * SECTOR_BYTES
FILE_BYTES = SIZE + 2 * 4


def test_flash_clears_bits_and_sets_them_by_the_sector() -> None:
    """The journal would be proven on memory that no device has."""
    chip = Chip(SIZE)
    assert chip.image == BLANK * SIZE
    assert chip.program(10, b"\xf0\x0f")
    assert not chip.program(10, b"\x3c\x3c")
    assert chip.read(10, 2) == b"\x30\x0c"
    assert chip.program(10, b"\x30\x0c")
    assert chip.program(SECTOR_BYTES, b"next")
    chip.barrier()
    assert chip.erase(0)
    assert chip.image == (BLANK * SECTOR_BYTES + b"next").ljust(SIZE, BLANK)


@pytest.mark.parametrize(
    ("offset", "length"), [(PAGE_BYTES - 1, 2), (0, PAGE_BYTES + 1), (-1, 1), (SIZE - 1, 2), (SIZE, 1)]
)
def test_a_program_stays_inside_its_page(offset: int, length: int) -> None:
    """One slot of the firmware would run over into the other."""
    with pytest.raises(ValueError, match="inside a page"):
        Chip(SIZE).program(offset, bytes(length))


def test_bounds() -> None:
    """Reading or erasing past the end would be told as success."""
    chip = Chip(SIZE)
    with pytest.raises(ValueError, match="outside"):
        chip.read(SIZE - 1, 2)
    with pytest.raises(ValueError, match="outside"):
        chip.erase(2)
    with pytest.raises(ValueError, match="whole sectors"):
        Chip(SIZE + 1)


def test_the_order_between_two_barriers_never_matters() -> None:
    """Which of two operations came first would decide what a cut leaves, and nobody would have tried both."""
    chip = Chip(SIZE)
    chip.erase(0)
    with pytest.raises(ValueError, match="erased without"):
        chip.program(0, b"x")
    chip.barrier()
    chip.program(0, b"x")
    with pytest.raises(ValueError, match="programmed without"):
        chip.erase(0)
    pages = [(0, b"\x5a"), (0, b"\xa7"), (300, b"far")]
    left = set()
    for order in permutations(pages):
        chip = Chip(SIZE)
        for offset, data in order:
            chip.program(offset, data)
        left.add(chip.image)
    assert len(left) == 1


@pytest.mark.parametrize("lost", range(8))
def test_a_cut_takes_any_subset_behind_the_barrier_and_nothing_before_it(lost: int) -> None:
    """The proof of the journal would hold only for a memory that writes in order."""
    chip = Chip(3 * SECTOR_BYTES)
    chip.program(0, b"durable")
    chip.program(2 * SECTOR_BYTES, b"old")
    chip.barrier()
    chip.program(0, b"dur\x00")
    chip.program(PAGE_BYTES, b"new")
    chip.erase(2)
    chip.settle(lost)
    assert chip.read(0, 7) == (b"durable" if lost & 1 else b"dur\x00ble")
    assert chip.read(PAGE_BYTES, 3) == (BLANK * 3 if lost & 2 else b"new")
    assert chip.read(2 * SECTOR_BYTES, 3) == (b"old" if lost & 4 else BLANK * 3)
    after = chip.image
    chip.settle(7)
    assert chip.image == after


def test_a_sector_wears_out_and_keeps_what_it_holds() -> None:
    """A shop's oldest terminal would lose its journal instead of refusing the next sale."""
    chip = Chip(SIZE, cycles_max=2)
    assert chip.erase(0)
    chip.barrier()
    assert chip.erase(0)
    chip.barrier()
    chip.program(0, b"last")
    chip.barrier()
    assert not chip.erase(0)
    assert (chip.read(0, 4), chip.wear) == (b"last", (2, 0))
    assert chip.erase(1)


def test_a_blanked_chip_has_forgotten_everything() -> None:
    """A device whose battery died could not be rehearsed."""
    chip = Chip(SIZE)
    chip.program(0, b"all")
    chip.blank()
    chip.settle(1)
    assert chip.image == BLANK * SIZE


def test_content_and_wear_outlive_the_process(tmp_path: Path) -> None:
    """A terminal that was switched off overnight would have lost its journal in the morning."""
    chip = Chip.open(tmp_path / "chip", SIZE, name="journal", cycles_max=1)
    assert chip.image == BLANK * SIZE
    chip.program(10, b"journal")
    chip.barrier()
    chip.erase(1)
    chip.barrier()
    chip.close()
    with pytest.raises(ChipError):
        chip.program(0, b"late")
    again = Chip.open(tmp_path / "chip", SIZE, cycles_max=1)
    assert (again.read(10, 7), again.wear, again.erase(1)) == (b"journal", (0, 1), False)
    assert stat.S_IMODE((tmp_path / "chip").stat().st_mode) == 0o600


def test_what_a_cut_takes_is_gone_from_the_file_too(tmp_path: Path) -> None:
    """The same cut would leave one thing in memory and another on disk."""
    chip = Chip.open(tmp_path / "chip", SIZE)
    chip.program(0, b"kept")
    chip.program(4, b"lost")
    chip.settle(0b10)
    chip.close()
    assert Chip.open(tmp_path / "chip", SIZE).read(0, 8) == b"kept" + BLANK * 4


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """Two processes would run one device and overwrite each other's sales."""
    first = Chip.open(tmp_path / "chip", SIZE)
    with pytest.raises(ChipInUse, match="another process"):
        Chip.open(tmp_path / "chip", SIZE)
    first.close()
    Chip.open(tmp_path / "chip", SIZE).close()


@pytest.mark.parametrize("made", [0, 20, SIZE, SIZE + 3])
def test_an_interrupted_making_is_finished(tmp_path: Path, made: int) -> None:
    """A device whose first start was killed could never be started."""
    (tmp_path / "chip").write_bytes((BLANK * SIZE + bytes(8))[:made])
    chip = Chip.open(tmp_path / "chip", SIZE)
    assert (tmp_path / "chip").stat().st_size == FILE_BYTES
    assert (chip.size_bytes, chip.wear) == (SIZE, (0, 0))


def test_a_wide_open_file_is_closed_to_others(tmp_path: Path) -> None:
    """Card data of the journal would be readable for every user of the machine."""
    (tmp_path / "chip").write_bytes(BLANK * SIZE)
    (tmp_path / "chip").chmod(0o666)
    Chip.open(tmp_path / "chip", SIZE)
    assert stat.S_IMODE((tmp_path / "chip").stat().st_mode) == 0o600


def _directory(path: Path) -> None:
    path.mkdir()


def _symlink(path: Path) -> None:
    path.symlink_to("elsewhere")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _long(path: Path) -> None:
    path.write_bytes(bytes(FILE_BYTES + 1))


def _foreign(path: Path) -> None:
    path.write_bytes(b"a text of somebody")


@pytest.mark.parametrize("make", [_directory, _symlink, _pipe, _long, _foreign])
def test_an_unusable_path_is_one_clear_error(tmp_path: Path, make: object) -> None:
    """Somebody's file would be overwritten, or the user would see a traceback."""
    path = tmp_path / "chip"
    assert callable(make)
    make(path)
    with pytest.raises(ChipError, match="chip"):
        Chip.open(path, SIZE)


def test_a_disk_that_fails_as_a_chip_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken disk would be a traceback, and the file stay locked."""

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("firmware_sim.chip.fcntl.flock", broken)
        with pytest.raises(ChipError, match="Input/output"):
            Chip.open(tmp_path / "chip", SIZE)
    Chip.open(tmp_path / "chip", SIZE).close()


def test_a_missing_directory_is_one_clear_error(tmp_path: Path) -> None:
    """A mistyped path would be a traceback."""
    with pytest.raises(ChipError, match="No such file"):
        Chip.open(tmp_path / "nowhere" / "chip", SIZE)


@pytest.mark.parametrize("failing", ["pwrite", "fsync"])
def test_after_a_failed_write_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """A disk that is full would lose a sale, and the next one would be journalled behind the hole."""
    chip = Chip.open(tmp_path / "chip", SIZE)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    def journal() -> None:
        chip.program(0, b"sale")
        chip.barrier()

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(ChipError, match="No space"):
            journal()
    with pytest.raises(ChipError, match="earlier write"):
        journal()
