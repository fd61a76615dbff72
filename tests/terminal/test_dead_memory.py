"""The journal's memory takes nothing any more: what is in it can be read, and nobody is told what is not so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest

from firmware_sim.faults import Faults
from firmware_sim.power import PowerLost
from terminal.flows import FLOWS
from terminal.outcome import LOCAL
from tests.terminal.bench import SERIAL_NUMBER, Bench, bench_at, once, swallow
from tests.terminal.fake_host import FakeHost
from tests.terminal.test_power_cuts import PLAYS, begin, check_recovery, quiesce

WORN: Final = "terminal.memory_worn"
TEXTS: Final = {"title_zh": "通知", "title_en": "Notice", "text_zh": "维护", "text_en": "Maintenance"}
WORDS: Final = {
    "AMOUNT": "1.00", "CARD": "credit", "PAN": "6200000200000003", "YYMM": "3012", "STAN": "000002",
    "RRN": "000000000001", "MMDD": "0301", "AUTH": "000001", "CODE": "6200123456789012345", "ON_OFF": "on",
    "NAME": "parameters", "OPERATOR": "01", "FIRST": "135790", "PASSWORD": "123456", "ENTER": "enter",
}  # fmt: skip
"""What is typed for each word of a usage; the others are left out."""


class DeadFrom(Faults):
    """From the ``number``-th page that is written on the memory takes nothing; ``pages`` counts them."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number, self.pages = number, 0

    def fires(self, name: str) -> bool:
        if name == "journal.stuck_bit":
            self.pages += 1
        is_dead = name in ("journal.stuck_bit", "journal.erase_fails") and self.pages >= self.number
        return is_dead or super().fires(name)


async def _die(bench: Bench, number: int) -> DeadFrom:
    bench.hardware.faults = faults = DeadFrom(number)
    bench.restart()
    return faults


@pytest.mark.parametrize("name", PLAYS)
async def test_it_dies_at_every_page(name: str) -> None:
    """A till would crash in front of the customer, or say that nothing was paid where the money is gone."""
    number = 0
    while True:
        number += 1
        async with bench_at(FakeHost()) as bench:
            await begin(bench, name)
            before, told = bench.host.captured(), bench.terminal.told
            faults = await _die(bench, number)
            await PLAYS[name](bench)
            if faults.pages < number:
                break
            where = f"{name}, page {number}"
            heard = {outcome.stan: outcome.result for outcome in (*told, *bench.terminal.told)}
            for key, _ in bench.host.captured() - before:
                assert heard.get(key.stan) in ("approved", "unknown", "done"), where
            bench.host.after.clear()
            bench.host.before.clear()
            bench.restart()
            assert (await bench.sell()).result == "refused", where
            bench.hardware.faults = Faults()
            bench.restart()
            await check_recovery(bench)
            await quiesce(bench)
            batch = bench.terminal.book.batch
            assert bench.captured() == {row for row in bench.host.captured() if row[0].batch == batch}, where
    assert number > 1


@pytest.fixture
async def dead() -> AsyncIterator[Bench]:
    """A till with a sale, a sale to reverse and a notice to read, whose memory takes nothing any more."""
    async with bench_at(FakeHost(), manual_entry=True) as bench:
        await begin(bench)
        bench.host.enqueue("notice", {"reason": "model.retired", "stop_at": "2026-06-30", **TEXTS}, SERIAL_NUMBER)
        await bench.do("commands")
        bench.host.after.append(once("sale", swallow))
        assert (await bench.sell()).result == "unknown"
        await _die(bench, 0)
        yield bench


async def test_every_flow_says_something(dead: Bench) -> None:
    """A cashier who tries this and that would bring the till down, and nobody could read its journal any more."""
    held, book = dead.host.captured(), dead.terminal.book
    for name, flow in FLOWS.items():
        words = [WORDS.get(word.strip("[]"), "") for word in flow.usage.split()[1:]]
        outcome = await dead.do(name, *words)
        assert outcome.result != "approved", name
        assert outcome.is_good or outcome.text_zh, name
    assert dead.host.captured() <= held
    assert dead.terminal.book == book
    dead.restart()
    assert dead.terminal.book == book
    assert (await dead.do("settle")).reason == WORN
    assert LOCAL[WORN].english in dead.screens[-1]


async def test_its_doubts_are_kept_for_whoever_reads_them() -> None:
    """A request whose outcome nobody knows would be sent again as if it were new (J9)."""
    async with bench_at(FakeHost()) as bench:
        await begin(bench)
        bench.host.before.append(once("sale", lambda answer: bench.hardware.cut_power()))
        with pytest.raises(PowerLost):
            await bench.sell()
        asked = len(bench.host.requests)
        await _die(bench, 0)
        assert (await bench.do("reverse")).reason == WORN
        assert len(bench.host.requests) == asked
