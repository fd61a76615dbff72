"""Campaigns: made from a list of models, tried dry, started by two people, carried out by their dates (product T, X3).

Rules owned here: a terminal is bound by one plan, the one that stops it sooner; a campaign that rests binds nobody, and
its dates move by what it rested; every act leaves the sum of the items by state equal to the scope (invariant L9).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from host.admin.desk import Desk, Result
from host.admin.models import listed
from host.admin.post import Offers, post_due, tell, tell_withdrawn
from host.campaign import (
    CAMPAIGN_TRANSITIONS,
    OPEN,
    Campaign,
    CampaignState,
    Course,
    Item,
    ItemState,
    Move,
    Step,
    due_notice,
    due_step,
    next_look,
    schedule,
    shifted,
    step,
)
from host.decision import Delete, Insert, Update
from host.errors import AdminError
from host.lifecycle import IN_SERVICE, Event, State
from host.lifecycle import step as life_step
from host.notices import day
from host.policy import DAY_S
from host.records import DeviceModel, Plan, Terminal, columns
from host.retirement import carry_out, move
from host.rollout import is_below
from host.written import moment_at

WAVES_MAX: Final = 52
CAPACITY_MAX: Final = 100_000
DAYS_MAX: Final = 3_650
AT_ONCE: Final = 1_000
"""How many terminals one run of the jobs looks after, so that no sale waits long for it."""
FROM_LIST: Final = "list"
UPDATE_OVERDUE: Final = "update.overdue"
_ITEM: Final = tuple(each.name for each in fields(Item))


@dataclass(slots=True)
class Ran:
    """What a run of the jobs did: terminals by the state that they came to, notices, deliveries, whether more waits."""

    moved: Counter[str] = field(default_factory=Counter)
    stopped: list[str] = field(default_factory=list)
    notices: int = 0
    delivered: int = 0
    more: bool = False


def plan_campaign(
    desk: Desk,
    content: bytes,
    title: str,
    waves: int = 1,
    capacity: int = 0,
    grace_days: int = 7,
    suspend_days: int = 3,
    stop_days: int = 0,
    dry_run: bool = False,
) -> Result:
    """Make a campaign of a list of models, CSV from a file, that stops each of their terminals on its model's date.

    Grace and suspension are days before the stop; with stop days every model stops after so many. A dry run writes
    nothing and tells everything, also the models that the catalogue does not know. Somebody starts it, and somebody
    else confirms that.
    """
    desk.line(title=title)
    rows = listed(content)
    course = _course(waves, capacity, grace_days, suspend_days)
    if not 0 <= stop_days <= DAYS_MAX:
        raise AdminError(f"a stop is 1 to {DAYS_MAX} days ahead", code="plan_dates")
    ends = {row["model"]: moment_at(row["stop_date"]) for row in rows}
    if stop_days:
        ends = dict.fromkeys(ends, desk.at + stop_days * DAY_S)
    reasons = {row["model"]: row["reason"] for row in rows}
    drafts, others = [], 0
    for row in desk.books.rows("terminals"):
        if row["model"] in ends and row["state"] in IN_SERVICE:
            drafts.append(draft(row, reasons[row["model"]], ends[row["model"]]))
        elif row["model"] in ends:
            others += 1
    dated, unplaced = schedule(drafts, course, desk.policy, desk.at) if drafts else ([], [])
    _not_too_soon(desk, dated)
    unknown = sorted(ends.keys() - {row["model"] for row in desk.books.rows("models")})
    told: Result = {"models": len(rows), "unknown": unknown, "others": others, **_overview(dated)}
    told["unplaced"] = _names(unplaced)
    if dry_run:
        return {**told, "dry_run": True, "items": [_told(item) for item in dated]}
    if unplaced:
        hint = "more a day, later stops or shorter suspensions; a dry run names them"
        raise AdminError(f"{capacity} swaps a day leave {len(unplaced)} terminals out", hint=hint, code="capacity")
    number = enter(desk, title, FROM_LIST, "", dated)
    return {"number": number, **told, "state": CampaignState.DRAFT}


def _not_too_soon(desk: Desk, dated: Sequence[Item]) -> None:
    least_at = desk.at + desk.policy.retirement.least_s
    if early := min((item for item in dated if item.stop_at < least_at), key=lambda item: item.stop_at, default=None):
        least_days = desk.policy.retirement.least_s // DAY_S
        hint = f"{least_days} days at least: a later date, fewer waves, or stop_days"
        told_day = f"{early.model}: {early.serial_number} would stop on {day(early.stop_at)}"
        raise AdminError(told_day, hint=hint, code="too_soon")


def start_campaign(desk: Desk, number: int) -> Result:
    """Start a campaign: from now on its plans bind its terminals."""
    campaign = _moved(desk, number, Move.START)
    for item in desk.books.items(number):
        bind(desk, item)
    desk.note("", "start campaign", f"{number}: {campaign.title}")
    carry_out_due(desk)
    _finish(desk, {number})
    return _progress(desk, number)


def pause_campaign(desk: Desk, number: int, why: str) -> Result:
    """Let a campaign rest: nobody is told, suspended or stopped by it until it is resumed."""
    desk.line(why=why)
    _moved(desk, number, Move.PAUSE, paused_at=desk.at)
    for item in desk.books.items(number):
        if item.state in OPEN:
            desk.books.write(Delete("plans", {"serial_number": item.serial_number}))
            _change(desk, item, next_at=None)
    desk.note("", "pause campaign", f"{number}: {why}")
    return _progress(desk, number)


def resume_campaign(desk: Desk, number: int) -> Result:
    """Go on with a campaign; what lay ahead is later by the days that it rested, and merchants are told so."""
    paused_at = _campaign(desk, number).paused_at or desk.at
    _moved(desk, number, Move.RESUME, paused_at=None)
    for item in desk.books.items(number):
        if item.state in OPEN:
            _in_force(desk, shifted(item, paused_at, desk.at))
    desk.note("", "resume campaign", str(number))
    carry_out_due(desk)
    return _progress(desk, number)


def cancel_campaign(desk: Desk, number: int, why: str) -> Result:
    """Call a campaign off: terminals that still sell go on, and who was told of a stop is told that there is none."""
    desk.line(why=why)
    _moved(desk, number, Move.CANCEL)
    for item in desk.books.items(number):
        if step(item.state, Step.CANCEL):
            spare(desk, item, Step.CANCEL, why)
    desk.note("", "cancel campaign", f"{number}: {why}")
    return _progress(desk, number)


def exempt(desk: Desk, number: int, serial_number: str, why: str) -> Result:
    """Take one terminal out of a campaign, for a reason; it stays in the count."""
    desk.line(why=why)
    if not why.strip():
        raise AdminError("an exemption has a reason", code="why")
    item = desk.books.item(number, serial_number)
    if item is None:
        found = _campaign(desk, number)
        hint = f"poslab admin campaign {number} lists its terminals"
        raise AdminError(f"{serial_number} is not in campaign {found.number}", hint=hint, code="unknown_terminal")
    if not step(item.state, Step.EXEMPT):
        raise AdminError(f"{serial_number} is {item.state} in campaign {number}", code="illegal_step")
    spare(desk, item, Step.EXEMPT, why)
    desk.note(serial_number, "exempt", f"campaign {number}: {why}")
    _finish(desk, {number})
    return _progress(desk, number)


def campaigns(desk: Desk) -> Result:
    """Every campaign with its progress."""
    return {"campaigns": [_progress(desk, row["number"]) for row in desk.books.rows("campaigns")]}


def campaign(desk: Desk, number: int) -> Result:
    """One campaign: progress by state, and every terminal with its dates, the same as CSV."""
    told = [_told(item) for item in desk.books.items(number)]
    out = io.StringIO()
    if told:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(told[0])
        writer.writerows([_cell(cell) for cell in row.values()] for row in told)
    return {**_progress(desk, number), "items": told, "csv": out.getvalue()}


def run_jobs(desk: Desk) -> Result:
    """Do what has fallen due: notices, suspensions, stops; whoever asks twice gets nothing twice."""
    ran = carry_out_due(desk, AT_ONCE)
    return {"moved": dict(ran.moved), "notices": ran.notices, "delivered": ran.delivered, "more": ran.more}


def is_anything_due(desk: Desk) -> bool:
    """Is there something for ``run_jobs`` to do?"""
    return bool(desk.books.due_items(desk.at, 1) or desk.books.due_inbox(desk.at, 0, 1))


def carry_out_due(desk: Desk, count: int = 1_000_000) -> Ran:
    """The same for so many terminals at most."""
    ran, touched, offers = Ran(), set(), Offers(desk)
    resting = (CampaignState.DRAFT, CampaignState.PAUSED, CampaignState.CANCELLED)
    at_work = {row["number"] for row in desk.books.rows("campaigns") if row["state"] not in resting}
    due = desk.books.due_items(desk.at, count)
    for item in due:
        touched.add(item.campaign)
        if item.campaign not in at_work:
            _change(desk, item, next_at=None)
            continue
        _look_after(desk, item, ran, offers)
    _finish(desk, touched & at_work)
    ran.delivered, more = post_due(desk, count)
    ran.more = more or len(due) == count
    return ran


def draft(row: dict[str, Any] | Terminal, reason: str, stop_at: int) -> Item:
    """A terminal that shall stop for a reason, before its other dates are known."""
    if isinstance(row, Terminal):
        return draft(columns(row), reason, stop_at)
    serial_number, model, merchant_id = (str(row[name]) for name in ("serial_number", "model", "merchant_id"))
    return Item(0, serial_number, model, merchant_id, reason, ItemState.DRAFTED, 1, 0, 0, stop_at)


def enter(desk: Desk, title: str, kind: str, subject: str, items: Sequence[Item]) -> int:
    """Write a campaign and its items down as a draft; returns its number."""
    number = desk.books.add("campaign", 1)
    row = {"title": title, "kind": kind, "subject": subject, "scope": len(items), "actor": desk.actor, "at": desk.at}
    desk.insert("campaigns", number=number, state=CampaignState.DRAFT, **row)
    for item in items:
        desk.books.write(Insert("campaign_items", _row(replace(item, campaign=number))))
    desk.note("", "plan campaign", f"{number}: {title}, {len(items)} terminals")
    return number


def begin(desk: Desk, title: str, kind: str, subject: str, items: Sequence[Item]) -> int:
    """Enter a campaign and start it; who calls this has asked whoever must agree."""
    number = enter(desk, title, kind, subject, items)
    start_campaign(desk, number)
    return number


def open_campaign(desk: Desk, kind: str, subject: str) -> Campaign | None:
    """The running or resting campaign of a kind about a subject."""
    found = [_campaign(desk, row["number"]) for row in desk.books.rows("campaigns", kind=kind, subject=subject)]
    return next((each for each in found if CAMPAIGN_TRANSITIONS[each.state]), None)


def bind(desk: Desk, item: Item) -> None:
    """Put a drafted plan in force, unless the terminal stops sooner under another one, or is in service no more."""
    if item.state is not ItemState.DRAFTED:
        return
    before = _bound(desk, item.serial_number)
    if before and before.stop_at <= item.stop_at:
        _change(desk, item, state=ItemState.EXEMPT, note=f"stops sooner under campaign {before.campaign}")
        return
    if before:
        _change(desk, before, state=ItemState.CANCELLED, note=f"stops under campaign {item.campaign}", next_at=None)
        _finish(desk, {before.campaign})
    _in_force(desk, replace(item, state=ItemState.PLANNED))


def spare(desk: Desk, item: Item, event: Step, why: str) -> None:
    """Take a plan off a terminal, and tell whoever was told of it."""
    state = step(item.state, event)
    assert state
    was_told = item.state in OPEN - {ItemState.PLANNED}
    _change(desk, item, state=state, note=why, next_at=None)
    if item.state not in OPEN:
        return
    desk.books.write(Delete("plans", {"serial_number": item.serial_number}))
    keep(desk, desk.terminal(item.serial_number))
    if was_told:
        tell_withdrawn(desk, item)


def keep(desk: Desk, terminal: Terminal) -> None:
    """A terminal that was to retire stays what it was."""
    if life_step(terminal.state, Event.KEEP):
        desk.step(terminal, Event.KEEP)
        if terminal.activated_at is not None:
            desk.step(desk.terminal(terminal.serial_number), Event.ACTIVATE)


def _look_after(desk: Desk, item: Item, ran: Ran, offers: Offers) -> None:
    terminal = desk.terminal(item.serial_number)
    if _is_cured(item, terminal, desk.books.model(terminal.model)) and step(item.state, Step.CURE):
        spare(desk, item, Step.CURE, f"runs {terminal.firmware}")
        ran.moved[ItemState.CURED] += 1
        return
    changes: dict[str, object] = {}
    if event := due_step(item, terminal, desk.at):
        state = step(item.state, event)
        assert state
        if event is Step.STOP and terminal.state is not State.STOPPED:
            desk.books.apply(carry_out(_plan(item), terminal, desk.at))
            ran.stopped.append(item.serial_number)
        elif state in OPEN:
            desk.books.apply(move(terminal, Event.PLAN, actor="plan", at=desk.at, why=item.reason))
        changes["state"] = state
        ran.moved[state] += 1
        item = replace(item, state=state)
    if days := due_notice(item, desk.at):
        tell(desk, item, days, offers)
        changes |= {"told": days, "told_stop_at": item.stop_at}
        ran.notices += 1
    _change(desk, item, **changes, next_at=next_look(item, desk.at))


def _is_cured(item: Item, terminal: Terminal, model: DeviceModel | None) -> bool:
    """Does the firmware run whose lack was the reason?"""
    wanted = model.recommended_firmware if model and item.reason == UPDATE_OVERDUE else ""
    return bool(wanted) and not is_below(terminal.firmware, wanted)


def _in_force(desk: Desk, item: Item) -> None:
    plan = _plan(item)
    desk.books.write(Insert("plans", columns(plan), replace=True))
    row = _row(replace(item, next_at=min(item.notice_at, desk.at) if item.state in OPEN else None))
    desk.books.write(Insert("campaign_items", row, replace=True))


def _plan(item: Item) -> Plan:
    return Plan(
        item.serial_number, item.reason, item.notice_at, item.grace_until, item.stop_at, None, item.campaign,
        item.suspend_at,
    )  # fmt: skip


def _bound(desk: Desk, serial_number: str) -> Item | None:
    """The item whose plan binds a terminal now, or would if its campaign did not rest."""
    rows = desk.books.rows("campaign_items", serial_number=serial_number)
    return next((Item(**{**row, "state": ItemState(row["state"])}) for row in rows if row["state"] in OPEN), None)


def _course(waves: int, capacity: int, grace_days: int, suspend_days: int) -> Course:
    if not 1 <= waves <= WAVES_MAX:
        raise AdminError(f"a campaign has 1 to {WAVES_MAX} waves", code="waves")
    if not 0 <= capacity <= CAPACITY_MAX:
        raise AdminError(f"a day has 1 to {CAPACITY_MAX} swaps, or 0 for no appointments", code="capacity")
    if not 0 <= suspend_days <= grace_days <= DAYS_MAX:
        raise AdminError("grace ends first, then the terminal is suspended, then it stops", code="plan_dates")
    return Course(grace_days * DAY_S, suspend_days * DAY_S, waves=waves, capacity=capacity)


def _campaign(desk: Desk, number: int) -> Campaign:
    rows = desk.books.rows("campaigns", number=number)
    if not rows:
        raise AdminError(f"no campaign {number}", hint="poslab admin campaigns lists them", code="unknown_campaign")
    return Campaign(**{**rows[0], "state": CampaignState(rows[0]["state"])})


def _moved(desk: Desk, number: int, event: Move, **changes: object) -> Campaign:
    found = _campaign(desk, number)
    state = CAMPAIGN_TRANSITIONS[found.state].get(event)
    if state is None:
        raise AdminError(f"campaign {number} is {found.state}: '{event}' has no place there", code="illegal_step")
    desk.books.write(Update("campaigns", {"number": number}, {"state": state, **changes}))
    return replace(found, state=state)


def _finish(desk: Desk, numbers: Iterable[int]) -> None:
    """Campaigns of which no plan binds anybody any more are done."""
    for number in sorted(numbers):
        if not OPEN & desk.books.item_states(number).keys() and _campaign(desk, number).state is CampaignState.RUNNING:
            _moved(desk, number, Move.FINISH)
            desk.note("", "finish campaign", str(number))


def _progress(desk: Desk, number: int) -> Result:
    found = _campaign(desk, number)
    states = desk.books.item_states(number)
    assert sum(states.values()) == found.scope, f"campaign {number}: {states} of {found.scope}"
    return {
        "number": number,
        "title": found.title,
        "kind": found.kind,
        "subject": found.subject,
        "state": found.state,
        "scope": found.scope,
        "states": {state.value: states[state] for state in ItemState if state in states},
    }


def _overview(items: Sequence[Item]) -> Result:
    """What a campaign comes to, in sums."""
    stops = Counter(day(item.stop_at) for item in items)
    swaps = Counter(day(item.swap_at) for item in items if item.swap_at is not None)
    return {
        "terminals": len(items),
        "merchants": len({item.merchant_id for item in items}),
        "by_model": dict(sorted(Counter(item.model for item in items).items())),
        "by_wave": dict(sorted(Counter(item.wave for item in items).items())),
        "stops_by_day": dict(sorted(stops.items())),
        "swaps_by_day": dict(sorted(swaps.items())),
    }


def _told(item: Item) -> Result:
    return {name: getattr(item, name) for name in _ITEM if name not in ("told", "told_stop_at", "next_at")}


def _cell(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula (invariant P3)."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t") else cell


def _names(items: Iterable[Item]) -> list[str]:
    return [item.serial_number for item in items]


def _row(item: Item) -> dict[str, object]:
    return {name: getattr(item, name) for name in _ITEM}


def _change(desk: Desk, item: Item, **changes: object) -> None:
    key = {"campaign": item.campaign, "serial_number": item.serial_number}
    desk.books.write(Update("campaign_items", key, changes))
