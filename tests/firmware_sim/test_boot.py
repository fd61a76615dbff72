"""Which firmware runs: the table, row by row, and what must never run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from firmware_sim.board import Hardware
from firmware_sim.boot import BOOT, Outcome
from firmware_sim.errors import BootFailed, NvramWorn
from firmware_sim.flash import Flash, FlashRecord, Slots, SlotState
from firmware_sim.power import Cause
from firmware_sim.profiles import PROFILES
from tests.firmware_sim.program_memory import MODEL, Memory, make_image, stage

IMAGES = ("2.1.0", "2.2.0")
FACTORY = make_image("2.1.0", security_counter=2)
CONFIRMED, STAGED, EMPTY = SlotState.CONFIRMED, SlotState.STAGED, SlotState.EMPTY


@pytest.mark.parametrize("slots", list(product(SlotState, SlotState)), ids="-".join)
def test_every_pair_of_slots(slots: Slots) -> None:
    """After some history of updates and cuts the terminal would not start, or start the wrong firmware."""
    memory = Memory(FACTORY)
    memory.put(slots, (make_image(IMAGES[0]), make_image(IMAGES[1])))
    if slots not in BOOT:
        with pytest.raises(BootFailed, match="no firmware"):
            memory.power_on()
        assert not memory.power.is_on
        return
    memory.power_on()
    running, choice = memory.running, BOOT[slots]
    assert (running.slot, running.version, running.outcome) == (choice.slot, IMAGES[choice.slot], choice.outcome)
    assert memory.flash.record.slots == choice.then
    memory.power.cut()
    assert slots.count(CONFIRMED) == 1


@pytest.mark.parametrize("confirmed", [0, 1])
def test_a_trial_that_crashes_three_times_is_reverted(confirmed: int) -> None:
    """A firmware that hangs would come back at every start, and the shop could not sell again."""
    memory = Memory(FACTORY)
    slots = (CONFIRMED, STAGED) if confirmed == 0 else (STAGED, CONFIRMED)
    memory.put(slots, (make_image(IMAGES[0]), make_image(IMAGES[1], security_counter=9)))
    outcomes = []
    for _ in range(5):
        memory.restart()
        outcomes.append((memory.running.slot, memory.running.outcome))
        assert memory.flash.record.security_counter == 1
    assert outcomes == [
        *[(1 - confirmed, Outcome.TEST)] * 3,
        (confirmed, Outcome.REVERT),
        (confirmed, Outcome.NORMAL),
    ]


@pytest.mark.parametrize("crashes", [0, 1, 2])
def test_a_trial_may_be_confirmed_after_any_boot_of_it(crashes: int) -> None:
    """One dip of the mains in the first minute would cost the shop its update."""
    memory = Memory(FACTORY)
    memory.put((CONFIRMED, STAGED), (make_image(IMAGES[0]), make_image(IMAGES[1], security_counter=9)))
    for _ in range(crashes):
        memory.restart()
    memory.restart().confirm()
    assert memory.flash.record.slots == (EMPTY, CONFIRMED)
    assert memory.flash.record.security_counter == 9
    memory.restart()
    assert (memory.running.version, memory.running.outcome) == ("2.2.0", Outcome.NORMAL)


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (make_image("2.2.0")[:-1] + b"X", "hash"),
        (make_image("2.2.0", model="NX-E21", security_counter=2), "other_model"),
        (make_image("2.2.0", security_counter=1), "security_counter"),
        (make_image("2.2.0", security_counter=2, minimum_loader=MODEL.loader + 1), "loader"),
        (make_image("2.2.0", security_counter=2, nvram_kib=MODEL.nvram_kib + 1), "memory"),
        (make_image("2.2.0", security_counter=2, journal_format=MODEL.journal_format + 1), "journal_format"),
        (make_image("2.2.0", security_counter=2, profile="martian"), "profile"),
        (bytes(300), "malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_trial_that_may_not_run_is_never_run(image: bytes, code: str) -> None:
    """A damaged, foreign or withdrawn firmware would run once, which is enough to steal keys."""
    memory = Memory(FACTORY)
    memory.put((CONFIRMED, STAGED), (FACTORY, image), security_counter=2)
    memory.power_on()
    assert (memory.running.version, memory.running.outcome) == ("2.1.0", Outcome.REVERT)
    assert memory.flash.record.refused == {code: 1}
    memory.restart()
    assert memory.running.outcome is Outcome.NORMAL


@pytest.mark.parametrize("profile", PROFILES)
def test_the_image_says_how_it_behaves(profile: str) -> None:
    """An old firmware would behave like a new one, and no gate could be tried."""
    memory = Memory(make_image("2.1.0", profile=profile))
    memory.power_on()
    assert memory.running.profile is PROFILES[profile]


def test_a_device_whose_firmware_rotted_says_so() -> None:
    """The terminal would run a damaged program on people's money."""
    memory = Memory(FACTORY)
    memory.put((CONFIRMED, EMPTY), (FACTORY[:-1] + b"X", b""))
    with pytest.raises(BootFailed, match="may not run"):
        memory.power_on()
    assert not memory.power.is_on
    memory.put((CONFIRMED, EMPTY), (make_image("2.1.0", minimum_loader=9), b""))
    with pytest.raises(BootFailed, match="needs boot loader 9"):
        memory.power_on()


