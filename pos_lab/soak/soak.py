"""One soak: shops work while processes are killed and their store is in trouble, and are examined in the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from pos_lab.sim.checker.examiner import Violation
from pos_lab.soak.cashier import Cashier
from pos_lab.soak.kills import KILLS, Kill
from pos_lab.soak.line import Plan, TappedLine
from pos_lab.soak.report import Report
from pos_lab.soak.shops import PATIENCE_S, Setting, Shops
from pos_lab.soak.troubles import TROUBLES

BETWEEN: Final = (1, 6)
"""How many flows come to their end between two kills."""
TROUBLE_EVERY: Final = 4
OFFICE_EVERY: Final = 7
"""Kills between two troubles of the store, and between two acts of the acquirer."""


class Soak:
    """Built for one setting; ``run`` it once. ``kills`` and ``troubles`` count what was done, by name."""

    def __init__(self, setting: Setting) -> None:
        self.kills: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()
        self._setting = setting
        self._shops = Shops(setting)
        self._chance = self._shops.chance

    @property
    def found(self) -> list[Violation]:
        """What does not hold, so far."""
        return self._shops.witness.violations

    async def run(self, told: Callable[[int], None]) -> Report:
        """Live it; ``told`` hears of each kill. Raises StoreError and TransportError where it cannot be set up."""
        loop = asyncio.get_running_loop()
        began, shops = loop.time(), self._shops
        async with shops.open():
            shops.work()
            for number in range(1, self._setting.kills + 1):
                await shops.trade(self._chance.randint(*BETWEEN))
                await self._kill()
                if number % TROUBLE_EVERY == 0:
                    await self._trouble()
                if number % OFFICE_EVERY == 0:
                    await shops.hold_up()
                told(number)
            await shops.finish()
        return Report.of(shops, loop.time() - began, self.kills, self.troubles)

    async def _kill(self) -> None:
        names = list(KILLS)
        name = self._chance.choices(names, [KILLS[each].weight for each in names])[0]
        row = KILLS[name]
        at = self._chance.randrange(len(self._shops.lines))
        line, cashier = self._shops.lines[at], self._shops.cashiers[at]
        plan = await self._instant(row, line)
        later_s = self._chance.uniform(0, row.within_s)
        if row.instant != "boot":
            await asyncio.sleep(later_s)
        if row.victim == "terminal":
            await cashier.till.kill()
            if row.instant == "boot":
                await self._kill_again(cashier, later_s)
        else:
            number = line.served_by if row.instant else self._chance.randrange(self._setting.hosts)
            await self._shops.hosts.kill(number)
        if plan is not None:
            plan.over.set()
        if row.victim == "host":
            await self._shops.hosts.boot(number, dies_within_s=later_s if row.instant == "boot" else None)
        self.kills[name] += 1

    async def _instant(self, row: Kill, line: TappedLine) -> Plan | None:
        """Wait until it has come, or patience ends."""
        if row.instant in ("", "boot"):
            return None
        plan = line.plan = Plan(row.instant)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await plan.reached.wait()
        except TimeoutError:
            line.plan = None
        return plan

    async def _kill_again(self, cashier: Cashier, later_s: float) -> None:
        """Kill a terminal while it starts again."""
        starts = cashier.starts
        await self._shops.until(lambda: cashier.starts > starts)
        await asyncio.sleep(later_s)
        await cashier.till.kill()

    async def _trouble(self) -> None:
        possible = [name for name, row in TROUBLES.items() if row.fits(self._setting)]
        name = self._chance.choice(possible)
        await TROUBLES[name].bring(self._shops)
        self.troubles[name] += 1
