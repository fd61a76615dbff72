"""The examiner of a rehearsal: TABLE CHECKS, what must hold at its end, asked of the database and of the tills' books.

Rules owned here: it shares no code with the host's jobs, notices or ledger: it reads rows by SQL, the dates that were
promised before anything was carried out, and what people did; each check names the rows that break it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from host.written import CHINA_TIME
from pos_lab.rehearsal.fleet import Shop
from pos_lab.rehearsal.office import OFFICERS
from pos_lab.rehearsal.play import HOUR_S, Planned, Play

SHOWN_MAX: Final = 20
"""So many rows of a check are named; the rest is counted."""
_DAY_S: Final = 86_400
_STEPS: Final = (90, 30, 7, 1)
_QUIET_CHANNELS: Final = ("sms", "app")


@dataclass(frozen=True, slots=True)
class Check:
    """One check with what it looked at. ``violations`` are at most SHOWN_MAX of ``violated``."""

    name: str
    checked: int
    violated: int
    violations: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Does it hold?"""
        return not self.violated


Finding = tuple[bool, str]
"""Does a row hold, and what to say where it does not?"""


def examine(play: Play) -> list[Check]:
    """Every check, in the order of CHECKS."""
    checks = []
    for name, check in CHECKS.items():
        looked_at, broken = 0, list[str]()
        for holds, told in check(play):
            looked_at += 1
            if not holds:
                broken.append(told)
        checks.append(Check(name, looked_at, len(broken), tuple(broken[:SHOWN_MAX])))
    return checks


def _ends(play: Play) -> Iterator[Finding]:
    """Each terminal ends where its plan, its people and the officers' exemptions put it."""
    ends = {str(row[0]): str(row[1]) for row in play.office.select("SELECT serial_number, state FROM terminals")}
    items = dict(_items(play))
    until = play.begins + play.rehearsal.days * _DAY_S
    for shop in play.shops:
        plan = play.planned.get(shop.serial_number)
        item, end = _expected(shop, plan, until)
        found = items.get(shop.serial_number, "none"), ends.get(shop.serial_number, "none")
        yield found == (item, end), f"{shop.serial_number}: {'/'.join(found)}, and by its plan {item}/{end}"
        if shop.successor:
            state = ends.get(shop.successor, "none")
            yield state == "activated", f"{shop.successor}, which took over from {shop.serial_number}, is {state}"


def _expected(shop: Shop, plan: Planned | None, until: int) -> tuple[str, str]:
    """Where item and terminal must be: the furthest that happened, then the furthest date that has come."""
    if plan is None:
        return "none", "replaced" if shop.swapped_at else "activated"
    if shop.exempt:
        return "exempt", "activated"
    if shop.successor:
        return "swapped", "replaced"
    if shop.lost_at:
        return "gone", "lost"
    last = until - HOUR_S
    dates = ((plan.stop_at, "stopped", "stopped"), (plan.suspend_at, "suspended", "retiring"))
    for date, item, end in (
        *dates,
        (plan.grace_until, "overdue", "retiring"),
        (plan.notice_at, "notified", "retiring"),
    ):
        if date is not None and date <= last:
            return item, end
    return "planned", "activated"


def _stops(play: Play) -> Iterator[Finding]:
    """Who stopped by plan did so on the date, and within the hour of the job that is due then."""
    for serial_number, at in play.office.select("SELECT serial_number, at FROM audit WHERE act = 'stop'"):
        plan = play.planned.get(serial_number)
        late_s = at - plan.stop_at if plan else -1
        yield 0 <= late_s <= HOUR_S, f"{serial_number} stopped {_told(at)}, {late_s} s after its date"


