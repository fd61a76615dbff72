"""The whole machine: what a cut takes and what it leaves."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_sim.board import Hardware
from firmware_sim.cards import TEST_CARDS, EntryMode
from firmware_sim.errors import ChipError, ChipInUse, DeviceError, SecureModuleError
from firmware_sim.models import MODELS
from firmware_sim.power import Cause, PowerLost, cuts
from firmware_sim.secure_module import KeyState
from protocol.errors import SignatureError

TMK = bytes(range(16))


async def test_a_cut_takes_the_program_and_leaves_the_device(hardware: Hardware) -> None:
    """After a power cut the terminal would have to be set up again, or go on as if nothing had happened."""
    board = hardware.power_on()
    board.nvram.append(b"pending")
    board.secure_module.inject_tmk(TMK, b"H" * 32)
    board.display.show("处理中", "processing")
    board.card_reader.present(TEST_CARDS["credit"])
    board.keypad.press("60.00")
    waiting = asyncio.create_task(board.keypad.read_pin())
    await asyncio.sleep(0)
    hardware.cut_power()
    with pytest.raises(PowerLost):
        await waiting
    with pytest.raises(PowerLost):
        board.nvram.append(b"late")
    with pytest.raises(PowerLost):
        board.clock.now()
    again = hardware.power_on()
    assert again.nvram.records() == (b"pending",)
    assert again.secure_module.key_state is KeyState.TMK
    assert (await again.card_reader.read_card(0)).entry_mode is EntryMode.CHIP
    assert [screen.en for screen in again.display.shown] == ["processing"]
    with pytest.raises(DeviceError, match="nobody pressed"):
        await again.keypad.read(0.01)
    with pytest.raises(DeviceError, match="on already"):
        hardware.power_on()


def test_every_cut_of_the_first_start(make_hardware: Callable[..., Hardware]) -> None:
    """A device unplugged while it is unpacked would be dead on arrival."""
    dry = make_hardware()
    with dry.power.watched() as points:
        dry.power_on()
    assert len(points) > 3
    for number, phase in cuts(points):
        hardware = make_hardware()
        hardware.power.cut_at(number, phase, cause=Cause.BROWN_OUT)
        with pytest.raises(PowerLost):
            hardware.power_on()
        board = hardware.power_on()
        assert board.power.last_cut is Cause.BROWN_OUT
        assert (board.running.version, board.nvram.records()) == ("2.1.0", ())
        assert board.secure_module.unseal(board.secure_module.seal(b"x")) == b"x"


def test_a_device_in_a_directory_outlives_the_process(make_hardware: Callable[..., Hardware], tmp_path: Path) -> None:
    """`poslab terminal` would forget its keys and unsettled sales between two calls."""
    directory = tmp_path / "device"
    hardware = make_hardware(directory=directory)
    board = hardware.power_on()
    board.nvram.append(b"sale")
    board.secure_module.inject_tmk(TMK, b"H" * 32)
    with pytest.raises(ChipInUse):
        make_hardware(directory=directory)
    hardware.close()
    again = make_hardware(directory=directory)
    board = again.power_on()
    assert board.nvram.records() == (b"sale",)
    assert board.secure_module.key_state is KeyState.TMK
    again.close()
    for file in directory.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        assert TMK not in file.read_bytes()
    assert sorted(file.name for file in directory.iterdir()) == [
        "fuse.key",
        "journal.chip",
        "keys.chip",
        "slot_record.chip",
        "slots.chip",
    ]


def test_directories_that_are_no_device(make_hardware: Callable[..., Hardware], tmp_path: Path) -> None:
    """A mistyped path would be a traceback, or somebody's files be overwritten."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ChipError, match="file cannot be used"):
        make_hardware(directory=tmp_path / "file")
    directory = tmp_path / "device"
    make_hardware(directory=directory).close()
    (directory / "fuse.key").write_bytes(b"short")
    with pytest.raises(ChipError, match="not a fuse of"):
        make_hardware(directory=directory)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_lost_fuse_key_and_another_serial_number_are_told(
    make_hardware: Callable[..., Hardware], tmp_path: Path
) -> None:
    """A device that was tampered with would start with fresh keys as if it were new."""
    hardware = make_hardware(directory=tmp_path)
    hardware.power_on()
    hardware.close()
    other = make_hardware(directory=tmp_path, serial_number="PXE9000000002")
    with pytest.raises(SecureModuleError, match="another device"):
        other.power_on()
    assert not other.power.is_on
    other.close()
    (tmp_path / "fuse.key").unlink()
    with pytest.raises(SecureModuleError, match="another device"):
        make_hardware(directory=tmp_path).power_on()


def test_the_factory_checks_its_image(
    make_hardware: Callable[..., Hardware], make_image: Callable[..., bytes], tmp_path: Path
) -> None:
    """A device would be shipped that never starts."""
    with pytest.raises(SignatureError):
        make_hardware(factory_image=make_image("1.4.0", model="NX-E21"), directory=tmp_path)
    with pytest.raises(DeviceError, match="a slot has"):
        make_hardware(factory_image=make_image("2.1.0", payload=bytes(300_000)), directory=tmp_path)
    hardware = make_hardware(directory=tmp_path)
    assert hardware.power_on().running.version == "2.1.0"
    hardware.close()
    later = make_hardware(factory_image=make_image("9.9.9"), directory=tmp_path)
    assert later.power_on().running.version == "2.1.0", "the factory writes once"


def test_nothing_secret_in_the_repr(hardware: Hardware) -> None:
    """A key would stand in the first traceback that shows the device."""
    board = hardware.power_on()
    board.card_reader.present(TEST_CARDS["credit"])
    shown = repr(hardware) + repr(board) + repr(hardware.chips)
    assert repr(hardware.chips.fuse.key) not in shown
    assert TEST_CARDS["credit"].pan not in shown


def test_a_model_with_a_battery_outlives_the_plug(
    make_hardware: Callable[..., Hardware], make_image: Callable[..., bytes]
) -> None:
    """The courier's device would go dark when it is taken off its cradle, the counter's would not."""
    for name, has_battery in (("PX-E90", True), ("PX-S80", False)):
        model = MODELS[name]
        hardware = make_hardware(model=model, factory_image=make_image(model.factory_firmware, model=name))
        hardware.power_on()
        hardware.power.plug()
        hardware.power.unplug()
        assert (model.battery, hardware.power.is_on) == (has_battery, has_battery)


def test_the_crystal_outlives_the_power(hardware: Hardware) -> None:
    """A clock that was set wrong would be right after every power cut."""
    board = hardware.power_on()
    before = board.clock.now()
    hardware.crystal.step(timedelta(hours=1))
    hardware.cut_power()
    assert hardware.power_on().clock.now() == before + timedelta(hours=1)


def test_a_sector_that_fails_is_told_by_the_board_fault(hardware: Hardware) -> None:
    """The fault would be armed and the memory never ask."""
    board = hardware.power_on()
    hardware.faults.arm("journal.erase_fails")
    board.nvram.rewrite([b"kept"])
    hardware.cut_power()
    hardware.faults.arm("journal.erase_fails")
    again = hardware.power_on()
    assert (again.nvram.is_worn, again.nvram.records()) == (True, (b"kept",))
    hardware.cut_power()
    assert not hardware.power_on().nvram.is_worn
