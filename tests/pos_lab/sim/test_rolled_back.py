"""Memory that is put back to an older image (T12): what holds whatever the device has forgotten by that.

The money and the STANs that it has forgotten no book can give back, so that M1, M4, M5, J2, S2, S3 and S5 speak of
them; a device that was put back by a whole batch cannot settle any more, and has to be replaced (D3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from random import Random
from unittest.mock import patch

from pos_lab.sim.device import Device, DeviceFault
from pos_lab.sim.run import run_seed
from pos_lab.sim.world import Scale
from tests.pos_lab.sim.mutants import MUTANTS

ROLLED_BACK = "device.rolled_back"
HOLDS = frozenset({"K2", "K3", "K5", "C2", "I1", "I2", "I3", "M3", "M6", "M7", "M10", "S1", "S4", "S7", "S8"})
"""What it must not break: nonces, keys, commands, answers, and everything that the host alone is answerable for."""
SEEDS = range(8)


def _lived(seed: int) -> Counter[str]:
    """What a world finds in which somebody keeps images of devices, and writes them back later."""
    kept: dict[Device, dict[str, bytes]] = {}

    def roll_back(device: Device) -> None:
        chips = device.hardware.chips
        if device not in kept:
            kept[device] = {name: getattr(chips, name).image for name in ("journal", "keys")}
            return
        device.pull()
        if device.is_watched:
            device.world.examiner.write_off(device.settings.terminal_id)
        for name, image in kept[device].items():
            getattr(chips, name)._image[:] = image

    def rates(profile: str, chance: Random) -> Mapping[str, float]:
        return {ROLLED_BACK: 0.25, "attack.replay": 0.2, "attack.command": 0.5, "net.lost": 0.05}

    faults = {ROLLED_BACK: DeviceFault("T12", "its memory is put back to an older image", roll_back)}
    with patch("pos_lab.sim.device.DEVICE_FAULTS", faults), patch("pos_lab.sim.world.drawn_rates", rates):
        result = run_seed(seed, "adversary", scale=Scale(2, 20), until=HOLDS)
    return Counter(violation.id for violation in result.violations)


def test_an_older_image_repeats_no_nonce_no_command_and_no_capture() -> None:
    """Who keeps an image of a till could sell twice for once, or break the seal of its cards."""
    found = sum((_lived(seed) for seed in SEEDS), Counter[str]())
    assert found["J2"] > 10, "no STAN was used again: nothing was put to the test"
    assert not found.keys() & HOLDS


def test_a_host_that_takes_any_body_for_the_same_question_is_found_by_it() -> None:
    """A sale under a STAN of before would be approved by the answer to another one, and nobody look at it (I2)."""
    any_body = MUTANTS["any_body"].patches["host.case.Case.is_repeated"]
    with patch("host.case.Case.is_repeated", any_body):
        assert any(_lived(seed)["I2"] for seed in SEEDS)


def test_a_device_that_believes_a_kept_command_is_found_by_it() -> None:
    """Whoever kept a command and an image of a device could have it carried out once more (C2)."""
    with patch("terminal.flows.commands.check_answer"):
        assert any(_lived(seed)["C2"] for seed in SEEDS)
