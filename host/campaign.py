"""A campaign that retires terminals: TABLES CAMPAIGN_TRANSITIONS and ITEM_TRANSITIONS, dates, waves, appointments.

Rules owned here: every terminal in scope is one item, and an item is in one state, so that the states of a campaign
always add up to its scope (invariant L9). What falls due follows from the item's dates and from what became of its
terminal, and from nothing else: whoever asks late, or twice, gets what is still to be done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from host.lifecycle import State
from host.policy import DAY_S, Policy
from host.records import Terminal
from host.written import CHINA_TIME

STEP_DAYS: Final = (90, 30, 7, 1)
"""How many days before the stop a notice is due (product N10)."""


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class Move(StrEnum):
    """What moves a campaign."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    CANCEL = "cancel"


CAMPAIGN_TRANSITIONS: Final[Mapping[CampaignState, Mapping[Move, CampaignState]]] = MappingProxyType(
    {
        CampaignState.DRAFT: {Move.START: CampaignState.RUNNING, Move.CANCEL: CampaignState.CANCELLED},
        CampaignState.RUNNING: {
            Move.PAUSE: CampaignState.PAUSED,
            Move.FINISH: CampaignState.DONE,
            Move.CANCEL: CampaignState.CANCELLED,
        },
        CampaignState.PAUSED: {Move.RESUME: CampaignState.RUNNING, Move.CANCEL: CampaignState.CANCELLED},
        CampaignState.DONE: {},
        CampaignState.CANCELLED: {},
    }
)


class ItemState(StrEnum):
    """Where a terminal stands in its campaign."""

    DRAFTED = "drafted"
    PLANNED = "planned"
    NOTIFIED = "notified"
    OVERDUE = "overdue"
    SUSPENDED = "suspended"
    STOPPED = "stopped"
    SWAPPED = "swapped"
    RETIRED = "retired"
    GONE = "gone"
    EXEMPT = "exempt"
    CURED = "cured"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """What moves a terminal on in its campaign."""

    START = "start"
    NOTIFY = "notify"
    END_GRACE = "end grace"
    SUSPEND = "suspend"
    STOP = "stop"
    SWAP = "swap"
    RETIRE = "retire"
    VANISH = "vanish"
    EXEMPT = "exempt"
    CURE = "cure"
    CANCEL = "cancel"


_LEAVES: Final = {
    Step.STOP: ItemState.STOPPED,
    Step.SWAP: ItemState.SWAPPED,
    Step.VANISH: ItemState.GONE,
    Step.EXEMPT: ItemState.EXEMPT,
    Step.CURE: ItemState.CURED,
    Step.CANCEL: ItemState.CANCELLED,
}
_SUSPEND: Final = {Step.SUSPEND: ItemState.SUSPENDED, **_LEAVES}
_END_GRACE: Final = {Step.END_GRACE: ItemState.OVERDUE, **_SUSPEND}
ITEM_TRANSITIONS: Final[Mapping[ItemState, Mapping[Step, ItemState]]] = MappingProxyType(
    {
        ItemState.DRAFTED: {
            Step.START: ItemState.PLANNED,
            Step.EXEMPT: ItemState.EXEMPT,
            Step.CANCEL: ItemState.CANCELLED,
        },
        ItemState.PLANNED: {Step.NOTIFY: ItemState.NOTIFIED, **_END_GRACE},
        ItemState.NOTIFIED: _END_GRACE,
        ItemState.OVERDUE: _SUSPEND,
        ItemState.SUSPENDED: _LEAVES,
        ItemState.STOPPED: {
            Step.SWAP: ItemState.SWAPPED,
            Step.RETIRE: ItemState.RETIRED,
            Step.VANISH: ItemState.GONE,
        },
        **{
            state: {}
            for state in (
                ItemState.SWAPPED,
                ItemState.RETIRED,
                ItemState.GONE,
                ItemState.EXEMPT,
                ItemState.CURED,
                ItemState.CANCELLED,
            )
        },
    }
)
OPEN: Final = frozenset(state for state, steps in ITEM_TRANSITIONS.items() if Step.STOP in steps)
"""The plan still binds the terminal."""

BY_TERMINAL: Final[Mapping[State, Step]] = MappingProxyType(
    {
        State.STOPPED: Step.STOP,
        State.REPLACED: Step.SWAP,
        State.RETIRED: Step.RETIRE,
        State.LOST: Step.VANISH,
        State.TAMPERED: Step.VANISH,
    }
)
"""What became of the terminal goes before any date."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign of ``scope`` items. ``kind`` says where it comes from, ``subject`` what it is about."""

    number: int
    title: str
    kind: str
    subject: str
    state: CampaignState
    scope: int
    actor: str
    at: int
    paused_at: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A terminal of a campaign with its dates; ``note`` says why it is exempt.

    ``told`` is the last step of notices that was taken, in days, for the stop at ``told_stop_at``; ``next_at`` is when
    something falls due, None for never.
    """

    campaign: int
    serial_number: str
    model: str
    merchant_id: str
    reason: str
    state: ItemState
    wave: int
    notice_at: int
    grace_until: int
    stop_at: int
    suspend_at: int | None = None
    swap_at: int | None = None
    note: str = ""
    told: int = 0
    told_stop_at: int = 0
    next_at: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What a merchant was told of a terminal, with its signature line; ``campaign`` is 0 for marketing."""

    number: int
    campaign: int
    serial_number: str
    merchant_id: str
    step: str
    stop_at: int
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Course:
    """How the dates of a campaign lie: spans in seconds before the stop, waves, and swaps a day (0 for no limit)."""

    grace_s: int
    suspend_s: int = 0
    notice_s: int = STEP_DAYS[0] * DAY_S
    waves: int = 1
    capacity: int = 0


