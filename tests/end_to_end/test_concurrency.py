"""Thirty tills sell at one host at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from host.policy import Policy
from pos_lab.world import Over, world
from tests.end_to_end.shop import Till

TILLS = 30
SALES = 6


async def _trade(till: Till, chance: Random) -> None:
    """Sales with a void in between, and one reply in three tills that is lost."""
    if chance.random() < 1 / 3:
        till.device.hardware.faults.arm("line.drop_reply", when=lambda payload: payload[11:13] == b"\x02\x10")
    for number in range(SALES):
        await till.sell(chance.randrange(1, 300_00), chance.choice(("debit", "credit", "debit_second")))
        if number % 3 == 2 and till.sold:
            await till.do("void", chance.choice(list(till.sold)))


async def test_no_till_sees_half_of_another(tmp_path: Path) -> None:
    """On a Saturday the sale of one shop would appear in the book of another, or twice in its own."""
    chance = Random(30)
    async with world({}, Policy(), Over.TCP, tmp_path, seed=30) as built:
        tills = [await Till.open(built, number) for number in range(1, TILLS + 1)]
        await asyncio.gather(*(_trade(till, Random(chance.random())) for till in tills))
        for till in tills:
            await till.resolve()
            await till.assert_sound()
            assert await till.captured() == till.sold
        verified = await built.act("verify")
        assert verified["violations"] == []
        rows = await built.read(lambda books: books.rows("transactions"))
        assert {"captured", "voided", "reversed"} <= {row["state"] for row in rows}
        settled = await asyncio.gather(*(till.do("settle") for till in tills))
        assert [outcome.detail.get("balanced") for outcome in settled] == ["yes"] * TILLS
        accounts = await built.act("accounts")
        assert accounts["sum_fen"] == 0
