"""The idle screen: what stands there between two customers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from firmware_sim.clock import BoardClock
from firmware_sim.errors import DeviceError
from firmware_sim.keypad import Key
from firmware_sim.power import Cause
from terminal.idle import idle_screen
from terminal.records import CommandAccepted
from tests.terminal.bench import Bench, bench_at, once, swallow
from tests.terminal.fake_host import FakeHost

READY = "ready\nCorner Shop\n03-01 10:00"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with bench_at(FakeHost(), merchant_name="Corner Shop", idle_after_s=0.01) as built:
        yield built


async def test_a_flow_leaves_the_screen_to_the_next_customer(bench: Bench) -> None:
    """The next customer would read what the last one paid."""
    assert bench.screens[-1] == READY
    await bench.sell()
    assert "RMB 60.00" in bench.screens[-1]
    await asyncio.sleep(0.05)
    assert bench.screens[-1] == READY
    assert bench.hardware.shown[-1].zh == "欢迎使用\nCorner Shop\n03-01 10:00"


async def test_the_next_key_is_soon_enough() -> None:
    """A cashier in a hurry would type at the last customer's slip."""
    async with bench_at(FakeHost(), idle_after_s=60) as bench:
        await bench.sell()
        bench.terminal.board.keypad.strike("6")
        assert bench.screens[-1].startswith("ready")
        shown = len(bench.screens)
        bench.terminal.board.keypad.strike("0")
        assert len(bench.screens) == shown
        bench.terminal.board.keypad.strike(Key.CLEAR)
        assert (await bench.sell()).result == "approved"


async def test_a_flow_is_not_interrupted(bench: Bench) -> None:
    """The question would vanish while the customer thinks."""
    await bench.sell()
    bench.terminal.session.settings = bench.settings.model_copy(update={"entry_timeout_s": 0.3})
    selling = asyncio.create_task(bench.terminal.run("sale"))
    await asyncio.sleep(0.04)
    assert bench.screens[-1] == "enter the amount"
    assert (await selling).reason == "terminal.entry_timeout"


async def test_a_flow_that_cannot_begin_gives_the_screen_back(bench: Bench) -> None:
    """A wrong entry would leave the screen as it was, for ever."""
    await bench.sell()
    with pytest.raises(DeviceError):
        await bench.sell(card="debit:throw")
    await asyncio.sleep(0.05)
    assert bench.screens[-1] == READY


async def test_a_dead_terminal_shows_nothing_more(bench: Bench) -> None:
    """The screen of a device without power would change, or its timer crash the laboratory."""
    await bench.sell()
    bench.hardware.power.cut(Cause.MAINS)
    shown = len(bench.screens)
    await asyncio.sleep(0.05)
    assert len(bench.screens) == shown
    bench.restart()
    assert bench.screens[-1] == READY


@pytest.mark.parametrize("by_key", [False, True])
async def test_power_that_goes_while_the_screen_is_drawn_is_no_crash(
    bench: Bench, by_key: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The laboratory would show a traceback for a plug that was pulled at an idle terminal."""
    glance, failures = BoardClock.glance, list[object]()

    def cut(clock: BoardClock) -> datetime:
        bench.hardware.power.cut(Cause.MAINS)
        return glance(clock)

    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    await bench.sell()
    monkeypatch.setattr(BoardClock, "glance", cut)
    if by_key:
        bench.terminal.board.keypad.strike("6")
    await asyncio.sleep(0.05)
    assert not bench.hardware.power.is_on
    assert failures == []


def notice(*, must_confirm: bool) -> CommandAccepted:
    """A notice that has come, and nobody has read."""
    body = {
        "reason": "terminal.model_retired", "title_zh": "换机", "title_en": "swap", "text_zh": "", "text_en": "",
        "stop_at": "",
    }  # fmt: skip
    kind = "announcement" if must_confirm else "notice"
    return CommandAccepted.model_validate({"command": {"counter": 1, "kind": kind, "body": body}})


async def _pending(bench: Bench) -> None:
    bench.host.after.append(once("sale", swallow))
    bench.host.before.append(lambda answer: answer.refuse("96") if answer.kind == "sale_reversal" else None)
    await bench.sell()


async def _stopped(bench: Bench) -> None:
    bench.host.before.append(
        lambda answer: answer.refuse("58", "终端已停用", "terminal.stopped") if answer.kind == "sale" else None
    )
    await bench.sell()


async def _noticed(bench: Bench) -> None:
    bench.terminal.session.journal.append(notice(must_confirm=False))


async def _announced(bench: Bench) -> None:
    bench.terminal.session.journal.append(notice(must_confirm=True))


async def _opened(bench: Bench) -> None:
    bench.hardware.open_case()


async def _forgotten(bench: Bench) -> None:
    bench.hardware.crystal.forget()


STATES = {
    "stopped": (_stopped, ""),
    "pending": (_pending, "a reversal is pending\nCorner"),
    "paused": (lambda bench: bench.do("pause"), "the merchant has paused the terminal\nCorner"),
    "training": (lambda bench: bench.do("training", "on"), "[TRAINING] ready"),
    "notice": (_noticed, "ready\nCorner Shop\n03-01 10:00\n1 unread notice"),
    "announcement": (_announced, "an announcement waits\nCorner"),
    "tampered": (_opened, "the case was opened, the keys are erased\nCorner"),
    "no time": (_forgotten, "ready\nCorner Shop\nthe clock is not set"),
}


@pytest.mark.parametrize("name", STATES)
async def test_what_bars_the_next_sale_is_told_before_it(bench: Bench, name: str) -> None:
    """The cashier would find out in front of the customer."""
    happen, told = STATES[name]
    await happen(bench)  # type: ignore[operator]
    await asyncio.sleep(0.05)
    bench.terminal.session.show(*idle_screen(bench.terminal.session))
    if name == "stopped":
        text = bench.terminal.told[-1].text_en
        assert bench.screens[-1].startswith(f"{text}\n")
        bench.host.before.clear()
        await bench.sell()
        assert idle_screen(bench.terminal.session)[1].startswith("ready")
    else:
        assert bench.screens[-1].startswith(told)


def test_a_terminal_can_be_made_where_nothing_waits() -> None:
    """A tool that only looks at a device could not switch it on."""
    bench = Bench(FakeHost(), "memory:nobody")
    assert bench.screens[-1] == "ready\n03-01 10:00"
    bench.hardware.close()
