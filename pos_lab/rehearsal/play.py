"""Plays a rehearsal day by day: jobs on the hour, sales, appointments, settlement in the evening, and what people read.

Rules owned here: the course of a day; merchants know only what they read and what their till tells them; the depot
takes no more appointments a day than the capacity; the acquirer's plan is asked for once, before it binds, and kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from host.errors import AdminError
from host.notices import TERMINAL, day
from host.policy import DAY_S
from host.written import CHINA_TIME
from pos_lab.rehearsal.chronicle import Chronicle, Day
from pos_lab.rehearsal.fleet import Shop
from pos_lab.rehearsal.office import Office
from pos_lab.rehearsal.plan import Listed, Rehearsal
from pos_lab.rehearsal.till import Till, Unexpected
from pos_lab.sim.chance import Streams

HOUR_S: Final = 3600
OPENS_S, CLOSES_S, SETTLES_S = 9 * HOUR_S, 21 * HOUR_S, 22 * HOUR_S
AMOUNT_FEN: Final = (100, 50_000)
PAID_WITHIN_DAYS: Final = 14
"""So long after the last day what was settled must have been paid: terms, weekends and holidays."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What the plan said of one terminal before anything was carried out; instants in epoch seconds."""

    wave: int
    notice_at: int
    grace_until: int
    stop_at: int
    suspend_at: int | None
    swap_at: int | None