def step(state: ItemState, event: Step) -> ItemState | None:
    """The next state, or None where the step has no place in this state."""
    return ITEM_TRANSITIONS[state].get(event)


def due_step(item: Item, terminal: Terminal, at: int) -> Step | None:
    """The furthest step that the terminal's state or the dates call for; None where there is nothing to do."""
    if event := BY_TERMINAL.get(terminal.state):
        return event if step(item.state, event) else None
    if item.state not in OPEN:
        return None
    reached = [event for date, event in _dates(item) if date <= at and step(item.state, event)]
    return reached[-1] if reached else None


def due_notice(item: Item, at: int) -> int:
    """The step of notices that has come, in days before the stop; 0 where it was taken.

    Of several that were missed only the last is taken; a first notice earlier than all steps is the first step.
    """
    if item.state not in OPEN or not item.notice_at <= at < item.stop_at:
        return 0
    reached = min((days for days in STEP_DAYS if at >= item.stop_at - days * DAY_S), default=STEP_DAYS[0])
    told = item.told_stop_at == item.stop_at and item.told <= reached
    return 0 if told else reached


def next_look(item: Item, at: int) -> int | None:
    """When something falls due next; None where nothing will by date."""
    if item.state not in OPEN:
        return None
    dates = [date for date, _ in _dates(item)] + [item.stop_at - days * DAY_S for days in STEP_DAYS]
    return min((date for date in dates if date > max(at, item.notice_at - 1)), default=None)


def shifted(item: Item, paused_at: int, resumed_at: int) -> Item:
    """An item after a pause: the dates that lay ahead move by as many whole days as the pause took, begun ones too."""
    by_s = -(-(resumed_at - paused_at) // DAY_S) * DAY_S

    def moved(date: int) -> int:
        return date + by_s if date > paused_at else date

    return replace(
        item,
        notice_at=moved(item.notice_at),
        grace_until=moved(item.grace_until),
        suspend_at=None if item.suspend_at is None else moved(item.suspend_at),
        swap_at=None if item.swap_at is None else moved(item.swap_at),
        stop_at=moved(item.stop_at),
    )


def schedule(items: Sequence[Item], course: Course, policy: Policy, at: int) -> tuple[list[Item], list[Item]]:
    """Items with their dates, made from their ``stop_at``; and those for which no day of swapping is left.

    Waves are equal parts in the order of the stops; each stops the policy's span before the next, the last on its date.
    Appointments lie in the off-peak window, no more a day than the capacity, between notice and suspension.
    """
    ordered = sorted(items, key=lambda item: (item.stop_at, item.merchant_id, item.serial_number))
    waves = [place * course.waves // len(ordered) for place in range(len(ordered))]
    dated = [_dated(item, wave, course, policy, at) for item, wave in zip(ordered, waves, strict=True)]
    if not course.capacity:
        return dated, []
    placed, unplaced = [], []
    taken: Counter[int] = Counter()
    for item in sorted(dated, key=lambda item: item.stop_at):
        slot = next((slot for slot in _slots(item, policy) if taken[slot] < course.capacity), None)
        if slot is None:
            unplaced.append(item)
            continue
        apart_s = policy.retirement.window_s // course.capacity
        placed.append(replace(item, swap_at=slot + taken[slot] * apart_s))
        taken[slot] += 1
    return placed, unplaced


def _dated(item: Item, wave: int, course: Course, policy: Policy, at: int) -> Item:
    stop_at = item.stop_at - (course.waves - 1 - wave) * policy.retirement.wave_s
    return replace(
        item,
        wave=wave + 1,
        notice_at=max(at, stop_at - course.notice_s),
        grace_until=max(at, stop_at - course.grace_s),
        suspend_at=max(at, stop_at - course.suspend_s) if course.suspend_s else None,
        stop_at=stop_at,
    )


def _slots(item: Item, policy: Policy) -> Iterator[int]:
    """The begin of the off-peak window of every day on which this device may be swapped."""
    day = datetime.fromtimestamp(item.notice_at, CHINA_TIME).replace(hour=0, minute=0, second=0) + timedelta(days=1)
    slot = int(day.timestamp()) + policy.retirement.window_begins_s
    while slot + policy.retirement.window_s <= (item.suspend_at or item.stop_at):
        yield slot
        slot += DAY_S


def _dates(item: Item) -> list[tuple[int, Step]]:
    """The dates of an item in the order of their steps."""
    suspend = [] if item.suspend_at is None else [(item.suspend_at, Step.SUSPEND)]
    return [
        (item.notice_at, Step.NOTIFY),
        (item.grace_until, Step.END_GRACE),
        *suspend,
        (item.stop_at, Step.STOP),
    ]
