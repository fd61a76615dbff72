"""The board's own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from firmware_sim.clock import CHINA_STANDARD_TIME, BoardClock
from firmware_sim.power import Power, PowerLost


def test_the_clock_shows_china_time_and_can_be_set(power: Power) -> None:
    """Receipts would carry the wrong day between midnight and eight in the morning."""
    clock = BoardClock(power, lambda: datetime(2026, 2, 28, 18, 30, tzinfo=UTC))
    assert clock.now() == datetime(2026, 3, 1, 2, 30, tzinfo=CHINA_STANDARD_TIME)
    assert clock.now().strftime("%m%d%H%M%S") == "0301023000"
    clock.set(datetime(2026, 3, 1, 3, 0, tzinfo=CHINA_STANDARD_TIME))
    assert clock.offset == timedelta(minutes=30)
    clock.advance(timedelta(days=-1))
    assert clock.now() == datetime(2026, 2, 28, 3, 0, tzinfo=CHINA_STANDARD_TIME)


def test_a_dead_board_shows_no_time(power: Power) -> None:
    """The program that lost its power would go on stamping messages."""
    clock = BoardClock(power, lambda: datetime(2026, 1, 1, tzinfo=UTC))
    power.cut()
    with pytest.raises(PowerLost):
        clock.now()