class Play:
    """One rehearsal under way. ``planned`` is what the host promised, by serial number; ``overview`` its sums."""

    def __init__(
        self, office: Office, rehearsal: Rehearsal, models: Listed, shops: list[Shop], streams: Streams
    ) -> None:
        self.office = office
        self.rehearsal = rehearsal
        self.shops = shops
        self.chronicle = Chronicle()
        self.planned: dict[str, Planned] = {}
        self.overview: dict[str, Any] = {}
        self.campaign = 0
        self.begins = office.at
        self._models = models
        self._by_serial = {shop.serial_number: shop for shop in shops}
        self._sellers = [shop for shop in shops if shop.till and shop.behaviour.sells]
        self._people, self._sales = streams.of("people"), streams.of("sales")
        self._bookings: Counter[int] = Counter()
        self._diary: dict[int, list[Shop]] = {}
        self._unpaid: dict[tuple[str, str], int] = {}
        self._losses: dict[int, list[Shop]] = {}

    def begin(self) -> None:
        """Plan dry, plan, start by two people, exempt. Raises AdminError where the host wants another plan."""
        course, office = self.rehearsal.plan, self.office
        arguments: dict[str, Any] = {
            "content": self._models.content,
            "title": self.rehearsal.rehearsal,
            "waves": course.waves,
            "capacity": self.rehearsal.capacity,
            "grace_days": course.grace_s // DAY_S,
            "suspend_days": course.suspend_s // DAY_S,
            "stop_days": course.stop_s // DAY_S,
        }
        dry = office.act("plan_campaign", **arguments, dry_run=True)
        if dry["unplaced"]:
            raise AdminError(
                f"{self.rehearsal.capacity} swaps a day leave {len(dry['unplaced'])} terminals without an appointment",  # type: ignore[arg-type]
                hint="more a day, a later stop or fewer waves",
                code="capacity",
            )
        names = Planned.__slots__
        items: list[dict[str, Any]] = dry.pop("items")  # type: ignore[assignment]
        self.planned = {item["serial_number"]: Planned(*(item[name] for name in names)) for item in items}
        self.overview = dry
        self.campaign = int(office.act("plan_campaign", **arguments)["number"])  # type: ignore[call-overload]
        office.act_of_two("start_campaign", number=self.campaign)
        for serial_number in self._exempted():
            office.act("exempt", number=self.campaign, serial_number=serial_number, why="rehearsed exemption")
            self._by_serial[serial_number].exempt = True
        for serial_number, plan in self.planned.items():
            shop = self._by_serial[serial_number]
            if plan.swap_at is not None and not shop.exempt:
                self._bookings[_midnight(plan.swap_at)] += 1
                self._enter(shop, plan.swap_at)
            self._foresee_loss(shop, plan)

    def live(self, told: Callable[[int], None]) -> None:
        """Every day, then what is still to be settled and paid; ``told`` hears the number of each day that is over."""
        for number in range(self.rehearsal.days):
            self._day(self.begins + number * DAY_S)
            told(number + 1)
        self._settle()
        self.chronicle.today.unsettled_fen = sum(sum(till.open.values()) for till in self._tills())
        for _ in range(PAID_WITHIN_DAYS):
            self.office.at += DAY_S
            self.office.act("run_payouts")

    def _exempted(self) -> list[str]:
        count = round(len(self.planned) * self.rehearsal.plan.exempt)
        return sorted(self._people.sample(sorted(self.planned), count))

    def _foresee_loss(self, shop: Shop, plan: Planned) -> None:
        if shop.exempt or self._people.random() >= shop.behaviour.loses:
            return
        days = max(1, (plan.stop_at - self.office.at) // DAY_S)
        lost_on = _midnight(self.office.at) + self._people.randrange(days) * DAY_S
        self._losses.setdefault(lost_on, []).append(shop)

    # a day

    def _day(self, begins: int) -> None:
        self.chronicle.days.append(Day(day(begins)))
        for at, happens in sorted(self._agenda(begins), key=lambda entry: entry[0]):
            self.office.at = at
            happens()
        self.office.at = begins + DAY_S - 1
        self._close(begins)

    def _agenda(self, begins: int) -> Iterator[tuple[int, Callable[[], None]]]:
        """Instants and what happens; of one instant, the jobs come first."""
        for hour in range(24):
            yield begins + hour * HOUR_S, self.office.run_jobs
        sales = self.rehearsal.fleet.sales
        for number in range(sales):
            yield begins + OPENS_S + (CLOSES_S - OPENS_S) * number // sales, self._sell
        for shop in self._losses.pop(begins, []):
            yield begins + OPENS_S, lambda shop=shop: self._lose(shop)  # type: ignore[misc]
        for shop in self._diary.pop(begins, []):
            yield shop.swap_at, lambda shop=shop: self._meet(shop)  # type: ignore[misc]
        yield begins + SETTLES_S, self._settle

    def _sell(self) -> None:
        """Everybody who has a till on the wire sells once."""
        today, chance = self.chronicle.today, self._sales
        tills = [shop.till for shop in self._sellers if shop.till]
        amounts = [chance.randint(*AMOUNT_FEN) for _ in tills]
        payloads = [till.sale(amount, chance.getrandbits(1)) for till, amount in zip(tills, amounts, strict=True)]
        for till, amount_fen, answer in zip(tills, amounts, self._answers(payloads), strict=True):
            if reason := till.hear(answer):
                today.refused += 1
                today.refused_fen += amount_fen
                self.chronicle.refusals[reason] += 1
            else:
                today.sales += 1
                today.sales_fen += amount_fen

    def _settle(self) -> None:
        self._settle_some([till for till in self._tills() if till.open])

    def _settle_some(self, tills: list[Till]) -> None:
        batches = [(till.terminal_id, till.batch) for till in tills]
        answers = self._answers([till.settlement() for till in tills])
        for till, batch, answer in zip(tills, batches, answers, strict=True):
            with self._surprised():
                self._unpaid[batch] = till.settled(answer)

    def _tills(self) -> Iterator[Till]:
        return (shop.till for shop in self.shops if shop.till)

    def _close(self, begins: int) -> None:
        """The end of a day: who has read what, who woke up, and the figures."""
        office, today = self.office, self.chronicle.today
        self._read(begins)
        states = office.select(
            "SELECT state, count(*) FROM campaign_items WHERE campaign = ? GROUP BY state", self.campaign
        )
        today.states = dict(states)
        self._wake()
        paid = office.select("SELECT terminal_id, batch FROM batches WHERE paid_at >= ?", begins)
        today.paid_fen = sum(self._unpaid.pop(batch, 0) for batch in paid)
        today.unpaid_fen = sum(self._unpaid.values())
        today.unsettled_fen = sum(sum(till.open.values()) for till in self._tills())
        audit = "SELECT count(*) FROM audit WHERE act = 'alarm' AND at >= ?"
        alerts = "SELECT count(*) FROM alerts WHERE at >= ?"
        today.alarms = sum(count for sql in (audit, alerts) for (count,) in office.select(sql, begins))

    def _read(self, begins: int) -> None:
        sent = self.office.select(
            "SELECT notice, serial_number, channel, number FROM inbox WHERE sent_at >= ? AND notice > 0 "
            "ORDER BY number",
            begins,
        )
        today, found = self.chronicle.today, dict[tuple[int, str], list[tuple[str, int]]]()
        for notice, serial_number, channel, number in sent:
            today.notices[channel] += 1
            found.setdefault((notice, serial_number), []).append((channel, number))
        for (_, serial_number), messages in found.items():
            shop = self._by_serial[serial_number]
            if self._people.random() >= shop.behaviour.reads:
                continue
            today.read += 1
            if shop.till:
                number = next((number for channel, number in messages if channel != TERMINAL), 0)
                if number:
                    self.office.act("mark_message", actor=shop.merchant_id, number=number, mark="acknowledged")
            if not shop.knows and not self.rehearsal.capacity and shop.behaviour.comes:
                self._book(shop, self.office.at + (shop.behaviour.again_s or DAY_S))
            shop.knows = True

    def _wake(self) -> None:
        """Whoever sells no more since today asks for a swap, if that is how they are."""
        ended = self.office.select(
            "SELECT serial_number FROM campaign_items WHERE campaign = ? AND state IN ('suspended', 'stopped') "
            "ORDER BY serial_number",
            self.campaign,
        )
        for (serial_number,) in ended:
            shop = self._by_serial[serial_number]
            if shop.refused:
                continue
            shop.refused = True
            if shop.behaviour.wakes_s and shop.behaviour.sells and shop.swap_at < self.office.at:
                self._book(shop, self.office.at + shop.behaviour.wakes_s)

    # swaps

    def _meet(self, shop: Shop) -> None:
        """An appointment: somebody comes with the device, or nobody does."""
        if shop.swapped_at or shop.lost_at:
            return
        at = self.office.at
        if (shop.knows or shop.refused) and self._people.random() < shop.behaviour.comes:
            with self._surprised():
                self._swap(shop)
                self.chronicle.hour(at)["swaps"] += 1
                self.chronicle.today.swaps += 1
            return
        shop.missed += 1
        self.chronicle.hour(at)["missed"] += 1
        self.chronicle.today.missed += 1
        if shop.behaviour.again_s and (shop.knows or shop.refused):
            self._book(shop, at + shop.behaviour.again_s)

    def _swap(self, shop: Shop) -> None:
        """Over the wire with both devices where the till is on it, else by the acquirer's order."""
        office, old = self.office, shop.till
        shop.successor = f"NW{shop.serial_number[2:]}"
        if old is None:
            office.act_of_two(
                "replace", *self._delivery(shop), serial_number=shop.serial_number, successor=shop.successor
            )
        else:
            if old.open:
                self._settle_some([old])
            swap = {"serial_number": shop.serial_number, "successor": shop.successor}
            number = int(office.act_of_two("begin_swap", *self._delivery(shop), **swap)["swap"])  # type: ignore[call-overload]
            new = self._successor(shop, old)
            sha256 = old.hand_over(self._ask, number)
            new.take_over(self._ask, old, number)
            old.wipe(self._ask, new.serial_number, number, sha256, office.at)
            shop.till = new
        shop.swapped_at = office.at

    def _lose(self, shop: Shop) -> None:
        """The device is gone; a shop that sells gets another one at once, and its money out of the host's ledger."""
        if shop.swapped_at:
            return
        office, old = self.office, shop.till
        office.act("lose", serial_number=shop.serial_number)
        shop.lost_at = office.at
        self.chronicle.today.losses += 1
        if not shop.behaviour.sells:
            return
        shop.successor = f"NW{shop.serial_number[2:]}"
        office.act_of_two("replace", *self._delivery(shop), serial_number=shop.serial_number, successor=shop.successor)
        if old:
            if old.open:
                self._unpaid[old.terminal_id, old.batch] = sum(old.open.values())
            new = self._successor(shop, old)
            new.rows, new.bad_macs = old.rows, old.bad_macs
            with self._surprised():
                new.sign_on(self._ask)
            shop.till = new

    def _delivery(self, shop: Shop) -> tuple[tuple[str, dict[str, Any]], ...]:
        device = {"serial_number": shop.successor}
        return ("order", {**device, "model": self.rehearsal.fleet.successor}), ("ship", device), ("deliver", device)

    def _successor(self, shop: Shop, old: Till) -> Till:
        tmk = bytes.fromhex(str(self.office.act("key_card", serial_number=shop.successor)["tmk"]))
        return Till(shop.successor, self.rehearsal.fleet.successor, old.terminal_id, old.merchant_id, tmk)

    def _book(self, shop: Shop, wanted_at: int) -> None:
        """The first day from then on that has room; nobody waits beyond the last day."""
        figures, capacity = self.office.policy.retirement, self.rehearsal.capacity
        date = _midnight(wanted_at)
        while capacity and self._bookings[date] >= capacity:
            date += DAY_S
        apart_s = figures.window_s // max(capacity, self._bookings[date] + 1, 1)
        at = date + figures.window_begins_s + self._bookings[date] * apart_s
        self._bookings[date] += 1
        self._enter(shop, at)

    def _enter(self, shop: Shop, at: int) -> None:
        shop.swap_at = at
        self._diary.setdefault(_midnight(at), []).append(shop)

    # the wire

    def _answers(self, payloads: list[bytes]) -> list[bytes]:
        self.chronicle.exchanges += len(payloads)
        return self.office.answers(payloads)

    def _ask(self, payload: bytes) -> bytes:
        return self._answers([payload])[0]

    def _surprised(self) -> _Surprised:
        return _Surprised(self.chronicle)


class _Surprised:
    """What nobody expected of the host is written down, and the day goes on."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Unexpected | AdminError):
            return False
        self._chronicle.surprises.append(f"{self._chronicle.today.day}: {error}")
        return True


def _midnight(at: int) -> int:
    """The begin of a day in China's time."""
    local = datetime.fromtimestamp(at, CHINA_TIME)
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
