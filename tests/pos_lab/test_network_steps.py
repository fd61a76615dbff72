"""The scenario word for networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from pos_lab.scenario.errors import ScenarioErrors
from tests.pos_lab.test_runner import OPEN, played

STEP = "  - network: {terminal: till, name: NAME}\n"
SIGN_IN = "  - sign_in: {terminal: till}\n"


async def test_a_device_out_of_reach_says_so_and_comes_back(tmp_path: Path) -> None:
    """A story about a till in the cellar could not be told."""
    result = await played(
        tmp_path,
        OPEN
        + STEP.replace("NAME", "no_signal")
        + SIGN_IN
        + "    expect: {outcome: refused, reason: terminal.no_line}\n"
        + STEP.replace("NAME", "ethernet, signal: 3, bandwidth_bps: 1000000")
        + SIGN_IN
        + "    expect: {outcome: done}\n",
    )
    assert [step.message.en for step in result.steps if step.verdict != "passed"] == []
    assert result.steps[-2].message.en == "network: Ethernet, 3 bars"


async def test_a_signal_that_no_display_has(tmp_path: Path) -> None:
    """A tester's slip would pass for a good signal."""
    result = await played(tmp_path, OPEN + STEP.replace("NAME", "4g, signal: 6"))
    assert result.verdict == "error"
    assert "5 at most" in result.steps[-1].message.en


async def test_an_unknown_network_is_an_error_of_the_file(tmp_path: Path) -> None:
    """A tester's slip would play without any network."""
    with pytest.raises(ScenarioErrors, match="a network: direct"):
        await played(tmp_path, OPEN + STEP.replace("NAME", "5g"))