def test_a_device_goes_on_running_an_image_that_has_expired() -> None:
    """On the day after, every terminal of the country would be a brick."""
    memory = Memory(make_image("2.1.0", expires_at=1))
    memory.power_on()
    assert memory.running.outcome is Outcome.NORMAL


@pytest.mark.parametrize("state", [state for state in SlotState if state not in (CONFIRMED, EMPTY)])
def test_where_the_record_takes_no_more_the_confirmed_image_runs(
    state: SlotState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worn record could not count the crashes of a bad trial, which would then come back for ever."""

    def worn(flash: Flash, record: FlashRecord) -> None:
        raise NvramWorn("worn")

    memory = Memory(FACTORY)
    memory.put((CONFIRMED, state), (FACTORY, make_image("2.2.0", security_counter=2)))
    monkeypatch.setattr(Flash, "save", worn)
    for _ in range(2):
        memory.restart()
        assert (memory.running.version, memory.running.outcome) == ("2.1.0", Outcome.REVERT)


def test_a_model_decides_what_it_can_run() -> None:
    """A device with too little memory would lose the records of its sales."""
    image = make_image("2.2.0", nvram_kib=256)
    small = Memory(FACTORY, replace(MODEL, nvram_kib=255))
    small.put((CONFIRMED, STAGED), (FACTORY, image))
    small.power_on()
    assert small.running.outcome is Outcome.REVERT
    large = Memory(FACTORY, replace(MODEL, nvram_kib=256))
    large.put((CONFIRMED, STAGED), (FACTORY, image))
    large.power_on()
    assert large.running.outcome is Outcome.TEST


@pytest.mark.parametrize(("crashes", "version", "boots"), [(1, "2.2.0", 2), (2, "2.2.0", 3), (3, "2.1.0", 4)])
def test_a_device_whose_new_firmware_crashes_fault(
    make_hardware: Callable[..., Hardware], crashes: int, version: str, boots: int
) -> None:
    """Nobody is in the shop at night to switch it off and on three times (A12)."""
    hardware = make_hardware()
    stage(hardware.power_on().update, make_image("2.2.0"))
    hardware.cut_power()
    hardware.faults.arm("firmware.trial_crashes", times=crashes)
    before = hardware.power.epoch
    board = hardware.power_on()
    assert (board.running.version, hardware.faults.fired["firmware.trial_crashes"]) == (version, crashes)
    assert (hardware.power.epoch - before + 1) // 2 == boots
    assert hardware.power.last_cut is Cause.CRASH


def test_firmware_that_crashes_for_ever_is_reverted_fault(make_hardware: Callable[..., Hardware]) -> None:
    """The device would restart until its battery is empty."""
    hardware = make_hardware()
    stage(hardware.power_on().update, make_image("2.2.0"))
    hardware.cut_power()
    hardware.faults.arm("firmware.trial_crashes", times=None)
    board = hardware.power_on()
    assert (board.running.version, board.running.outcome) == ("2.1.0", Outcome.REVERT)
    assert hardware.faults.fired["firmware.trial_crashes"] == 3
