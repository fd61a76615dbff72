"""Time decides nothing about money by itself (invariant D5): clocks that jump, and calendars that run ahead."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from pos_lab.sim.run import run_seed
from tests.pos_lab.sim.mutants.parts import world_of

CLOCKS = {"clock.stepped": 1.0, "clock.drifting": 1.0, "power.at_once": 0.2}
DATES = world_of("sale void refund preauth completion settle sign_in", "pass_days pass_years payout")


@pytest.mark.parametrize("seed", range(6))
def test_clocks_that_jump_by_years_move_no_money(seed: int) -> None:
    """A clock that lost its cell would let a sale expire, a reversal be forgotten, or a batch be settled twice."""
    with patch.multiple("pos_lab.sim.world", drawn_rates=lambda profile, chance: CLOCKS):
        for target, changed in DATES.items():
            patcher = patch(target, changed)
            patcher.start()
        try:
            result = run_seed(seed, "power")
        finally:
            patch.stopall()
    assert not result.violations
    assert result.fired["clock.stepped"] > 5
    assert result.results.get("approved", 0) > 0
