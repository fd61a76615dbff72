"""The files of a device, read beside the process that writes them."""

from __future__ import annotations

from pathlib import Path

from firmware_sim.chip import Chip
from firmware_sim.models import MODELS
from firmware_sim.nvram import Nvram
from firmware_sim.power import Power
from pos_lab.sim.checker.bank import records_of
from pos_lab.soak.chip_file import ChipFile, DeviceFiles


def test_what_a_device_wrote_is_read_while_it_runs(tmp_path: Path) -> None:
    """A journal would count as empty, and every sale as sent before it was written down."""
    size = 64 * 1024
    file = ChipFile(tmp_path / "journal.chip", size)
    file.refresh()
    assert file.read(0, size) == b"\xff" * size
    chip, power = Chip.open(tmp_path / "journal.chip", size), Power()
    power.switch_on()
    nvram = Nvram(chip, power)
    nvram.append(b"first")
    file.refresh()
    nvram.append(b"second")
    assert records_of(file.read(0, size)) == [b"first"]
    file.refresh()
    assert records_of(file.read(0, size)) == [b"first", b"second"]
    assert file.read_now(0, size) == chip.image
    chip.close()


def test_every_chip_of_a_model_is_found(tmp_path: Path) -> None:
    """A key would be looked for in a file that is called otherwise."""
    files = DeviceFiles(tmp_path, "X", MODELS["PX-E90"])
    assert set(files.chips) == {"journal", "keys", "slots", "slot_record"}
    (tmp_path / "keys.chip").write_bytes(b"K")
    files.refresh()
    assert files.chips["keys"].read(0, 2) == b"K\xff"
