"""The new life of a device: nothing of the last one is left, in memory or in files, and it takes keys again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_sim.board import Hardware
from firmware_sim.chip import BLANK
from firmware_sim.errors import SecureModuleError
from firmware_sim.fuse import Fuse
from firmware_sim.models import MODELS
from firmware_sim.secure_module import KeyState
from pos_lab.vendor import VENDOR_PUBLIC_KEY, make_image
from tests.firmware_sim.secure_bench import HOST_KEY, TMK

MODEL = MODELS["PX-E90"]


def device(fresh: Callable[[int], bytes], directory: Path | None) -> Hardware:
    """A device in memory, or as it lies in a directory."""
    return Hardware.make(
        MODEL,
        "PX00000001",
        factory_image=make_image(MODEL, "2.1.0"),
        vendor_public_key=VENDOR_PUBLIC_KEY,
        url="memory:nowhere",
        now=lambda: datetime(2026, 3, 1, tzinfo=UTC),
        fresh=fresh,
        directory=directory,
    )


@pytest.mark.feature("X9")
@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("in_files", [False, True])
def test_nothing_of_the_last_life_is_left(
    fresh: Callable[[int], bytes], tmp_path: Path, *, in_files: bool, opened: bool
) -> None:
    """The next shop would read the last one's batch, or the device take no key ever again."""
    hardware = device(fresh, tmp_path / "till" if in_files else None)
    board = hardware.power_on()
    board.secure_module.inject_tmk(TMK, HOST_KEY)
    board.nvram.append(b"a sale of the last life")
    before, slots = hardware.chips.fuse.key, hardware.chips.slots.image
    if opened:
        hardware.open_case()
    hardware.refurbish()
    assert not hardware.power.is_on
    assert not hardware.chips.journal.image.strip(BLANK)
    assert hardware.chips.fuse.key != before
    assert hardware.chips.slots.image == slots, "the firmware stays"
    if in_files:
        hardware.close()
        hardware = device(fresh, tmp_path / "till")
    board = hardware.power_on()
    assert board.secure_module.key_state is not KeyState.TAMPERED
    assert board.nvram.records() == ()
    board.secure_module.inject_tmk(bytes(range(16)), HOST_KEY)
    hardware.close()


def test_a_fuse_with_a_key_is_not_burnt_again() -> None:
    """A program could take a device's keys away without a trace of the opened case."""
    fuse = Fuse(bytes(range(32)))
    with pytest.raises(SecureModuleError):
        fuse.burn(bytes(32))
    assert fuse.key == bytes(range(32))
    fuse.erase()
    fuse.burn(bytes(32))
    assert fuse.key == bytes(32)