def _notices(play: Play) -> Iterator[Finding]:
    """Each step once, for the plan that binds, never after the end, at no quiet hour, within the limit."""
    policy = play.office.policy.notices
    shops = {shop.serial_number: shop for shop in play.shops}
    told: dict[str, Counter[str]] = {}
    for serial_number, step, at in play.office.select("SELECT serial_number, step, at FROM notices ORDER BY number"):
        told.setdefault(serial_number, Counter())[step] += 1
        shop, plan = shops[serial_number], play.planned.get(serial_number)
        if step == "withdrawn":
            yield shop.exempt, f"{serial_number} was told that its stop is withdrawn, and is not exempt"
            continue
        end = min((at for at in (shop.swapped_at, shop.lost_at) if at), default=plan.stop_at if plan else 0)
        yield (
            plan is not None and plan.notice_at <= at <= end,
            f"{serial_number}: {step} {_told(at)}, with no plan then",
        )
    for shop in play.shops:
        plan = play.planned.get(shop.serial_number)
        if plan is None or shop.exempt:
            continue
        due = _steps_due(shop, plan, play.begins + play.rehearsal.days * _DAY_S)
        found = dict(told.get(shop.serial_number, {}))
        yield found == due, f"{shop.serial_number} was told {_steps(found)}, due were {_steps(due)}"
    sent: dict[tuple[str, str], list[int]] = {}
    rows = play.office.select(
        "SELECT serial_number, channel, sent_at FROM inbox WHERE notice > 0 AND sent_at IS NOT NULL ORDER BY sent_at"
    )
    for serial_number, channel, at in rows:
        earlier = sent.setdefault((serial_number, channel), [])
        earlier.append(at)
        recent = sum(1 for other in earlier if at - policy.window_s < other)
        yield recent <= policy.most, f"{serial_number}: {recent} notices on {channel} within the window, {_told(at)}"
        loud = channel in _QUIET_CHANNELS and _is_quiet(at, policy.quiet_begins_s, policy.quiet_ends_s)
        yield not loud, f"{serial_number} was disturbed on {channel} at {_told(at)}"


def _steps_due(shop: Shop, plan: Planned, until: int) -> dict[str, int]:
    """The steps whose date came while the plan bound the terminal: of several at once, the last."""
    end = min(at for at in (plan.stop_at, until, shop.swapped_at or until, shop.lost_at or until))
    due, taken = dict[str, int](), 0
    at = plan.notice_at
    while at < end:
        reached = min((days for days in _STEPS if at >= plan.stop_at - days * _DAY_S), default=_STEPS[0])
        if reached != taken:
            due[f"T-{reached}"], taken = 1, reached
        at += HOUR_S
    return due


def _barrier(play: Play) -> Iterator[Finding]:
    """Nothing is captured by a device from its suspension or stop on, nor after it was replaced."""
    shops = {shop.serial_number: shop for shop in play.shops}
    rows = play.office.select("SELECT serial_number, batch, stan, at FROM transactions WHERE state = 'captured'")
    for serial_number, batch, stan, at in rows:
        shop, plan = shops.get(serial_number), play.planned.get(serial_number)
        if shop is None or plan is None or shop.exempt:
            yield True, "its device is bound by no plan"
            continue
        # A swap and a sale of the same second may have come in either order; a date is a date.
        gone_at = min((date + 1 for date in (shop.swapped_at, shop.lost_at) if date), default=plan.stop_at)
        end = min(plan.stop_at, plan.suspend_at or plan.stop_at, gone_at)
        yield at < end, f"{serial_number} {batch}/{stan} was captured {_told(at)}, after {_told(end)}"


def _books(play: Play) -> Iterator[Finding]:
    """What a till was told is approved is captured at the host with the same amount, and nothing else is."""
    captured = {
        (terminal_id, batch, stan): amount_fen
        for terminal_id, batch, stan, amount_fen in play.office.select(
            "SELECT terminal_id, batch, stan, amount_fen FROM transactions WHERE state = 'captured'"
        )
    }
    for shop in play.shops:
        if shop.till is None:
            continue
        yield not shop.till.bad_macs, f"{shop.till.serial_number} got {shop.till.bad_macs} replies with a wrong MAC"
        for (batch, stan), amount_fen in shop.till.rows.items():
            found = captured.pop((shop.terminal_id, batch, stan), None)
            yield found == amount_fen, f"{shop.terminal_id} {batch}/{stan}: till {amount_fen} fen, host {found}"
    for key in captured:
        yield False, f"{'/'.join(key)} is captured at the host, and no till was told so"


