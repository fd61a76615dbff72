"""Which firmware runs: the table, row by row, and what must never run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from firmware_sim.board import Hardware
from firmware_sim.boot import BOOT, Outcome
from firmware_sim.errors import BootFailed
from firmware_sim.flash import Flash, FlashRecord, Slots, SlotState
from firmware_sim.power import Power

IMAGES = ("2.1.0", "2.2.0")


def put(hardware: Hardware, slots: Slots, images: tuple[bytes, bytes], security_counter: int = 1) -> None:
    """Write slots and record as if some history had led there."""
    power = Power()
    power.switch_on()
    flash = Flash(hardware.chips.slots, hardware.chips.slot_record, power)
    for slot, image in enumerate(images):
        flash.write(slot, 0, image)
    flash.save(FlashRecord(slots, (len(images[0]), len(images[1])), security_counter))


@pytest.mark.parametrize("slots", list(product(SlotState, SlotState)), ids="-".join)
def test_every_pair_of_slots(hardware: Hardware, make_image: Callable[..., bytes], slots: Slots) -> None:
    """After some history of updates and cuts the terminal would not start, or start the wrong firmware."""
    put(hardware, slots, (make_image(IMAGES[0]), make_image(IMAGES[1])))
    if slots not in BOOT:
        with pytest.raises(BootFailed, match="no firmware"):
            hardware.power_on()
        assert not hardware.power.is_on
        return
    running = hardware.power_on().running
    assert (running.slot, running.version) == (BOOT[slots].slot, IMAGES[BOOT[slots].slot])
    assert running.outcome is BOOT[slots].outcome


@pytest.mark.parametrize("confirmed", [0, 1])
def test_an_unconfirmed_trial_is_reverted(hardware: Hardware, make_image: Callable[..., bytes], confirmed: int) -> None:
    """A firmware that hangs would come back at every start, and the shop could not sell again."""
    first, staged = SlotState.CONFIRMED, SlotState.STAGED
    slots = (first, staged) if confirmed == 0 else (staged, first)
    put(hardware, slots, (make_image(IMAGES[0]), make_image(IMAGES[1])))
    outcomes = []
    for _ in range(3):
        running = hardware.power_on().running
        outcomes.append((running.slot, running.outcome))
        hardware.cut_power()
    assert outcomes == [(1 - confirmed, Outcome.TEST), (confirmed, Outcome.REVERT), (confirmed, Outcome.NORMAL)]


def test_a_trial_that_may_not_run_is_never_run(hardware: Hardware, make_image: Callable[..., bytes]) -> None:
    """A damaged, foreign or withdrawn firmware would run once, which is enough to steal keys."""
    good = make_image("2.1.0", security_counter=2)
    bad = [
        make_image("2.2.0")[:-1] + b"X",
        make_image("2.2.0", model="NX-E21", security_counter=2),
        make_image("2.2.0", security_counter=1),
        bytes(300),
    ]
    for image in bad:
        put(hardware, (SlotState.CONFIRMED, SlotState.STAGED), (good, image), security_counter=2)
        running = hardware.power_on().running
        assert (running.version, running.outcome) == ("2.1.0", Outcome.REVERT)
        hardware.cut_power()


def test_a_device_whose_firmware_rotted_says_so(hardware: Hardware, make_image: Callable[..., bytes]) -> None:
    """The terminal would run a damaged program on people's money."""
    put(hardware, (SlotState.CONFIRMED, SlotState.EMPTY), (make_image("2.1.0")[:-1] + b"X", b""))
    with pytest.raises(BootFailed, match="may not run"):
        hardware.power_on()
    assert not hardware.power.is_on
