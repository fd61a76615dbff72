"""Host processes are killed again and again while three tills sell and void, and start again on the same database.

One host on SQLite, and two beside each other on one port and one PostgreSQL. POSLAB_KILLS=200 makes a soak of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from host.store.books import Books
from pos_lab.host_process import HostProcess
from protocol.codec import unseal
from tests.end_to_end.shop import LOOK_S, WAIT_S, Till, free_port, joined
from tests.postgresql import Server

KILLS = int(os.environ.get("POSLAB_KILLS", "8"))
KILL_S = 3
TILLS = 3
SALES_BETWEEN = (3, 12)


class Trade:
    """Tills that sell until the shop closes; ``sales`` counts what their cashiers were told."""

    def __init__(self, tills: list[Till], chance: Random) -> None:
        self.tills = tills
        self.closing = False
        self._chance = chance
        self._settled: set[tuple[str, str]] = set()

    @property
    def sales(self) -> int:
        """Approved sales so far, voided or not."""
        return sum(len(till.sold) + len(till.undone) for till in self.tills)

    async def run(self) -> None:
        """All tills at once."""
        await asyncio.gather(*(self._trade(till) for till in self.tills))

    async def more(self, sales: int) -> None:
        """Wait for so many more sales."""
        due = self.sales + sales
        await _until(lambda: self.sales >= due)

    async def committed_but_not_told(self) -> None:
        """Wait for an answer that the host has committed and that does not reach its till."""
        faults = self._chance.choice(self.tills).device.hardware.faults
        lost = faults.fired.total() + 1
        faults.arm("line.drop_reply", when=_moves_money)
        await _until(lambda: faults.fired.total() >= lost)

    async def _trade(self, till: Till) -> None:
        while not self.closing:
            name = till.device.name
            voidable = [stan for stan in till.sold if (name, stan) not in self._settled]
            if voidable and self._chance.random() < 0.25:
                outcome = await till.do("void", self._chance.choice(voidable))
            else:
                card = self._chance.choice(("debit", "credit", "credit_second"))
                outcome = await till.sell(self._chance.randrange(1, 500_00), card)
            if outcome.reason == "terminal.journal_full" and (await till.do("settle")).is_good:
                self._settled |= {(name, stan) for stan in till.sold}
            elif not outcome.is_good:
                await asyncio.sleep(LOOK_S)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.001)


def _moves_money(payload: bytes) -> bool:
    return unseal(payload).message.mti == "0210"


@pytest.mark.timeout(120 + KILLS * KILL_S * 2)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.feature("F")
async def test_no_committed_sale_is_lost_and_none_doubled(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """After a power failure in the data centre a merchant would be paid twice, or not at all."""
    chance = Random(20260301)
    database, url, db = tmp_path / "host.db", f"tcp://127.0.0.1:{free_port(chance)}", ""
    if kind == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        db, url = server.database(), f"{url}?reuse=yes"

    async def start() -> HostProcess:
        return await HostProcess.start(database, listen=url, quiet=True, db=db)

    hosts = [await start() for _ in range(2 if db else 1)]
    try:
        async with joined(url.partition("?")[0], database, db=db) as world:
            trade = Trade([await Till.open(world, number) for number in range(1, TILLS + 1)], chance)
            trading = asyncio.create_task(trade.run())
            for kill in range(KILLS):
                await trade.more(chance.randint(*SALES_BETWEEN))
                if kill % 2:
                    await trade.committed_but_not_told()
                else:
                    await asyncio.sleep(chance.uniform(0, 0.02))
                killed = chance.randrange(len(hosts))
                await hosts[killed].kill()
                hosts[killed] = await start()
            await trade.more(TILLS)
            trade.closing = True
            await trading
            for till in trade.tills:
                await _balance(till)
            states = {str(row["state"]) for row in await world.read(lambda books: books.rows("transactions"))}
            assert {"captured", "voided", "reversed"} <= states, "no kill fell between a commit and its reply"
            assert (await world.act("verify"))["violations"] == []
            await _accounts_hold(trade.tills)
    finally:
        for host in hosts:
            await host.stop()
        if db:
            server.drop(db)


async def _balance(till: Till) -> None:
    """Resolved, the two books agree with each other and with the cashier, and the batch settles balanced."""
    await till.resolve()
    await till.assert_sound()
    assert await till.captured() == till.sold
    settled = await till.do("settle")
    assert settled.detail.get("balanced") == "yes", settled
    assert await till.differences() == ()


async def _accounts_hold(tills: list[Till]) -> None:
    """What the host owes each merchant is what the cashier was told was sold, less the fee of each sale, once."""
    world = tills[0].world
    balances = (await world.act("accounts"))["accounts"]
    assert isinstance(balances, dict)
    for till in tills:
        who = till.device.member

        def fees(books: Books, terminal_id: str = who.terminal_id) -> int:
            rows = books.rows("transactions", terminal_id=terminal_id, kind="sale", state="captured")
            return sum(int(row["fee_fen"]) for row in rows)

        due = sum(till.sold.values()) - await world.read(fees)
        assert balances[f"merchant:{who.merchant_id}:payable"] == due