def _money(play: Play) -> Iterator[Finding]:
    """Everything captured is in a closed batch that was paid, less its fees; accounts sum to zero, none is owed."""
    net = {
        (terminal_id, batch): net_fen
        for terminal_id, batch, net_fen in play.office.select(
            "SELECT terminal_id, batch, sum(amount_fen - fee_fen) FROM transactions WHERE state = 'captured' "
            "GROUP BY terminal_id, batch"
        )
    }
    paid_fen: dict[tuple[str, str], int] = {}
    balances: Counter[str] = Counter()
    rows = play.office.select("SELECT terminal_id, batch, debit, credit, amount_fen FROM postings")
    for terminal_id, batch, debit, credit, amount_fen in rows:
        balances[credit] += amount_fen
        balances[debit] -= amount_fen
        if debit.startswith("merchant:") and credit == "bank:settlement":
            paid_fen[terminal_id, batch] = paid_fen.get((terminal_id, batch), 0) + amount_fen
    closed = {
        (terminal_id, batch): paid_at
        for terminal_id, batch, paid_at in play.office.select(
            "SELECT terminal_id, batch, paid_at FROM batches WHERE state = 'closed'"
        )
    }
    for key, net_fen in net.items():
        told = "/".join(key)
        yield closed.get(key) is not None, f"batch {told} holds {net_fen} fen and was not paid"
        yield paid_fen.get(key, 0) == net_fen, f"batch {told}: {net_fen} fen are due, {paid_fen.get(key, 0)} were paid"
    for account, balance_fen in sorted(balances.items()):
        owed = account.startswith("merchant:") and balance_fen != 0
        yield not owed, f"{account} stands at {balance_fen} fen"
    yield sum(balances.values()) == 0, f"the accounts sum to {sum(balances.values())} fen"


def _sums(play: Play) -> Iterator[Finding]:
    """The states of a campaign add up to its terminals, every day."""
    scope = len(play.planned)
    for day in play.chronicle.days:
        total = sum(day.states.values())
        yield total == scope, f"{day.day}: {total} terminals in all states, of {scope}"


def _capacity(play: Play) -> Iterator[Finding]:
    """No day has more swaps than the depot can do, and none lies outside the off-peak window."""
    figures, capacity = play.office.policy.retirement, play.rehearsal.capacity
    days: Counter[str] = Counter()
    for shop in play.shops:
        if shop.swapped_at:
            days[_told(shop.swapped_at)[:10]] += 1
            past_s = _past_midnight_s(shop.swapped_at) - figures.window_begins_s
            yield (
                0 <= past_s < figures.window_s,
                f"{shop.serial_number} was swapped {_told(shop.swapped_at)}, at no such hour",
            )
    for date, count in sorted(days.items()):
        yield not capacity or count <= capacity, f"{date}: {count} swaps, with room for {capacity}"


def _two(play: Play) -> Iterator[Finding]:
    """What needs two people was proposed by one and confirmed by another."""
    rows = play.office.select("SELECT number, act, person, decided_by, state FROM proposals ORDER BY number")
    found: Counter[str] = Counter()
    for number, act, person, decided_by, state in rows:
        found[act] += 1
        good = (person, decided_by, state) == (*OFFICERS, "confirmed")
        yield good, f"proposal {number}, {act}: {person} and {decided_by or 'nobody'}, {state}"
    swaps = sum(1 for shop in play.shops if shop.successor)
    yield found["start_campaign"] == 1, f"{found['start_campaign']} campaigns were started by two people"
    asked = found["begin_swap"] + found["replace"]
    yield asked == swaps, f"{asked} swaps were agreed by two people, and {swaps} devices replaced"


def _answers(play: Play) -> Iterator[Finding]:
    """The host answered as a healthy one does: no sale was refused but for the retirement."""
    for surprise in play.chronicle.surprises:
        yield False, surprise
    for reason, count in sorted(play.chronicle.refusals.items()):
        yield reason in ("hold.retirement", "terminal.stopped"), f"{count} sales were refused: {reason}"


CHECKS: Final[Mapping[str, Callable[[Play], Iterator[Finding]]]] = MappingProxyType(
    {
        "ends": _ends,
        "stops": _stops,
        "notices": _notices,
        "barrier": _barrier,
        "books": _books,
        "money": _money,
        "sums": _sums,
        "capacity": _capacity,
        "two_people": _two,
        "answers": _answers,
    }
)


def _items(play: Play) -> Iterator[tuple[str, str]]:
    rows = play.office.select("SELECT serial_number, state FROM campaign_items WHERE campaign = ?", play.campaign)
    return ((str(serial_number), str(state)) for serial_number, state in rows)


def _is_quiet(at: int, begins_s: int, ends_s: int) -> bool:
    past_s = _past_midnight_s(at)
    return begins_s <= past_s < ends_s if begins_s <= ends_s else past_s >= begins_s or past_s < ends_s


def _past_midnight_s(at: int) -> int:
    local = datetime.fromtimestamp(at, CHINA_TIME)
    return local.hour * 3600 + local.minute * 60 + local.second


def _steps(steps: Mapping[str, int]) -> str:
    return ", ".join(step if count == 1 else f"{step} {count} times" for step, count in steps.items()) or "nothing"


def _told(at: int) -> str:
    return f"{datetime.fromtimestamp(at, CHINA_TIME):%Y-%m-%d %H:%M}"
