"""What seeds have found in host and device, each with its story and, where it takes few lines, the defect alone."""

from __future__ import annotations

import pytest

from firmware_sim.chip import Chip
from firmware_sim.faults import Faults
from firmware_sim.nvram import Nvram
from firmware_sim.power import Power
from host.engine import SENT_AGAIN
from host.refusals import REFUSALS
from pos_lab.sim.run import run_seed
from pos_lab.sim.world import Scale
from protocol.fields import F
from protocol.kinds import KINDS
from protocol.responses import RESPONSES, Action


def test_what_is_sent_again_is_not_answered_as_before() -> None:
    """An offline sale would never be booked: told once to sign on or to download first, it heard so for ever.

    Seed 122 (adversary): rules came into force that want tables downloaded; the sale was answered 77, the terminal
    signed on and downloaded, and got the stored 77 each time that it sent the same sale again.
    """
    refused = REFUSALS["terminal.parameters_old"]
    assert RESPONSES[refused.code].action is Action.SIGN_ON_AGAIN
    assert refused.code in SENT_AGAIN


def test_one_bad_cell_does_not_keep_a_blank_memory_from_starting() -> None:
    """A device whose battery died would be scrap for one bit that did not take at its first boot.

    Seed 369 (power): the memory was blank, a cell was stuck once as it was formatted, and formatting was tried once.
    """
    power, faults = Power(), Faults()
    power.switch_on()
    faults.arm("journal.stuck_bit")
    memory = Nvram(Chip(64 * 1024, name="journal"), power, faults=faults)
    memory.append(b"a sale")
    assert not faults.armed
    assert memory.records() == (b"a sale",)


@pytest.mark.parametrize(
    ("seed", "profile"), [(122, "adversary"), (369, "power"), (404, "everything"), (30, "everything")]
)
def test_seeds_that_found_something_pass(seed: int, profile: str) -> None:
    """What was mended once would come back."""
    assert run_seed(seed, profile, scale=Scale(2, 20)).passed


@pytest.mark.parametrize("seed", [22, 162, 258, 415])
def test_seeds_that_misled_the_examiner_or_a_cashier_pass(seed: int) -> None:
    """Honest hosts would be found fault with, and nobody would listen to the examiner any more.

    22 (adversary): a stranger's copy of a question that was answered counted as taking a line over (I6).
    162 (network): a cashier never ended a training that stood in the way of an exchange (D3).
    258 (network): what was written until the power went counted as written by the boot (J9).
    415 (everything): a backup was sealed under a master key that is no more, and nobody came with the new one (D3).
    """
    assert run_seed(seed).passed


def test_a_recorded_pause_closes_no_shop() -> None:
    """Whoever recorded a pause could close the shop again, and the terminal would believe that it is open.

    Seed 4 (adversary): instead of the merchant's resume the request before came again, his pause, which nothing but its
    keys bound to its place; the host held the terminal, and its answer passed for that to the resume (L8).
    """
    assert not run_seed(4, "adversary").violations
    assert F.STAN in KINDS["pause"].request.must


def test_an_upload_whose_end_was_not_heard_of_comes_to_it() -> None:
    """A shop whose line failed behind a batch upload could settle no more, and sell no more.

    Seed 3045 (network): a supervisor dropped a reversal of what the host had captured, the books differed, and the
    answer to the end of the upload was lost; the terminal began it again, of a batch that the host had closed (D3).
    """
    result = run_seed(3045, "network")
    assert result.passed
    assert (result.fired["operator.clears"], result.markers["books_differed"]) == (1, 1)
