"""Chips in files: whose they are, and what is told when they cannot be used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from firmware_sim.chip import Chip, Port
from firmware_sim.errors import ChipError, ChipInUse
from firmware_sim.power import Power


def test_content_outlives_the_process(tmp_path: Path) -> None:
    """A terminal that was switched off overnight would have lost its journal in the morning."""
    chip = Chip.open(tmp_path / "chip", 64)
    assert chip.image == bytes(64)
    chip.write(10, b"journal")
    chip.close()
    with pytest.raises(ChipError):
        chip.write(0, b"late")
    assert Chip.open(tmp_path / "chip", 64).read(10, 7) == b"journal"
    assert stat.S_IMODE((tmp_path / "chip").stat().st_mode) == 0o600


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """Two processes would run one device and overwrite each other's sales."""
    first = Chip.open(tmp_path / "chip", 64)
    with pytest.raises(ChipInUse, match="another process"):
        Chip.open(tmp_path / "chip", 64)
    first.close()
    Chip.open(tmp_path / "chip", 64).close()


def test_an_interrupted_making_is_finished(tmp_path: Path) -> None:
    """A device whose first start was killed could never be started."""
    (tmp_path / "chip").write_bytes(bytes(20))
    chip = Chip.open(tmp_path / "chip", 64)
    assert chip.size_bytes == (tmp_path / "chip").stat().st_size == 64


def test_a_wide_open_file_is_closed_to_others(tmp_path: Path) -> None:
    """Card data of the journal would be readable for every user of the machine."""
    (tmp_path / "chip").write_bytes(bytes(64))
    (tmp_path / "chip").chmod(0o666)
    Chip.open(tmp_path / "chip", 64)
    assert stat.S_IMODE((tmp_path / "chip").stat().st_mode) == 0o600


def _directory(path: Path) -> None:
    path.mkdir()


def _symlink(path: Path) -> None:
    path.symlink_to("elsewhere")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _long(path: Path) -> None:
    path.write_bytes(bytes(65))


def _foreign(path: Path) -> None:
    path.write_bytes(b"a text of somebody")


@pytest.mark.parametrize("make", [_directory, _symlink, _pipe, _long, _foreign])
def test_an_unusable_path_is_one_clear_error(tmp_path: Path, make: object) -> None:
    """Somebody's file would be overwritten, or the user would see a traceback."""
    path = tmp_path / "chip"
    assert callable(make)
    make(path)
    with pytest.raises(ChipError, match="chip"):
        Chip.open(path, 64)


def test_a_missing_directory_is_one_clear_error(tmp_path: Path) -> None:
    """A mistyped path would be a traceback."""
    with pytest.raises(ChipError, match="No such file"):
        Chip.open(tmp_path / "nowhere" / "chip", 64)


def test_after_a_failed_write_nothing_more_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full would lose a sale, and the next one would be journalled behind the hole."""
    chip = Chip.open(tmp_path / "chip", 64)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(ChipError, match="No space"):
            chip.write(0, b"sale")
    with pytest.raises(ChipError, match="earlier write"):
        chip.write(0, b"next sale")
    assert chip.image == bytes(64)


def test_bounds(power: Power) -> None:
    """One slot of the firmware would run over into the other."""
    chip = Chip(64)
    port = Port(chip, power, start=32, size_bytes=16)
    port.write(12, b"last")
    assert chip.read(44, 4) == b"last"
    for offset, data in ((13, b"over"), (-1, b"under")):
        with pytest.raises(ValueError, match="outside"):
            port.write(offset, data)
    with pytest.raises(ValueError, match="outside"):
        chip.read(60, 5)
