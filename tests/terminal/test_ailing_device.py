"""A device that ages: worn memory, a dead cell, broken parts; money is never at stake."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from firmware_sim.power import Cause
from firmware_sim.self_test import GOOD, SELF_TESTS
from protocol.codes import PARTS
from protocol.fields import F
from terminal.flows.link import part_states
from tests.terminal.bench import Bench, bench_at, once, swallow
from tests.terminal.fake_host import FakeHost

pytestmark = pytest.mark.feature("F")


async def _wear_out(bench: Bench) -> None:
    """The next time that the journal is put in order, its old bank cannot be erased any more."""
    bench.hardware.faults.arm("journal.erase_fails", times=None)
    bench.terminal.session.journal.compact()
    assert bench.terminal.board.nvram.is_worn


async def test_worn_memory_refuses_the_sale_up_front_and_ends_what_is_open(bench: Bench) -> None:
    """An old terminal would take a payment that it cannot write down (T10)."""
    assert (await bench.sell("10.00")).result == "approved"
    bench.host.after.append(once("sale", swallow))
    assert (await bench.sell("20.00")).result == "unknown"
    await _wear_out(bench)
    asked = len(bench.host.requests)
    outcome = await bench.sell()
    assert (outcome.result, outcome.reason) == ("refused", "terminal.memory_worn")
    assert len(bench.host.requests) == asked
    assert (await bench.do("refund", "1.00", "debit", "000000000001", "0301")).reason == "terminal.memory_worn"
    bench.restart()
    assert bench.terminal.board.nvram.is_worn
    assert (await bench.do("reverse")).result == "done"
    assert bench.captured() == bench.host.captured()
    assert len(bench.captured()) == 1
    assert (await bench.do("settle")).detail["balanced"] == "yes"
    assert (await bench.sell()).reason == "terminal.memory_worn"
    bench.restart()
    assert [batch.balanced for batch in bench.terminal.book.closed] == [True]


async def test_memory_that_takes_nothing_while_it_is_put_in_order(bench: Bench) -> None:
    """The settlement would be told as failed that the host has booked."""
    assert (await bench.sell("10.00")).result == "approved"
    journal, book = bench.terminal.session.journal, bench.terminal.book
    bench.hardware.faults.arm("journal.stuck_bit", times=None)
    journal.compact()
    bench.hardware.faults.disarm("journal.stuck_bit")
    assert bench.terminal.board.nvram.is_worn
    assert (await bench.sell()).reason == "terminal.memory_worn"
    bench.restart()
    assert bench.terminal.book == book
    assert not bench.terminal.board.nvram.is_worn, "what failed was not the erasing"


async def test_a_record_that_the_memory_does_not_take_is_told(bench: Bench) -> None:
    """A sale would go out that nothing stands behind."""
    await bench.do("sign_in")
    asked = len(bench.host.requests)
    bench.hardware.faults.arm("journal.stuck_bit", times=None)
    outcome = await bench.sell()
    assert (outcome.result, outcome.reason) == ("refused", "terminal.memory_worn")
    assert len(bench.host.requests) == asked
    bench.hardware.faults.disarm("journal.stuck_bit")
    bench.restart()
    assert bench.terminal.book.rows == {}


def test_the_parts_that_the_host_knows() -> None:
    """The acquirer would send a technician for the wrong part."""
    assert set(PARTS.values()) <= SELF_TESTS.keys()
    assert part_states({}) == ""
    assert part_states(dict.fromkeys(SELF_TESTS, GOOD)) == "011021031041051"
    assert part_states({"keyboard": GOOD, "printer": "jam", "card_reader": "chip", "line": "down"}) == "011030040"


async def test_broken_parts_are_told_to_the_host_and_the_cashier() -> None:
    """The acquirer would hear that everything works until nobody can pay any more."""
    async with bench_at(FakeHost(), model="PX-A920") as bench:
        for name in ("printer.out_of_paper", "clock.frozen"):
            bench.hardware.faults.arm(name, times=None)
        bench.hardware.power.drain(90)
        outcome = await bench.do("status")
        assert bench.host.asked("status_upload")[0].octets(F.PAYLOAD) == b"011021031040051"
        assert outcome.detail["faults"] == "clock frozen, battery low, printer out_of_paper"


@pytest.mark.parametrize("has_history", [False, True])
async def test_a_clock_with_a_dead_cell_is_set_by_the_host(bench: Bench, has_history: bool) -> None:
    """Slips would carry the year 2000, and a command of last year be taken for a fresh one."""
    bench.host.date, bench.host.time = "0301", "100000"
    if has_history:
        await bench.sell()
        await bench.do("settle")
    bench.hardware.faults.arm("clock.dead_cell")
    bench.now += timedelta(days=365)
    clock = bench.restart().board.clock
    assert (clock.is_set, clock.now().year) == (False, 2000)
    await bench.do("sign_in")
    assert clock.is_set
    assert clock.now().strftime("%m%d%H%M") == "03011000"
    assert clock.now().year == (2026 if has_history else 2000), "fields 12 and 13 name no year; the journal does"


async def test_a_program_that_hangs_is_restarted_and_its_sale_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that hangs after the host has answered would lose the sale, or stay dark."""
    monkeypatch.setattr("terminal.settings.REPLY_TIMEOUT_MAX_S", 0.05)
    async with bench_at(FakeHost(), entry_timeout_s=0.02, reply_timeout_s=0.05, connect_timeout_s=0.02) as bench:
        await bench.do("sign_in")
        bench.host.after.append(once("sale", lambda answer: bench.hardware.faults.arm("watchdog.hang")))
        outcome = await bench.sell()
        assert outcome.result == "approved"
        await asyncio.sleep(0.15)
        assert (bench.hardware.power.is_on, bench.hardware.power.last_cut) == (False, Cause.WATCHDOG)
        bench.restart()
        assert bench.captured() == bench.host.captured()
        assert len(bench.captured()) == 1
