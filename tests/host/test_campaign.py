"""Campaigns as pure rules: transitions, what falls due, waves and appointments (product T, X3, N10)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.campaign import (
    ITEM_TRANSITIONS,
    OPEN,
    STEP_DAYS,
    Course,
    Item,
    ItemState,
    Step,
    due_notice,
    due_step,
    next_look,
    schedule,
    shifted,
    step,
)
from host.lifecycle import State
from host.policy import DAY_S, Policy
from host.records import Terminal

AT = 1_772_359_200
STOP = AT + 100 * DAY_S
TERMINAL = Terminal("A", "PX-E90", "M", "10000001", State.ACTIVATED)
ITEM = Item(
    1, "A", "PX-E90", "M", "memory", ItemState.PLANNED, 1, STOP - 90 * DAY_S, STOP - 7 * DAY_S, STOP, STOP - 3 * DAY_S
)


def drafts(count: int) -> list[Item]:
    """Items that shall all stop on one day."""
    return [Item(0, f"S{n:04d}", "PX-E90", "M", "memory", ItemState.DRAFTED, 1, 0, 0, STOP) for n in range(count)]


@pytest.mark.feature("T1")
@pytest.mark.parametrize(
    ("days_left", "wanted"),
    [(91, None), (90, Step.NOTIFY), (7, Step.END_GRACE), (3, Step.SUSPEND), (0, Step.STOP), (-5, Step.STOP)],
)
def test_the_furthest_step_whose_date_has_come_is_due(days_left: int, wanted: Step | None) -> None:
    """A host that was off for a week would go through the steps one a minute, or stop nobody."""
    assert due_step(ITEM, TERMINAL, STOP - days_left * DAY_S) is wanted


@pytest.mark.parametrize("state", [State.REPLACED, State.RETIRED, State.LOST, State.TAMPERED, State.STOPPED])
@pytest.mark.parametrize("item_state", ItemState)
def test_what_became_of_the_terminal_goes_before_dates(state: State, item_state: ItemState) -> None:
    """A terminal that was swapped would be told again and again to be swapped."""
    event = due_step(replace(ITEM, state=item_state), replace(TERMINAL, state=state), STOP + 1)
    assert event is None or step(item_state, event)
    if item_state in OPEN and state is not State.RETIRED:
        assert event


def test_a_pair_that_is_not_listed_is_no_step() -> None:
    """An exempt terminal would be stopped."""
    for state, steps in ITEM_TRANSITIONS.items():
        for event in Step:
            assert (step(state, event) is None) == (event not in steps)


@pytest.mark.feature("N10")
def test_every_step_of_notices_is_due_once() -> None:
    """A merchant would be told a hundred times, or only on the last day."""
    item, told = replace(ITEM, state=ItemState.NOTIFIED), []
    for hour in range(0, 101 * 24, 8):
        if days := due_notice(item, AT + hour * 3600):
            told.append(days)
            item = replace(item, told=days, told_stop_at=item.stop_at)
    assert tuple(told) == STEP_DAYS


def test_missed_steps_are_not_made_up_for() -> None:
    """After an outage a merchant would get three notices in a minute."""
    assert due_notice(replace(ITEM, state=ItemState.NOTIFIED), STOP - 5 * DAY_S) == 7


def test_a_new_date_is_told_anew() -> None:
    """After a pause the merchant would only know the old date."""
    item = replace(ITEM, state=ItemState.NOTIFIED, told=30, told_stop_at=STOP)
    assert due_notice(item, STOP - 20 * DAY_S) == 0
    later = shifted(item, STOP - 20 * DAY_S, STOP - 18 * DAY_S)
    assert later.stop_at == STOP + 2 * DAY_S
    assert due_notice(later, STOP - 18 * DAY_S) == 30


@given(at=st.integers(AT, STOP + DAY_S))
def test_who_looks_when_it_says_misses_nothing(at: int) -> None:
    """A step would come a day late because nobody looked."""
    item = replace(ITEM, state=ItemState.NOTIFIED, told=due_notice(ITEM, at), told_stop_at=STOP)
    following = next_look(item, at)
    before = (due_step(item, TERMINAL, at), due_notice(item, at))
    if following is None:
        assert at >= STOP
    else:
        assert (due_step(item, TERMINAL, following - 1), due_notice(item, following - 1)) == before


@pytest.mark.feature("X3")
@given(count=st.integers(1, 60), capacity=st.integers(1, 10), waves=st.integers(1, 5))
def test_no_day_swaps_more_than_the_depot_can(count: int, capacity: int, waves: int) -> None:
    """Ninety merchants would be promised the same afternoon."""
    policy = Policy()
    course = Course(7 * DAY_S, 3 * DAY_S, waves=waves, capacity=capacity)
    placed, unplaced = schedule(drafts(count), course, policy, AT)
    assert len(placed) + len(unplaced) == count
    days: dict[int, int] = {}
    for item in placed:
        assert item.swap_at
        assert item.suspend_at
        assert item.notice_at < item.swap_at < item.suspend_at
        second_of_day = (item.swap_at + 8 * 3600) % DAY_S
        begins = policy.retirement.window_begins_s
        assert begins <= second_of_day < begins + policy.retirement.window_s
        days[item.swap_at // DAY_S] = days.get(item.swap_at // DAY_S, 0) + 1
    assert max(days.values(), default=0) <= capacity


def test_waves_stop_one_after_the_other_and_the_last_on_its_date() -> None:
    """All shops of a town would be without a terminal on one morning."""
    placed, _ = schedule(drafts(10), Course(0, waves=5), Policy(), AT)
    stops = sorted({item.stop_at for item in placed})
    assert stops[-1] == STOP
    assert [after - before for before, after in pairwise(stops)] == [7 * DAY_S] * 4
    assert sorted(item.wave for item in placed) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_what_finds_no_day_is_named() -> None:
    """The planner would learn on the last day that the depot cannot do it."""
    placed, unplaced = schedule(drafts(200), Course(7 * DAY_S, 3 * DAY_S, capacity=1), Policy(), AT)
    assert len(unplaced) == 200 - len(placed) > 0
