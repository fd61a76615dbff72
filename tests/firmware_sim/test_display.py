"""What people are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_sim.display import Display, Shown
from firmware_sim.models import MODELS
from firmware_sim.power import Power, PowerLost

MODEL = replace(MODELS["PX-E90"], columns=8, lines=2)


def test_what_was_shown_is_known_after_a_cut(power: Power) -> None:
    """Nobody could say what the cashier had been told when the power went."""
    history: list[Shown] = []
    display = Display(power, MODEL, history)
    display.show("请刷卡", "present the card")
    power.cut()
    with pytest.raises(PowerLost):
        display.show("已批准", "approved")
    power.switch_on()
    again = Display(power, MODEL, history)
    assert again.lines("en") == ("", "")
    again.show("欢迎", "welcome")
    assert [screen.en for screen in again.shown] == ["present the card", "welcome"]
    assert history[0].zh == "请刷卡"


def test_a_screen_is_as_wide_and_as_high_as_the_model(power: Power) -> None:
    """The cashier of a small device would not see the end of a text: what is to be done."""
    display = Display(power, MODEL, [])
    display.show("请刷卡或插卡", "swipe the card")
    assert display.lines("zh") == ("请刷卡或", "插卡")
    assert display.lines("en") == ("swipe th", "e card")
    display.show("一\n二\n三", "ok")
    assert (display.lines("zh"), display.lines("en")) == (("二", "三"), ("ok", ""))
    power.cut()
    with pytest.raises(PowerLost):
        display.lines("zh")
