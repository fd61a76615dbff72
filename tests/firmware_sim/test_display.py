"""What people are told."""

from __future__ import annotations

import pytest

from firmware_sim.display import Display, Shown
from firmware_sim.power import Power, PowerLost


def test_what_was_shown_is_known_after_a_cut(power: Power) -> None:
    """Nobody could say what the cashier had been told when the power went."""
    history: list[Shown] = []
    display = Display(power, history)
    display.show("请刷卡", "present the card")
    power.cut()
    with pytest.raises(PowerLost):
        display.show("已批准", "approved")
    power.switch_on()
    Display(power, history).show("欢迎", "welcome")
    assert [screen.en for screen in Display(power, history).shown] == ["present the card", "welcome"]
    assert history[0].zh == "请刷卡"
