"""TABLE TRANSITIONS of a swap (product X1, X6)."""

from __future__ import annotations

import pytest

from host.swap import CHINESE_STATES, OPEN, TRANSITIONS, Step, is_done, step
from protocol.swap import SwapState

LIFE = """
ordered   drain -> draining, cancel -> cancelled
draining  settle -> settled, cancel -> cancelled
settled   back up -> backed up, cancel -> cancelled
backed up bind -> bound, cancel -> cancelled
bound     restore -> restored
restored  wipe -> wiped
wiped
cancelled
"""
ROAD = [SwapState(name) for name in ("ordered", "draining", "settled", "backed up", "bound", "restored", "wiped")]
STEPS = [Step(name) for name in ("drain", "settle", "back up", "bind", "restore", "wipe")]


def legal() -> dict[tuple[SwapState, Step], SwapState]:
    """The table that the product agreed on, read from its text."""
    found = {}
    for line in LIFE.strip().splitlines():
        state = next(name for name in sorted(SwapState, key=len, reverse=True) if line.startswith(name))
        for edge in filter(None, line[len(state) :].strip().split(", ")):
            event, _, following = edge.partition(" -> ")
            found[SwapState(state), Step(event)] = SwapState(following)
    return found


@pytest.mark.parametrize("state", SwapState)
@pytest.mark.parametrize("event", Step)
def test_a_step_is_taken_only_where_the_table_says_so(state: SwapState, event: Step) -> None:
    """A till would change hands with money in its batch, or a device be wiped before anybody has its place."""
    assert step(state, event) == legal().get((state, event))


@pytest.mark.parametrize("state", ROAD)
def test_a_step_that_was_taken_is_known(state: SwapState) -> None:
    """A device that was cut off and asks again would be refused, or the step be taken twice."""
    assert [event for event in STEPS if is_done(state, event)] == STEPS[: ROAD.index(state)]
    assert not any(is_done(SwapState.CANCELLED, event) for event in STEPS)


def test_every_state_has_a_row_and_a_name() -> None:
    """A swap would stand where nobody knows what it is called."""
    assert set(TRANSITIONS) == set(CHINESE_STATES) == set(SwapState)
    assert set(ROAD[:5]) == OPEN
